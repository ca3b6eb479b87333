//! Nothing secret leaks: not in `/proc`, the log, the status, core files or error messages.

use std::fs;
use std::process::Command;

use crate::common::{EDXFS, Mount, folder_options, small_package};
use crate::injury::noise;
use crate::reading::{quiet, read_files};
use crate::refusal::{bounded, refused_mount};

const ACCESS_KEY: &str = "AKIDEXAMPLEOFTESTS";
const SECRET: &str = "wJalrXUtnFEMI-bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEJr-session-token-of-tests";
const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_SESSION_TOKEN", TOKEN),
    ("RUST_LOG", "trace"),
];

/// The passphrase, its words joined, and what AWS gave us.
fn secrets() -> Vec<String> {
    let passphrase = fs::read_to_string(small_package().passphrase_file).unwrap().trim().to_owned();
    let key = fs::read_to_string(small_package().secret_key).unwrap();
    let inside = key.lines().nth(8).expect("an armoured key has many lines").to_owned();
    vec![passphrase, SECRET.to_owned(), TOKEN.to_owned(), inside]
}

fn assert_none(text: &str, place: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{place} holds a secret: {text}");
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_mount_shows_no_secret() {
    let made = small_package();
    let mut options = quiet(folder_options(&made));
    let at = options.iter().position(|option| option == "--passphrase-file").expect("it is given");
    let passphrase_file = made.passphrase_file.display();
    options.splice(at..at + 2, ["--passphrase-command".to_owned(), format!("cat '{passphrase_file}'")]);
    options.extend(["--log", "trace"].map(str::to_owned));
    let mount = Mount::start_in(tempfile::tempdir().unwrap(), &options, &ENVIRONMENT);
    let read = ["README.txt", "problems.tsv", "courses.tsv", "events/all/2015-03-02.log", "events/all/2015-03-03.log"];
    read_files(&mount, &read.map(str::to_owned));

    let process = format!("/proc/{}", mount.server.id());
    assert_none(&lossy(fs::read(format!("{process}/cmdline")).unwrap()), "cmdline");
    assert_none(&mount.log(), "the log");
    assert!(mount.log().contains("DEBUG"), "the log says little: {}", mount.log());
    assert_none(&mount.status().to_string(), "the status");
    let text = bounded(Command::new(EDXFS).arg("status").arg(&mount.point));
    assert_none(&lossy(text.stdout), "the status");
    let root = tree_pages(&mount);
    assert_none(&root, "a page");

    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert_not_dumpable(&process);
}

fn tree_pages(mount: &Mount) -> String {
    ["README.txt", "courses.tsv", "problems.tsv"].map(|page| lossy(mount.read(page).unwrap())).concat()
}

/// Files of a process that is not dumpable belong to root; where the tests run as root that shows nothing, and only
/// somebody else can try.
fn assert_not_dumpable(process: &str) {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(format!("{process}/environ")).unwrap().uid();
    assert_eq!(owner, 0, "other processes of the user can read its memory");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // What root cannot be kept from reading shows that the process has locked others out: its own kind of user.
        let mut other = Command::new("setpriv");
        other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "cat"]).arg(format!("{process}/environ"));
        assert!(!bounded(&mut other).status.success(), "somebody else can read its environment");
    }
}

#[test]
fn learner_data_is_not_in_the_log() {
    let mut options = quiet(folder_options(&small_package()));
    options.extend(["--log", "trace"].map(str::to_owned));
    let mount = Mount::start(&options);
    let days = ["events/all/2015-03-02.log", "events/unattributed/2015-03-02.log", "tables/auth_user.tsv"];
    read_files(&mount, &days.map(str::to_owned));
    let users = lossy(mount.read("tables/auth_user.tsv").unwrap());
    let header: Vec<_> = users.lines().next().unwrap().split('\t').collect();
    let columns = ["username", "email"].map(|name| header.iter().position(|column| *column == name).unwrap());
    let log = mount.log();
    let mut compared = 0;
    for row in users.lines().skip(1) {
        let cells: Vec<_> = row.split('\t').collect();
        for column in columns {
            let Some(cell) = cells.get(column).filter(|cell| cell.len() > 5) else { continue };
            assert!(!log.contains(*cell), "the log holds {cell:?}");
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} names were looked for");
}

#[test]
fn error_messages_hold_no_secret() {
    let made = small_package();
    let scratch = tempfile::tempdir().unwrap();
    let point = scratch.path().join("mnt");
    fs::create_dir(&point).unwrap();
    let wrong = scratch.path().join("wrong");
    fs::write(&wrong, "not the passphrase 4711\n").unwrap();
    let garbage = scratch.path().join("garbage.asc");
    fs::write(&garbage, noise(1000)).unwrap();
    let cache = scratch.path().join("cache").display().to_string();
    let base = |key: String, passphrase: [String; 2]| {
        let source = ["--org", "UniX", "--folder"].map(str::to_owned).to_vec();
        let data = vec![made.data.display().to_string(), "--cache-dir".to_owned(), cache.clone()];
        let keys = vec!["--secret-key".to_owned(), key, "--log".to_owned(), "trace".to_owned()];
        [source, data, keys, passphrase.to_vec()].concat()
    };
    let key = made.secret_key.display().to_string();
    let file = |path: &std::path::Path| ["--passphrase-file".to_owned(), path.display().to_string()];
    let command = ["--passphrase-command".to_owned(), format!("cat '{}'; exit 1", made.passphrase_file.display())];
    let cases = [
        base(key.clone(), file(&wrong)),
        base(key.clone(), file(&scratch.path().join("missing"))),
        base(key, command),
        base(garbage.display().to_string(), file(&made.passphrase_file)),
    ];
    for options in cases {
        let (code, errors) = refused_mount(&options, &[("AWS_SECRET_ACCESS_KEY", SECRET)], &point);
        assert!(code.is_some_and(|code| code > 0), "{options:?}: {errors}");
        assert!(!errors.contains("4711"), "{errors}");
        assert_none(&errors, "an error message");
        assert!(errors.starts_with("edxfs: ") || errors.contains("\nedxfs: "), "{errors}");
    }
}
