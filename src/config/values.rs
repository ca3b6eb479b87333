//! The written forms of sizes, rates, durations, modes, organisations and patterns: text in, checked value out.

use std::num::NonZeroU32;
use std::time::Duration;

/// `20GiB`, `512 MB`, `1.5TiB`, `4096`; a letter alone (`20G`) counts in 1024s, as in coreutils.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("`{unit}` is not a unit; write it like 20GiB, 512MB or 4096")),
    };
    let number: f64 = number.parse().map_err(|_| "a size begins with a number, like 20GiB".to_string())?;
    let bytes = number * factor as f64;
    // Beyond 2^60 is no disk but a slip, and f64 to u64 is exact enough below.
    if bytes > (1u64 << 60) as f64 { Err("larger than any disk".to_string()) } else { Ok(bytes as u64) }
}

/// Bytes per second: a size, with `/s` behind it or not; not zero.
pub fn rate(text: &str) -> Result<u64, String> {
    match bytes(text.trim().trim_end_matches("/s"))? {
        0 => Err("a rate of nothing never ends; use --index off".to_string()),
        rate => Ok(rate),
    }
}

/// A cache budget: a size that holds at least a few files.
pub fn budget(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        bytes if bytes < 1 << 20 => Err("a cache needs at least 1MiB".to_string()),
        bytes => Ok(bytes),
    }
}

/// `15m`, `90s`, `1h30m`, `2d`; at least one second, at most a year.
pub fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write it like 90s, 15m, 1h30m or 2d";
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(format!("a unit is missing; {FORM}"))?;
        let number: u64 = rest[..end].parse().map_err(|_| FORM.to_string())?;
        rest = rest[end..].trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit: u64 = match &rest[..end] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            other => return Err(format!("`{other}` is not a unit of time; {FORM}")),
        };
        rest = rest[end..].trim_start();
        seconds = seconds.saturating_add(number.saturating_mul(unit));
    }
    match seconds {
        0 => Err(format!("needs at least one second; {FORM}")),
        seconds if seconds > 366 * 86_400 => Err("longer than a year".to_string()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// Permission bits in octal: `0440`, `440`, `0o440`.
pub fn mode(text: &str) -> Result<u32, String> {
    const FORM: &str = "permission bits are octal, from 0 to 0777, like 0440";
    match u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8) {
        Ok(mode) if mode <= 0o777 && !text.starts_with('+') => Ok(mode),
        _ => Err(FORM.to_string()),
    }
}

/// An organisation as object keys spell it: lower case. It becomes a folder's name, hence no `/`.
pub fn org(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.is_empty() || text.starts_with('.') || text.len() > 200 || !text.chars().all(allowed) {
        return Err("an organisation is written as in the file names, like chalmersx".to_string());
    }
    Ok(text.to_lowercase())
}

/// A glob over course folder names, as globset reads it.
pub fn course_glob(text: &str) -> Result<String, String> {
    globset::Glob::new(text).map(|_| text.to_string()).map_err(|error| error.kind().to_string())
}

/// A regular expression as the regex crate reads it.
pub fn regular_expression(text: &str) -> Result<String, String> {
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_string()),
        // The message is a drawing with carets; the reason is its last line.
        Err(regex::Error::Syntax(drawing)) => {
            let reason = drawing.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("not a regular expression: {reason}"))
        }
        Err(error) => Err(format!("not a regular expression: {}", error.to_string().to_lowercase())),
    }
}

/// Seconds of a video that are counted together: a whole number, not zero.
pub fn compartment(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| "a compartment is a whole number of seconds, at least 1".to_string())
}

/// The address of an S3 server.
pub fn endpoint(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') => Ok(text.to_string()),
        Some(host) if host.contains('@') => Err("credentials do not belong into a URL".to_string()),
        _ => Err("an endpoint begins with https:// or http://".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_in_the_unit_that_is_written() {
        let table = [("20GiB", 20 << 30), ("20G", 20 << 30), ("512 MB", 512_000_000), ("1.5k", 1536), ("4096", 4096)];
        for (text, expected) in table {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "GiB", "-1", "1.2.3G", "20 parsecs", "9999999TiB", "nan", "inf"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for text in ["", "0s", "15", "m", "15 years", "-1m", "99999999999999999999s", "400d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes_are_octal_and_hold_no_more_than_permissions() {
        assert_eq!(mode("0440"), Ok(0o440));
        assert_eq!(mode("0o750"), Ok(0o750));
        for text in ["", "888", "4755", "rw", "-1", "+7"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_followed_is_refused_on_one_line() {
        for text in ["^Pre-course survey$", "(?i)kursstart", ""] {
            assert_eq!(regular_expression(text), Ok(text.to_string()));
        }
        for text in ["(", "a{3", "[z-a]", "\\", "(?=survey)", "\\w{9999}{9999}"] {
            let reason = regular_expression(text).expect_err(text);
            assert!(reason.starts_with("not a regular expression: ") && !reason.contains('\n'), "{text}: {reason}");
        }
    }

    #[test]
    fn a_compartment_is_at_least_a_second() {
        assert_eq!(compartment("5").map(NonZeroU32::get), Ok(5));
        for text in ["", "0", "-5", "2.5", "5s", "4294967296"] {
            assert!(compartment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_organisation_is_one_safe_path_component() {
        assert_eq!(org("ChalmersX"), Ok("chalmersx".to_string()));
        for text in ["", "..", "a/b", ".git", "a b", "a\0"] {
            assert!(org(text).is_err(), "{text}");
        }
    }
}
