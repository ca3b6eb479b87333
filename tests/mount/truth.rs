//! What must be in every event file: `truth.py` says, with gpg, gunzip and Python's json.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use edxfs::demo::Made;

use crate::common::run;
use crate::gnupg_home::GnupgHome;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mount/truth.py");

/// The lines of every day, by the course that they belong to.
pub struct Truth {
    folder: PathBuf,
}

/// A course id that some event of a site states, so that it has a folder.
pub struct Named {
    pub site: String,
    pub id: String,
    pub prefix: String,
}

impl Truth {
    /// By the rule `recall` or `producer`; made once for a package.
    pub fn of(made: &Made, rule: &str) -> Truth {
        let package = made.data.parent().expect("data/ lies in the package's folder");
        let folder = package.join(format!("truth-{rule}"));
        let lock = File::create(folder.with_extension("lock")).expect("a lock file can be made");
        lock.lock().expect("a lock can be taken");
        if !folder.join("ids.tsv").exists() {
            let _ = fs::remove_dir_all(&folder);
            let home = keyring_of(made);
            let mut script = Command::new("python3");
            script.args([SCRIPT.as_ref(), made.data.as_os_str(), home.path().as_os_str()]);
            run(script.arg(&made.passphrase_file).arg(rule).arg(&folder));
        }
        Truth { folder }
    }

    /// A whole day of `prod` or `edge`; None where the package has none.
    pub fn day(&self, site: &str, date: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(site).join(format!("{date}.log"))).ok()
    }

    /// The lines of a day that are of this course; those of none for an empty id.
    pub fn lines(&self, site: &str, date: &str, id: &str) -> Vec<u8> {
        let quoted: String = id.bytes().map(quoted).collect();
        let name = if id.is_empty() { "none" } else { &quoted };
        fs::read(self.folder.join(site).join(date).join(name)).unwrap_or_default()
    }

    /// The days of a site that have a log, in order.
    pub fn dates(&self, site: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(site)).expect("the script makes a folder for each site");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"));
        let mut dates: Vec<_> = names.filter_map(|name| name.strip_suffix(".log").map(str::to_owned)).collect();
        dates.sort();
        dates
    }

    pub fn named(&self) -> Vec<Named> {
        let table = fs::read_to_string(self.folder.join("ids.tsv")).expect("the script makes it");
        let named = |line: &str| {
            let [site, id, prefix] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            Named { site: site.into(), id: id.into(), prefix: prefix.into() }
        };
        table.lines().map(named).collect()
    }
}

fn quoted(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

/// A home with the secret key of a package.
fn keyring_of(made: &Made) -> GnupgHome {
    let home = GnupgHome::new();
    let mut gpg = home.gpg();
    gpg.arg("--batch").arg("--passphrase-file").arg(&made.passphrase_file);
    run(gpg.arg("--import").arg(&made.secret_key));
    home
}
