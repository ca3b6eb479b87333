//! What an object key means: day log, weekly package, opt-in list, RDX package, loose file; no listing.
//!
//! Read by base name, so that buckets, what `aws s3 sync` makes of them and decrypted mirrors are all understood. The
//! organisation is compared as a whole: `mitx` is also how the keys of `mitxpro` begin.

use jiff::civil::Date;

use crate::edx::course_run::Site;
use crate::edx::member_name::parse_member;

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
pub fn object_role(org: &str, key: &str) -> ObjectRole {
    let key = Key::new(org, key);
    let role = day_log(&key)
        .or_else(|| tracking_tar(&key))
        .or_else(|| rdx(&key))
        .or_else(|| package(&key))
        .or_else(|| loose(&key));
    role.unwrap_or(ObjectRole::Unknown)
}

/// A key taken apart.
struct Key<'a> {
    org: &'a str,
    folders: Vec<&'a str>,
    base: &'a str,
}

impl<'a> Key<'a> {
    fn new(org: &'a str, key: &'a str) -> Self {
        let mut folders: Vec<&str> = key.split('/').collect();
        let base = folders.pop().unwrap_or_default();
        Key { org, folders, base }
    }
}

/// `{org}-{site}-events-{date}.log[.gz][.gpg]`; without `-events`, as the guide of 2014 had it.
fn day_log(key: &Key<'_>) -> Option<ObjectRole> {
    let stem = without(key.base, ".gpg");
    let stem = without(stem, ".gz").strip_suffix(".log")?;
    let (rest, date) = split_date(stem)?;
    let site_token = without(strip_org(rest, key.org)?.strip_prefix('-')?, "-events");
    // A site has no hyphen: `mit-x-edx-…` is the organisation `mit-x`, not a site of `mit`, unless its folder says so.
    let said_by_folder = key.folders.windows(2).any(|pair| pair == [site_token, "events"]);
    if site_token.is_empty() || (site_token.contains('-') && !said_by_folder) {
        return None;
    }
    let site = Site::from_token(&site_token.to_lowercase());
    Some(ObjectRole::DayLog { site, site_token: site_token.to_owned(), date })
}

/// `{date}-{org}-tracking.tar`
fn tracking_tar(key: &Key<'_>) -> Option<ObjectRole> {
    let stem = key.base.strip_suffix("-tracking.tar")?;
    let (date, rest) = stem.split_at_checked(DATE_BYTES)?;
    let date = parse_date(date)?;
    rest.strip_prefix('-')?.eq_ignore_ascii_case(key.org).then_some(ObjectRole::TrackingTar { date })
}

/// `[{bucket}/][{org}/]rdx/{request}/{package}.tar[.gz][.gpg]`
fn rdx(key: &Key<'_>) -> Option<ObjectRole> {
    let [before @ .., "rdx", request] = &key.folders[..] else { return None };
    let ours = match before {
        // The bucket itself was mirrored for one organisation, or the organisation's folder was.
        [] | ["edx-course-data"] => true,
        [.., folder] => folder.eq_ignore_ascii_case(key.org),
    };
    let stem = without(key.base, ".gpg");
    let package = without(stem, ".gz").strip_suffix(".tar").filter(|package| ours && !package.is_empty())?;
    Some(ObjectRole::Rdx { request: (*request).to_owned(), package: package.to_owned() })
}

/// `{org}-{date}.zip`
fn package(key: &Key<'_>) -> Option<ObjectRole> {
    let (org, date) = split_date(key.base.strip_suffix(".zip")?)?;
    if !org.eq_ignore_ascii_case(key.org) {
        return None;
    }
    let opt_in = key.folders.last() == Some(&"email-opt-in");
    Some(if opt_in { ObjectRole::OptIn { date } } else { ObjectRole::Package { date } })
}

/// `…/{org}-{date}/{entry}`, or a member of a package anywhere else but in another organisation's folder.
fn loose(key: &Key<'_>) -> Option<ObjectRole> {
    if key.base.is_empty() {
        return None;
    }
    let dated = key.folders.iter().enumerate().rev().find_map(|(at, folder)| Some((at, split_date(folder)?)));
    match dated {
        Some((at, (org, date))) if org.eq_ignore_ascii_case(key.org) => {
            let entry = [&key.folders[at + 1..], &[key.base]].concat().join("/");
            Some(ObjectRole::Loose { date: Some(date), entry })
        }
        Some(_) => None,
        None => {
            parse_member(key.base)?;
            Some(ObjectRole::Loose { date: None, entry: key.base.to_owned() })
        }
    }
}

const DATE_BYTES: usize = "YYYY-MM-DD".len();

/// `{rest}-{YYYY-MM-DD}` → rest and date.
fn split_date(text: &str) -> Option<(&str, Date)> {
    let (rest, date) = text.split_at_checked(text.len().checked_sub(DATE_BYTES)?)?;
    Some((rest.strip_suffix('-').filter(|rest| !rest.is_empty())?, parse_date(date)?))
}

fn parse_date(text: &str) -> Option<Date> {
    let digits = |at: usize, byte: u8| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    let shaped = text.len() == DATE_BYTES && text.bytes().enumerate().all(|(at, byte)| digits(at, byte));
    shaped.then(|| text.parse().ok()).flatten()
}

/// What follows the organisation's name, written in any case.
fn strip_org<'a>(text: &'a str, org: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(org.len())?;
    found.eq_ignore_ascii_case(org).then_some(rest)
}

fn without<'a>(text: &'a str, suffix: &str) -> &'a str {
    text.strip_suffix(suffix).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(org: &str, key: &str) -> String {
        let dated = |what: &str, date: Date| format!("{what} {date}");
        match object_role(org, key) {
            ObjectRole::DayLog { site, site_token, date } => {
                dated(&format!("log {} {site_token}", site.as_str()), date)
            }
            ObjectRole::Package { date } => dated("package", date),
            ObjectRole::OptIn { date } => dated("opt-in", date),
            ObjectRole::Rdx { request, package } => format!("rdx {request} {package}"),
            ObjectRole::TrackingTar { date } => dated("tar", date),
            ObjectRole::Loose { date: Some(date), entry } => dated("loose", date) + " " + &entry,
            ObjectRole::Loose { date: None, entry } => format!("loose {entry}"),
            ObjectRole::Unknown => "unknown".into(),
        }
    }

    #[test]
    fn keys_of_the_buckets_and_of_every_mirror_are_understood() {
        for (key, role) in [
            ("unix/edx/events/2015/unix-edx-events-2015-03-02.log.gz.gpg", "log prod edx 2015-03-02"),
            ("edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-02.log.gz.gpg", "log prod edx 2015-03-02"),
            ("unix/prod/events/2015/unix-prod-events-2015-03-02.log.gz.gpg", "log prod prod 2015-03-02"),
            ("unix/edge/events/2015/unix-edge-events-2015-03-02.log.gz.gpg", "log edge edge 2015-03-02"),
            ("unix/new/events/2015/unix-new-events-2015-03-02.log.gz.gpg", "log new new 2015-03-02"),
            ("unix/a-b/events/2015/unix-a-b-events-2015-03-02.log.gz.gpg", "log a-b a-b 2015-03-02"),
            ("unix/edx/events/2015/unix-edx-2015-03-02.log.gz.gpg", "log prod edx 2015-03-02"),
            ("edx-course-data/edge/events/2015/unix-edge-events-2015-03-02.log.gz", "log edge edge 2015-03-02"),
            ("daily_Logs/unix-edx-events-2018-12-15.log.gz", "log prod edx 2018-12-15"),
            ("unix-edx-events-2018-12-15.log", "log prod edx 2018-12-15"),
            ("UniX-edx-events-2018-12-15.log.gpg", "log prod edx 2018-12-15"),
            ("unix-2016-05-29.zip", "package 2016-05-29"),
            ("course-data/UniX-2016-05-29.zip", "package 2016-05-29"),
            ("course-data/email-opt-in/unix-2017-12-03.zip", "opt-in 2017-12-03"),
            ("unix/rdx/77/OrgY_C_R.tar.gz.gpg", "rdx 77 OrgY_C_R"),
            ("edx-course-data/unix/rdx/77/OrgY_C_R.tar.gz.gpg", "rdx 77 OrgY_C_R"),
            ("edx-course-data/rdx/77/OrgY_C_R.tar.gz", "rdx 77 OrgY_C_R"),
            ("course-data/2013-10-27-unix-tracking.tar", "tar 2013-10-27"),
            (
                "course-data/unix-2016-05-29/unix-2016-05-29/UniX-A-B-teams-prod-analytics.sql",
                "loose 2016-05-29 UniX-A-B-teams-prod-analytics.sql",
            ),
            (
                "UniX-2016-05-29/ora/UniX-A-B-submissions_score-prod-analytics.sql.gpg",
                "loose 2016-05-29 ora/UniX-A-B-submissions_score-prod-analytics.sql.gpg",
            ),
            ("UniX-A-B/metadata/UniX-A-B-teams-prod-analytics.sql", "loose UniX-A-B-teams-prod-analytics.sql"),
        ] {
            assert_eq!(read("unix", key), role, "{key}");
            assert_eq!(read("UniX", key), role, "{key}");
        }
    }

    #[test]
    fn other_organisations_and_other_things_are_unknown() {
        for key in [
            "",
            "mitx/",
            "mitx-2016-05-29/",
            "mitxpro-2016-05-29.zip",
            "mit-2016-05-29.zip",
            "course-data/2013-10-27-mitxpro-tracking.tar",
            "mitxpro/edx/events/2015/mitxpro-edx-events-2015-03-02.log.gz.gpg",
            "mitx-pro/edx/events/2015/mitx-pro-edx-events-2015-03-02.log.gz.gpg",
            "mitx/edx/events/2015/mitx-events-2015-03-02.log.gz.gpg.tmp",
            "mitx-edx-events-2015-02-30.log.gz.gpg",
            "mitx-edx-events-2015-3-2.log.gz.gpg",
            "mitx-2015-03-02.log.gz",
            "mitx--events-2015-03-02.log.gz",
            "mitxpro/rdx/77/OrgY_C_R.tar.gz.gpg",
            "edx-course-data/mitxpro/rdx/77/OrgY_C_R.tar.gz.gpg",
            "mitx/rdx/77/README",
            "mitxpro-2016-05-29/MITxPRO-A-B-teams-prod-analytics.sql",
            "mitx-latest.zip",
            "credentials.csv.gpg",
        ] {
            assert_eq!(read("mitx", key), "unknown", "{key}");
        }
    }
}
