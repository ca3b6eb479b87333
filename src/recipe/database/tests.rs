use std::collections::HashMap;
use std::io::Cursor;

use super::*;
use crate::decode::Layers;
use crate::edx::course_run::CourseId;
use crate::edx::window::{Window, date};
use crate::recipe::testing::Kept;
use crate::recipe::{Content, Part};
use crate::source::{ETag, ObjectId, ObjectKey};
use crate::sqlite::ScratchSpace;
use crate::sqlite::testing::Memory;

/// What each artifact comes to.
#[derive(Default)]
struct Given(HashMap<Artifact, Result<Vec<u8>>>);

impl Given {
    fn artifact(&mut self, name: &str, content: Result<&str>) -> Artifact {
        let object = ObjectId { key: ObjectKey::new(name), etag: ETag::new("e"), bytes: 1 };
        let recipe = Recipe::Decoded { part: Part::whole(object), layers: Layers::default() };
        let artifact = Artifact { recipe, output: Output::Whole };
        self.0.insert(artifact.clone(), content.map(|content| content.as_bytes().to_vec()));
        artifact
    }
}

impl Inputs for Given {
    fn decoded(&self, _: &Part, _: &Layers) -> Result<Box<dyn Read + Send>> {
        Err(Error::internal("a database reads artifacts alone"))
    }

    fn artifact(&self, artifact: &Artifact) -> Result<Box<dyn Content>> {
        let content = self.0.get(artifact).expect("only what is given is asked for").clone()?;
        Ok(Box::new(Cursor::new(content)))
    }

    fn summary(&self, _: &Recipe) -> Result<Summary> {
        Err(Error::internal("a database asks for no summary"))
    }

    fn scratch(&self) -> Arc<dyn ScratchSpace> {
        Memory::space()
    }
}

const PROFILES: &str = "id\tuser_id\tname\tcity\n77\t1001\tsecret\tGbg\n78\t1002\tsecret\n";
const ENROLLMENT: &str = "id\tuser_id\n1\t1001\textra\n";
const POSTS: &str = "{\"_type\":\"Comment\",\"author_id\":\"1001\"}\nno post\n";
const STRUCTURE: &str = r#"{"r": {"category": "course", "children": []}}"#;

fn course(given: &mut Given, folder: &str) -> CourseInputs {
    let mut table = |name: &str, content| (name.into(), given.artifact(&format!("{folder}-{name}"), content));
    let tables = vec![
        table("auth_user", Err(Error::internal("is of no concern here"))),
        table("auth_userprofile", Ok(PROFILES)),
        table(STUDENTMODULE, Ok("id\tstudent_id\n1\t1001\n")),
        table("student_courseenrollment", Ok(ENROLLMENT)),
        table("wiki_article", Err(Error::corrupt("bad CRC"))),
        table("wiki_articlerevision", Ok("")),
    ];
    CourseInputs {
        folder: folder.into(),
        id: CourseId::parse("UniX/BIO-1.2x/2014_T1"),
        snapshot: Some("2015-08-30".into()),
        tables,
        forum: Some(given.artifact(&format!("{folder}.mongo"), Ok(POSTS))),
        structure: Some(given.artifact(&format!("{folder}.json"), Ok(STRUCTURE))),
        folds: Vec::new(),
        unreadable: vec![date("2015-08-01").expect("a date")],
    }
}

fn of_course(given: &mut Given) -> Database {
    let window = Window::parse("2015-01-01_").expect("a window");
    Database { scope: Scope::Course("A".into()), window, courses: vec![course(given, "A")] }
}

fn of_organisation(given: &mut Given) -> Database {
    let courses = vec![course(given, "A"), course(given, "B")];
    Database { scope: Scope::Organisation, window: Window::ALL, courses }
}

fn sheet_of(content: &[u8], table: &str) -> String {
    let reading = Reading::open(Cursor::new(content.to_vec())).expect("opens");
    sheet::tests::csv(reading.connection(), table)
}

#[test]
fn a_course_has_its_tables_in_order_and_says_what_is_missing() {
    let mut given = Given::default();
    let database = of_course(&mut given);
    let mut out = Kept::default();
    let summary = make(&database, &given, &mut out).expect("makes");
    let first = ["auth_userprofile", STUDENTMODULE, "student_courseenrollment", FORUM[0], FORUM[1], "video_activity"];
    assert_eq!(summary.members[..6], first);
    assert_eq!(summary.members[summary.members.len() - 2..], [AXIS, ABOUT]);
    let skipped: Vec<_> = summary.skipped.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(skipped, ["wiki_article", "wiki_articlerevision"]);
    assert_eq!(sheet_of(out.whole(), "auth_userprofile"), "id,user_id,city\r\n77,1001,Gbg\r\n78,1002,\r\n");
    assert_eq!(
        sheet_of(out.whole(), ABOUT),
        "key,value\r\nschema_version,1\r\nscope,course\r\ncourse,A\r\ncourse_id,UniX/BIO-1.2x/2014_T1\r\n\
         window,2015-01-01_\r\nsnapshot,2015-08-30\r\ndays,0\r\nevents,0\r\nmissing_tables,\"certificates_generatedcertificate, \
         student_languageproficiency, user_api_usercoursetag, wiki_article, wiki_articlerevision\"\r\nshort_rows,1\r\n\
         long_rows,1\r\ninvalid_utf8_cells,0\r\nbad_forum_lines,1\r\nunreadable_days,2015-08-01\r\ncut_columns,0\r\nleft_out,\"\"\r\n"
    );
}

#[test]
fn the_organisation_has_courses_one_after_the_other_and_no_studentmodule() {
    let mut given = Given::default();
    let database = of_organisation(&mut given);
    let mut out = Kept::default();
    let summary = make(&database, &given, &mut out).expect("makes");
    assert!(!summary.members.iter().any(|table| table == STUDENTMODULE));
    assert_eq!(summary.skipped[0].0, "A/wiki_article");
    assert_eq!(sheet_of(out.whole(), "student_courseenrollment"), "course,id,user_id\r\nA,1,1001\r\nB,1,1001\r\n");
    let about = sheet_of(out.whole(), ABOUT);
    assert!(about.contains("\r\nscope,organisation\r\ncourses,2\r\nwindow,_\r\n"), "{about}");
    assert!(about.contains("\r\nshort_rows,2\r\n") && about.contains("B/wiki_articlerevision"), "{about}");
    assert!(
        !summary.members.is_empty()
            && summary
                .members
                .iter()
                .filter(|table| *table != ABOUT)
                .all(|table| { sheet_of(out.whole(), table).starts_with("course,") })
    );
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let make_once = || {
        let mut given = Given::default();
        let database = of_organisation(&mut given);
        let mut out = Kept::default();
        make(&database, &given, &mut out).expect("makes");
        out.whole().to_vec()
    };
    let bytes = make_once();
    assert!(bytes == make_once());
    assert_eq!(bytes[60..64], SCHEMA_VERSION.to_be_bytes(), "user_version");
    assert_eq!(bytes[68..72], [0; 4], "application_id");
}

#[test]
fn without_a_snapshot_the_tables_from_events_are_there() {
    let mut database = of_course(&mut Given::default());
    let course = &mut database.courses[0];
    (course.tables, course.forum, course.structure, course.snapshot) = (Vec::new(), None, None, None);
    let mut out = Kept::default();
    let summary = make(&database, &Given::default(), &mut out).expect("makes");
    assert_eq!(summary.members[0], "video_activity");
    assert!(sheet_of(out.whole(), ABOUT).contains("discussion_forum_activity_ng, course_axis"));
    assert!(summary.skipped.is_empty());
}

#[test]
fn passing_trouble_and_the_lack_of_a_key_for_everything_fail_the_run() {
    let mut given = Given::default();
    let database = of_course(&mut given);
    for content in given.0.values_mut() {
        *content = Err(Error::new(ErrorKind::NoSecretKey, "no secret key"));
    }
    let failed = |given: &Given| make(&database, given, &mut Kept::default()).err().map(|error| error.kind());
    assert_eq!(failed(&given), Some(ErrorKind::NoSecretKey));
    let structure = database.courses[0].structure.as_ref().expect("was given");
    given.0.insert(structure.clone(), Ok(STRUCTURE.into()));
    assert_eq!(failed(&given), None);
    given.0.insert(structure.clone(), Err(Error::new(ErrorKind::TimedOut, "away")));
    assert_eq!(failed(&given), Some(ErrorKind::TimedOut));
}

#[test]
fn a_sheet_is_read_from_the_database() {
    let mut given = Given::default();
    let database = Arc::new(of_course(&mut given));
    let mut out = Kept::default();
    make(&database, &given, &mut out).expect("makes");
    let artifact = Artifact { recipe: Recipe::Database(Arc::clone(&database)), output: Output::Whole };
    given.0.insert(artifact, Ok(out.whole().to_vec()));
    let mut sheet = Kept::default();
    make_sheet(&database, AXIS, &given, &mut sheet).expect("makes");
    assert!(String::from_utf8(sheet.whole().to_vec()).expect("UTF-8").ends_with("\r\nr,course,,,,,,,,,\r\n"));
    let missing = make_sheet(&database, "wiki_article", &given, &mut Kept::default());
    assert_eq!(missing.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
}
