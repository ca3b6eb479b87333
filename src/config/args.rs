//! What can be typed: the options in groups, as clap reads them. Each is also a key of the configuration file, under
//! the same name; a value hint of a path makes the file's reader resolve it relative to the file.
//!
//! Everything is optional here: what is left out may stand in the file.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum, ValueHint};
use jiff::civil::Date;

use crate::config::{Index, LogLevel, Sizes, Sniffers, values};
use crate::edx::tracking_log::CourseRule;

/// All options: what the configuration file may hold, and what flags and file together come to.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct Options {
    #[command(flatten)]
    pub org: OrgArgs,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub keys: KeyArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub view: ViewArgs,
    #[command(flatten)]
    pub derived: DerivedArgs,
    #[command(flatten)]
    pub mirror: MirrorArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub struct OrgArgs {
    /// Organisation as in the file names; repeat it for several, each gets a folder of its own
    #[arg(long, value_name = "ORG", value_parser = values::org)]
    pub org: Vec<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Read a local mirror instead of S3: the same keys, an `aws s3 sync` of them, or an already decrypted one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
          conflicts_with_all = ["events_bucket", "snapshots_bucket", "endpoint_url", "region", "profile", "path_style", "requester_pays"])]
    pub folder: Option<PathBuf>,
    /// Bucket of the daily event logs [default: edx-course-data]
    #[arg(long, value_name = "BUCKET")]
    pub events_bucket: Option<String>,
    /// Bucket of the weekly snapshots [default: course-data]
    #[arg(long, value_name = "BUCKET")]
    pub snapshots_bucket: Option<String>,
    /// S3 server, where it is not Amazon's
    #[arg(long, value_name = "URL", value_parser = values::endpoint)]
    pub endpoint_url: Option<String>,
    /// Region of the buckets, where the profile does not say
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration (credentials, SSO, roles)
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Put the bucket's name into the path instead of the host name
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub path_style: Option<bool>,
    /// Pay for requests and transfer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub requester_pays: Option<bool>,
    /// Give up on a request, and on a file, after so long without progress [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub timeout: Option<Duration>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Keys")]
pub struct KeyArgs {
    /// OpenPGP secret key file (`gpg --export-secret-keys`); may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secret_key: Vec<PathBuf>,
    /// File whose first line is the keys' passphrase
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "passphrase_command")]
    pub passphrase_file: Option<PathBuf>,
    /// Command for `sh -c` that prints the passphrase, like `pass show edx`
    #[arg(long, value_name = "COMMAND")]
    pub passphrase_command: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Cache")]
pub struct CacheArgs {
    /// Folder of the sealed cache, of mode 0700 [default: $XDG_CACHE_HOME/edxfs/ORG]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// The most that the cache may take on disk [default: 20GiB]
    #[arg(long, value_name = "SIZE", value_parser = values::budget)]
    pub cache_size: Option<u64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "View")]
pub struct ViewArgs {
    /// What stat says of a size not known yet: a stand-in, or the exact one after a wait [default: lazy]
    #[arg(long, value_name = "lazy|exact", hide_possible_values = true)]
    pub sizes: Option<Sizes>,
    /// Whether sizes are learned in the background [default: background]
    #[arg(long, value_name = "background|off", hide_possible_values = true)]
    pub index: Option<Index>,
    /// The most that the background may fetch per second, like 20MiB
    #[arg(long, value_name = "SIZE", value_parser = values::rate)]
    pub index_rate: Option<u64>,
    /// Time between two looks for new objects [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub refresh: Option<Duration>,
    /// Show only courses whose folder matches; may be repeated
    #[arg(long, value_name = "GLOB", value_parser = values::course_glob)]
    pub course: Vec<String>,
    /// Show no day before this one
    #[arg(long, value_name = "DATE")]
    pub since: Option<Date>,
    /// Show no day after this one
    #[arg(long, value_name = "DATE")]
    pub until: Option<Date>,
    /// Let other users read the mount
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub allow_other: Option<bool>,
    /// Owner of all files, by number [default: you]
    #[arg(long, value_name = "N")]
    pub uid: Option<u32>,
    /// Group of all files, by number [default: yours]
    #[arg(long, value_name = "N")]
    pub gid: Option<u32>,
    /// Permission bits of files [default: 0400]
    #[arg(long, value_name = "OCTAL", value_parser = values::mode)]
    pub mode: Option<u32>,
    /// Permission bits of directories [default: 0500]
    #[arg(long, value_name = "OCTAL", value_parser = values::mode)]
    pub dir_mode: Option<u32>,
    /// What file managers meet that only guess a file's type where days would have to be decoded [default: refuse]
    #[arg(long, value_name = "refuse|wait", hide_possible_values = true)]
    pub sniffers: Option<Sniffers>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Derived")]
pub struct DerivedArgs {
    /// Which course an event belongs to: the reading that finds most, or the package producer's own [default: recall]
    #[arg(long, value_name = "recall|producer", hide_possible_values = true)]
    pub course_rule: Option<RuleName>,
    /// A problem whose display name matches is a survey before the course [default: has `pre` and `survey` in any case]
    #[arg(long, value_name = "RE", value_parser = values::regular_expression)]
    pub survey_pre: Option<String>,
    /// A problem whose display name matches is a survey after the course [default: has `post` and `survey` in any case]
    #[arg(long, value_name = "RE", value_parser = values::regular_expression)]
    pub survey_post: Option<String>,
    /// Seconds of a video that are counted together in samced.db [default: 5]
    #[arg(long, value_name = "N", value_parser = values::compartment)]
    pub compartment: Option<NonZeroU32>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Mirror")]
pub struct MirrorArgs {
    /// Keep what a sync replaces, as DIR/<UTC date>/<path in the mirror>
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub backup: Option<PathBuf>,
}

/// What every command that reads the tree takes.
#[derive(Args, Debug)]
pub struct ReadArgs {
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    derived: DerivedArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What every command about the cache folder alone takes.
#[derive(Args, Debug)]
pub struct CacheFolderArgs {
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "General")]
pub struct CommonArgs {
    /// Configuration file; each option is a key of the same name in it [default: $XDG_CONFIG_HOME/edxfs/config.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Stay in the foreground, log to standard error (commands other than mount and demo always do)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub foreground: Option<bool>,
    /// How much to log [default: info for a mount, else error]
    #[arg(long, value_name = "error|warn|info|debug|trace", hide_possible_values = true)]
    pub log: Option<LogLevel>,
    /// Log file [default: the journal where there is one, else $XDG_STATE_HOME/edxfs/ORG.log]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log_file: Option<PathBuf>,
}

/// The names of [`CourseRule`], which knows nothing of command lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "lower")]
pub enum RuleName {
    Recall,
    Producer,
}

impl From<RuleName> for CourseRule {
    fn from(name: RuleName) -> Self {
        match name {
            RuleName::Recall => CourseRule::Recall,
            RuleName::Producer => CourseRule::Producer,
        }
    }
}
