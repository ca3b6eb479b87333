//! `edxfs doctor`: what keeps a data package from being mounted, and what mends it.

use std::io::{self, IsTerminal, Write};

use clap::ArgMatches;

use crate::command::log::{self, Role};
use crate::command::{Outcome, exit_code, hygiene, keys, text};
use crate::config::args::{CacheArgs, CommonArgs, KeyArgs, OrgArgs, SourceArgs};
use crate::config::{Environment, Need, PassphraseSource, Settings, Typed};
use crate::decode::openpgp::{KeyHint, Passphrase};
use crate::doctor::{self, Case, Finding, Machine, Report};
use crate::error::{Error, ErrorKind, Result};

/// Find out what is wrong, and the command that mends it
///
/// Looks at FUSE, the configuration, each bucket with the credentials found, the keys against real objects, the passphrase, the cache folder, disk and swap, the clock. Changes nothing; a mount that runs goes on. Code 0 if nothing is wrong, 3 if only a key or passphrase is, 4 if the source cannot be reached, else 1.
#[derive(clap::Args)]
pub struct Args {
    /// One JSON object per finding, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    common: CommonArgs,
}

pub fn run(args: &Args, flags: &ArgMatches, environment: &Environment) -> Result<Outcome> {
    hygiene::harden()?;
    let understood = Typed::gather(flags, environment).and_then(|typed| {
        let settings = typed.settings(Need::Nothing, environment)?;
        Ok((typed, settings))
    });
    // A configuration file that cannot be followed is a finding; what the flags alone say is examined.
    let (file_error, (typed, settings)) = match understood {
        Ok(understood) => (None, understood),
        Err(error) => {
            let typed = Typed::flags_alone(flags)?;
            let settings = typed.settings(Need::Nothing, environment)?;
            (Some(error), (typed, settings))
        }
    };
    log::start(&settings.log, Role::Command)?;
    let (mut out, mut written) = (io::stdout().lock(), Ok(()));
    let mut tell = |finding: &Finding| {
        let line = line(finding, args);
        written = std::mem::replace(&mut written, Ok(())).and_then(|()| out.write_all(line.as_bytes()));
        written = std::mem::replace(&mut written, Ok(())).and_then(|()| out.flush());
    };
    let mut report = Report::new(&mut tell);
    let file_error = file_error.as_ref();
    let machine = Machine::this();
    let case = Case { settings: &settings, typed: &typed, file_error, environment, machine: &machine };
    doctor::examine(&case, &mut asking(&settings), &mut report);
    let code = code(report.wrongs());
    Ok(match (written, code) {
        (Err(_), _) => Outcome::PipeClosed,
        (Ok(()), 0) => Outcome::Done,
        (Ok(()), code) => Outcome::Reported(code),
    })
}

fn line(finding: &Finding, args: &Args) -> String {
    match args.json {
        true => text::json_line(finding).expect("a struct of texts has a JSON form"),
        false => format!("{finding}\n"),
    }
}

/// The code of what is wrong where all of it has the same; 2 is for command lines.
fn code(wrongs: &[ErrorKind]) -> u8 {
    let codes = wrongs.iter().map(|kind| match exit_code(*kind) {
        code @ (3 | 4) => code,
        _ => 1,
    });
    codes.reduce(|one, other| if one == other { one } else { 1 }).unwrap_or(0)
}

/// Asks the source of passphrases once for all key files, and nobody where nobody sits.
fn asking(settings: &Settings) -> impl FnMut(&KeyHint) -> Result<Option<Passphrase>> {
    let source = settings.passphrase.clone();
    let mut given: Option<Result<Option<Passphrase>, Error>> = None;
    move |hint| {
        if hint.attempt == 1
            && let Some(given) = &given
        {
            return given.clone();
        }
        let answer = match source {
            PassphraseSource::Prompt if !io::stdin().is_terminal() => Ok(None),
            _ => keys::passphrase(&source, hint),
        };
        if !matches!(answer, Ok(None)) {
            given = Some(answer.clone());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_says_what_is_wrong_only_where_it_is_one_thing() {
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[ErrorKind::NoSecretKey, ErrorKind::NoSecretKey]), 3);
        assert_eq!(code(&[ErrorKind::Unreachable, ErrorKind::TimedOut]), 4);
        assert_eq!(code(&[ErrorKind::NoSecretKey, ErrorKind::Unreachable]), 1);
        assert_eq!(code(&[ErrorKind::Usage]), 1);
    }
}
