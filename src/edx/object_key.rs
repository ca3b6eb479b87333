//! What an object key means: day log, weekly package, opt-in list, RDX package, loose file; no listing.

use jiff::civil::Date;

use crate::edx::course_run::Site;

/// The meaning of one object, read from its key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectRole {
    /// One day's event log of one site. `site_token` is the key's own spelling (`edx`, `prod`, `edge`).
    DayLog { site: Site, site_token: String, date: Date },
    /// A weekly `{org}-{date}.zip`.
    Package { date: Date },
    /// `email-opt-in/{org}-{date}.zip`.
    OptIn { date: Date },
    /// `{org}/rdx/{request}/{package}.tar.gz.gpg`; `package` is `{org2}_{course}_{run}`.
    Rdx { request: String, package: String },
    /// `{date}-{org}-tracking.tar`, the weekly cumulative tar of the years before 2014-08.
    TrackingTar { date: Date },
    /// A file of an already unpacked package: `{org}-{date}/{entry}`, entry with its `.gpg` where it still has it
    /// (`ora/…` included); `date` is None for files without such a folder (`<course>/metadata/*.sql`).
    Loose { date: Option<Date>, entry: String },
    /// Anything else; ignored and counted.
    Unknown,
}

/// Reads the key of an object that was listed for organisation `org` (any case); other organisations' are `Unknown`.
pub fn object_role(_org: &str, _key: &str) -> ObjectRole {
    todo!()
}
