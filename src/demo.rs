//! A small but true-to-format data package, made by GnuPG, zip and gzip, deterministic by seed.
//!
//! An **organisation** (courses, learners) is invented from the seed; events, tables, forum and content all speak of
//! it. Every file has its own stream of random numbers, so nothing depends on the order in which files are made, and
//! equal plans give equal plaintexts. Nothing here uses the decoders or the edX vocabulary of this crate: what is made
//! here also tests them.

/// `write!` into a string.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {
        write!($out, $($format)*).expect("writing to a string cannot fail")
    };
}

pub mod bucket;
mod course;
mod day_log;
mod event;
mod extras;
mod forum;
mod gnupg;
mod learner;
mod line;
mod ora;
mod organisation;
mod package;
mod plan;
mod random;
mod structure;
mod tables;
mod tar;
mod text;
mod workshop;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::civil::Date;

pub use plan::{Compression, Keep, Made, Plan, Site};

use crate::error::{Error, Result};
use gnupg::Keyring;
use organisation::Organisation;
use package::{Entry, Weekly};
use tables::Week;
use workshop::{Workshop, work};

/// `gpg` processes at a time.
const THREADS: usize = 2;

/// Makes the package below `folder`: `data/`, `keys/`, and `plain/` if wanted. All of it is written only there.
///
/// Errors: `Usage` if the folder holds a package already, or if `gpg` or `zip` is not installed; `Internal`.
pub fn generate(folder: &Path, plan: &Plan) -> Result<Made> {
    let made = Made {
        data: folder.join("data"),
        secret_key: folder.join("keys/czar-secret.asc"),
        passphrase_file: folder.join("keys/passphrase.txt"),
        plain: (plan.keep == Keep::PlainToo).then(|| folder.join("plain")),
        org: plan.org.clone(),
        courses: Vec::new(),
    };
    if made.data.exists() || made.secret_key.exists() {
        return Err(Error::usage("there is a package already").about(folder.display()).advise("name an empty folder"));
    }
    require("gpg", "gnupg")?;
    require("zip", "zip")?;
    let org = Organisation::new(plan);
    let keyring = Keyring::create()?;
    fs::create_dir_all(folder.join("keys"))?;
    write_private(&made.secret_key, &keyring.czar_secret()?)?;
    write_private(&made.passphrase_file, format!("{}\n", gnupg::PASSPHRASE).as_bytes())?;
    fs::write(folder.join("keys/master-public.asc"), keyring.master_public()?)?;
    let workshop = Workshop {
        plan,
        org: &org,
        keyring: &keyring,
        data: made.data.clone(),
        plain: made.plain.clone(),
        scratch: folder.join("scratch"),
    };
    fill(&workshop)?;
    fs::remove_dir_all(&workshop.scratch)?;
    Ok(Made { courses: org.courses.iter().map(|course| course.id.clone()).collect(), ..made })
}

/// One file to make.
enum Job<'a> {
    Day(Site, Date),
    Entry(Entry<'a>),
}

fn fill(workshop: &Workshop<'_>) -> Result<()> {
    let dates = workshop.plan.package_dates();
    let weeklies: Vec<Weekly> = dates
        .iter()
        .map(|date| Weekly { date: *date, week: if Some(date) == dates.last() { Week::Newest } else { Week::Earlier } })
        .collect();
    let mut jobs = Vec::new();
    for site in Site::ALL {
        jobs.extend(workshop.plan.dates().into_iter().map(|date| Job::Day(site, date)));
    }
    for weekly in &weeklies {
        jobs.extend(Entry::all(workshop, *weekly).into_iter().map(Job::Entry));
    }
    work(&jobs, THREADS, |job| match job {
        Job::Day(site, date) => make_day(workshop, *site, *date),
        Job::Entry(entry) => entry.make(workshop),
    })?;
    for weekly in &weeklies {
        package::close_package(workshop, weekly.date)?;
        package::opt_in_package(workshop, weekly.date)?;
    }
    extras::make_extras(workshop)
}

fn make_day(workshop: &Workshop<'_>, site: Site, date: Date) -> Result<()> {
    let (plan, org, token) = (workshop.plan, &workshop.org.lower, site.in_event_keys());
    let key = format!("edx-course-data/{org}/{token}/events/{}/{org}-{token}-events-{date}.log.gz.gpg", date.year());
    match site {
        Site::Prod if plan.zero_byte_day() == Some(date) => workshop.as_is(&key, b"", date),
        Site::Edge if plan.edge_gap() == Some(date) => Ok(()),
        _ => workshop.day_log(&key, date, |out| day_log::write_day(plan, workshop.org, site, date, out)),
    }
}

fn require(program: &str, package: &str) -> Result<()> {
    let mut command = std::process::Command::new(program);
    command.arg("--version").stdin(std::process::Stdio::null());
    command.output().map(drop).map_err(|error| gnupg::missing_tool(program, package, error))
}

fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(content)?)
}
