//! Where sizes come from: the ledger (exact), else a stand-in above any likely true size.

use serde::{Deserialize, Serialize};

use crate::decode::Layer;
use crate::recipe::{Artifact, JoinPart, Part, Recipe};

/// Plain bytes of a file, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    Exact(u64),
    StandIn(u64),
}

impl Size {
    pub fn bytes(self) -> u64 {
        match self {
            Size::Exact(bytes) | Size::StandIn(bytes) => bytes,
        }
    }
}

const SMALLEST: u64 = 4096;
const LOG_RATIO: u64 = 64;
const TABLE_RATIO: u64 = 40;
/// What a report may have beside its tables' rows.
const REPORT: u64 = 1 << 20;

/// A bound that no likely content exceeds, from encoded sizes alone; at least 4096, so that no tool takes it for empty.
pub fn stand_in(artifact: &Artifact) -> Size {
    let bytes = match &artifact.recipe {
        Recipe::Day { log, .. } | Recipe::Unattributed { log, .. } | Recipe::Merged { log, .. } => {
            log.encoded_bytes().saturating_mul(LOG_RATIO)
        }
        Recipe::Decoded { part, layers } => decoded_bound(part, layers.0.last()),
        Recipe::Joined { parts, .. } => parts.iter().map(joined_bound).fold(0, u64::saturating_add),
        Recipe::Unpacked { package } => package.encoded_bytes().saturating_mul(LOG_RATIO),
        // A gzipped log is smaller than the log, but for the smallest.
        Recipe::Gzipped { content } => stand_in(content).bytes(),
        Recipe::Tallies { log, .. } => log.encoded_bytes().saturating_mul(LOG_RATIO),
        Recipe::OptIn(opt_in) => {
            let bytes = opt_in.files().map(|input| stand_in(input).bytes()).fold(0, u64::saturating_add);
            bytes.saturating_mul(2).saturating_add(REPORT)
        }
        _ => SMALLEST,
    };
    // The kernel takes sizes as signed numbers.
    Size::StandIn(bytes.clamp(SMALLEST, i64::MAX as u64 / 2))
}

fn decoded_bound(part: &Part, innermost: Option<&Layer>) -> u64 {
    let encoded = part.encoded_bytes();
    let name = part.base_name();
    let shown = name.strip_suffix(".gpg").unwrap_or(name);
    let still_packed = shown.ends_with(".gz") || shown.ends_with(".7z");
    match innermost {
        None => encoded,
        Some(Layer::OpenPgp) if still_packed => encoded.saturating_add(encoded / 10),
        Some(Layer::OpenPgp) if shown.ends_with(".sql") || shown.ends_with(".csv") => {
            encoded.saturating_mul(TABLE_RATIO)
        }
        Some(Layer::OpenPgp | Layer::Gzip) => encoded.saturating_mul(LOG_RATIO),
    }
}

fn joined_bound(part: &JoinPart) -> u64 {
    part.part.encoded_bytes().saturating_mul(if part.layers.0.is_empty() { 2 } else { TABLE_RATIO })
}
