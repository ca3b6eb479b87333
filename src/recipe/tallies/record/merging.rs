//! What two values of one key come to.

use super::bytes::{Fields, damaged, variant};
use crate::error::Result;
use crate::recipe::tallies::varint;

/// Merges `later`, the value of a later run, into that of an earlier one; both are of `key`.
///
/// Errors: `Corrupt`, after which `into` means nothing.
pub fn merge_values(key: &[u8], into: &mut Vec<u8>, later: &[u8]) -> Result<()> {
    let variant = key.first().copied().unwrap_or_default();
    let merged = match variant {
        variant::MET_NAME | variant::MET_DATE | variant::MET_ANSWER => Some(()),
        variant::EVENTS
        | variant::EVENT_COUNT
        | variant::VIDEO
        | variant::VIDEO_STEP
        | variant::COUNT
        | variant::PAGE => add(into, later),
        variant::MET_PROBLEM => keep_name(into, later),
        variant::CHECK => merge_checks(into, later),
        variant::SURVEY_CHECK => keep_latest(into, later),
        variant::VIDEO_ERROR => (into == later).then_some(()),
        _ => None,
    };
    merged.ok_or_else(damaged)
}

fn add(into: &mut Vec<u8>, later: &[u8]) -> Option<()> {
    let count = varint::take(&mut &into[..])?.saturating_add(varint::take(&mut &later[..])?);
    into.clear();
    varint::push(into, count);
    Some(())
}

/// A value that begins with its time. A time that cannot be read is before any other.
fn keep_latest(into: &mut Vec<u8>, later: &[u8]) -> Option<()> {
    if Fields(later).time()? >= Fields(into).time()? {
        into.clear();
        into.extend_from_slice(later);
    }
    Some(())
}

/// The name of the latest event that has one.
fn keep_name(into: &mut Vec<u8>, later: &[u8]) -> Option<()> {
    let rank = |value| -> Option<(bool, Option<i64>)> {
        let mut fields = Fields(value);
        let time = fields.time()?;
        Some((fields.counted_text()?.is_some(), time))
    };
    if rank(later)? >= rank(into)? {
        into.clear();
        into.extend_from_slice(later);
    }
    Some(())
}

/// What a check's value begins with: of all checks, not of the latest.
struct Sum {
    first_time: Option<i64>,
    checks: u64,
}

fn merge_checks(into: &mut Vec<u8>, later: &[u8]) -> Option<()> {
    let (one, latest) = read_sum(into)?;
    let head_bytes = into.len() - latest.len();
    let (other, later_latest) = read_sum(later)?;
    let is_later = Fields(later_latest).time()? >= Fields(latest).time()?;
    let first_time = one.first_time.into_iter().chain(other.first_time).min();
    if is_later {
        into.truncate(head_bytes);
        into.extend_from_slice(later_latest);
    }
    write_sum(into, head_bytes, &Sum { first_time, checks: one.checks.saturating_add(other.checks) });
    Some(())
}

fn read_sum(value: &[u8]) -> Option<(Sum, &[u8])> {
    let mut fields = Fields(value);
    let (first_time, checks) = (fields.time()?, fields.varint()?);
    Some((Sum { first_time, checks }, fields.0))
}

fn write_sum(value: &mut Vec<u8>, head_bytes: usize, sum: &Sum) {
    let mut head = Vec::with_capacity(18);
    head.extend_from_slice(&sum.first_time.unwrap_or(i64::MIN).to_be_bytes());
    varint::push(&mut head, sum.checks);
    value.splice(..head_bytes, head);
}
