//! What makes a recipe the same recipe: its version, parameters and input identities, as one canonical byte string.
//!
//! The string is hashed by those who need a key (the ledger, keyed) or a number (inodes). Fields are length-prefixed,
//! so no two recipes share a string. A change to what a recipe writes bumps its version here, which empties caches.

use super::{Artifact, JoinPart, Output, Part, Recipe};
use crate::decode::Layers;
use crate::decode::zip::Method;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::recipe::derived::{Database, Fold, TalliedDay};
use crate::recipe::gzipped::GZIP;
use crate::sqlite::SQLITE;

const DAY_VERSION: u8 = 1;
const MERGED_VERSION: u8 = 1;
const DECODED_VERSION: u8 = 1;
const JOINED_VERSION: u8 = 1;
const UNPACKED_VERSION: u8 = 1;
const TALLIES_VERSION: u8 = 1;
const FOLD_VERSION: u8 = 1;
const DATABASE_VERSION: u8 = 1;
const SHEET_VERSION: u8 = 1;
const VIDEO_ERRORS_VERSION: u8 = 1;
const LEARNER_VERSION: u8 = 1;
const ROSTER_VERSION: u8 = 1;
const GZIPPED_VERSION: u8 = 1;
const OPT_IN_VERSION: u8 = 1;

impl Recipe {
    /// The canonical byte string of this recipe.
    pub fn identity(&self) -> Vec<u8> {
        let mut id = Identity::default();
        match self {
            Recipe::Day { log, rule } => id.tag(b'D', DAY_VERSION).part(log).rule(*rule),
            Recipe::Unattributed { log, rule } => id.tag(b'U', MERGED_VERSION).part(log).rule(*rule),
            Recipe::Merged { log, rule, ids } => {
                let id = id.tag(b'M', MERGED_VERSION).part(log).rule(*rule);
                ids.iter().fold(id, |id, course| id.text(course.as_str()))
            }
            Recipe::Decoded { part, layers } => id.tag(b'P', DECODED_VERSION).part(part).layers(layers),
            Recipe::Joined { table, parts } => {
                let id = id.tag(b'J', JOINED_VERSION).text(table);
                parts.iter().fold(id, |id, part| id.join_part(part))
            }
            Recipe::Unpacked { package } => id.tag(b'R', UNPACKED_VERSION).part(package),
            Recipe::Tallies { log, rule, params } => {
                id.tag(b'T', TALLIES_VERSION).part(log).rule(*rule).text(&params.identity())
            }
            Recipe::Fold(fold) => id.tag(b'F', FOLD_VERSION).fold_of_days(fold),
            Recipe::Late(late) => id.tag(b'L', 0).text(&late.identity()),
            Recipe::Database(database) => id.tag(b'B', DATABASE_VERSION).text(SQLITE).database(database),
            Recipe::Sheet { database, table } => {
                id.tag(b'S', SHEET_VERSION).tag(b'B', DATABASE_VERSION).database(database).text(table)
            }
            Recipe::VideoErrors { folds } => {
                let id = id.tag(b'E', VIDEO_ERRORS_VERSION);
                folds.iter().fold(id, |id, fold| id.fold_of_days(fold))
            }
            Recipe::Learner(learner) => {
                let id = id.tag(b'N', LEARNER_VERSION).text(&learner.user).text(learner.lines.name());
                id.learner_days(&learner.course, &learner.days, learner.auth_user.as_ref())
            }
            Recipe::Roster(roster) => {
                id.tag(b'O', ROSTER_VERSION).learner_days(&roster.course, &roster.days, roster.auth_user.as_ref())
            }
            Recipe::Gzipped { content } => id.tag(b'G', GZIPPED_VERSION).text(GZIP).bytes(&content.identity()),
            Recipe::OptIn(opt_in) => {
                let id = id.tag(b'I', OPT_IN_VERSION).bytes(&opt_in.list.identity());
                let id =
                    opt_in.users.iter().fold(id.number(opt_in.users.len() as u64), |id, a| id.bytes(&a.identity()));
                opt_in.profiles.iter().fold(id, |id, a| id.bytes(&a.identity()))
            }
        };
        id.0
    }
}

impl Output {
    /// The canonical byte string of this output.
    pub fn identity(&self) -> Vec<u8> {
        let mut id = Identity::default();
        match self {
            Output::Whole => id.tag(b'w', 0),
            Output::Course(course) => id.tag(b'c', 0).text(course.as_str()),
            Output::OfFolder(folder) => id.tag(b'f', 0).text(folder),
            Output::Loose => id.tag(b'l', 0),
            Output::Order => id.tag(b'o', 0),
            Output::Member(path) => id.tag(b'm', 0).text(path),
            Output::Lines => id.tag(b'n', 0),
        };
        id.0
    }
}

impl Artifact {
    /// The canonical byte string of this artifact: its recipe's, then its output's.
    pub fn identity(&self) -> Vec<u8> {
        let mut id = Identity::default();
        id.bytes(&self.recipe.identity()).bytes(&self.output.identity());
        id.0
    }
}

#[derive(Default)]
struct Identity(Vec<u8>);

impl Identity {
    fn tag(&mut self, tag: u8, version: u8) -> &mut Self {
        self.0.extend([tag, version]);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn rule(&mut self, rule: CourseRule) -> &mut Self {
        self.0.push(match rule {
            CourseRule::Recall => b'r',
            CourseRule::Producer => b'p',
        });
        self
    }

    fn layers(&mut self, layers: &Layers) -> &mut Self {
        self.text(&layers.to_string())
    }

    fn part(&mut self, part: &Part) -> &mut Self {
        self.text(part.object.key.as_str()).text(part.object.etag.as_str()).number(part.object.bytes);
        match &part.entry {
            None => self.tag(b'-', 0),
            Some(entry) => {
                let method = match entry.method {
                    Method::Stored => b's',
                    Method::Deflated => b'd',
                };
                self.tag(b'e', method).text(&entry.name).number(entry.offset).number(entry.compressed)
            }
        }
    }

    /// Of its days only what their tallies hold counts: their digests and dates.
    fn fold_of_days(&mut self, fold: &Fold) -> &mut Self {
        let id = self.text(fold.course.as_str()).number(fold.days.len() as u64);
        fold.days.iter().fold(id, |id, day| id.day(day))
    }

    fn day(&mut self, day: &TalliedDay) -> &mut Self {
        self.text(&day.date.to_string()).bytes(&day.digest)
    }

    /// A learner's lines depend on the segments themselves, which the logs stand for.
    fn learner_days(&mut self, course: &CourseId, days: &[TalliedDay], auth_user: Option<&Artifact>) -> &mut Self {
        let id = self.text(course.as_str()).optional(auth_user);
        days.iter().fold(id, |id, day| id.part(&day.log).rule(day.rule))
    }

    fn optional(&mut self, artifact: Option<&Artifact>) -> &mut Self {
        self.bytes(&artifact.map(Artifact::identity).unwrap_or_default())
    }

    fn database(&mut self, database: &Database) -> &mut Self {
        self.text(&database.scope.identity()).text(&database.window.to_string());
        for course in &database.courses {
            self.text(&course.folder).text(course.id.as_ref().map_or("", CourseId::as_str));
            self.text(course.snapshot.as_deref().unwrap_or_default()).number(course.tables.len() as u64);
            for (table, artifact) in &course.tables {
                self.text(table).bytes(&artifact.identity());
            }
            self.optional(course.forum.as_ref()).optional(course.structure.as_ref());
            self.number(course.folds.len() as u64);
            for fold in &course.folds {
                self.fold_of_days(fold);
            }
            self.number(course.unreadable.len() as u64);
            for date in &course.unreadable {
                self.text(&date.to_string());
            }
        }
        self
    }

    fn join_part(&mut self, part: &JoinPart) -> &mut Self {
        self.text(&part.folder).part(&part.part).layers(&part.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::zip::Entry;
    use crate::source::{ETag, ObjectId, ObjectKey};

    fn part(key: &str, etag: &str, entry: Option<&str>) -> Part {
        let object = ObjectId { key: ObjectKey::new(key), etag: ETag::new(etag), bytes: 7 };
        let entry = entry.map(|name| Entry {
            name: name.into(),
            offset: 1,
            compressed: 2,
            bytes: 3,
            crc32: None,
            method: Method::Stored,
        });
        Part { object, entry }
    }

    #[test]
    fn recipes_that_differ_in_anything_differ_in_identity() {
        let recipes = [
            Recipe::Day { log: part("a", "1", None), rule: CourseRule::Recall },
            Recipe::Day { log: part("a", "1", None), rule: CourseRule::Producer },
            Recipe::Day { log: part("a", "2", None), rule: CourseRule::Recall },
            Recipe::Day { log: part("a1", "", None), rule: CourseRule::Recall },
            Recipe::Unattributed { log: part("a", "1", None), rule: CourseRule::Recall },
            Recipe::Decoded { part: part("a", "1", None), layers: Layers::default() },
            Recipe::Decoded { part: part("a", "1", Some("x")), layers: Layers::default() },
            Recipe::Decoded { part: part("a", "1", Some("y")), layers: Layers::default() },
            Recipe::Unpacked { package: part("a", "1", None) },
        ];
        let identities: std::collections::HashSet<_> = recipes.iter().map(Recipe::identity).collect();
        assert_eq!(identities.len(), recipes.len());
    }
}
