//! One blob for all courses of a day: each course's runs, and a directory behind them.
//!
//! ```text
//! runs        one behind the other, in the order in which they were added
//! directory   varint courses, then in order of id, each:
//!             id      varint length and the text
//!             runs    varint number, then each: varint offset, varint bytes
//! offset      8 bytes, the lowest first: where the directory begins
//! magic       "edxslice"
//! ```

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::edx::course_run::CourseId;
use crate::error::{Error, Result};
use crate::recipe::make::Inputs;
use crate::recipe::tallies::merge::RunBytes;
use crate::recipe::tallies::varint;
use crate::recipe::{Artifact, Content, Outputs, Slot};

const MAGIC: &[u8; 8] = b"edxslice";
const TAIL_BYTES: u64 = 16;

/// A directory beyond this is none: logs with a million ids have one of 64 MiB.
const DIRECTORY_LIMIT: u64 = 256 << 20;

/// One course's share of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub course: CourseId,
    /// BLAKE3 over the length (8 bytes, the lowest first) and the bytes of each of its runs in order.
    pub digest: [u8; 32],
    pub bytes: u64,
}

/// Writes runs into an output as they come.
pub struct SlicesWriter {
    slot: Slot,
    bytes: u64,
    courses: BTreeMap<CourseId, Course>,
}

#[derive(Default)]
struct Course {
    runs: Vec<Range<u64>>,
    hasher: blake3::Hasher,
}

impl SlicesWriter {
    pub fn new(slot: Slot) -> Self {
        SlicesWriter { slot, bytes: 0, courses: BTreeMap::new() }
    }

    /// Appends a run. A course's runs are in order of time: of equal records, a later run's are later.
    pub fn add_run(&mut self, outputs: &mut dyn Outputs, course: &CourseId, run: &[u8]) -> Result<()> {
        outputs.append(self.slot, run)?;
        let course = self.courses.entry(course.clone()).or_default();
        course.hasher.update(&(run.len() as u64).to_le_bytes()).update(run);
        let end = self.bytes + run.len() as u64;
        course.runs.push(self.bytes..end);
        self.bytes = end;
        Ok(())
    }

    /// Appends the directory; gives the courses, sorted by id.
    pub fn finish(self, outputs: &mut dyn Outputs) -> Result<Vec<Slice>> {
        let mut directory = Vec::new();
        varint::push(&mut directory, self.courses.len() as u64);
        let mut slices = Vec::with_capacity(self.courses.len());
        for (id, course) in self.courses {
            varint::push(&mut directory, id.as_str().len() as u64);
            directory.extend_from_slice(id.as_str().as_bytes());
            varint::push(&mut directory, course.runs.len() as u64);
            for run in &course.runs {
                varint::push(&mut directory, run.start);
                varint::push(&mut directory, run.end - run.start);
            }
            let bytes = course.runs.iter().map(|run| run.end - run.start).sum();
            slices.push(Slice { course: id, digest: *course.hasher.finalize().as_bytes(), bytes });
        }
        directory.extend_from_slice(&self.bytes.to_le_bytes());
        directory.extend_from_slice(MAGIC);
        outputs.append(self.slot, &directory)?;
        Ok(slices)
    }
}

/// The directory of a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slices(Courses);

impl Slices {
    /// Reads the directory; where `content` stands afterwards is not said. Errors: `Corrupt`, and the content's.
    pub fn open(content: &mut dyn Content) -> Result<Self> {
        let bytes = content.seek(SeekFrom::End(0))?;
        let directory_end = bytes.checked_sub(TAIL_BYTES).ok_or_else(damaged)?;
        content.seek(SeekFrom::Start(directory_end))?;
        let (mut offset, mut magic) = ([0; 8], [0; 8]);
        content.read_exact(&mut offset)?;
        content.read_exact(&mut magic)?;
        let start = u64::from_le_bytes(offset);
        let length = directory_end.checked_sub(start).filter(|length| *length <= DIRECTORY_LIMIT);
        let length = length.filter(|_| &magic == MAGIC).ok_or_else(damaged)?;
        content.seek(SeekFrom::Start(start))?;
        let mut directory = Vec::with_capacity(length as usize);
        content.take(length).read_to_end(&mut directory)?;
        let mut rest = &directory[..];
        let courses = read_courses(&mut rest, start).filter(|_| rest.is_empty() && directory.len() as u64 == length);
        courses.map(Slices).ok_or_else(damaged)
    }

    /// Where the course's runs are, in order; none where the day has nothing of it.
    pub fn runs(&self, course: &CourseId) -> &[Range<u64>] {
        match self.0.binary_search_by(|(id, _)| id.cmp(course)) {
            Ok(found) => &self.0[found].1,
            Err(_) => &[],
        }
    }
}

/// Runs up to this are read at once, so that many small ones need no open file each.
const SMALL_BYTES: u64 = 64 << 10;

/// The course's runs in a day's tallies or lines, in order.
pub fn open_runs(inputs: &dyn Inputs, blob: &Artifact, course: &CourseId) -> Result<Vec<RunBytes>> {
    let mut content = inputs.artifact(blob)?;
    let mut runs: Vec<RunBytes> = Vec::new();
    for run in Slices::open(&mut content)?.runs(course) {
        let bytes = run.end - run.start;
        if bytes <= SMALL_BYTES {
            content.seek(SeekFrom::Start(run.start))?;
            let mut small = vec![0; bytes as usize];
            content.read_exact(&mut small)?;
            runs.push(Box::new(Cursor::new(small)));
        } else {
            let mut section = inputs.artifact(blob)?;
            section.seek(SeekFrom::Start(run.start))?;
            runs.push(Box::new(section.take(bytes)));
        }
    }
    Ok(runs)
}

/// In order of id.
type Courses = Vec<(CourseId, Vec<Range<u64>>)>;

/// Every number is held against what is really there before room is made for it.
fn read_courses(bytes: &mut &[u8], runs_end: u64) -> Option<Courses> {
    let mut courses: Courses = Vec::new();
    for _ in 0..varint::take(bytes)? {
        let length = varint::take(bytes)?;
        let id = CourseId::parse(str::from_utf8(varint::take_bytes(bytes, length)?).ok()?)?;
        if courses.last().is_some_and(|(last, _)| *last >= id) {
            return None;
        }
        let mut runs = Vec::new();
        for _ in 0..varint::take(bytes)? {
            let start = varint::take(bytes)?;
            let end = start.checked_add(varint::take(bytes)?)?;
            if end > runs_end {
                return None;
            }
            runs.push(start..end);
        }
        courses.push((id, runs));
    }
    Some(courses)
}

fn damaged() -> Error {
    Error::corrupt("the directory of a day's tallies is damaged")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::recipe::Output;
    use crate::recipe::testing::{Kept, course as id};

    fn written(runs: &[(&str, &[u8])]) -> (Vec<u8>, Vec<Slice>) {
        let mut kept = Kept::default();
        let mut writer = SlicesWriter::new(kept.create(&Output::Whole).expect("memory"));
        runs.iter().for_each(|(course, run)| writer.add_run(&mut kept, &id(course), run).expect("memory"));
        let slices = writer.finish(&mut kept).expect("memory");
        (kept.bytes(&Output::Whole).to_vec(), slices)
    }

    #[test]
    fn each_course_finds_its_runs_in_order() {
        let (blob, slices) = written(&[("D/E/F", b"one"), ("A/B/C", b"two"), ("D/E/F", b"three")]);
        let directory = Slices::open(&mut Cursor::new(&blob[..])).expect("a good blob");
        let texts = |course: &str| -> Vec<&[u8]> {
            let runs = directory.runs(&id(course)).iter();
            runs.map(|run| &blob[run.start as usize..run.end as usize]).collect()
        };
        assert_eq!(texts("D/E/F"), [&b"one"[..], b"three"]);
        assert_eq!(texts("A/B/C"), [b"two"]);
        assert!(texts("G/H/I").is_empty());
        let found: Vec<_> = slices.iter().map(|slice| (slice.course.as_str(), slice.bytes)).collect();
        assert_eq!(found, [("A/B/C", 3), ("D/E/F", 8)]);
        assert_eq!(Slices::open(&mut Cursor::new(&written(&[]).0[..])).expect("empty"), Slices::default());
    }

    #[test]
    fn the_digest_is_of_the_courses_own_runs() {
        let digest = |runs: &[(&str, &[u8])]| written(runs).1.into_iter().find(|slice| slice.course == id("A/B/C"));
        let digest = |runs: &[(&str, &[u8])]| digest(runs).expect("there").digest;
        let plain = digest(&[("A/B/C", b"ab")]);
        assert_eq!(plain, digest(&[("D/E/F", b"x"), ("A/B/C", b"ab")]));
        assert_ne!(plain, digest(&[("A/B/C", b"a"), ("A/B/C", b"b")]));
    }

    proptest! {
        #[test]
        fn damage_is_an_error(mut bytes: Vec<u8>, offset in 0u64..40, cut in 0usize..90, flipped in 0usize..90) {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(MAGIC);
            let (mut blob, _) = written(&[("D/E/F", b"one"), ("A/B/C", b"two")]);
            let last = blob.len() - 1;
            blob[flipped.min(last)] ^= 4;
            for damaged in [&bytes[..], &blob, &blob[..cut.min(last)]] {
                if let Err(error) = Slices::open(&mut Cursor::new(damaged)) {
                    prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                }
            }
        }
    }
}
