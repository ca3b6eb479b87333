use std::collections::BTreeMap;

use super::*;
use crate::edx::tracking_log::attribute;
use crate::recipe::unattributed::merge;

#[derive(Default)]
struct Kept(Vec<(Output, Vec<u8>)>);

impl Outputs for Kept {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        assert!(self.0.iter().all(|(other, _)| other != output), "{output:?} is created twice");
        self.0.push((output.clone(), Vec::new()));
        Ok(Slot(self.0.len() - 1))
    }

    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.0[slot.0].1.extend_from_slice(bytes);
        Ok(())
    }
}

impl Kept {
    fn bytes(&self, output: &Output) -> &[u8] {
        &self.0.iter().find(|(other, _)| other == output).expect("created").1
    }
}

/// Gives at most so many bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn run(log: &[u8], step: usize) -> (DaySummary, Kept) {
    let mut kept = Kept::default();
    let summary = split(&mut Slow(log, step), CourseRule::Recall, &mut kept, None).expect("memory does not fail");
    (summary, kept)
}

fn stated(id: &str, number: usize) -> String {
    format!("{{\"n\": {number}, \"context\": {{\"course_id\": \"{id}\"}}}}\n")
}

fn mentioned(id: &str, number: usize) -> String {
    format!("{{\"n\": {number}, \"event_source\": \"browser\", \"page\": \"https://x/courses/{id}/\"}}\n")
}

/// Lines of every kind, in an order without pattern; the last has no line end.
fn day(lines: usize) -> Vec<u8> {
    let mut log = String::new();
    let mut state = 7_u32;
    for number in 0..lines {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        log += &match (state >> 24) % 9 {
            0 => stated("A/B/C", number),
            1 => stated("course-v1:D+E+F", number),
            2 => stated(" A/B/C\\u0020", number),
            3 => mentioned("G/H/I", number),
            4 => mentioned("J/K/L", number),
            // Stated late, mentioned throughout.
            5 if number > lines / 2 => stated("M/N/O", number),
            5 | 6 => mentioned("M/N/O", number),
            7 => format!("not json {number}\r\n\n"),
            _ => format!("{{\"n\": {number}}}\r\n"),
        };
    }
    log += "{\"context\": {\"course_id\": \"A/B/C\"}}";
    log.into_bytes()
}

fn id(text: &str) -> CourseId {
    CourseId::parse(text).expect("valid")
}

#[test]
fn every_line_lands_in_exactly_one_segment() {
    let log = day(500);
    let mut expected: BTreeMap<Output, Vec<u8>> = BTreeMap::from([(Output::Loose, Vec::new())]);
    let mut summary = DaySummary::default();
    let mut strongest: BTreeMap<CourseId, Evidence> = BTreeMap::new();
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        let output = match attribute(line, CourseRule::Recall) {
            Attribution::Course { id, evidence } => {
                let seen = strongest.entry(id.clone()).or_insert(evidence);
                *seen = evidence.max(*seen);
                Output::Course(id)
            }
            Attribution::Malformed => {
                summary.malformed += 1;
                Output::Loose
            }
            Attribution::NoCourse => Output::Loose,
        };
        summary.lines += 1;
        summary.plain_bytes += line.len() as u64;
        expected.entry(output).or_default().extend_from_slice(line);
    }
    summary.courses = strongest.into_iter().collect();
    assert_eq!(
        summary.courses.iter().map(|(_, evidence)| *evidence as u8).sum::<u8>(),
        3,
        "two ids are mentioned only"
    );

    for step in [1, 7, 4096, usize::MAX] {
        let (found, kept) = run(&log, step);
        assert_eq!(found, summary, "reads of {step}");
        let kept: BTreeMap<Output, Vec<u8>> =
            kept.0.into_iter().filter(|(output, _)| *output != Output::Order).collect();
        assert_eq!(kept, expected, "reads of {step}");
    }
}

#[test]
fn lines_without_a_folder_come_back_in_the_order_of_the_log() {
    let log = day(500);
    let (_, kept) = run(&log, usize::MAX);
    for without_folder in [&[][..], &["G/H/I"], &["J/K/L"], &["G/H/I", "J/K/L"]] {
        let expected: Vec<u8> = log
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| match attribute(line, CourseRule::Recall) {
                Attribution::Course { id, .. } => without_folder.contains(&id.as_str()),
                _ => true,
            })
            .flatten()
            .copied()
            .collect();
        let mut segments: Vec<(CourseId, Box<dyn Read>)> = Vec::new();
        for text in without_folder {
            let bytes = kept.bytes(&Output::Course(id(text))).to_vec();
            segments.push((id(text), Box::new(std::io::Cursor::new(bytes))));
        }
        let mut merged = Vec::new();
        let (mut order, mut loose) = (kept.bytes(&Output::Order), kept.bytes(&Output::Loose));
        merge(&mut order, &mut loose, &mut segments, &mut |bytes| {
            merged.extend_from_slice(bytes);
            Ok(())
        })
        .expect("order and segments fit");
        assert_eq!(String::from_utf8_lossy(&merged), String::from_utf8_lossy(&expected), "{without_folder:?}");
    }
}

#[test]
fn a_segment_that_does_not_fit_its_order_is_refused() {
    let (_, kept) = run(&day(50), usize::MAX);
    let loose = kept.bytes(&Output::Loose);
    for wrong in [&loose[..loose.len() - 1], &[loose, b"\n"].concat()] {
        let mut order = kept.bytes(&Output::Order);
        let mut wrong = wrong;
        let error = merge(&mut order, &mut wrong, &mut [], &mut |_| Ok(())).expect_err("must not fit");
        assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt);
    }
}

#[test]
fn an_empty_log_has_empty_outputs() {
    let (summary, kept) = run(b"", 1);
    assert_eq!(summary, DaySummary::default());
    assert_eq!(kept.0, [(Output::Loose, Vec::new()), (Output::Order, Vec::new())]);
}

#[test]
fn neighbours_of_one_course_are_appended_at_once() {
    struct Counted(usize);
    impl Outputs for Counted {
        fn create(&mut self, _: &Output) -> Result<Slot> {
            Ok(Slot(0))
        }
        fn append(&mut self, _: Slot, _: &[u8]) -> Result<()> {
            self.0 += 1;
            Ok(())
        }
    }
    let log = stated("A/B/C", 1).repeat(100) + &stated("D/E/F", 1).repeat(100);
    let mut counted = Counted(0);
    split(&mut log.as_bytes(), CourseRule::Recall, &mut counted, None).expect("memory does not fail");
    assert_eq!(counted.0, 3, "two runs and the order");
}

#[test]
fn an_id_stated_in_the_payload_is_met_whosever_the_line_is() {
    let line = |page: &str, id: &str| {
        format!(r#"{{"event_source": "browser", "page": "/courses/{page}/", "event": {{"course_id": "{id}"}}}}"#) + "\n"
    };
    let (one, other) = (line("A/B/C", "A/B/C"), line("D/E/F", "G/H/I") + &line("D/E/F", "junk"));
    let (found, kept) = run(format!("{one}{other}").as_bytes(), usize::MAX);
    let stated = |text: &str| (id(text), Evidence::Stated);
    assert_eq!(found.courses, [stated("A/B/C"), (id("D/E/F"), Evidence::Mentioned), stated("G/H/I")]);
    assert_eq!(kept.bytes(&Output::Course(id("D/E/F"))), other.as_bytes());
    assert_eq!(kept.bytes(&Output::Course(id("G/H/I"))), b"");
}
