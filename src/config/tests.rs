use std::path::Path;

use clap::CommandFactory;

use super::*;
use crate::config::args::Options;
use crate::error::{ErrorKind, Result};

fn environment(home: &Path) -> Environment {
    Environment {
        home: Some(home.to_path_buf()),
        config_home: Some(home.join(".config")),
        cache_home: Some(home.join(".cache")),
        state_home: Some(home.join(".local/state")),
        credentials: None,
        notify_socket: None,
        temp_dir: home.join("tmp"),
        programs: Vec::new(),
        fusermount: None,
        aws: environment::AwsNames::default(),
        stderr: StderrKind::Other,
        uid: 1000,
        gid: 100,
    }
}

/// Settings from flags, and the text of the default configuration file where there is one.
fn resolve(home: &Path, file: Option<&str>, flags: &[&str]) -> Result<Settings> {
    if let Some(text) = file {
        std::fs::create_dir_all(home.join(".config/edxfs")).expect("the folder is ours");
        std::fs::write(home.join(".config/edxfs/config.toml"), text).expect("the folder is ours");
    }
    let matches = Options::command().try_get_matches_from(flags).expect("the flags parse");
    Settings::resolve(&matches, Need::Tree, &environment(home))
}

fn settings(file: &str, flags: &[&str]) -> Settings {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    resolve(home.path(), Some(file), flags).expect("the settings make sense")
}

fn refusal(file: &str, flags: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let error = resolve(home.path(), Some(file), flags).expect_err("the settings make no sense");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    error.to_string()
}

#[test]
fn nothing_given_means_the_documented_defaults() {
    let home = tempfile::tempdir().unwrap();
    let settings = resolve(home.path(), None, &["--org", "ChalmersX"]).unwrap();
    assert_eq!(settings.orgs, ["chalmersx"]);
    assert_eq!(settings.cache_dir("chalmersx"), home.path().join(".cache/edxfs/chalmersx"));
    assert_eq!(settings.cache_bytes, 20 << 30);
    assert_eq!((settings.mode, settings.dir_mode, settings.uid, settings.gid), (0o400, 0o500, 1000, 100));
    assert_eq!((settings.refresh.as_secs(), settings.timeout.as_secs()), (900, 60));
    assert_eq!((settings.sizes, settings.index, settings.sniffers), (Sizes::Lazy, Index::Background, Sniffers::Refuse));
    assert_eq!(settings.course_rule, CourseRule::Recall);
    assert_eq!((settings.survey_pre, settings.survey_post, settings.compartment.get()), (None, None, 5));
    assert_eq!(settings.passphrase, PassphraseSource::Prompt);
    assert_eq!(settings.log.default_file, home.path().join(".local/state/edxfs/chalmersx.log"));
    let SourceSettings::S3(s3) = settings.source else { panic!("S3 is the default") };
    assert_eq!((s3.events_bucket.as_str(), s3.snapshots_bucket.as_str()), ("edx-course-data", "course-data"));
    assert_eq!((s3.addressing, s3.payer), (Addressing::VirtualHost, Payer::BucketOwner));
}

/// One row per option: what the file says, what the flag says, and where both must arrive.
#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    type Field = fn(&Settings) -> String;
    let table: &[(&str, &str, Field, &str, &str)] = &[
        ("org = 'a'", "--org=b", |s| s.orgs.join("+"), "a", "b"),
        ("org = ['a', 'b', 'A']", "--org=c", |s| s.orgs.join("+"), "a+b", "c"),
        ("folder = '/a'", "--folder=/b", |s| format!("{:?}", s.source), "Folder(\"/a\")", "Folder(\"/b\")"),
        ("events-bucket = 'a'", "--events-bucket=b", |s| s3(s).events_bucket, "a", "b"),
        ("snapshots-bucket = 'a'", "--snapshots-bucket=b", |s| s3(s).snapshots_bucket, "a", "b"),
        (
            "endpoint-url = 'http://a'",
            "--endpoint-url=https://b",
            |s| s3(s).endpoint_url.unwrap(),
            "http://a",
            "https://b",
        ),
        ("region = 'a'", "--region=b", |s| s3(s).region.unwrap(), "a", "b"),
        ("profile = 'a'", "--profile=b", |s| s3(s).profile.unwrap(), "a", "b"),
        ("path-style = true", "--path-style=false", |s| format!("{:?}", s3(s).addressing), "Path", "VirtualHost"),
        ("requester-pays = false", "--requester-pays", |s| format!("{:?}", s3(s).payer), "BucketOwner", "Requester"),
        ("timeout = '5s'", "--timeout=2m", |s| s.timeout.as_secs().to_string(), "5", "120"),
        ("secret-key = ['/a', '/b']", "--secret-key=/c", |s| format!("{:?}", s.keys), "[\"/a\", \"/b\"]", "[\"/c\"]"),
        (
            "passphrase-file = '/a'",
            "--passphrase-file=/b",
            |s| format!("{:?}", s.passphrase),
            "File(\"/a\")",
            "File(\"/b\")",
        ),
        (
            "passphrase-command = 'a'",
            "--passphrase-command=b",
            |s| format!("{:?}", s.passphrase),
            "Command(\"a\")",
            "Command(\"b\")",
        ),
        ("cache-dir = '/a'", "--cache-dir=/b", |s| s.cache_dir("o").display().to_string(), "/a", "/b"),
        ("cache-size = '2MiB'", "--cache-size=4MiB", |s| s.cache_bytes.to_string(), "2097152", "4194304"),
        ("sizes = 'exact'", "--sizes=lazy", |s| format!("{:?}", s.sizes), "Exact", "Lazy"),
        ("index = 'off'", "--index=background", |s| format!("{:?}", s.index), "Off", "Background"),
        ("index-rate = '1MiB'", "--index-rate=5MB/s", |s| s.index_rate.unwrap().to_string(), "1048576", "5000000"),
        ("refresh = '1h'", "--refresh=30s", |s| s.refresh.as_secs().to_string(), "3600", "30"),
        ("course = ['A-*', 'B-*']", "--course=C-*", |s| s.courses.join(" "), "A-* B-*", "C-*"),
        ("since = 2015-01-19", "--since=2016-02-29", |s| s.since.unwrap().to_string(), "2015-01-19", "2016-02-29"),
        ("until = '2015-01-19'", "--until=20160229", |s| s.until.unwrap().to_string(), "2015-01-19", "2016-02-29"),
        ("allow-other = true", "--allow-other=false", |s| format!("{:?}", s.readers), "Everybody", "Owner"),
        ("uid = 7", "--uid=8", |s| s.uid.to_string(), "7", "8"),
        ("gid = 7", "--gid=8", |s| s.gid.to_string(), "7", "8"),
        ("mode = '0440'", "--mode=444", |s| format!("{:o}", s.mode), "440", "444"),
        ("dir-mode = '0550'", "--dir-mode=0o555", |s| format!("{:o}", s.dir_mode), "550", "555"),
        ("sniffers = 'wait'", "--sniffers=refuse", |s| format!("{:?}", s.sniffers), "Wait", "Refuse"),
        ("course-rule = 'producer'", "--course-rule=recall", |s| format!("{:?}", s.course_rule), "Producer", "Recall"),
        ("survey-pre = '^Pre$'", "--survey-pre=^Start$", |s| s.survey_pre.clone().unwrap(), "^Pre$", "^Start$"),
        ("survey-post = '^Post$'", "--survey-post=^End$", |s| s.survey_post.clone().unwrap(), "^Post$", "^End$"),
        ("compartment = 10", "--compartment=1", |s| s.compartment.to_string(), "10", "1"),
        ("backup = '/a'", "--backup=/b", |s| s.backup.clone().unwrap().display().to_string(), "/a", "/b"),
        ("foreground = true", "--foreground=false", |s| format!("{:?}", s.detachment), "Foreground", "Background"),
        ("log = 'debug'", "--log=trace", |s| format!("{:?}", s.log.level.unwrap()), "Debug", "Trace"),
        ("log-file = '/a'", "--log-file=/b", |s| s.log.file.clone().unwrap().display().to_string(), "/a", "/b"),
    ];
    for (file, flag, field, of_file, of_flag) in table {
        let (file, org): (String, &[&str]) = match file.starts_with("org") {
            true => (file.to_string(), &[]),
            false => (format!("org = 'o'\n{file}"), &[]),
        };
        assert_eq!(field(&settings(&file, org)), *of_file, "{file}");
        assert_eq!(field(&settings(&file, &[flag])), *of_flag, "{file} {flag}");
    }
    // A new option needs a row.
    for arg in Options::command().get_arguments().filter(|arg| arg.get_id() != "config") {
        let flag = format!("--{}", arg.get_long().expect("every option has a long name"));
        assert!(table.iter().any(|row| row.1.split('=').next() == Some(&flag)), "{flag} has no row");
    }
}

fn s3(settings: &Settings) -> S3Settings {
    match &settings.source {
        SourceSettings::S3(s3) => s3.clone(),
        SourceSettings::Folder(_) => panic!("not from S3"),
    }
}

#[test]
fn a_bad_value_in_the_file_is_refused_with_file_and_key() {
    let table = [
        ("orgg = 'a'", "unknown key `orgg`"),
        ("cache_size = '1GiB'", "names are written with `-`, like cache-size"),
        ("config = '/x'", "unknown key `config`"),
        ("org = 'a/b'", "org: `a/b`: an organisation is written"),
        ("org = ''", "org: ``: an organisation is written"),
        ("cache-size = '20 parsecs'", "cache-size: `20 parsecs`: `parsecs` is not a unit"),
        ("cache-size = 20", "cache-size: `20`: a cache needs at least 1MiB"),
        ("cache-size = 2.5", "cache-size: expects text"),
        ("refresh = '15'", "refresh: `15`: a unit is missing"),
        ("refresh = '0s'", "refresh: `0s`: needs at least one second"),
        ("index-rate = '0'", "index-rate: `0`: a rate of nothing never ends"),
        ("mode = 0o440", "mode: write permission bits as text"),
        ("dir-mode = '999'", "dir-mode: `999`: permission bits are octal"),
        ("sizes = 'big'", "sizes: `big` is none of lazy, exact"),
        ("course = '{a'", "course: `{a`: "),
        ("since = '2015-02-30'", "since: `2015-02-30`: "),
        ("uid = -1", "uid: `-1`: "),
        ("endpoint-url = 's3.example.org'", "endpoint-url: `s3.example.org`: an endpoint begins with"),
        ("endpoint-url = 'https://key:secret@x'", "credentials do not belong into a URL"),
        ("survey-pre = '('", "survey-pre: `(`: not a regular expression: unclosed group"),
        ("survey-post = '[z-a]'", "survey-post: `[z-a]`: not a regular expression: "),
        ("compartment = 0", "compartment: `0`: a compartment is a whole number of seconds"),
        ("compartment = 2.5", "compartment: expects text"),
        ("profile = ['a', 'b']", "profile: expects one value, not 2"),
        ("allow-other = 'maybe'", "allow-other: `maybe` is none of true, false"),
        ("[cache]\ndir = '/x'", "unknown key `cache`"),
        ("org = 'a'\norg = 'b'", "line 2: "),
        ("org", "line 1: "),
        ("folder = '/a'\nregion = 'x'", "'--folder <DIR>' cannot be used with"),
        ("since = 2016-01-01\nuntil = 2015-01-01", "--until 2015-01-01 is before --since 2016-01-01"),
    ];
    for (file, expected) in table {
        let flags: &[&str] = if file.contains("org") { &[] } else { &["--org=o"] };
        let message = refusal(file, flags);
        assert!(message.contains(expected), "{file}: {message}");
        assert!(message.contains("config") || expected.starts_with("--"), "{message}");
    }
}

#[test]
fn a_bad_value_of_a_flag_is_refused_with_its_name() {
    for (name, value) in [("--survey-pre", "("), ("--survey-post", "*"), ("--compartment", "0")] {
        let error = Options::command().try_get_matches_from([name, value]).expect_err(name);
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn without_an_organisation_there_is_no_tree() {
    assert!(refusal("", &[]).contains("--org"));
}

#[test]
fn it_is_known_what_was_given_and_what_is_a_default() {
    let settings = settings("org = 'o'\nregion = 'x'\ncompartment = 5", &["--folder=/data", "--course-rule=recall"]);
    assert_eq!(settings.given.iter().collect::<Vec<_>>(), ["compartment", "course-rule", "folder", "org"]);
}

#[test]
fn a_flag_of_one_alternative_silences_the_other_in_the_file() {
    let file = "org = 'o'\nregion = 'x'\nprofile = 'p'\npassphrase-file = '/p'";
    let settings = settings(file, &["--folder=/data", "--passphrase-command=pass"]);
    assert_eq!(settings.source, SourceSettings::Folder("/data".into()));
    assert_eq!(settings.passphrase, PassphraseSource::Command("pass".into()));
}

#[test]
fn paths_in_the_file_are_relative_to_it_and_those_of_flags_to_where_we_are() {
    let home = tempfile::tempdir().unwrap();
    let file = "org = 'o'\nfolder = 'data'\nsecret-key = '~/keys/czar.key'\nlog-file = '/var/log/x'";
    let settings = resolve(home.path(), Some(file), &["--cache-dir=c"]).unwrap();
    assert_eq!(settings.source, SourceSettings::Folder(home.path().join(".config/edxfs/data")));
    assert_eq!(settings.keys, [home.path().join("keys/czar.key")]);
    assert_eq!(settings.log.file.as_deref(), Some(Path::new("/var/log/x")));
    assert_eq!(settings.cache_dir("o"), std::env::current_dir().unwrap().join("c"));
}

#[test]
fn a_configuration_file_that_was_asked_for_must_be_there() {
    let message = refusal("", &["--org=o", "--config=/nowhere/config.toml"]);
    assert_eq!(message, "/nowhere/config.toml: no such configuration file");
}

#[test]
fn several_organisations_share_no_cache_folder() {
    let settings = settings("cache-dir = '/c'", &["--org=a", "--org=b"]);
    assert_eq!(settings.cache_dirs(), [Path::new("/c/a"), Path::new("/c/b")]);
}

#[test]
fn a_systemd_credential_counts_unless_something_is_given() {
    let home = tempfile::tempdir().unwrap();
    let credential = home.path().join("edxfs-passphrase");
    std::fs::write(&credential, "x").unwrap();
    let environment = Environment { credentials: Some(home.path().into()), ..environment(home.path()) };
    let passphrase = |flags: &[&str]| {
        let matches = Options::command().try_get_matches_from(flags).unwrap();
        Settings::resolve(&matches, Need::Nothing, &environment).unwrap().passphrase
    };
    assert_eq!(passphrase(&[]), PassphraseSource::File(credential));
    assert_eq!(passphrase(&["--passphrase-command=c"]), PassphraseSource::Command("c".into()));
}
