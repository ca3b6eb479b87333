//! Views over hand-made inventories; no I/O.

mod derived;
mod whole;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::*;
use crate::catalog::filter::Filter;
use crate::catalog::testing::{Shelf, course_id};
use crate::error::ErrorKind;
use crate::recipe::Output;
use crate::recipe::derived::LateFile;

const CHEM: &str = "course-v1:UniX+CHEM+R1";

/// Facts by object base name.
#[derive(Default)]
struct Facts {
    segments: HashSet<(String, String)>,
    decoded: HashSet<String>,
    unpacked: HashMap<String, Arc<Vec<String>>>,
    /// Tables of a made database, by its scope and window.
    tables: HashMap<String, Arc<Vec<String>>>,
    /// By course folder and user.
    learners: HashMap<(String, String), bool>,
    problems: Vec<Problem>,
    asked: Cell<usize>,
}

impl Facts {
    /// A decoded production day and the courses it holds.
    fn day(&mut self, date: &str, courses: &[&str]) {
        let name = format!("unix-edx-events-{date}.log.gz.gpg");
        for id in courses {
            self.segments.insert((name.clone(), (*id).to_owned()));
        }
        self.decoded.insert(name);
    }
}

impl Known for Facts {
    fn holds(&self, log: &Part, course: &CourseId) -> Option<bool> {
        self.asked.set(self.asked.get() + 1);
        let name = log.object.key.base_name().to_owned();
        let held = self.segments.contains(&(name.clone(), course.as_str().to_owned()));
        self.decoded.contains(&name).then_some(held)
    }

    fn title(&self, _: &Artifact) -> Option<Arc<str>> {
        None
    }

    fn decoded(&self, log: &Part) -> bool {
        self.decoded.contains(log.object.key.base_name())
    }

    fn unpacked(&self, package: &Part) -> Option<Arc<Vec<String>>> {
        self.unpacked.get(package.object.key.base_name()).cloned()
    }

    fn tables(&self, database: &Late) -> Option<Arc<Vec<String>>> {
        assert_eq!(database.file, LateFile::Samced);
        self.tables.get(&format!("{} {}", database.scope, database.window)).cloned()
    }

    fn has_learner(&self, course: &str, user: &str) -> Option<bool> {
        self.learners.get(&(course.to_owned(), user.to_owned())).copied()
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }
}

fn with<T>(shelf: &Shelf, facts: &Facts, test: impl FnOnce(&Tree<'_>) -> T) -> T {
    let catalog = shelf.catalog();
    test(&Tree { catalog: &catalog, known: facts, rule: CourseRule::Recall })
}

/// Names in a directory, folders ending in `/`.
fn names(tree: &Tree<'_>, path: &str) -> Vec<String> {
    let listed = tree.list(path).expect(path).into_iter();
    let slash = |node: &Node| if matches!(node, Node::Dir { .. }) { "/" } else { "" };
    listed.map(|(name, node)| format!("{name}{}", slash(&node))).collect()
}

fn artifact(tree: &Tree<'_>, path: &str) -> Artifact {
    match tree.lookup(path).expect(path) {
        Node::File { body: Body::Artifact(artifact), .. } => artifact,
        other => panic!("{path}: {other:?}"),
    }
}

fn page(tree: &Tree<'_>, path: &str) -> String {
    match tree.lookup(path).expect(path) {
        Node::File { body: Body::Page(page), .. } => tree.render(&page),
        other => panic!("{path}: {other:?}"),
    }
}

fn is_missing(tree: &Tree<'_>, path: &str) -> bool {
    matches!(tree.lookup(path), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Object, entry and layers of a file that is one part decoded.
fn decoded(tree: &Tree<'_>, path: &str) -> (String, String, String) {
    let Recipe::Decoded { part, layers } = artifact(tree, path).recipe else { panic!("{path} is not one part") };
    let entry = part.entry.map(|entry| entry.name.to_string()).unwrap_or_default();
    (part.object.key.as_str().to_owned(), entry, layers.to_string())
}

fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    for date in ["2015-12-31", "2016-01-01", "2016-01-02"] {
        shelf.log(date);
    }
    shelf.site_log("edge", "2016-01-01");
    shelf.weekly("2015-12-27", &["UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg", "UniX-CHEM-R1-prod.mongo.gpg"]);
    shelf.weekly(
        "2016-01-03",
        &[
            "UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg",
            "UniX-CHEM-R1-course_structure-prod-analytics.json.gpg",
            "UniX-CHEM-R1-course-prod-analytics.xml.tar.gz.gpg",
            "UniX-CHEM-R1-teams-prod-analytics.sql.failed.gpg",
            "UniX-CHEM-R1-auth_user-prod-edge-analytics.sql.gpg",
            "ora/UniX-CHEM-R1-submissions_score-prod-analytics.sql.gpg",
            "strange.bin",
        ],
    );
    shelf.archive(
        "course-data/email-opt-in/unix-2016-01-03.zip",
        &["unix-2016-01-03/unix-email_opt_in-prod-analytics.csv.gpg"],
    );
    shelf.archive("course-data/2013-10-27-unix-tracking.tar", &["prod-edx-001/2013-10-26-unix.log.gpg"]);
    shelf.object("edx-course-data/unix/rdx/req7/DelftX_A_B.tar.gz.gpg");
    shelf.met("edx", CHEM, Some(1));
    shelf
}

#[test]
fn the_root_shows_every_part_of_the_package() {
    with(&shelf(), &Facts::default(), |tree| {
        let expected = [
            "README.txt",
            "course-data/",
            "courses/",
            "courses.tsv",
            "edx-course-data/",
            "email-opt-in/",
            "events/",
            "learners/",
            "problems.tsv",
            "rdx/",
            "reports/",
            "samced.db",
            "tables/",
        ];
        assert_eq!(names(tree, ""), expected);
        assert!(
            matches!(tree.lookup("").expect("the root"), Node::Dir { modified } if modified == tree.catalog.newest())
        );
    });
    with(&Shelf::default(), &Facts::default(), |tree| {
        let expected = "README.txt courses/ courses.tsv events/ learners/ problems.tsv samced.db tables/";
        assert_eq!(names(tree, "").join(" "), expected);
    });
}

#[test]
fn a_course_folder_shows_its_newest_snapshot_and_every_week() {
    with(&shelf(), &Facts::default(), |tree| {
        assert_eq!(names(tree, "courses"), ["UniX-CHEM-R1/", "UniX-CHEM-R1@edge/"]);
        let expected = "between/ course-run-data/ course.xml.tar.gz course_structure.json events/ info.txt learners/ \
            samced/ samced.db snapshots/ tables/";
        assert_eq!(names(tree, "courses/UniX-CHEM-R1").join(" "), expected, "the newest snapshot has no forum");
        assert_eq!(names(tree, "courses/UniX-CHEM-R1/tables"), ["auth_user.tsv", "submissions_score.tsv"]);
        assert_eq!(names(tree, "courses/UniX-CHEM-R1@edge/tables"), ["auth_user.tsv"]);
        assert_eq!(names(tree, "courses/UniX-CHEM-R1/snapshots"), ["2015-12-27/", "2016-01-03/"]);
        assert_eq!(names(tree, "courses/UniX-CHEM-R1/snapshots/2015-12-27"), ["forum.mongo", "tables/"]);
        assert_eq!(names(tree, "courses/UniX-CHEM-R1/snapshots/2015-12-27/tables"), ["auth_user.tsv"]);
        let (object, entry, layers) = decoded(tree, "courses/UniX-CHEM-R1/tables/submissions_score.tsv");
        assert_eq!(object, "course-data/unix-2016-01-03.zip");
        assert_eq!(entry, "unix-2016-01-03/ora/UniX-CHEM-R1-submissions_score-prod-analytics.sql.gpg");
        assert_eq!(layers, ".gpg");
        assert_eq!(decoded(tree, "courses/UniX-CHEM-R1/course.xml.tar.gz").2, ".gpg", "the tar stays packed");
        let old = decoded(tree, "courses/UniX-CHEM-R1/snapshots/2015-12-27/forum.mongo");
        assert_eq!(old.1, "unix-2015-12-27/UniX-CHEM-R1-prod.mongo.gpg");
        for path in ["forum.mongo", "tables/teams.tsv", "tables/x/y", "snapshots/2015-12-28", "info.txt/x", "x", ""] {
            assert!(is_missing(tree, &format!("courses/UniX-CHEM-R1/{path}")), "{path}");
        }
    });
}

#[test]
fn event_files_of_a_course_leave_out_days_known_to_hold_nothing() {
    let mut facts = Facts::default();
    facts.day("2015-12-31", &[CHEM]);
    facts.day("2016-01-01", &[]);
    with(&shelf(), &facts, |tree| {
        for folder in ["courses/UniX-CHEM-R1/events", "events/UniX-CHEM-R1"] {
            assert_eq!(names(tree, folder), ["2015-12-31.log", "2016-01-02.log"]);
            for day in ["2015-12-31", "2016-01-01", "2016-01-02"] {
                let file = artifact(tree, &format!("{folder}/{day}.log"));
                assert_eq!(file.output, Output::Course(course_id(CHEM)), "{day}");
                let Recipe::Day { log, rule: CourseRule::Recall } = file.recipe else { panic!("not a day") };
                assert!(log.object.key.base_name().contains(day) && log.entry.is_none());
            }
            for name in ["2016-01-03.log", "20160101.log", "2016-01-01", "2016-01-01.log/x"] {
                assert!(is_missing(tree, &format!("{folder}/{name}")), "{name}");
            }
        }
        let listed = tree.list("events/UniX-CHEM-R1").expect("a folder");
        let Node::File { modified, .. } = &listed[1].1 else { panic!("not a file") };
        assert_eq!(
            *modified,
            tree.catalog
                .day(tree.catalog.sites().nth(1).expect("prod"), "2016-01-02".parse().expect("a date"))
                .expect("a log")
                .modified
        );
    });
}

#[test]
fn a_course_without_an_id_lists_undecoded_days_by_its_folder() {
    let mut shelf = shelf();
    let mut facts = Facts::default();
    facts.day("2016-01-01", &[]);
    let of_folder = Output::OfFolder("UniX-CHEM-R1".into());
    shelf.met.clear();
    with(&shelf, &facts, |tree| {
        assert_eq!(names(tree, "events/UniX-CHEM-R1"), ["2015-12-31.log", "2016-01-02.log"]);
        assert_eq!(artifact(tree, "events/UniX-CHEM-R1/2016-01-02.log").output, of_folder);
        assert_eq!(artifact(tree, "events/UniX-CHEM-R1/2016-01-01.log").output, of_folder);
    });
    shelf.met("edx", CHEM, None);
    facts.day("2016-01-02", &[CHEM]);
    with(&shelf, &facts, |tree| {
        assert_eq!(artifact(tree, "events/UniX-CHEM-R1/2016-01-02.log").output, Output::Course(course_id(CHEM)));
        assert_eq!(artifact(tree, "events/UniX-CHEM-R1/2015-12-31.log").output, of_folder, "a stated id may come");
    });
}

#[test]
fn whole_days_and_lines_of_no_course_stand_beside_the_courses() {
    with(&shelf(), &Facts::default(), |tree| {
        let expected =
            ["UniX-CHEM-R1/", "UniX-CHEM-R1@edge/", "all/", "all@edge/", "unattributed/", "unattributed@edge/"];
        assert_eq!(names(tree, "events"), expected);
        assert_eq!(names(tree, "events/all"), ["2015-12-31.log", "2016-01-01.log", "2016-01-02.log"]);
        assert_eq!(names(tree, "events/unattributed@edge"), ["2016-01-01.log"]);
        let (object, _, layers) = decoded(tree, "events/all@edge/2016-01-01.log");
        assert!(object.ends_with("unix-edge-events-2016-01-01.log.gz.gpg"));
        assert_eq!(layers, ".gpg.gz");
        let rest = artifact(tree, "events/unattributed/2016-01-01.log");
        assert!(matches!(rest.recipe, Recipe::Unattributed { .. }) && rest.output == Output::Whole);
        assert!(is_missing(tree, "events/all@edge/2016-01-02.log") && is_missing(tree, "events/all@x"));
    });
}

#[test]
fn joined_tables_take_the_newest_package_only() {
    let mut shelf = shelf();
    shelf
        .weekly(
            "2016-01-10",
            &["UniX-BIO-R1-auth_user-prod-analytics.sql.gpg", "UniX-ART-R1-auth_user-prod-analytics.sql.gpg"],
        )
        .entries[1]
        .bytes = 0;
    shelf.object("course-data/unix-2016-01-17.zip");
    with(&shelf, &Facts::default(), |tree| {
        assert_eq!(names(tree, "tables"), ["auth_user.tsv"]);
        let Recipe::Joined { parts, .. } = artifact(tree, "tables/auth_user.tsv").recipe else { panic!("not joined") };
        let folders: Vec<&str> = parts.iter().map(|part| part.folder.as_str()).collect();
        assert_eq!(folders, ["UniX-BIO-R1"], "an empty entry is skipped");
    });
    shelf.objects.truncate(shelf.objects.len() - 2);
    with(&shelf, &Facts::default(), |tree| {
        assert_eq!(names(tree, "tables"), ["auth_user.tsv", "submissions_score.tsv"]);
        let Recipe::Joined { parts, table } = artifact(tree, "tables/auth_user.tsv").recipe else {
            panic!("not joined")
        };
        let folders: Vec<&str> = parts.iter().map(|part| part.folder.as_str()).collect();
        assert_eq!(
            (folders.as_slice(), table.as_str()),
            (["UniX-CHEM-R1", "UniX-CHEM-R1@edge"].as_slice(), "auth_user")
        );
        assert!(is_missing(tree, "tables/teams.tsv") && is_missing(tree, "tables/auth_user"));
    });
}

#[test]
fn packages_are_laid_out_as_scripts_expect_them() {
    let mut shelf = shelf();
    shelf.object("course-data/unix-2016-01-10/UniX-CHEM-R1-auth_user-prod-analytics.sql");
    with(&shelf, &Facts::default(), |tree| {
        let folders = ["2013-10-27-unix-tracking/", "unix-2015-12-27/", "unix-2016-01-03/", "unix-2016-01-10/"];
        assert_eq!(names(tree, "course-data"), folders);
        assert_eq!(names(tree, "course-data/unix-2016-01-03"), ["unix-2016-01-03/"]);
        let inner = names(tree, "course-data/unix-2016-01-03/unix-2016-01-03");
        assert_eq!(inner.len(), 7, "{inner:?}");
        assert!(inner.contains(&"UniX-CHEM-R1-teams-prod-analytics.sql.failed".to_owned()));
        let raw = decoded(tree, "course-data/unix-2016-01-03/unix-2016-01-03/strange.bin");
        assert_eq!((raw.1.as_str(), raw.2.as_str()), ("unix-2016-01-03/strange.bin", ""));
        let ora = names(tree, "course-data/unix-2016-01-03/unix-2016-01-03/ora");
        assert_eq!(ora, ["UniX-CHEM-R1-submissions_score-prod-analytics.sql"]);
        let loose = "course-data/unix-2016-01-10/unix-2016-01-10/UniX-CHEM-R1-auth_user-prod-analytics.sql";
        let (object, entry, layers) = decoded(tree, loose);
        assert_eq!(
            (object.as_str(), entry.as_str(), layers.as_str()),
            ("course-data/unix-2016-01-10/UniX-CHEM-R1-auth_user-prod-analytics.sql", "", "")
        );
        assert_eq!(artifact(tree, loose), artifact(tree, "courses/UniX-CHEM-R1/tables/auth_user.tsv"), "one inode");
        assert_eq!(names(tree, "course-data/2013-10-27-unix-tracking/prod-edx-001"), ["2013-10-26-unix.log"]);
        assert_eq!(names(tree, "email-opt-in/unix-2016-01-03"), ["unix-email_opt_in-prod-analytics.csv"]);
        assert!(is_missing(tree, "course-data/unix-2016-01-03/strange.bin"));
        assert!(tree.list("course-data/unix-2016-01-03/unix-2016-01-03/strange.bin").is_err());
    });
}

#[test]
fn decrypted_logs_stay_gzip_under_their_own_spelling_of_the_site() {
    let mut shelf = shelf();
    shelf.object("mirror/unix-prod-events-2016-02-01.log");
    shelf.object("mirror/unix-EDX-events-2016-03-01.log.gz");
    with(&shelf, &Facts::default(), |tree| {
        assert_eq!(names(tree, "edx-course-data"), ["EDX/", "edge/", "edx/", "prod/"]);
        assert_eq!(names(tree, "edx-course-data/EDX/events/2016"), ["unix-EDX-events-2016-03-01.log.gz"]);
        assert_eq!(names(tree, "edx-course-data/edx"), ["events/"]);
        assert_eq!(names(tree, "edx-course-data/edx/events"), ["2015/", "2016/"]);
        let year = "edx-course-data/edx/events/2016";
        assert_eq!(names(tree, year), ["unix-edx-events-2016-01-01.log.gz", "unix-edx-events-2016-01-02.log.gz"]);
        assert_eq!(decoded(tree, &format!("{year}/unix-edx-events-2016-01-01.log.gz")).2, ".gpg");
        assert_eq!(decoded(tree, "edx-course-data/prod/events/2016/unix-prod-events-2016-02-01.log").2, "");
        for path in [
            "edx-course-data/edx/events/2016/unix-edx-events-2015-12-31.log.gz",
            "edx-course-data/edx/events/2016/unix-edx-events-2016-01-01.log",
            "edx-course-data/edx/events/2014",
            "edx-course-data/prod/events/2016/unix-prod-events-2016-01-01.log.gz",
            "edx-course-data/edx/x",
            "edx-course-data/other",
        ] {
            assert!(is_missing(tree, path), "{path}");
        }
    });
}

#[test]
fn an_exchange_package_must_be_unpacked_before_it_is_looked_into() {
    let mut facts = Facts::default();
    with(&shelf(), &facts, |tree| {
        assert_eq!(names(tree, "rdx"), ["req7/"]);
        assert_eq!(names(tree, "rdx/req7"), ["DelftX_A_B/"]);
        let package = "rdx/req7/DelftX_A_B";
        assert_eq!(tree.list(package).expect_err("not unpacked").kind(), ErrorKind::WouldWait);
        assert_eq!(tree.lookup("rdx/req7/DelftX_A_B/state").expect_err("not unpacked").kind(), ErrorKind::WouldWait);
        assert!(matches!(tree.needs(package), Some(Recipe::Unpacked { .. })));
        assert!(matches!(tree.needs("rdx/req7/DelftX_A_B/state/x"), Some(Recipe::Unpacked { .. })));
        for path in ["rdx", "rdx/req7", "rdx/req7/other/x", "courses/UniX-CHEM-R1", ""] {
            assert_eq!(tree.needs(path), None, "{path}");
        }
    });
    let paths =
        ["./metadata_file.json", "events/a.log.gz", "/events/b.log.gz", "../evil", "events/a.log.gz/x", "", "/"];
    let paths = Arc::new(paths.iter().map(|path| (*path).to_owned()).collect());
    facts.unpacked.insert("DelftX_A_B.tar.gz.gpg".to_owned(), paths);
    with(&shelf(), &facts, |tree| {
        assert_eq!(tree.needs("rdx/req7/DelftX_A_B"), None);
        assert_eq!(names(tree, "rdx/req7/DelftX_A_B"), ["events/", "metadata_file.json"]);
        assert_eq!(names(tree, "rdx/req7/DelftX_A_B/events"), ["a.log.gz", "b.log.gz"]);
        let file = artifact(tree, "rdx/req7/DelftX_A_B/metadata_file.json");
        assert_eq!(file.output, Output::Member("./metadata_file.json".to_owned()));
        assert!(is_missing(tree, "rdx/req7/DelftX_A_B/../evil") && is_missing(tree, "rdx/req8"));
    });
}

#[test]
fn a_window_shows_what_the_course_shows_cut_to_its_days() {
    let mut shelf = shelf();
    shelf.weekly("2016-01-10", &["UniX-CHEM-R1-prod.mongo.gpg"]);
    with(&shelf, &Facts::default(), |tree| {
        let window = "courses/UniX-CHEM-R1/between/2016-01-01_20160103";
        let expected = "course-run-data/ course.xml.tar.gz course_structure.json events/ info.txt learners/ samced/ \
            samced.db tables/";
        assert_eq!(names(tree, window).join(" "), expected);
        assert!(names(tree, "courses/UniX-CHEM-R1/between").is_empty());
        assert_eq!(names(tree, &format!("{window}/events")), ["2016-01-01.log", "2016-01-02.log"]);
        assert!(is_missing(tree, &format!("{window}/events/2015-12-31.log")));
        assert_eq!(decoded(tree, &format!("{window}/tables/auth_user.tsv")).0, "course-data/unix-2016-01-03.zip");
        let open = "courses/UniX-CHEM-R1/between/2016-01-01_";
        let expected = "course-run-data/ events/ forum.mongo info.txt learners/ samced/ samced.db tables/";
        assert_eq!(names(tree, open).join(" "), expected);
        assert!(page(tree, &format!("{window}/info.txt")).contains("snapshot: 2016-01-03\n"));
        for name in ["2016-01-02_2016-01-01", "_", "x", "2016-01-01_2016-01-02/snapshots", "2016-01-01_/between"] {
            assert!(is_missing(tree, &format!("courses/UniX-CHEM-R1/between/{name}")), "{name}");
        }
    });
}

#[test]
fn the_filter_limits_listing_and_lookup_alike() {
    let mut shelf = shelf();
    let day = |text: &str| Some(text.parse().expect("a date"));
    shelf.filter = Filter::new(&["*@edge".to_owned()], day("2016-01-01"), None).expect("valid");
    with(&shelf, &Facts::default(), |tree| {
        assert_eq!(names(tree, "courses"), ["UniX-CHEM-R1@edge/"]);
        assert_eq!(
            names(tree, "events"),
            ["UniX-CHEM-R1@edge/", "all/", "all@edge/", "unattributed/", "unattributed@edge/"]
        );
        assert_eq!(names(tree, "events/all"), ["2016-01-01.log", "2016-01-02.log"]);
        assert!(is_missing(tree, "events/all/2015-12-31.log") && is_missing(tree, "courses/UniX-CHEM-R1"));
        assert_eq!(names(tree, "edx-course-data/edx/events"), ["2016/"]);
        assert_eq!(names(tree, "tables"), ["auth_user.tsv"]);
    });
}

#[test]
fn pages_say_what_is_known() {
    let mut shelf = shelf();
    shelf.object("course-data/unix-2016-01-17.zip");
    let mut facts = Facts::default();
    facts.day("2015-12-31", &[CHEM]);
    facts.day("2016-01-01", &[CHEM]);
    let what_to_do = "a\tb\\c".to_owned();
    facts.problems.push(Problem {
        object: "z".into(),
        entry: "e\ne".into(),
        what: "w".into(),
        count: 3,
        errno: "",
        what_to_do,
    });
    with(&shelf, &facts, |tree| {
        let courses = page(tree, "courses.tsv");
        let lines: Vec<&str> = courses.lines().collect();
        assert_eq!(lines[0], "folder\tcourse_id\tsite\ttitle\tfirst_day\tlast_day\tsnapshot");
        assert_eq!(lines[1], format!("UniX-CHEM-R1\t{CHEM}\tprod\t\t2015-12-31\t2016-01-01\t2016-01-03"));
        assert_eq!(lines[2], "UniX-CHEM-R1@edge\t\tedge\t\t\t\t2016-01-03");
        let problems = page(tree, "problems.tsv");
        assert!(problems.contains("\nz\te\\ne\tw\t3\t\ta\\tb\\\\c\n"), "{problems}");
        assert!(problems.lines().all(|line| line.split('\t').count() == 6), "{problems}");
        let info = page(tree, "courses/UniX-CHEM-R1/info.txt");
        for line in [
            "course id: course-v1:UniX+CHEM+R1",
            "site: prod",
            "first day with events: 2015-12-31",
            "last day with events: 2016-01-01",
            "days with events: 2",
            "days not decoded yet: 1",
            "snapshot: 2016-01-03",
            "package: course-data/unix-2016-01-03.zip",
            "snapshots: 2",
        ] {
            assert!(info.lines().any(|l| l == line), "{line}: {info}");
        }
    });
}

#[test]
fn every_command_in_the_readme_names_what_is_there() {
    with(&shelf(), &Facts::default(), |tree| {
        let readme = page(tree, "README.txt");
        let lines = readme.lines().count();
        assert!((35..=40).contains(&lines), "{lines} lines:\n{readme}");
        assert!(
            readme.lines().all(|line| line.chars().count() <= 120) && !readme.contains(['{', '}'])
                || readme.contains("{ n[$1]++ }")
        );
        let commands: String =
            readme.split("Commands").nth(1).expect("commands").split("Good to know").next().expect("text").to_owned();
        let words = commands
            .split([' ', '"', '\n', '<'])
            .filter(|word| word.starts_with("courses") || word.starts_with("tables"));
        let mut seen = 0;
        for word in words {
            let path = word.trim_end_matches("/*.log");
            assert!(tree.lookup(path).is_ok(), "{word}");
            seen += 1;
        }
        assert!(seen >= 9, "{seen}:\n{readme}");
        assert!(readme.contains("rdx/") && readme.contains("email-opt-in/"));
    });
    with(&Shelf::default(), &Facts::default(), |tree| {
        assert!(!page(tree, "README.txt").contains("rdx/"), "nothing is named that is not there");
    });
}
