//! This machine's clock, against the server's (whose signatures count for minutes), and against the newest object.

use jiff::{SignedDuration, Timestamp};

use crate::doctor::Report;
use crate::doctor::source::Stock;
use crate::error::{Error, Result};
use crate::source::s3::Clocks;

const CHECK: &str = "clock";
const MEND: &str = "set it: sudo timedatectl set-ntp true";
/// The second of a date without fractions, and the answer's way.
const NEGLIGIBLE: SignedDuration = SignedDuration::from_secs(5);
/// S3 refuses what is signed 15 minutes off.
const SERIOUS: SignedDuration = SignedDuration::from_mins(5);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Before this program existed.
const FIRST_YEAR: i16 = 2020;

pub fn check(stocks: &[Stock], report: &mut Report<'_>) {
    let newest = stocks.iter().flat_map(|stock| &stock.objects).map(|object| object.modified).max();
    let clocks = stocks.iter().find_map(|stock| stock.clocks);
    match judge(Timestamp::now(), newest, clocks) {
        Ok(text) => report.ok(CHECK, text),
        Err(error) => report.wrong(CHECK, &error),
    }
}

fn judge(now: Timestamp, newest: Option<Timestamp>, clocks: Option<Clocks>) -> Result<String> {
    let wrong = |message: String| Err(Error::usage(message).advise(MEND));
    let off = clocks.map(|clocks| match clocks.ours.duration_since(clocks.server) {
        Ok(ahead) => (SignedDuration::try_from(ahead).unwrap_or(SignedDuration::MAX), "ahead of"),
        Err(behind) => (SignedDuration::try_from(behind.duration()).unwrap_or(SignedDuration::MAX), "behind"),
    });
    match (off, newest) {
        (Some((by, way)), _) if by > SERIOUS => {
            wrong(format!("{by:#.0} {way} the S3 server's, which refuses requests that are signed so"))
        }
        _ if now.to_zoned(jiff::tz::TimeZone::UTC).year() < FIRST_YEAR => wrong(format!("says {now:.0}")),
        (_, Some(newest)) if newest.duration_since(now) > DAY => {
            wrong(format!("says {now:.0}, but the newest object is of {newest:.0}"))
        }
        (Some((by, _)), _) if by <= NEGLIGIBLE => Ok("agrees with the S3 server's".to_owned()),
        (Some((by, way)), _) => Ok(format!("{by:#.0} {way} the S3 server's")),
        (None, _) => Ok(format!("says {now:.0}; there is no server's to compare it with")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn clocks(ours: i64) -> Option<Clocks> {
        let server = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000_u64.strict_add_signed(ours));
        Some(Clocks { server, ours })
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn only_what_breaks_signatures_is_wrong() {
        let now = time("2025-03-01T00:00:00Z");
        assert!(judge(now, None, clocks(2)).is_ok_and(|text| text.starts_with("agrees")));
        assert_eq!(judge(now, None, clocks(-90)).expect("it is not much"), "1m 30s behind the S3 server's");
        let error = judge(now, None, clocks(400)).expect_err("it is much").to_string();
        assert!(error.starts_with("6m 40s ahead of the S3 server's") && error.contains("timedatectl"), "{error}");
    }

    #[test]
    fn without_a_server_the_year_and_the_newest_object_tell() {
        let now = time("2025-03-01T00:00:00Z");
        assert!(judge(now, Some(time("2025-03-01T20:00:00Z")), None).is_ok());
        assert!(judge(now, Some(time("2025-03-03T00:00:00Z")), None).is_err());
        assert!(judge(time("1970-01-01T00:10:00Z"), None, None).is_err());
    }
}
