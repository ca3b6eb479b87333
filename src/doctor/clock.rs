//! This machine's clock, against the server's (whose signatures count for minutes), and against the newest object.

use jiff::{SignedDuration, Timestamp};

use crate::doctor::Report;
use crate::doctor::contents::Stock;
use crate::error::Error;
use crate::source::s3::Clocks;

const CHECK: &str = "clock";
const MEND: &str = "set it: sudo timedatectl set-ntp true";
/// The second of a date without fractions, and the answer's way.
const NEGLIGIBLE: SignedDuration = SignedDuration::from_secs(5);
/// A clock that is kept does not come to it.
const NOTABLE: SignedDuration = SignedDuration::from_mins(1);
/// S3 refuses what is signed further off (RequestTimeTooSkewed).
const REFUSED: SignedDuration = SignedDuration::from_mins(15);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Before this program existed.
const FIRST_YEAR: i16 = 2020;

pub fn check(stocks: &[Stock], report: &mut Report<'_>) {
    let newest = stocks.iter().flat_map(|stock| &stock.objects).map(|object| object.modified).max();
    let clocks = stocks.iter().find_map(|stock| stock.clocks);
    match judge(Timestamp::now(), newest, clocks) {
        Verdict::Fine(text) => report.ok(CHECK, text),
        Verdict::Off(text) => report.warn(CHECK, text),
        Verdict::Wrong(error) => report.wrong(CHECK, &error),
    }
}

#[derive(Debug)]
enum Verdict {
    Fine(String),
    /// Not so far that anything fails yet.
    Off(String),
    Wrong(Error),
}

fn judge(now: Timestamp, newest: Option<Timestamp>, clocks: Option<Clocks>) -> Verdict {
    let wrong = |message: String| Verdict::Wrong(Error::usage(message).advise(MEND));
    let off = clocks.map(|clocks| match clocks.ours.duration_since(clocks.server) {
        Ok(ahead) => (SignedDuration::try_from(ahead).unwrap_or(SignedDuration::MAX), "ahead of"),
        Err(behind) => (SignedDuration::try_from(behind.duration()).unwrap_or(SignedDuration::MAX), "behind"),
    });
    match (off, newest) {
        (Some((by, way)), _) if by > REFUSED => {
            wrong(format!("{by:#.0} {way} the S3 server's, which refuses requests that are signed so"))
        }
        _ if now.to_zoned(jiff::tz::TimeZone::UTC).year() < FIRST_YEAR => wrong(format!("says {now:.0}")),
        (_, Some(newest)) if newest.duration_since(now) > DAY => {
            wrong(format!("says {now:.0}, but the newest object is of {newest:.0}"))
        }
        (Some((by, way)), _) if by > NOTABLE => {
            Verdict::Off(format!("{by:#.0} {way} the S3 server's; from 15 minutes on it refuses all requests; {MEND}"))
        }
        (Some((by, way)), _) if by > NEGLIGIBLE => Verdict::Fine(format!("{by:#.0} {way} the S3 server's")),
        (Some(_), _) => Verdict::Fine("agrees with the S3 server's".to_owned()),
        (None, _) => Verdict::Fine(format!("says {now:.0}; there is no server's to compare it with")),
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
        let told = |ours| match judge(now, None, clocks(ours)) {
            Verdict::Fine(text) => ("fine", text),
            Verdict::Off(text) => ("off", text),
            Verdict::Wrong(error) => ("wrong", error.to_string()),
        };
        for (ours, verdict, words) in [
            (2, "fine", "agrees with the S3 server's"),
            (-40, "fine", "40s behind the S3 server's"),
            (-90, "off", "1m 30s behind the S3 server's; from 15 minutes on"),
            (15 * 60, "off", "15m ahead of the S3 server's; from 15 minutes on"),
            (16 * 60, "wrong", "16m ahead of the S3 server's, which refuses"),
            (-4000, "wrong", "1h 6m 40s behind the S3 server's, which refuses"),
        ] {
            let (level, text) = told(ours);
            assert!(level == verdict && text.starts_with(words), "{ours}: {level} {text}");
            assert_eq!(text.contains("timedatectl"), level != "fine", "{text}");
        }
    }

    #[test]
    fn without_a_server_the_year_and_the_newest_object_tell() {
        let now = time("2025-03-01T00:00:00Z");
        assert!(matches!(judge(now, Some(time("2025-03-01T20:00:00Z")), None), Verdict::Fine(_)));
        assert!(matches!(judge(now, Some(time("2025-03-03T00:00:00Z")), None), Verdict::Wrong(_)));
        assert!(matches!(judge(time("1970-01-01T00:10:00Z"), None, None), Verdict::Wrong(_)));
    }
}
