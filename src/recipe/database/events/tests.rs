use std::collections::{BTreeSet, HashMap};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use rusqlite::types::ValueRef;

use super::{EventCounts, EventTables, Kind};
use crate::error::Result;
use crate::recipe::database::bulk::Bulk;
use crate::recipe::database::bulk::tests::sound;
use crate::recipe::tallies::record::{CheckValues, Counted, Page, Record, Records, Survey};
use crate::recipe::testing::MemoryInputs;
use crate::sqlite::testing::{Bytes, Memory};
use crate::sqlite::{Building, Reading};

struct Listed<'r>(std::slice::Iter<'r, Record<'r>>);

impl Records for Listed<'_> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        Ok(self.0.next().cloned())
    }
}

/// A database of courses, each a folder and its records.
struct Made {
    reading: Reading,
    names: Vec<String>,
    counts: EventCounts,
}

impl Made {
    fn of(kind: Kind, courses: &[(&str, Vec<Record<'_>>)]) -> Self {
        Self::with_titles(kind, courses, &[])
    }

    fn with_titles(kind: Kind, courses: &[(&str, Vec<Record<'_>>)], titles: &[(&str, &str)]) -> Self {
        let building = Building::begin(Memory::space()).expect("SQLite needs no file");
        let taken = BTreeSet::from(["wiki_article".to_owned(), "about".to_owned()]);
        let titles: HashMap<_, _> = titles.iter().map(|&(id, title)| (id.to_owned(), title.to_owned())).collect();
        let mut tables = EventTables::new(kind);
        for (_, records) in courses {
            tables.met(&mut Listed(records.iter())).expect("records are in memory");
        }
        tables.create(building.connection(), &taken).expect("tables can be created");
        let given = MemoryInputs::default();
        let mut file = Bytes::default();
        let mut bulk = Bulk::begin(building, &given, &mut file).expect("the schema is complete");
        for (course, records) in courses {
            tables.write(&mut bulk, course, &titles, &mut Listed(records.iter())).expect("rows can be written");
        }
        let counts = tables.counts().expect("tables are created");
        bulk.finish().expect("memory does not fail");
        Made { names: tables.table_names(), reading: sound(file), counts }
    }

    fn course(records: Vec<Record<'_>>) -> Self {
        Self::of(Kind::Course, &[("O-C-R", records)])
    }

    fn columns(&self, table: &str) -> String {
        let sql = format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')");
        self.column(&sql).join(", ")
    }

    fn column(&self, sql: &str) -> Vec<String> {
        let mut statement = self.reading.connection().prepare(sql).expect("the query is valid");
        let rows = statement.query_map([], |row| row.get(0)).expect("the query runs");
        rows.collect::<Result<_, _>>().expect("the query gives text")
    }

    /// A line for each row; text as it is, other values with their kind.
    fn rows(&self, table: &str) -> Vec<String> {
        let mut statement =
            self.reading.connection().prepare(&format!("SELECT * FROM \"{table}\"")).expect("there is the table");
        let width = statement.column_count();
        let mut rows = statement.query([]).expect("the query runs");
        let mut lines = Vec::new();
        while let Some(row) = rows.next().expect("rows can be read") {
            let cells = (0..width).map(|column| match row.get_ref(column).expect("the column exists") {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(value) => format!("#{value}"),
                ValueRef::Real(value) => format!("~{value}"),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(_) => panic!("no column holds bytes"),
            });
            lines.push(cells.collect::<Vec<_>>().join("|"));
        }
        lines
    }
}

const DAY: Date = date(2015, 8, 30);
/// 2015-08-30 12:34:56.000789
const NOON: Option<i64> = Some(1_440_938_096_000_789);

fn name<'a>(table: Counted, name: &'a str) -> Record<'a> {
    Record::MetName { table, name }
}

fn problem<'a>(problem: &'a str, display_name: Option<&'a str>) -> Record<'a> {
    Record::MetProblem { problem, time: NOON, display_name }
}

fn video<'a>(user: &'a str, video: Option<&'a str>, name: &'a str, count: u64) -> Record<'a> {
    Record::Video { user, video, name, count }
}

fn step<'a>(user: &'a str, video: &'a str, compartment: i64, name: &'a str, count: u64) -> Record<'a> {
    Record::VideoStep { user, video, compartment, name, count }
}

fn check<'a>(problem: &'a str, user: &'a str, time: Option<i64>, latest: CheckValues<'a>) -> Record<'a> {
    Record::Check { problem, user, checks: 2, first_time: time, time, latest }
}

fn answer<'a>(survey: Survey, user: &'a str, column: Option<&'a str>, value: Option<&'a str>) -> Record<'a> {
    Record::SurveyCheck { survey, user, column, time: NOON, value }
}

const ALWAYS: [&str; 13] = [
    "video_activity",
    "video_activity_ng",
    "video_activity_ng2",
    "pre_roll_video_activity",
    "problem_activity",
    "textbook_activity",
    "pre_survey_answers",
    "post_survey_answers",
    "page_activity_progress",
    "page_activity_info",
    "page_activity_courseware",
    "page_activity_discussion",
    "page_activity",
];
const AT_THE_END: [&str; 3] = ["problem", "problem_index", "event_counts"];

#[test]
fn without_events_every_table_has_its_keys_and_no_rows() {
    let made = Made::course(Vec::new());
    assert_eq!(made.names, [&ALWAYS[..], &AT_THE_END].concat());
    assert_eq!(made.column("SELECT name FROM sqlite_schema WHERE type = 'table'"), made.names);
    assert_eq!(made.columns("video_activity"), "user_id TEXT");
    assert_eq!(made.columns("video_activity_ng2"), "user_id TEXT, video_event_id TEXT, time_compartment INTEGER");
    assert_eq!(made.columns("pre_survey_answers"), "user_id TEXT, time TEXT");
    assert_eq!(made.columns("page_activity_info"), "user_id TEXT");
    assert_eq!(made.columns("page_activity"), "user_id TEXT, page TEXT, date TEXT, visits INTEGER");
    assert_eq!(made.columns("problem_index"), "table_name TEXT, problem_id TEXT, display_name TEXT");
    for table in &made.names {
        assert!(made.rows(table).is_empty(), "{table}");
    }
    assert_eq!(made.counts, EventCounts { events: 0, cut_columns: 0 });
}

#[test]
fn every_table_with_users_has_an_index_on_them() {
    let made = Made::course(vec![problem("p", None), check("p", "1", NOON, CheckValues::default())]);
    let without = ["problem_index", "event_counts"];
    let expected = made.names.iter().filter(|name| !without.contains(&name.as_str()));
    let expected: Vec<_> = expected.map(|name| format!("{name}_user_id")).collect();
    assert_eq!(made.column("SELECT name FROM sqlite_schema WHERE type = 'index'"), expected);
}

#[test]
fn videos_count_per_user_per_video_and_per_compartment() {
    let (play, pause) = ("edx.video.played", "pause_video");
    let made = Made::course(vec![
        Record::Events { count: 9 },
        name(Counted::Video, play),
        name(Counted::Video, pause),
        name(Counted::VideoSteps, "seek_video_end"),
        name(Counted::VideoSteps, "seek_video_start"),
        video("7", None, pause, 1),
        video("7", Some("a"), play, 2),
        video("7", Some("b"), play, 3),
        video("7", Some("b"), pause, 4),
        video("10", Some("b"), pause, 5),
        video("undefined", None, play, 6),
        step("7", "a", -1, "seek_video_start", 1),
        step("7", "a", 0, "seek_video_end", 2),
        step("7", "a", 0, "seek_video_start", 3),
        step("10", "a", 0, "seek_video_end", 4),
    ]);
    assert_eq!(made.columns("video_activity"), "user_id TEXT, edx.video.played INTEGER, pause_video INTEGER");
    assert_eq!(made.rows("video_activity"), ["7|#5|#5", "10|NULL|#5", "undefined|#6|NULL"]);
    assert_eq!(made.rows("video_activity_ng"), ["7|a|#2|NULL", "7|b|#3|#4", "10|b|NULL|#5"]);
    assert_eq!(made.rows("video_activity_ng2"), ["7|a|#-1|NULL|#1", "7|a|#0|#2|#3", "10|a|#0|#4|NULL"]);
    assert_eq!(made.counts.events, 9);
}

#[test]
fn other_names_count_in_their_own_table() {
    let tables = [Counted::PreRoll, Counted::Problem, Counted::Textbook];
    let count = |table, user, count| Record::Count { table, user, name: "na\"me.x", count };
    let met = tables.map(|table| name(table, "na\"me.x"));
    let counted = tables.iter().flat_map(|&table| [count(table, "2", 3), count(table, "x'", 4)]);
    let made = Made::course(met.into_iter().chain(counted).collect());
    for table in ["pre_roll_video_activity", "problem_activity", "textbook_activity"] {
        assert_eq!(made.columns(table), "user_id TEXT, na\"me.x INTEGER");
        assert_eq!(made.rows(table), ["2|#3", "x'|#4"]);
    }
}

#[test]
fn a_name_that_was_not_announced_is_an_error() {
    let building = Building::begin(Memory::space()).expect("SQLite needs no file");
    let mut tables = EventTables::new(Kind::Course);
    tables.create(building.connection(), &BTreeSet::new()).expect("tables can be created");
    let given = MemoryInputs::default();
    let mut file = Bytes::default();
    let mut bulk = Bulk::begin(building, &given, &mut file).expect("the schema is complete");
    for record in [video("1", None, "x", 1), step("1", "v", 0, "x", 1), check("p", "1", None, CheckValues::default())] {
        let records = [record];
        assert!(tables.write(&mut bulk, "c", &HashMap::new(), &mut Listed(records.iter())).is_err());
    }
}

#[test]
fn a_check_is_in_its_problems_table_and_in_the_long_one() {
    let (a, b) = ("block-v1:O+C+R+type@problem+block@b1", "i4x://O/C/problem/P_1");
    let whole = CheckValues { attempts: Some("3"), grade: Some("1.0"), max_grade: Some("x"), success: Some("correct") };
    let half = CheckValues { grade: Some("0.5"), ..CheckValues::default() };
    let records = vec![
        problem(a, Some("from events")),
        problem(b, None),
        check(a, "7", NOON, whole),
        check(a, "8", None, half),
        check(b, "7", NOON, half),
    ];
    let made = Made::with_titles(Kind::Course, &[("O-C-R", records)], &[(b, "from the structure")]);
    let columns = "user_id TEXT, attempts INTEGER, grade INTEGER, max_grade INTEGER, success TEXT, time TEXT";
    assert_eq!(made.columns("problem_b1"), columns);
    let noon = "2015-08-30 12:34:56.000789";
    let first = format!("7|#3|#1|x|correct|{noon}");
    assert_eq!(made.rows("problem_b1"), [&first, "8|NULL|~0.5|NULL|NULL|NULL"]);
    assert_eq!(made.rows("problem_P_1"), [format!("7|NULL|~0.5|NULL|NULL|{noon}")]);
    let long = made.rows("problem");
    assert_eq!(long[0], format!("O-C-R|{a}|7|#3|correct|#1|x|{noon}"));
    assert_eq!(long.len(), 3);
    let index = [format!("problem_b1|{a}|from events"), format!("problem_P_1|{b}|from the structure")];
    assert_eq!(made.rows("problem_index"), index);
}

#[test]
fn problems_whose_names_collide_have_tables_of_their_own() {
    let ids = ["activity", "block-v1:O+C+R+type@problem+block@Ab", "i4x://O/C/problem/a.b", "i4x://O/C/problem/ab"];
    let met = ids.iter().map(|id| problem(id, None));
    let checks = ids.iter().map(|id| check(id, id, NOON, CheckValues::default()));
    let made = Made::course(met.chain(checks).collect());
    let tables = ["problem_activity_2", "problem_Ab", "problem_ab_2", "problem_ab_3"];
    assert_eq!(made.names[ALWAYS.len()..][..4], tables);
    for (table, id) in tables.iter().zip(ids) {
        assert_eq!(made.rows(table), [format!("{id}|NULL|NULL|NULL|NULL|2015-08-30 12:34:56.000789")]);
    }
}

#[test]
fn a_survey_has_the_latest_answers_and_the_latest_time() {
    let met = |survey, column| Record::MetAnswer { survey, column };
    let made = Made::course(vec![
        met(Survey::Pre, "problem_10_1"),
        met(Survey::Pre, "problem_2_1"),
        met(Survey::Post, "problem_2_1"),
        answer(Survey::Pre, "1", None, None),
        answer(Survey::Pre, "1", Some("problem_10_1"), Some("")),
        answer(Survey::Pre, "1", Some("problem_2_1"), Some("a,b")),
        Record::SurveyCheck { survey: Survey::Pre, user: "2", column: None, time: None, value: None },
        answer(Survey::Post, "2", None, None),
        answer(Survey::Post, "2", Some("problem_2_1"), Some("x")),
    ]);
    let columns = "user_id TEXT, time TEXT, problem_10_1 TEXT, problem_2_1 TEXT";
    assert_eq!(made.columns("pre_survey_answers"), columns);
    assert_eq!(made.rows("pre_survey_answers"), ["1|2015-08-30 12:34:56.000789||a,b", "2|NULL|NULL|NULL"]);
    assert_eq!(made.rows("post_survey_answers"), ["2|2015-08-30 12:34:56.000789|x"]);
}

#[test]
fn pages_are_counted_per_day_in_the_long_table_and_in_the_wide_ones() {
    let next = date(2015, 8, 31);
    let visits = |user, page, date, count| Record::Page { user, page, date, count };
    let made = Made::course(vec![
        Record::MetDate { page: Page::Courseware, date: DAY },
        Record::MetDate { page: Page::Courseware, date: next },
        Record::MetDate { page: Page::Progress, date: next },
        visits("1", Page::Courseware, DAY, 2),
        visits("1", Page::Courseware, next, 3),
        visits("1", Page::Progress, next, 4),
        visits("2", Page::Courseware, next, 5),
    ]);
    let columns = "user_id TEXT, date_20150830 INTEGER, date_20150831 INTEGER";
    assert_eq!(made.columns("page_activity_courseware"), columns);
    assert_eq!(made.rows("page_activity_courseware"), ["1|#2|#3", "2|NULL|#5"]);
    assert_eq!(made.rows("page_activity_progress"), ["1|#4"]);
    assert!(made.rows("page_activity_info").is_empty());
    let long = [
        "1|courseware|2015-08-30|#2",
        "1|courseware|2015-08-31|#3",
        "1|progress|2015-08-31|#4",
        "2|courseware|2015-08-31|#5",
    ];
    assert_eq!(made.rows("page_activity"), long);
}

#[test]
fn of_more_days_than_columns_the_latest_are_kept() {
    let days: Vec<_> = (0..2000).map(|number| DAY.checked_add(number.days()).expect("a near day")).collect();
    let met = days.iter().map(|&date| Record::MetDate { page: Page::Info, date });
    let visits = days.iter().map(|&date| Record::Page { user: "1", page: Page::Info, date, count: 1 });
    let early = Record::Page { user: "2", page: Page::Info, date: DAY, count: 1 };
    let made = Made::course(met.chain(visits).chain([early]).collect());
    let columns = made.columns("page_activity_info");
    assert_eq!(columns.split(", ").count(), 1901);
    assert!(columns.starts_with(&format!("user_id TEXT, date_{} INTEGER", days[100].strftime("%Y%m%d"))));
    assert_eq!(made.rows("page_activity").len(), 2001);
    let wide = made.rows("page_activity_info");
    assert_eq!(wide.iter().map(|row| row.matches("|#1").count()).collect::<Vec<_>>(), [1900, 0]);
    assert_eq!(made.counts.cut_columns, 100);
}

#[test]
fn of_more_answers_than_columns_the_first_are_kept() {
    let mut columns: Vec<_> = (0..1902).map(|number| format!("problem_{number}_1")).collect();
    columns.sort();
    let met = columns.iter().map(|column| Record::MetAnswer { survey: Survey::Pre, column });
    let answers = columns.iter().map(|column| answer(Survey::Pre, "1", Some(column), Some("a")));
    let made = Made::course(met.chain([answer(Survey::Pre, "1", None, None)]).chain(answers).collect());
    assert_eq!(made.columns("pre_survey_answers").split(", ").count(), 1902);
    assert_eq!(made.rows("pre_survey_answers")[0].matches("|a").count(), 1900);
    assert_eq!(made.counts.cut_columns, 2);
}

#[test]
fn events_are_counted_per_day_type_and_source() {
    let count = Record::EventCount { date: DAY, event_type: "courseware", event_source: "server", count: 3 };
    assert_eq!(Made::course(vec![count]).rows("event_counts"), ["2015-08-30|courseware|server|#3"]);
}

#[test]
fn an_organisation_has_the_columns_of_all_its_courses() {
    let (play, pause) = ("play_video", "pause_video");
    let course = |word, id| {
        vec![
            Record::Events { count: 1 },
            name(Counted::Video, word),
            name(Counted::VideoSteps, word),
            problem(id, None),
            problem("x-y", None),
            video("7", Some("v"), word, 1),
            step("7", "v", 0, word, 1),
            check(id, "7", NOON, CheckValues::default()),
        ]
    };
    let made = Made::of(Kind::Organisation, &[("A", course(play, "xy")), ("B", course(pause, "activity"))]);
    let always = ALWAYS.into_iter().filter(|&table| table != "video_activity_ng2");
    assert_eq!(made.names, always.chain(AT_THE_END).collect::<Vec<_>>());
    assert_eq!(made.columns("video_activity"), "course TEXT, user_id TEXT, pause_video INTEGER, play_video INTEGER");
    assert_eq!(made.rows("video_activity"), ["A|7|NULL|#1", "B|7|#1|NULL"]);
    assert_eq!(made.rows("video_activity_ng"), ["A|7|v|NULL|#1", "B|7|v|#1|NULL"]);
    let noon = "2015-08-30 12:34:56.000789";
    let long =
        [("A", "xy"), ("B", "activity")].map(|(course, id)| format!("{course}|{id}|7|NULL|NULL|NULL|NULL|{noon}"));
    assert_eq!(made.rows("problem"), long);
    let index = [
        "A|problem_xy|xy|NULL",
        "A|problem_xy_2|x-y|NULL",
        "B|problem_activity_2|activity|NULL",
        "B|problem_xy|x-y|NULL",
    ];
    assert_eq!(made.rows("problem_index"), index);
    assert_eq!(made.columns("problem_index"), "course TEXT, table_name TEXT, problem_id TEXT, display_name TEXT");
    assert_eq!(made.counts.events, 2);
}

#[test]
fn times_are_text_of_one_length() {
    use super::rows::time_text;
    let text = |time| time_text(Some(time)).unwrap_or_default();
    assert_eq!(text(0), "1970-01-01 00:00:00.000000");
    assert_eq!(text(-1), "1969-12-31 23:59:59.999999");
    assert_eq!(text(253_402_300_799_999_999), "9999-12-31 23:59:59.999999");
    assert_eq!(text(-62_167_219_200_000_000), "0000-01-01 00:00:00.000000");
    for beyond in [i64::MIN, i64::MAX, 253_402_300_800_000_000, -62_167_219_200_000_001] {
        assert_eq!(time_text(Some(beyond)), None);
    }
    assert_eq!(time_text(None), None);
}
