//! What people do, as events: which kinds there are and how often each happens.

pub mod counted;
pub mod odd;
mod page;
mod problem;
mod social;
mod video;

use crate::demo::line::{Draft, Scene};
use crate::demo::random::Random;

pub use social::uuid;

/// Fills a draft with one event of a kind.
type Kind = fn(&Scene<'_>, &mut Random, &mut Draft);

/// Kinds in about the proportions of a running course, in thousandths.
const KINDS: &[(u64, Kind)] = &[
    (330, video::video),
    (10, video::bumper),
    (20, video::textbook),
    (90, problem::browser_check),
    (85, problem::server_check),
    (75, problem::browser_graded),
    (10, problem::browser_show),
    (25, problem::server_other),
    (120, page::view),
    (80, page::handler),
    (70, page::sequence),
    (45, page::close),
    (8, page::link),
    (16, social::forum),
    (6, social::enrolment),
    (9, social::assessment),
    (1, social::certificate),
];

/// Draws one event of ordinary shape.
pub fn draw(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let kind = random.weighted(KINDS);
    kind(scene, random, draft);
}
