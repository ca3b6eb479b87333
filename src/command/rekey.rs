//! `edxfs rekey`: whose keys open the cache.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{ArgGroup, ValueHint};

use crate::command::log::{self, Role};
use crate::command::{Outcome, hygiene, keys};
use crate::config::Settings;
use crate::config::args::CacheFolderArgs;
use crate::decode::openpgp::{self, KeyName, SecretKeys};
use crate::error::{Error, Result};
use crate::volume::rekey::{Change, Custody, Holder};

/// Let other keys open the cache, or some no more, or list those that do
///
/// Needs a secret key that opens it now, and no mount that owns it. Nothing is decrypted or sealed anew. Whoever has
/// opened the cache before may still know its data key: against that, only `edxfs purge` helps.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("what").args(["add", "remove", "list"]).required(true).multiple(true))]
pub struct Args {
    /// Public key files (`gpg --export`); expired keys count, revoked ones are refused
    #[arg(long, value_name = "CERT", num_args = 1.., value_hint = ValueHint::FilePath)]
    add: Vec<PathBuf>,
    /// Fingerprints or 16-digit key IDs, of certificates or of subkeys; removed before others are added
    #[arg(long, value_name = "FINGERPRINT", num_args = 1..)]
    remove: Vec<KeyName>,
    /// Print a line per key: certificate, key ID, whether a secret key given opens it, user id
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    folder: CacheFolderArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    hygiene::harden()?;
    let mut change = Change { remove: args.remove.clone(), ..Change::default() };
    for file in &args.add {
        change.add.extend(openpgp::certificates(file)?);
    }
    let keys = keys::unlock(settings)?;
    let wanted = !change.add.is_empty() || !change.remove.is_empty();
    let open = if wanted { Custody::take } else { Custody::look };
    let mut all = settings.cache_dirs().iter().map(|dir| open(dir, &keys)).collect::<Result<Vec<_>>>()?;
    if wanted {
        rekey(&mut all, &change, &keys)?;
    }
    match args.list.then(|| print(&all, &keys)) {
        Some(Err(_)) => Ok(Outcome::PipeClosed),
        _ => Ok(Outcome::Done),
    }
}

/// All folders are found changeable before the first is changed.
fn rekey(all: &mut [Custody], change: &Change, keys: &SecretKeys) -> Result<()> {
    for name in &change.remove {
        if !all.iter().any(|custody| custody.holders().iter().any(|holder| holder.is_named(name))) {
            let nobody = Error::usage(format!("{name} is nobody who can open this cache"));
            return Err(nobody.advise("`edxfs rekey --list` shows who can"));
        }
    }
    all.iter_mut().try_for_each(|custody| custody.apply(change, keys))?;
    all.iter().try_for_each(Custody::write)
}

fn print(all: &[Custody], keys: &SecretKeys) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for custody in all {
        if all.len() > 1 {
            writeln!(out, "==> {} <==", custody.folder().display())?;
        }
        for holder in custody.holders() {
            writeln!(out, "{}", line(holder, keys))?;
        }
    }
    out.flush()
}

fn line(holder: &Holder, keys: &SecretKeys) -> String {
    let opens = if keys.can_open(&holder.name) { "opens" } else { "-" };
    let Some(recipient) = &holder.recipient else {
        return format!("-\t{}\t{opens}\tnot known: give its certificate with --add to keep it", holder.name);
    };
    // Whoever wrote a user id does not write to our terminal.
    let user_id = recipient.user_id().unwrap_or_default().replace(char::is_control, "\u{fffd}");
    format!("{}\t{}\t{opens}\t{user_id}", recipient.certificate(), recipient.key_id())
}
