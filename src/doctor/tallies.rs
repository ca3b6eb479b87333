//! Will what is counted of the events last? Tallies and folds have a quarter of the budget; beyond it they are made
//! anew for each samced.db.

use crate::control::status::size;
use crate::doctor::contents::Stock;
use crate::doctor::{Case, Report};
use crate::edx::object_key::{ObjectRole, object_role};

const CHECK: &str = "tallies";
/// Disk bytes of tallies and folds, in percent of the day logs' encoded bytes: 15 to 18 in made-up packages of 4 days
/// with 120,000 events each to 30 days with 6,000, and a little for what those do not have.
const PERCENT: u64 = 20;

pub fn check(case: &Case<'_>, stock: &Stock, report: &mut Report<'_>) {
    let is_day = |key: &str| matches!(object_role(&stock.org, key), ObjectRole::DayLog { .. });
    let days = stock.objects.iter().filter(|object| is_day(object.id.key.as_str()));
    let encoded: u64 = days.map(|object| object.id.bytes).sum();
    if encoded == 0 {
        return;
    }
    let (wanted, quarter) = (wanted(encoded), case.settings.cache_bytes / 4);
    let text = format!("about {} of {} (a quarter of --cache-size), by an estimate", size(wanted), size(quarter));
    if wanted <= quarter {
        return report.ok(CHECK, text);
    }
    let enough = (wanted * 4).div_ceil(1 << 30);
    report.warn(CHECK, format!("{text}: what was counted is counted again and again; --cache-size {enough}GiB"));
}

fn wanted(encoded_bytes: u64) -> u64 {
    encoded_bytes / 100 * PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_large_logs_wants_more_than_a_small_cache_has() {
        assert_eq!(wanted(10 << 30) >> 20, 2047);
        assert_eq!(wanted(0), 0);
    }
}
