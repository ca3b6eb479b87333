//! `mount.edxfs`: what mount(8) calls for a line of /etc/fstab of type `edxfs`; a translation into `edxfs mount`.
//!
//! The device is a configuration file. Behind `-o` stand options of the configuration file, also with `_` for `-`, and
//! those that mount(8) gives to every helper, which mean nothing here. The exit codes are mount(8)'s own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{FromArgMatches, Parser, ValueHint};

use crate::command::fstab::{Meaning, meaning, split};
use crate::command::{Outcome, complain, explain, mount};
use crate::config::{Environment, Need, Settings};
use crate::error::{Error, Result};

/// The name under which the program is this helper.
const NAME: &str = "mount.edxfs";

/// Exit codes that mount(8) documents.
const BAD_CALL: u8 = 1;
const NOT_MOUNTED: u8 = 32;

/// Mount a data package from /etc/fstab
///
/// Called by mount(8) for the type `edxfs`, as in `/etc/edxfs/x.toml /mnt/edx edxfs _netdev,noauto,x-systemd.automount 0 0`.
/// Returns once the mount answers. umount(8) unmounts it.
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 100)]
pub struct Call {
    /// Configuration file of the mount
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    device: PathBuf,
    /// Folder to mount on
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mount_point: PathBuf,
    /// Options of `edxfs mount` without their dashes, and those that every filesystem has
    #[arg(short = 'o', value_name = "OPTION[=VALUE],…")]
    options: Vec<String>,
    /// Only check the configuration and the options
    #[arg(short = 'f')]
    fake: bool,
    /// Pass over unknown options
    #[arg(short = 's')]
    sloppy: bool,
    /// Ignored: there is no /etc/mtab to leave alone
    #[arg(short = 'n')]
    no_mtab: bool,
    /// Ignored
    #[arg(short = 'v')]
    verbose: bool,
    /// Refused: other mount namespaces are entered with nsenter(1)
    #[arg(short = 'N', value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Ignored: there is one type
    #[arg(short = 't', value_name = "TYPE")]
    fs_type: Option<String>,
}

/// Whether the program was called by the helper's name.
pub fn is_meant(program: Option<&OsString>) -> bool {
    program.and_then(|program| Path::new(program).file_name()).is_some_and(|name| name == NAME)
}

/// Mounts, and says so or why not in mount(8)'s exit codes.
pub fn run(arguments: Vec<OsString>) -> Outcome {
    let call = match Call::try_parse_from(arguments) {
        Ok(call) => call,
        Err(error) => return explain(&error, BAD_CALL),
    };
    let line = match call.command_line() {
        Ok(line) => line,
        Err(error) => return failed(&error, BAD_CALL),
    };
    let matches = <mount::Args as clap::Args>::augment_args(clap::Command::new(NAME)).try_get_matches_from(line);
    let (args, matches) = match matches.and_then(|matches| Ok((mount::Args::from_arg_matches(&matches)?, matches))) {
        Ok(parsed) => parsed,
        Err(error) => return explain(&error, BAD_CALL),
    };
    let settings = match Settings::resolve(&matches, Need::Tree, &Environment::capture()) {
        Ok(settings) => settings,
        Err(error) => return failed(&error, BAD_CALL),
    };
    if call.fake {
        return Outcome::Done;
    }
    match mount::run(&args, &settings) {
        Ok(Outcome::Reported(_)) => Outcome::Reported(NOT_MOUNTED),
        Ok(outcome) => outcome,
        Err(error) => failed(&error, NOT_MOUNTED),
    }
}

fn failed(error: &Error, code: u8) -> Outcome {
    complain(error);
    Outcome::Reported(code)
}

impl Call {
    /// The same call as `edxfs mount` takes it. Errors: `Usage`, naming an option that nobody knows.
    fn command_line(&self) -> Result<Vec<OsString>> {
        if self.namespace.is_some() {
            return Err(Error::usage("-N: cannot mount in another namespace").advise("use nsenter --mount"));
        }
        let mut line: Vec<OsString> = vec![NAME.into(), "--config".into(), self.device.clone().into()];
        for option in self.options.iter().flat_map(|options| split(options)) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option.as_str(), None),
            };
            match meaning(name) {
                Meaning::Ours(flag) => line.push(value.map_or(flag.clone(), |value| format!("{flag}={value}")).into()),
                Meaning::Generic => {}
                Meaning::Unknown if self.sloppy => {}
                Meaning::Unknown => {
                    let message = format!("-o {name}: there is no such option");
                    return Err(Error::usage(message).advise("`edxfs mount --help` lists those of edxfs"));
                }
            }
        }
        line.extend(["--foreground=false".into(), "--".into(), self.mount_point.clone().into()]);
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Result<Vec<String>> {
        let arguments = [&[NAME, "/etc/edxfs/x.toml", "/mnt/edx"], arguments].concat();
        let line = Call::try_parse_from(arguments).expect("it parses").command_line()?;
        Ok(line.into_iter().map(|word| word.into_string().expect("UTF-8")).collect())
    }

    #[test]
    fn what_stands_in_fstab_becomes_a_command_line() {
        let options = "rw,_netdev,noauto,x-systemd.automount,user=jo,allow_other,dir-mode=0550,course=A*,course=B*";
        let found = line(&["-o", options, "-n", "-v", "-t", "edxfs"]).expect("all are known");
        let expected = "mount.edxfs --config /etc/edxfs/x.toml --allow-other --dir-mode=0550 --course=A* --course=B* \
                        --foreground=false -- /mnt/edx";
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn an_unknown_option_is_named_unless_it_is_to_be_passed_over() {
        for name in ["nonsense", "remount", "backup", "config", "foreground", "_allow_other", "ORG"] {
            let error = line(&["-o", &format!("ro,{name}=1")]).expect_err(name);
            assert!(error.to_string().starts_with(&format!("-o {name}: ")), "{error}");
            assert!(line(&["-s", "-o", name]).is_ok());
        }
        assert!(line(&["-N", "/proc/1/ns/mnt"]).is_err());
    }
}
