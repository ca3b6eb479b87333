use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::prelude::*;
use proptest::sample::select;

use super::noted::Limits;
use super::*;
use crate::edx::tracking_log::Attribution;
use crate::edx::tracking_log::{CourseRule, attribute, scan};
use crate::error::ErrorKind;
use crate::recipe::Output;
use crate::recipe::tallies::lines;
use crate::recipe::tallies::record::merge_values;
use crate::recipe::tallies::run::RunReader;
use crate::recipe::tallies::slices::Slices;

/// Outputs in memory: the tallies, and where the lines are.
#[derive(Default)]
struct Kept([Vec<u8>; 2]);

impl Outputs for Kept {
    fn create(&mut self, _: &Output) -> Result<Slot> {
        Err(crate::error::Error::internal("the builder begins no output"))
    }
    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.0[slot.0].extend_from_slice(bytes);
        Ok(())
    }
}

const DATE: Date = Date::constant(2015, 3, 2);

type Merged = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a day came to: by course, its tallies and its places merged.
struct Day {
    kept: Kept,
    tallied: Vec<Tallied>,
}

impl Day {
    fn of(lines: &[String], limits: Option<Limits>, params: &TallyParams) -> Day {
        let mut builder = TallyBuilder::new(params, DATE, Slot(0), Slot(1)).expect("good patterns");
        if let Some(limits) = limits {
            builder.noted.limit(limits);
        }
        let mut kept = Kept::default();
        let mut ids: Vec<CourseId> = Vec::new();
        for line in lines {
            let Attribution::Course { id, .. } = attribute(line.as_bytes(), CourseRule::Recall) else { continue };
            let course = ids.iter().position(|known| *known == id).unwrap_or_else(|| {
                ids.push(id.clone());
                ids.len() - 1
            });
            let fields = scan(line.as_bytes()).expect("an event");
            builder.add(&mut kept, course, &id, line.as_bytes(), &fields).expect("memory");
        }
        let tallied = builder.finish(&mut kept).expect("memory");
        Day { kept, tallied }
    }

    fn merged(&self, output: usize, course: &str) -> Merged {
        let blob = &self.kept.0[output];
        let slices = Slices::open(&mut Cursor::new(&blob[..])).expect("a good blob");
        let mut merged = Merged::new();
        for range in slices.runs(&CourseId::parse(course).expect("valid")) {
            let mut run = RunReader::new(&blob[range.start as usize..range.end as usize]);
            while let Some((key, value)) = run.next().expect("a good run") {
                match merged.get_mut(key) {
                    None => drop(merged.insert(key.to_vec(), value.to_vec())),
                    Some(into) if output == 0 => merge_values(key, into, value).expect("good values"),
                    Some(into) => append_places(key, into, value),
                }
            }
        }
        merged
    }

    fn runs(&self, course: &str) -> usize {
        let slices = Slices::open(&mut Cursor::new(&self.kept.0[0][..])).expect("a good blob");
        slices.runs(&CourseId::parse(course).expect("valid")).len()
    }

    fn records(&self, course: &str) -> Vec<String> {
        let merged = self.merged(0, course);
        merged.iter().map(|(key, value)| format!("{:?}", Record::decode(key, value).expect("a record"))).collect()
    }

    /// Each person and the lines' ends, `v` behind those of video events.
    fn people(&self, course: &str) -> Vec<String> {
        let merged = self.merged(1, course);
        let texts = merged.iter().map(|(key, value)| {
            let (person, places) = lines::decode(key, value).expect("good places");
            let places = places.map(|place| {
                let place = place.expect("a good place");
                format!(" {}+{}{}", place.offset, place.bytes, if place.is_video { "v" } else { "" })
            });
            format!("{person:?}{}", places.collect::<String>())
        });
        texts.collect()
    }
}

fn append_places(key: &[u8], into: &mut Vec<u8>, later: &[u8]) {
    let (_, places) = lines::decode(key, into).expect("good places");
    let end = places.last().map_or(0, |place| place.map_or(0, |place| place.offset + place.bytes));
    let (_, later) = lines::decode(key, later).expect("good places");
    later.fold(end, |end, place| lines::encode_place(end, &place.expect("a good place"), into));
}

fn vectors() -> Vec<String> {
    let vectors = include_str!("../../../edx/tracking_log/tests/vectors.txt");
    vectors.lines().map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_vectors_are_counted() {
    let day = Day::of(&vectors(), None, &TallyParams::default());
    let courses: Vec<_> = day.tallied.iter().map(|course| (course.course.as_str(), course.events)).collect();
    let expected = [
        ("UniX/6.00x/2012_Fall", 1),
        ("UniX/BIO-1.2x/2014_T1", 6),
        ("ccx-v1:UniX_Extension+Demo_ccx+T2+ccx@101", 1),
        ("course-v1:UniX+CHEM+R1", 3),
    ];
    assert_eq!(courses, expected);
    let records = day.records("course-v1:UniX+CHEM+R1");
    assert_eq!(
        records,
        [
            "Events { count: 3 }",
            "MetName { table: Video, name: \"edx.video.played\" }",
            "MetName { table: VideoSteps, name: \"edx.video.played\" }",
            "MetName { table: Problem, name: \"problem_check_server\" }",
            "MetName { table: Problem, name: \"problem_graded\" }",
            "MetProblem { problem: \"block-v1:UniX+CHEM+R1+type@problem+block@p1\", time: Some(1425318969634241), \
             display_name: Some(\"Quiz – 1\") }",
            "EventCount { date: 2015-02-27, event_type: \"play_video\", event_source: \"mobile\", count: 1 }",
            "EventCount { date: 2015-03-02, event_type: \"problem_check\", event_source: \"server\", count: 1 }",
            "EventCount { date: 2016-09-06, event_type: \"problem_graded\", event_source: \"browser\", count: 1 }",
            "Video { user: \"1002\", video: Some(\"0b9e39477cf34507a7a48f74be381fdd\"), \
             name: \"edx.video.played\", count: 1 }",
            "VideoStep { user: \"1002\", video: \"0b9e39477cf34507a7a48f74be381fdd\", compartment: 22, \
             name: \"edx.video.played\", count: 1 }",
            "Count { table: Problem, user: \"1002\", name: \"problem_check_server\", count: 1 }",
            "Count { table: Problem, user: \"1002\", name: \"problem_graded\", count: 1 }",
            "Check { problem: \"block-v1:UniX+CHEM+R1+type@problem+block@p1\", user: \"1002\", checks: 1, \
             first_time: Some(1425318969634241), time: Some(1425318969634241), latest: CheckValues { \
             attempts: Some(\"2\"), grade: Some(\"1\"), max_grade: Some(\"2\"), success: Some(\"incorrect\") } }",
        ]
    );
    let old = day.records("UniX/BIO-1.2x/2014_T1").join("\n");
    for one in [
        "MetDate { page: Progress, date: 2014-05-16 }",
        "name: \"seek_video_end\", count: 1",
        "compartment: 7, name: \"seek_video_start\"",
        "Page { user: \"1001\", page: Progress, date: 2014-05-16, count: 1 }",
        "Count { table: Problem, user: \"undefined\", name: \"problem_check_browser\", count: 1 }",
        "event_type: \"page_close\", event_source: \"browser\"",
    ] {
        assert!(old.contains(one), "{one} is not in\n{old}");
    }
}

#[test]
fn everybodys_lines_are_found() {
    let day = Day::of(&vectors(), None, &TallyParams::default());
    let vectors = vectors();
    let length = |number: usize| vectors[number - 1].len();
    let (one, two, five, seven, nine) = (length(1), length(2), length(5), length(7), length(9));
    let rest = one + two + five + seven;
    let expected = [
        format!("Id(\"1001\") 0+{one} {one}+{two}v {rest}+{nine}"),
        format!("Id(\"1002\") {}+{seven}", one + two + five),
        format!("Username(\"anonymous\") {}+{}", rest + nine, length(11)),
        format!("Nobody {}+{five}", one + two),
    ];
    assert_eq!(day.people("UniX/BIO-1.2x/2014_T1"), expected);
}

fn check(user: &str, time: &str, name: &str, answers: &str) -> String {
    format!(
        "{{\"event_source\": \"server\", \"event_type\": \"problem_check\", \"time\": \"{time}\", \"context\": \
         {{\"course_id\": \"A/B/C\", \"user_id\": {user}, \"module\": {{\"display_name\": \"{name}\"}}}}, \"event\": \
         {{\"problem_id\": \"i4x://A/B/problem/p\", \"grade\": 1, \"answers\": {{{answers}}}}}}}\n"
    )
}

#[test]
fn surveys_keep_the_latest_answers() {
    let lines = [
        check("7", "2015-03-02T10:00:00", "PRE-course Survey", "\"p_2_1\": \"later\""),
        check(
            "7",
            "2015-03-02T09:00:00",
            "pre-survey, post-survey",
            "\"p_2_1\": \"earlier\", \"p_3_1\": [\"a\", \"b\"]",
        ),
        check("7", "junk", "survey", "\"p_9_1\": \"none\""),
    ];
    let day = Day::of(&lines, None, &TallyParams::default());
    let surveys = |day: &Day| {
        let records = day.records("A/B/C").into_iter();
        records
            .filter(|record| record.starts_with("SurveyCheck") || record.starts_with("MetAnswer"))
            .collect::<Vec<_>>()
    };
    let (nine, ten) = (1_425_286_800_000_000_i64, 1_425_290_400_000_000_i64);
    let answer = |survey, column, time, value| {
        format!("SurveyCheck {{ survey: {survey}, user: \"7\", column: {column}, time: Some({time}), value: {value} }}")
    };
    let expected = [
        "MetAnswer { survey: Pre, column: \"problem_2_1\" }".to_owned(),
        "MetAnswer { survey: Pre, column: \"problem_3_1\" }".to_owned(),
        "MetAnswer { survey: Post, column: \"problem_2_1\" }".to_owned(),
        "MetAnswer { survey: Post, column: \"problem_3_1\" }".to_owned(),
        answer("Pre", "None", ten, "None"),
        answer("Pre", "Some(\"problem_2_1\")", ten, "Some(\"later\")"),
        answer("Pre", "Some(\"problem_3_1\")", nine, "Some(\"a,b\")"),
        answer("Post", "None", nine, "None"),
        answer("Post", "Some(\"problem_2_1\")", nine, "Some(\"earlier\")"),
        answer("Post", "Some(\"problem_3_1\")", nine, "Some(\"a,b\")"),
    ];
    assert_eq!(surveys(&day), expected);

    let params =
        TallyParams { survey_pre: Some("^survey$".into()), survey_post: Some("x".into()), ..Default::default() };
    let other = surveys(&Day::of(&lines, None, &params));
    assert_eq!(other.len(), 3);
    assert!(other[2].contains("problem_9_1") && other[2].contains("time: None"));
    let bad = TallyParams { survey_post: Some("(".into()), ..TallyParams::default() };
    let error = TallyBuilder::new(&bad, DATE, Slot(0), Slot(1)).err().expect("no pattern");
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn unreadable_videos_are_named_by_their_line() {
    let long = "v".repeat(256);
    let video = |event: &str| {
        format!("{{\"event_type\": \"play_video\", \"context\": {{\"course_id\": \"A/B/C\"}}, \"event\": {event}}}\n")
    };
    let lines = ["{\"id\": \"v\"}", "\"\"", "{\"id\": \"\\n\"}", "{}", &format!("{{\"id\": \"{long}\"}}"), "\"[]\""];
    let day = Day::of(&lines.map(video), None, &TallyParams::default());
    let records = day.records("A/B/C");
    let errors: Vec<_> = records.iter().filter(|record| record.starts_with("VideoError")).collect();
    let error = |line, reason| format!("VideoError {{ date: 2015-03-02, line: {line}, reason: \"{reason}\" }}");
    let expected = [
        error(2, "payload does not parse"),
        error(3, "no video id"),
        error(4, "no video id"),
        error(5, "video id too long"),
        error(6, "payload does not parse"),
    ];
    assert_eq!(errors, expected.iter().collect::<Vec<_>>());
    assert!(records.iter().any(|record| record.contains("video: None, name: \"play_video\", count: 5")));
}

/// Lines of few users, courses and videos, so that much of it is counted together.
fn some_line() -> impl Strategy<Value = String> {
    let source = select(vec!["server", "browser", "mobile"]);
    let user = select(vec!["7", "\"7\"", "\"10\"", "null", "\"\"", "\"x\"", "007", "\"007\"", "\"undefined\""]);
    let kind = select(vec![
        "play_video",
        "seek_video",
        "problem_check",
        "book",
        "textbook.pdf.x",
        "edx.video.bumper.played",
        "/courses/A/B/C/info",
        "/courses/course-v1:D+E+F/courseware/a",
        "x",
    ]);
    let event = select(vec![
        "\"\"",
        r#""{\"id\": \"v\", \"currentTime\": 12}""#,
        r#"{"id": "\nw", "old_time": 1, "new_time": "90"}"#,
        r#"{"problem_id": "p", "grade": 1, "answers": {"p_2_1": "a"}}"#,
        r#"{"problem_id": "q", "grade": 0.5, "answers": {"p_2_1": "b"}}"#,
    ]);
    let time = select(vec!["2015-03-02T10:00:00", "2015-03-02T09:00:00.5Z", "2015-03-01T09:00:00", "junk"]);
    let course = select(vec!["A/B/C", "course-v1:D+E+F"]);
    let name = select(vec!["", "ann", "bob "]);
    (source, user, kind, event, time, course, name).prop_map(|(source, user, kind, event, time, course, name)| {
        format!(
            "{{\"event_source\": \"{source}\", \"event_type\": \"{kind}\", \"time\": \"{time}\", \"event\": {event}, \
             \"username\": \"{name}\", \"context\": {{\"user_id\": {user}, \"course_id\": \"{course}\", \
             \"module\": {{\"display_name\": \"pre survey\"}}}}}}\n"
        )
    })
}

proptest! {
    #[test]
    fn a_day_written_in_pieces_merges_to_the_same(
        lines in prop::collection::vec(some_line(), 1..60),
        at_once in 1_usize..30,
    ) {
        let params = TallyParams::default();
        let whole = Day::of(&lines, None, &params);
        let limits = Limits { lines: at_once, side_bytes: usize::MAX };
        let pieces = Day::of(&lines, Some(limits), &params);
        let events = |day: &Day| day.tallied.iter().map(|one| (one.course.clone(), one.events)).collect::<Vec<_>>();
        prop_assert_eq!(events(&whole), events(&pieces));
        for course in ["A/B/C", "course-v1:D+E+F"] {
            prop_assert!(whole.runs(course) <= 1);
            prop_assert_eq!(whole.records(course), pieces.records(course));
            prop_assert_eq!(whole.people(course), pieces.people(course));
        }
    }
}

#[test]
fn what_lies_beside_the_counts_is_bounded_too() {
    let lines: Vec<String> =
        (0..100).map(|user| check(&user.to_string(), "2015-03-02T10:00:00", &"x".repeat(1000), "")).collect();
    let limits = Limits { lines: usize::MAX, side_bytes: 30_000 };
    let day = Day::of(&lines, Some(limits), &TallyParams::default());
    assert!(day.runs("A/B/C") > 1);
    assert_eq!(day.records("A/B/C"), Day::of(&lines, None, &TallyParams::default()).records("A/B/C"));
}
