//! What a user may set, checked once; nothing reads the environment later.
//!
//! Two steps, one way only. What was typed: `args` (flags) and `file` (a TOML file, whose keys are the flags' names)
//! end up in one `Options`, a flag winning over the file. What it means: `Settings`, made from `Options` and the
//! `Environment`, with every default filled in and every contradiction refused.

pub mod args;
pub mod environment;
mod file;
mod resolve;
pub mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

pub use crate::config::environment::Environment;
pub use crate::config::resolve::{Need, Typed};
use crate::edx::tracking_log::CourseRule;

/// Everything a command has to know, made by [`Settings::resolve`]. All paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The configuration file that was read.
    pub config_file: Option<PathBuf>,
    /// Long names of the options that a flag or the file has given; the others are at their defaults.
    pub given: BTreeSet<String>,
    /// Lower case, without repetitions, in the order given; empty only where `Need::Nothing` was asked for.
    pub orgs: Vec<String>,
    pub source: SourceSettings,
    /// OpenPGP secret key files; empty for an already decrypted mirror.
    pub keys: Vec<PathBuf>,
    pub passphrase: PassphraseSource,
    pub cache_location: CacheLocation,
    /// Budget of each organisation's cache folder.
    pub cache_bytes: u64,
    pub sizes: Sizes,
    pub index: Index,
    /// Encrypted bytes per second that the background indexer may fetch; None: as fast as it goes.
    pub index_rate: Option<u64>,
    /// Time between two listings of the source.
    pub refresh: Duration,
    /// Globs over course folder names, checked; empty: every course.
    pub courses: Vec<String>,
    /// First and last day shown, both included.
    pub since: Option<Date>,
    pub until: Option<Date>,
    pub readers: Readers,
    pub uid: u32,
    pub gid: u32,
    /// Permission bits of files and directories.
    pub mode: u32,
    pub dir_mode: u32,
    pub sniffers: Sniffers,
    pub course_rule: CourseRule,
    /// Regular expressions, checked, that a problem's display name must match to be a survey; None: the usual words.
    pub survey_pre: Option<String>,
    pub survey_post: Option<String>,
    /// Seconds of a video in one `time_compartment`.
    pub compartment: NonZeroU32,
    /// The longest wait without progress, of a request to the source and of a reader.
    pub timeout: Duration,
    /// Where `sync` keeps what it replaces; None: nowhere.
    pub backup: Option<PathBuf>,
    pub detachment: Detachment,
    /// Where the service manager waits for a mount in the foreground: a path, or an abstract name behind `@`.
    pub notify_socket: Option<OsString>,
    pub log: LogSettings,
    /// Where `demo` may put its data package.
    pub temp_dir: PathBuf,
}

impl Settings {
    /// The cache folder of one organisation: `--cache-dir` itself for a single one, a folder in it for each of several.
    pub fn cache_dir(&self, org: &str) -> PathBuf {
        match &self.cache_location {
            CacheLocation::Given(dir) if self.orgs.len() <= 1 => dir.clone(),
            CacheLocation::Given(dir) | CacheLocation::Default(dir) => dir.join(org),
        }
    }

    /// The cache folders of all organisations, in their order; `--cache-dir` alone where no organisation is named.
    pub fn cache_dirs(&self) -> Vec<PathBuf> {
        match &self.cache_location {
            CacheLocation::Given(dir) if self.orgs.is_empty() => vec![dir.clone()],
            _ => self.orgs.iter().map(|org| self.cache_dir(org)).collect(),
        }
    }
}

/// edX's own buckets.
pub const EVENTS_BUCKET: &str = "edx-course-data";
pub const SNAPSHOTS_BUCKET: &str = "course-data";

/// Where the encrypted objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    Folder(PathBuf),
    S3(S3Settings),
}

impl fmt::Display for SourceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceSettings::Folder(folder) => write!(f, "{}", folder.display()),
            SourceSettings::S3(s3) => {
                write!(f, "s3://{} s3://{}", s3.events_bucket, s3.snapshots_bucket)?;
                s3.endpoint_url.as_ref().map_or(Ok(()), |url| write!(f, " at {url}"))
            }
        }
    }
}

/// Two buckets; credentials come from the AWS SDK's own chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    pub events_bucket: String,
    pub snapshots_bucket: String,
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub profile: Option<String>,
    pub addressing: Addressing,
    pub payer: Payer,
}

/// How a bucket is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    VirtualHost,
    Path,
}

/// Who pays for requests and transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    BucketOwner,
    Requester,
}

/// Where the passphrase of a locked key comes from; asked for only when a key is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file's first line: `--passphrase-file`, or the systemd credential `edxfs-passphrase`.
    File(PathBuf),
    /// The first line that `sh -c COMMAND` prints.
    Command(String),
    /// The terminal.
    Prompt,
}

/// Where cache folders are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheLocation {
    Given(PathBuf),
    /// `$XDG_CACHE_HOME/edxfs`: a folder per organisation in it.
    Default(PathBuf),
}

/// What `stat` says of a size not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sizes {
    /// A stand-in above any likely size, at once
    Lazy,
    /// The exact size, waiting for it (for rsync, Spark, Dask)
    Exact,
}

/// Whether a mount learns sizes on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Index {
    /// One idle-priority worker
    Background,
    /// Only what is opened
    Off,
}

/// What a program meets that only guesses a file's type (O_NOATIME) where days would have to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sniffers {
    /// EAGAIN
    Refuse,
    /// The same wait as everybody
    Wait,
}

/// Who may read the mount at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    Owner,
    Everybody,
}

/// Whether `mount` leaves the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detachment {
    Foreground,
    Background,
}

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// None: `info` for a mount, `error` for the other commands.
    pub level: Option<LogLevel>,
    pub file: Option<PathBuf>,
    /// Where a mount in the background logs to when neither a file is given nor the journal is there.
    pub default_file: PathBuf,
    pub stderr: StderrKind,
}

/// What standard error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StderrKind {
    Journal,
    Other,
}

/// From rare to chatty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
