//! Flags over file over defaults → `Settings`, or the reason why not.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, ValueHint};

use crate::config::args::{CacheArgs, CommonArgs, KeyArgs, Options, SourceArgs, ViewArgs};
use crate::config::environment::Environment;
use crate::config::file::{self, Raw};
use crate::config::{
    Addressing, CacheLocation, Detachment, EVENTS_BUCKET, Index, LogSettings, PassphraseSource, Payer, Readers,
    S3Settings, SNAPSHOTS_BUCKET, Settings, Sizes, Sniffers, SourceSettings,
};
use crate::edx::tracking_log::CourseRule;
use crate::error::{Error, Result};

/// The toolkit's.
const DEFAULT_COMPARTMENT: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// What a command cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An organisation and where to find it.
    Tree,
    /// A cache folder: an organisation, or `--cache-dir`.
    Cache,
    Nothing,
}

/// Groups of options of which a flag on one side silences the file's word on the other.
const ALTERNATIVES: [(&[&str], &[&str]); 2] = [
    (
        &["folder"],
        &["events-bucket", "snapshots-bucket", "endpoint-url", "region", "profile", "path-style", "requester-pays"],
    ),
    (&["passphrase-file"], &["passphrase-command"]),
];

impl Settings {
    /// Joins a command's flags, the configuration file and the environment.
    ///
    /// `flags` are the matches of the subcommand; options that the subcommand does not have come from the file alone.
    /// Errors: `Usage`.
    pub fn resolve(flags: &ArgMatches, need: Need, environment: &Environment) -> Result<Settings> {
        Typed::gather(flags, environment)?.settings(need, environment)
    }
}

/// What was typed, before it is given a meaning.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The configuration file in effect.
    pub file: Option<PathBuf>,
    /// Its keys, without those that a flag has silenced.
    from_file: Raw,
    flags: Raw,
}

impl Typed {
    /// Reads the command line and the configuration file. Errors: `Usage`, of the file.
    pub fn gather(flags: &ArgMatches, environment: &Environment) -> Result<Typed> {
        let Typed { flags, .. } = Typed::flags_alone(flags)?;
        let file = config_path(&flags, environment);
        let mut from_file = match &file {
            Some(path) => file::read(path, environment)?,
            None => Raw::new(),
        };
        for (one, other) in ALTERNATIVES {
            for (given, silenced) in [(one, other), (other, one)] {
                if given.iter().any(|name| flags.contains_key(*name)) {
                    from_file.retain(|name, _| !silenced.contains(&name.as_str()));
                }
            }
        }
        from_file.retain(|name, _| !flags.contains_key(name));
        Ok(Typed { file, from_file, flags })
    }

    /// As if there were no configuration file. Errors: there is no current folder.
    pub fn flags_alone(flags: &ArgMatches) -> Result<Typed> {
        Ok(Typed { flags: typed(flags, &env::current_dir()?), ..Typed::default() })
    }

    /// What it means. Errors: `Usage`.
    pub fn settings(&self, need: Need, environment: &Environment) -> Result<Settings> {
        let raw: Raw = self.from_file.clone().into_iter().chain(self.flags.clone()).collect();
        let options = file::options(&raw).map_err(|error| contradiction(&error))?;
        let settings = settings(options, self.file.clone(), need, environment)?;
        Ok(Settings { given: raw.into_keys().collect(), ..settings })
    }

    /// `key=value` of what the file says that counts, and of what the command line says; what stands in neither is at
    /// its default. A passphrase command may hold a secret and is not shown.
    pub fn in_words(&self) -> (Vec<String>, Vec<String>) {
        let words = |raw: &Raw| raw.iter().filter(|(name, _)| *name != "config").map(in_words).collect();
        (words(&self.from_file), words(&self.flags))
    }
}

fn in_words((name, values): (&String, &Vec<OsString>)) -> String {
    if name == "passphrase-command" {
        return format!("{name}=(not shown)");
    }
    let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    format!("{name}={}", values.join(","))
}

/// What stood on the command line, by long name, paths made absolute.
fn typed(flags: &ArgMatches, here: &Path) -> Raw {
    let mut raw = Raw::new();
    for arg in Options::command().get_arguments() {
        let (Some(name), id) = (arg.get_long(), arg.get_id().as_str()) else { continue };
        if !matches!(flags.try_contains_id(id), Ok(true)) || flags.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let path = matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath);
        let values = flags.get_raw(id).into_iter().flatten();
        let values = values.map(|value| if path { here.join(value).into() } else { value.to_os_string() });
        raw.insert(name.to_string(), values.collect());
    }
    raw
}

fn config_path(flags: &Raw, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = flags.get("config").and_then(|values| values.first()) {
        return Some(path.into());
    }
    let default = environment.config_home.as_ref()?.join("edxfs/config.toml");
    default.exists().then_some(default)
}

/// Each side has been checked alone by now, so that what is left is a conflict between two keys of the file.
fn contradiction(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    Error::usage(format!("in the configuration file, {first}"))
}

fn settings(options: Options, config_file: Option<PathBuf>, need: Need, environment: &Environment) -> Result<Settings> {
    let Options { org, source, keys, cache, view, derived, mirror, common } = options;
    let orgs = distinct(org.org);
    if orgs.is_empty() && need == Need::Tree {
        return Err(Error::usage("no organisation; name it as in the file names, like --org chalmersx"));
    }
    if need == Need::Cache && orgs.is_empty() && cache.cache_dir.is_none() {
        return Err(Error::usage("no cache folder; name its organisation with --org, or give --cache-dir"));
    }
    check_days(&view)?;
    let yes = |switch: Option<bool>| switch == Some(true);
    let detachment = if yes(common.foreground) { Detachment::Foreground } else { Detachment::Background };
    Ok(Settings {
        config_file,
        given: BTreeSet::new(),
        timeout: source.timeout.unwrap_or(Duration::from_secs(60)),
        source: source_settings(source),
        passphrase: passphrase_source(&keys, environment),
        keys: keys.secret_key,
        cache_bytes: cache.cache_size.unwrap_or(20 << 30),
        cache_location: cache_location(cache, environment)?,
        sizes: view.sizes.unwrap_or(Sizes::Lazy),
        index: view.index.unwrap_or(Index::Background),
        index_rate: view.index_rate,
        refresh: view.refresh.unwrap_or(Duration::from_secs(15 * 60)),
        courses: view.course,
        since: view.since,
        until: view.until,
        readers: if yes(view.allow_other) { Readers::Everybody } else { Readers::Owner },
        uid: view.uid.unwrap_or(environment.uid),
        gid: view.gid.unwrap_or(environment.gid),
        mode: view.mode.unwrap_or(0o400),
        dir_mode: view.dir_mode.unwrap_or(0o500),
        sniffers: view.sniffers.unwrap_or(Sniffers::Refuse),
        course_rule: derived.course_rule.map_or(CourseRule::default(), CourseRule::from),
        survey_pre: derived.survey_pre,
        survey_post: derived.survey_post,
        compartment: derived.compartment.unwrap_or(DEFAULT_COMPARTMENT),
        backup: mirror.backup,
        detachment,
        notify_socket: environment.notify_socket.clone().filter(|_| detachment == Detachment::Foreground),
        log: log_settings(common, &orgs, environment)?,
        temp_dir: environment.temp_dir.clone(),
        orgs,
    })
}

fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

fn check_days(view: &ViewArgs) -> Result<()> {
    match (view.since, view.until) {
        (Some(since), Some(until)) if until < since => {
            Err(Error::usage(format!("--until {until} is before --since {since}")))
        }
        _ => Ok(()),
    }
}

fn cache_location(args: CacheArgs, environment: &Environment) -> Result<CacheLocation> {
    match args.cache_dir {
        Some(dir) => Ok(CacheLocation::Given(dir)),
        None => Ok(CacheLocation::Default(base(&environment.cache_home, "--cache-dir")?)),
    }
}

fn log_settings(args: CommonArgs, orgs: &[String], environment: &Environment) -> Result<LogSettings> {
    let name = if orgs.is_empty() { "edxfs".to_string() } else { orgs.join("+") };
    let default_file = base(&environment.state_home, "--log-file")?.join(format!("{name}.log"));
    Ok(LogSettings { level: args.log, file: args.log_file, default_file, stderr: environment.stderr })
}

fn base(home: &Option<PathBuf>, option: &str) -> Result<PathBuf> {
    let home = home.as_ref().ok_or_else(|| Error::usage("cannot tell where your home folder is"));
    home.map(|home| home.join("edxfs")).map_err(|error| error.advise(format!("set HOME, or give {option}")))
}

fn source_settings(args: SourceArgs) -> SourceSettings {
    if let Some(folder) = args.folder {
        return SourceSettings::Folder(folder);
    }
    SourceSettings::S3(S3Settings {
        events_bucket: args.events_bucket.unwrap_or_else(|| EVENTS_BUCKET.to_string()),
        snapshots_bucket: args.snapshots_bucket.unwrap_or_else(|| SNAPSHOTS_BUCKET.to_string()),
        endpoint_url: args.endpoint_url,
        region: args.region,
        profile: args.profile,
        addressing: if args.path_style == Some(true) { Addressing::Path } else { Addressing::VirtualHost },
        payer: if args.requester_pays == Some(true) { Payer::Requester } else { Payer::BucketOwner },
    })
}

/// What is given counts before what systemd laid out; the terminal is asked last.
fn passphrase_source(args: &KeyArgs, environment: &Environment) -> PassphraseSource {
    if let Some(file) = &args.passphrase_file {
        return PassphraseSource::File(file.clone());
    }
    if let Some(command) = &args.passphrase_command {
        return PassphraseSource::Command(command.clone());
    }
    let credential = environment.credentials.as_ref().map(|dir| dir.join("edxfs-passphrase"));
    match credential.filter(|path| path.exists()) {
        Some(path) => PassphraseSource::File(path),
        None => PassphraseSource::Prompt,
    }
}
