//! The instants that events state.

use jiff::civil::Date;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// 0001-01-01 and the day after 9999-12-31, in days since 1970.
const FIRST_DAY: i64 = -719_162;
const END_DAY: i64 = 2_932_897;

/// `YYYY-MM-DD`, `T` or a space, `HH:MM:SS[.digits]`, and nothing (UTC), `Z` or an offset; microseconds since 1970.
///
/// None for anything else, and outside of the years 1 to 9999 in UTC. Digits beyond microseconds are cut.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b' ', h0, h1, b':', n0, n1, b':', s0, s1] = *head else {
        return None;
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let day = days(year, two(m0, m1)?, two(d0, d1)?)?;
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    if hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    let (micros, rest) = fraction(rest)?;
    let of_day = (hour * 3600 + minute * 60 + second) * SECOND + micros;
    let instant = day * DAY + of_day - offset(rest)?;
    (FIRST_DAY * DAY..END_DAY * DAY).contains(&instant).then_some(instant)
}

/// The UTC day of an instant, in days since 1970.
#[inline]
pub fn day_of(instant: i64) -> i32 {
    instant.div_euclid(DAY) as i32
}

/// The date of a day that [`day_of`] gave.
pub fn date_of(day: i32) -> Date {
    let epoch = Date::constant(1970, 1, 1);
    epoch.saturating_add(jiff::Span::new().days(day.clamp(FIRST_DAY as i32, END_DAY as i32 - 1)))
}

#[inline(always)]
fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
}

/// Days since 1970, by Howard Hinnant's `days_from_civil`; None where the calendar has no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > length {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The microseconds of `.digits`, if that is what `text` begins with, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(length).filter(|_| length > 0)?;
    let micros = (0..6).fold(0, |micros, at| micros * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, rest))
}

/// Microseconds that local time is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, h0, h1, m0, m1) = match *text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => (sign, h0, h1, m0, m1),
        _ => return None,
    };
    let ahead = (two(h0, h1)? * 60 + two(m0, m1)?) * 60 * SECOND;
    match sign {
        b'+' => Some(ahead),
        b'-' => Some(-ahead),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    /// The slow twin: the shape by a regular expression, the calendar by jiff.
    fn slow(text: &str) -> Option<i64> {
        let shape = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-5][0-9])(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))?$";
        let found = regex::Regex::new(shape).expect("a valid pattern").captures(text)?;
        let of = |group| found.get(group).map_or("", |found| found.as_str());
        let civil: DateTime = format!("{}T{}", of(1), of(2)).parse().ok()?;
        let micros: i64 = format!("{:0<6}", of(3))[..6].parse().ok()?;
        let utc = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond() + micros;
        let part = |group| of(group).parse::<i64>().unwrap_or(0);
        let ahead = (part(5) * 60 + part(6)) * 60_000_000;
        let instant = if of(4) == "-" { utc + ahead } else { utc - ahead };
        let year_one = Date::constant(1, 1, 1).to_zoned(TimeZone::UTC).expect("in range").timestamp().as_microsecond();
        (civil.year() > 0 && (year_one..year_one + 3_652_059 * 86_400_000_000).contains(&instant)).then_some(instant)
    }

    #[test]
    fn the_forms_of_the_vectors_are_read() {
        for (text, instant) in [
            ("2014-05-16T18:52:20.302431+00:00", Some(1_400_266_340_302_431)),
            ("2014-05-15T19:03:19+00:00", Some(1_400_180_599_000_000)),
            ("2014-05-02T16:01:52.895722", Some(1_399_046_512_895_722)),
            ("2014-05-02 16:01:52.8957229Z", Some(1_399_046_512_895_722)),
            ("2014-05-02T16:01:52.8", Some(1_399_046_512_800_000)),
            ("2014-05-02T16:01:52+0200", Some(1_399_039_312_000_000)),
            ("1969-12-31T23:59:59.999999Z", Some(-1)),
            ("2016-02-30T00:00:00", None),
            ("2016-12-31T23:59:60", None),
            ("2014-05-02T16:01:52.", None),
            ("2014-05-02T16:01", None),
            (" 2014-05-02T16:01:52", None),
            ("2014-05-02T16:01:52+2", None),
            ("0000-05-02T16:01:52", None),
            ("0001-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59-01:00", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), instant, "{text}");
        }
    }

    #[test]
    fn days_have_the_calendars_dates() {
        for (day, date) in [(0, "1970-01-01"), (-1, "1969-12-31"), (16_206, "2014-05-16"), (2_932_896, "9999-12-31")] {
            assert_eq!(date_of(day).to_string(), date);
        }
        assert_eq!(date_of(FIRST_DAY as i32).to_string(), "0001-01-01");
        assert_eq!((day_of(-1), day_of(0), day_of(DAY - 1), day_of(DAY)), (-1, 0, 0, 1));
    }

    proptest! {
        #[test]
        fn times_are_what_jiff_reads(
            text in "(0000|0001|19[79][0-9]|2000|20[0-9]{2}|2100|9999)-(0[0-9]|1[0-3])-([0-3][0-9])[T ](0[0-9]|2[0-5]):[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,8})?(Z|z|[+-][0-9]{2}:?[0-9]{2}|[+ ])?"
        ) {
            prop_assert_eq!(parse(text.as_bytes()), slow(&text), "{}", text);
        }
    }
}
