//! Splits one day's log into a segment per course id, in a single pass; no tree, no threads.
//!
//! Every line, its line end included, goes to exactly one output, in input order: `Course(id)` where the rule finds
//! an id, `Loose` otherwise. `Order` remembers how `Loose` and the ids that are only mentioned interleave, for
//! `recipe/unattributed.rs`; its format is written down in `order`.

mod lines;
pub mod order;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::{
    Attribution, CourseRule, Evidence, Fields, Stated, attribute_fields, payload_course, scan, stated_course,
};
use crate::error::Result;
use crate::recipe::tallies::Counting;
use crate::recipe::{Output, Outputs, Slot};

use lines::{LINE_LIMIT, Lines, Piece};
use order::OrderWriter;

/// What one pass has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaySummary {
    /// Sorted by id, each with the strongest evidence of the day.
    pub courses: Vec<(CourseId, Evidence)>,
    /// Those of them that no line of the day belongs to, sorted: the payload of another course's line states them.
    pub lineless: Vec<CourseId>,
    pub lines: u64,
    /// Lines that are no events, those over 64 MiB among them.
    pub malformed: u64,
    pub plain_bytes: u64,
}

/// Splits `log` by `rule`, and counts its courses' events in `counting`. Outputs: `Loose` and `Order` always, and one `Course` for each id when it is first seen.
///
/// Memory: the longest line, 65 MiB at most, and what the ids of a day take. Errors: the log's, the outputs'.
pub fn split(
    log: &mut dyn Read,
    rule: CourseRule,
    outputs: &mut dyn Outputs,
    counting: Option<&mut Counting<'_>>,
) -> Result<DaySummary> {
    let loose = outputs.create(&Output::Loose)?;
    let order = outputs.create(&Output::Order)?;
    let mut splitter = Splitter {
        rule,
        courses: Vec::new(),
        numbers: HashMap::new(),
        known: Known::default(),
        loose,
        order: OrderWriter::new(order),
        summary: DaySummary::default(),
        outputs,
        counting,
    };
    let mut lines = Lines::new(log);
    while let Some(piece) = lines.next()? {
        match piece {
            Piece::Lines(lines) => splitter.split_lines(lines)?,
            Piece::TooLong(part) => splitter.append(None, part)?,
            Piece::TooLongEnds => splitter.count_malformed(),
        }
    }
    splitter.finish()
}

/// A course id of this day.
struct Course {
    id: CourseId,
    slot: Slot,
    evidence: Evidence,
    bytes: u64,
}

/// Index into the day's courses; None is `Loose`.
type Place = Option<usize>;

struct Splitter<'o, 'c> {
    rule: CourseRule,
    courses: Vec<Course>,
    numbers: HashMap<CourseId, usize>,
    known: Known,
    loose: Slot,
    order: OrderWriter,
    summary: DaySummary,
    outputs: &'o mut dyn Outputs,
    counting: Option<&'o mut Counting<'c>>,
}

impl Splitter<'_, '_> {
    /// Appends whole lines (the log's last one may lack its line end), neighbours of one course at once.
    fn split_lines(&mut self, lines: &[u8]) -> Result<()> {
        let mut run_start = 0;
        let mut run_place = None;
        let mut at = 0;
        while at < lines.len() {
            let end = memchr::memchr(b'\n', &lines[at..]).map_or(lines.len(), |length| at + length + 1);
            let place = self.place(&lines[at..end])?;
            if place != run_place {
                self.append(run_place, &lines[run_start..at])?;
                (run_start, run_place) = (at, place);
            }
            at = end;
        }
        self.append(run_place, &lines[run_start..])
    }

    fn append(&mut self, place: Place, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.summary.plain_bytes += bytes.len() as u64;
        if let Some(number) = place {
            self.courses[number].bytes += bytes.len() as u64;
        }
        let course = place.map(|number| &self.courses[number]);
        // An id that has been stated by now has a folder: its lines are never put back among the others.
        if course.is_none_or(|course| course.evidence == Evidence::Mentioned) {
            self.order.note(place.zip(course.map(|course| &course.id)), bytes.len() as u64);
            if self.order.is_long() {
                self.outputs.append(self.order.slot, self.order.written())?;
                self.order.clear();
            }
        }
        self.outputs.append(course.map_or(self.loose, |course| course.slot), bytes)
    }

    /// Where a line belongs; its output exists from then on.
    fn place(&mut self, line: &[u8]) -> Result<Place> {
        if line.len() > LINE_LIMIT && line.strip_suffix(b"\n").unwrap_or(line).len() > LINE_LIMIT {
            self.count_malformed();
            return Ok(None);
        }
        let Some(fields) = scan(line) else {
            self.count_malformed();
            return Ok(None);
        };
        self.summary.lines += 1;
        let raw_id = fields.course_id().unwrap_or_default();
        let place = match self.known.get(raw_id) {
            Some(place) => place,
            None => self.place_anew(&fields, raw_id)?,
        };
        if let (Some(number), Some(counting)) = (place, &mut self.counting) {
            counting.add(number, &self.courses[number].id, line, &fields)?;
        }
        Ok(place)
    }

    fn place_anew(&mut self, fields: &Fields<'_>, raw_id: &[u8]) -> Result<Place> {
        let place = match stated_course(raw_id) {
            Stated::Course(id) => Some(self.number(id, Evidence::Stated)?),
            Stated::Invalid => None,
            Stated::Blank => {
                return match attribute_fields(fields, self.rule) {
                    Attribution::Course { id, evidence } => {
                        let place = self.number(id, evidence)?;
                        if evidence == Evidence::Mentioned && self.rule == CourseRule::Recall {
                            self.note_payload(fields)?;
                        }
                        Ok(Some(place))
                    }
                    Attribution::NoCourse | Attribution::Malformed => Ok(None),
                };
            }
        };
        self.known.remember(raw_id, place);
        Ok(place)
    }

    /// The payload of a line that belongs to the course of its URL may state another: that one has a folder, too, be
    /// it without lines.
    fn note_payload(&mut self, fields: &Fields<'_>) -> Result<()> {
        match payload_course(fields) {
            Some(id) => self.number(id, Evidence::Stated).map(drop),
            None => Ok(()),
        }
    }

    fn number(&mut self, id: CourseId, evidence: Evidence) -> Result<usize> {
        if let Some(&number) = self.numbers.get(&id) {
            let course = &mut self.courses[number];
            course.evidence = course.evidence.max(evidence);
            return Ok(number);
        }
        let slot = self.outputs.create(&Output::Course(id.clone()))?;
        let number = self.courses.len();
        self.numbers.insert(id.clone(), number);
        self.courses.push(Course { id, slot, evidence, bytes: 0 });
        Ok(number)
    }

    fn count_malformed(&mut self) {
        self.summary.lines += 1;
        self.summary.malformed += 1;
    }

    fn finish(mut self) -> Result<DaySummary> {
        self.order.end();
        self.outputs.append(self.order.slot, self.order.written())?;
        let lineless = self.courses.iter().filter(|course| course.bytes == 0);
        self.summary.lineless = lineless.map(|course| course.id.clone()).collect();
        self.summary.lineless.sort();
        self.summary.courses = self.courses.into_iter().map(|course| (course.id, course.evidence)).collect();
        self.summary.courses.sort();
        Ok(self.summary)
    }
}

/// Where raw values of `context.course_id` that stand for something lead, so that they are parsed once.
#[derive(Default)]
struct Known {
    places: HashMap<Box<[u8]>, Place>,
}

impl Known {
    /// Logs with more spellings than this, or longer ones, are made to exhaust memory.
    const LIMIT: usize = 1 << 16;
    const LONGEST: usize = 1 << 10;

    fn get(&self, raw_id: &[u8]) -> Option<Place> {
        if raw_id.is_empty() { None } else { self.places.get(raw_id).copied() }
    }

    fn remember(&mut self, raw_id: &[u8], place: Place) {
        if raw_id.len() > Self::LONGEST {
            return;
        }
        if self.places.len() == Self::LIMIT {
            self.places.clear();
        }
        self.places.insert(raw_id.into(), place);
    }
}
