//! The verbs, one file each; what they return becomes an exit code here and nowhere else.

mod access;
mod answers;
mod background;
mod bar;
mod cat;
mod demo;
mod demo_source;
mod doctor;
mod export;
mod fstab;
mod hygiene;
mod index;
mod keys;
mod log;
mod ls;
mod mount;
mod mount_helper;
mod mount_point;
mod owners;
mod purge;
mod rekey;
mod scratch;
mod service_manager;
mod session;
mod shown;
mod status;
mod stopping;
mod sync;
mod text;
mod unmount;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Environment, Need, Settings, StderrKind};
use crate::error::{ErrorKind, Result};

/// Mounts an edX research data package as a plain directory tree
///
/// Encrypted objects in S3 buckets or a local folder become folders of plain files, one per course run: decrypted and
/// split when opened, kept in a sealed cache, read-only.
#[derive(Parser)]
#[command(name = "edxfs", version, max_term_width = 100, after_help = text::EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Mount(Box<mount::Args>),
    Unmount(Box<unmount::Args>),
    Index(Box<index::Args>),
    Ls(Box<ls::Args>),
    Cat(Box<cat::Args>),
    Export(Box<export::Args>),
    Sync(Box<sync::Args>),
    Status(Box<status::Args>),
    Rekey(Box<rekey::Args>),
    Purge(Box<purge::Args>),
    Doctor(Box<doctor::Args>),
    Demo(Box<demo::Args>),
}

/// How a command ended that did not fail as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// What went wrong has been printed.
    Reported(u8),
    /// Nobody reads our output any more.
    PipeClosed,
    Interrupted,
}

/// The command lines that there are, for manual pages and completions: `edxfs` and `mount.edxfs`.
pub fn command_lines() -> [clap::Command; 2] {
    [Cli::command(), mount_helper::Call::command()]
}

/// Parses the command line, runs one command, prints what failed.
pub fn run() -> ExitCode {
    hygiene::have_a_home();
    let arguments: Vec<OsString> = env::args_os().collect();
    let ended = match mount_helper::is_meant(arguments.first()) {
        true => Ok(mount_helper::run(arguments)),
        false => attempt(arguments),
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Reported(code)) => ExitCode::from(code),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Ok(Outcome::PipeClosed) => hygiene::die_of_sigpipe(),
        Err(error) => {
            complain(&error);
            ExitCode::from(exit_code(error.kind()))
        }
    }
}

fn attempt(arguments: Vec<OsString>) -> Result<Outcome> {
    let mut command = Cli::command();
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli.verb, matches))
    });
    let (verb, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Ok(explain(&error, exit_code(ErrorKind::Usage))),
    };
    let (_, flags) = matches.subcommand().expect("clap demands a subcommand");
    let environment = Environment::capture();
    let settings = |need| Settings::resolve(flags, need, &environment);
    match verb {
        Verb::Mount(args) => mount::run(&args, &settings(Need::Tree)?),
        Verb::Unmount(args) => unmount::run(&args, &settings(Need::Nothing)?),
        Verb::Index(args) => index::run(&args, &settings(Need::Tree)?),
        Verb::Ls(args) => ls::run(&args, &settings(Need::Tree)?),
        Verb::Cat(args) => cat::run(&args, &settings(Need::Tree)?),
        Verb::Export(args) => export::run(&args, &settings(Need::Tree)?),
        Verb::Sync(args) => sync::run(&args, &settings(Need::Tree)?),
        Verb::Status(args) => status::run(&args, &settings(Need::Nothing)?),
        Verb::Rekey(args) => rekey::run(&args, &settings(Need::Cache)?),
        Verb::Purge(args) => purge::run(&args, &settings(Need::Cache)?),
        Verb::Doctor(args) => doctor::run(&args, flags, &environment),
        Verb::Demo(args) => demo::run(&args, &settings(Need::Nothing)?),
    }
}

/// Help and version go to standard output; what cannot be parsed is an error in our own words' form, with this exit code.
fn explain(error: &clap::Error, code: u8) -> Outcome {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::PipeClosed,
        };
    }
    let text = text.strip_prefix("error: ").map_or(text.clone(), |rest| format!("edxfs: {rest}"));
    let _ = io::stderr().write_all(text.as_bytes());
    Outcome::Reported(code)
}

/// What a command that goes on later comes to when it is asked to stop.
fn interrupted() -> Outcome {
    complain("stopped; run it again to go on");
    Outcome::Interrupted
}

fn complain(message: impl std::fmt::Display) {
    let priority = match StderrKind::of_this_process() {
        StderrKind::Journal => log::priority(tracing::Level::ERROR),
        StderrKind::Other => "",
    };
    let _ = writeln!(io::stderr(), "{priority}edxfs: {message}");
}

/// The exit codes that `text::EXAMPLES` documents.
fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => 2,
        ErrorKind::NoSecretKey => 3,
        ErrorKind::Unreachable | ErrorKind::TimedOut => 4,
        ErrorKind::Interrupted => 130,
        ErrorKind::NotFound
        | ErrorKind::Changed
        | ErrorKind::Corrupt
        | ErrorKind::Unsupported
        | ErrorKind::Refused
        | ErrorKind::NoCredentials
        | ErrorKind::Archived
        | ErrorKind::CacheFull
        | ErrorKind::NotReproducible
        | ErrorKind::WouldWait
        | ErrorKind::Internal => 1,
    }
}
