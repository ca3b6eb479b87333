//! One log a site and day: which of several objects it is, and how it is coded.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::civil::Date;

use super::problem::Problem;
use crate::decode::{Layer, Layers};
use crate::edx::course_run::Site;
use crate::source::{ObjectId, ObjectMeta};

/// The event log of one site and day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayLog {
    /// The day in the object's name: when the events were received (UTC).
    pub date: Date,
    pub site: Site,
    /// The site as the object's name spells it: `edx`, `prod`, `edge`, …
    pub site_token: String,
    pub object: ObjectId,
    /// Around the lines of the log.
    pub layers: Layers,
    /// The object's LastModified.
    pub modified: Timestamp,
}

impl DayLog {
    /// The name a decrypted copy of the object has, as edX names it: `<org>-<site>-events-<date>.log[.gz]`.
    pub fn decrypted_name(&self, org: &str) -> String {
        let gz = if self.layers.0.contains(&Layer::Gzip) { ".gz" } else { "" };
        format!("{org}-{}-events-{}.log{gz}", self.site_token, self.date)
    }

    /// The layers that a decrypted copy no longer has.
    pub fn encryption(&self) -> Layers {
        Layers(self.layers.0.iter().copied().filter(|layer| *layer == Layer::OpenPgp).collect())
    }
}

/// An object that claims to be the log of some day.
pub(super) struct Candidate {
    pub site_token: String,
    pub object: ObjectMeta,
}

impl Candidate {
    /// The package form over the decrypted, then the newest. An empty object is nobody's log while another is there,
    /// so that a failed export does not hide a good copy.
    fn rank(&self) -> impl Ord + use<> {
        let encrypted = Layers::of(self.object.id.key.base_name()).0.0.contains(&Layer::OpenPgp);
        (self.object.id.bytes > 0, encrypted, self.object.modified, Reverse(self.object.id.clone()))
    }
}

/// The log among the candidates of one site and day; the others become problems. None without candidates.
pub(super) fn choose(
    site: &Site,
    date: Date,
    mut candidates: Vec<Candidate>,
    problems: &mut dyn FnMut(Problem),
) -> Option<DayLog> {
    candidates.sort_by_cached_key(Candidate::rank);
    let chosen = candidates.pop()?;
    for other in candidates {
        let what = format!("not used: {} is the log of the same site and day", chosen.object.id.key);
        problems(Problem::new(&other.object, what, "remove the one that is not wanted, if this choice is wrong"));
    }
    let layers = Layers::of(chosen.object.id.key.base_name()).0;
    Some(DayLog {
        date,
        site: site.clone(),
        site_token: chosen.site_token,
        layers,
        modified: chosen.object.modified,
        object: chosen.object.id,
    })
}
