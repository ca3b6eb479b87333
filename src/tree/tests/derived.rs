//! samced.db and its tables, course-run-data, learners and reports: which names there are, and what each stands for.

use jiff::Timestamp;

use super::*;
use crate::edx::window::Window;
use crate::recipe::derived::{Late, LearnerLines, OptIn, Scope};
use crate::tree::inputs::snapshot_inputs;

const COURSE: &str = "courses/UniX-CHEM-R1";
const WINDOW: &str = "courses/UniX-CHEM-R1/between/2016-01-01_2016-01-03";

/// A course with everything in its newest snapshot, and a forum alone in the one before.
fn full() -> Shelf {
    let mut shelf = shelf();
    let names = [
        "auth_user-prod-analytics.sql.gpg",
        "auth_userprofile-prod-analytics.sql.gpg",
        "certificates_generatedcertificate-prod-analytics.sql.gpg",
        "courseware_studentmodule-prod-analytics.sql.gpg",
        "student_courseenrollment-prod-analytics.sql.gpg",
        "student_languageproficiency-prod-analytics.sql.gpg",
        "user_api_usercoursetag-prod-analytics.sql.gpg",
        "wiki_article-prod-analytics.sql.gpg",
        "wiki_articlerevision-prod-analytics.sql.gpg",
        "course_structure-prod-analytics.json.gpg",
        "course-prod-analytics.xml.tar.gz.gpg",
        "prod.mongo.gpg",
    ];
    let names: Vec<String> = names.iter().map(|name| format!("UniX-CHEM-R1-{name}")).collect();
    shelf.weekly("2016-01-10", &names.iter().map(String::as_str).collect::<Vec<_>>());
    shelf
}

fn late(tree: &Tree<'_>, path: &str) -> Late {
    match artifact(tree, path) {
        Artifact { recipe: Recipe::Late(late), output: Output::Whole } => Late::clone(&late),
        other => panic!("{path}: {other:?}"),
    }
}

fn modified(tree: &Tree<'_>, path: &str) -> Timestamp {
    match tree.lookup(path).expect(path) {
        Node::Dir { modified } | Node::File { modified, .. } => modified,
    }
}

fn of_course(file: LateFile, window: &str) -> Late {
    let window = Window::parse(window).unwrap_or(Window::ALL);
    Late { org: "unix".into(), file, scope: Scope::Course("UniX-CHEM-R1".into()), window }
}

fn sheet(table: &str) -> LateFile {
    LateFile::Sheet(table.into())
}

#[test]
fn a_database_stands_for_its_scope_and_window() {
    with(&shelf(), &Facts::default(), |tree| {
        let organisation =
            Late { org: "unix".into(), file: LateFile::Samced, scope: Scope::Organisation, window: Window::ALL };
        assert_eq!(late(tree, "samced.db"), organisation);
        assert_eq!(late(tree, &format!("{COURSE}/samced.db")), of_course(LateFile::Samced, ""));
        let cut = of_course(LateFile::Samced, "2016-01-01_2016-01-03");
        assert_eq!(late(tree, &format!("{WINDOW}/samced.db")), cut);
        for path in ["samced", "samced.db/x", &format!("{COURSE}/samced.db/x"), &format!("{COURSE}/samced/x/y")] {
            assert!(is_missing(tree, path), "{path}");
        }
        assert!(tree.list("samced.db").is_err() && tree.list(&format!("{COURSE}/samced.db")).is_err());
    });
}

#[test]
fn every_table_that_a_database_must_have_is_a_csv_file() {
    let events = "SAMCED-about.csv SAMCED-event_counts.csv SAMCED-page_activity.csv \
        SAMCED-page_activity_courseware.csv SAMCED-page_activity_discussion.csv SAMCED-page_activity_info.csv \
        SAMCED-page_activity_progress.csv SAMCED-post_survey_answers.csv SAMCED-pre_roll_video_activity.csv \
        SAMCED-pre_survey_answers.csv SAMCED-problem.csv SAMCED-problem_activity.csv SAMCED-problem_index.csv \
        SAMCED-textbook_activity.csv SAMCED-video_activity.csv SAMCED-video_activity_ng.csv \
        SAMCED-video_activity_ng2.csv errors.txt info.txt";
    let snapshot = "SAMCED-auth_userprofile.csv SAMCED-certificates_generatedcertificate.csv SAMCED-course_axis.csv \
        SAMCED-courseware_studentmodule.csv SAMCED-discussion_forum_activity.csv \
        SAMCED-discussion_forum_activity_ng.csv SAMCED-student_courseenrollment.csv \
        SAMCED-student_languageproficiency.csv SAMCED-user_api_usercoursetag.csv SAMCED-wiki_article.csv \
        SAMCED-wiki_articlerevision.csv";
    let sorted = |lists: &[&str]| {
        let mut names: Vec<String> = lists.iter().flat_map(|list| list.split(' ')).map(str::to_owned).collect();
        names.sort();
        names
    };
    with(&full(), &Facts::default(), |tree| {
        assert_eq!(names(tree, &format!("{COURSE}/samced")), sorted(&[events, snapshot]));
        // The window's snapshot has a structure, and no other input.
        assert_eq!(names(tree, &format!("{WINDOW}/samced")), sorted(&[events, "SAMCED-course_axis.csv"]));
        assert_eq!(names(tree, "courses/UniX-CHEM-R1@edge/samced"), sorted(&[events]));
        assert!(is_missing(tree, &format!("{WINDOW}/samced/SAMCED-wiki_article.csv")));
        let window = "2016-01-01_2016-01-03";
        let problem = late(tree, &format!("{WINDOW}/samced/SAMCED-problem.csv"));
        assert_eq!(problem, of_course(sheet("problem"), window));
        assert_eq!(late(tree, &format!("{WINDOW}/samced/errors.txt")), of_course(LateFile::VideoErrors, window));
        for name in ["SAMCED-auth_user.csv", "SAMCED-.csv", "problem.csv", "SAMCED-problem", "errors.txt/x"] {
            assert!(is_missing(tree, &format!("{COURSE}/samced/{name}")), "{name}");
        }
    });
}

#[test]
fn an_input_without_bytes_has_no_table() {
    let mut shelf = shelf();
    let names =
        ["UniX-CHEM-R1-auth_userprofile-prod-analytics.sql.gpg", "UniX-CHEM-R1-wiki_article-prod-analytics.sql.gpg"];
    shelf.weekly("2016-01-10", &names).entries[0].bytes = 0;
    with(&shelf, &Facts::default(), |tree| {
        let sheets = names_with(tree, &format!("{COURSE}/samced"), "_");
        assert!(sheets.contains("SAMCED-wiki_article.csv") && !sheets.contains("auth_userprofile"), "{sheets}");
        assert!(is_missing(tree, &format!("{COURSE}/course-run-data/auth_userprofile.csv")));
        let inputs = snapshot_inputs(tree.catalog.course("UniX-CHEM-R1").expect("a course"), Window::ALL);
        assert_eq!(inputs.tables.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["wiki_article"]);
        assert_eq!(inputs.tables[0].1, artifact(tree, &format!("{COURSE}/tables/wiki_article.tsv")));
        assert_eq!((inputs.snapshot.as_deref(), inputs.auth_user), (Some("2016-01-10"), None));
        assert!(inputs.forum.is_none() && inputs.structure.is_none());
    });
}

fn names_with(tree: &Tree<'_>, path: &str, part: &str) -> String {
    names(tree, path).into_iter().filter(|name| name.contains(part)).collect::<Vec<_>>().join(" ")
}

#[test]
fn tables_of_single_problems_are_listed_once_they_are_known_and_resolve_before() {
    let mut facts = Facts::default();
    let folder = format!("{COURSE}/samced");
    let path = |id: &str| format!("{folder}/SAMCED-problem_{id}.csv");
    let mut before = Vec::new();
    with(&full(), &facts, |tree| {
        before = names(tree, &folder);
        assert_eq!(late(tree, &path("a1_B")), of_course(sheet("problem_a1_B"), ""));
        for id in ["", "a-b", "a.b", "ä", "a b", &"x".repeat(240)] {
            assert!(is_missing(tree, &path(id)), "{id}");
        }
    });
    let long = format!("problem_{}", "x".repeat(300));
    let tables = ["wiki_article", "video_activity", "problem_q1", "problem_q1_2", "problem", &long, "about"];
    let tables = Arc::new(tables.iter().map(|table| (*table).to_owned()).collect());
    facts.tables.insert("UniX-CHEM-R1 _".to_owned(), tables);
    with(&full(), &facts, |tree| {
        let mut listed = names(tree, &folder);
        let new: Vec<_> = listed.extract_if(.., |name| !before.contains(name)).collect();
        assert_eq!(new, ["SAMCED-problem_q1.csv", "SAMCED-problem_q1_2.csv"]);
        assert_eq!(listed, before, "a table that could not be made says why when it is opened");
        assert_eq!(late(tree, &path("q1_2")), of_course(sheet("problem_q1_2"), ""));
        assert!(is_missing(tree, &path("q2")), "the database has none");
        let unmade = late(tree, &format!("{folder}/SAMCED-wiki_articlerevision.csv"));
        assert_eq!(unmade, of_course(sheet("wiki_articlerevision"), ""));
        assert!(tree.lookup(&format!("{WINDOW}/samced/SAMCED-problem_q2.csv")).is_ok(), "not known of the window");
    });
}

#[test]
fn course_run_data_is_laid_out_as_the_toolkit_leaves_it() {
    with(&full(), &Facts::default(), |tree| {
        let folder = format!("{COURSE}/course-run-data");
        let raw = [
            "UniX-CHEM-R1-course-prod-analytics.xml.tar.gz",
            "UniX-CHEM-R1-course_structure-prod-analytics.json",
            "UniX-CHEM-R1-courseware_studentmodule-prod-analytics.sql",
            "UniX-CHEM-R1-prod.mongo",
            "UniX-CHEM-R1-student_courseenrollment-prod-analytics.sql",
            "UniX-CHEM-R1-student_languageproficiency-prod-analytics.sql",
            "UniX-CHEM-R1-user_api_usercoursetag-prod-analytics.sql",
            "UniX-CHEM-R1-wiki_article-prod-analytics.sql",
            "UniX-CHEM-R1-wiki_articlerevision-prod-analytics.sql",
        ];
        let made = "auth_userprofile.csv certificates_generatedcertificate.csv events/ improved-forum-data/ \
            improved-video-data/ info.txt survey-data/";
        assert_eq!(names(tree, &folder).join(" "), format!("{} {made}", raw.join(" ")));
        for (below, expected) in [
            ("events", "2015-12-31.log.gz 2016-01-01.log.gz 2016-01-02.log.gz"),
            ("survey-data", "post_survey_answers.csv pre_survey_answers.csv"),
            ("improved-video-data", "errors.txt video_activity.csv video_activity_ng.csv video_activity_ng2.csv"),
            ("improved-forum-data", "discussion_forum_activity.csv discussion_forum_activity_ng.csv"),
        ] {
            assert_eq!(names(tree, &format!("{folder}/{below}")).join(" "), expected, "{below}");
        }
        for (a, b) in [
            (raw[2], "tables/courseware_studentmodule.tsv"),
            (raw[3], "forum.mongo"),
            (raw[0], "course.xml.tar.gz"),
            ("auth_userprofile.csv", "samced/SAMCED-auth_userprofile.csv"),
            ("improved-video-data/errors.txt", "samced/errors.txt"),
            ("survey-data/pre_survey_answers.csv", "samced/SAMCED-pre_survey_answers.csv"),
        ] {
            let (a, b) = (artifact(tree, &format!("{folder}/{a}")), artifact(tree, &format!("{COURSE}/{b}")));
            assert_eq!(a, b, "one inode");
        }
        for name in ["x", "events/2016-01-01.log", "events/x.gz", "survey-data/video_activity.csv", "info.txt/x"] {
            assert!(is_missing(tree, &format!("{folder}/{name}")), "{name}");
        }
        let identifying = format!("{folder}/UniX-CHEM-R1-auth_user-prod-analytics.sql");
        assert!(is_missing(tree, &identifying) && tree.list(&format!("{folder}/info.txt")).is_err());
    });
}

#[test]
fn course_run_data_of_a_window_takes_its_days_and_snapshot() {
    let mut facts = Facts::default();
    facts.day("2016-01-01", &[]);
    facts.day("2016-01-02", &[CHEM]);
    with(&full(), &facts, |tree| {
        let folder = format!("{WINDOW}/course-run-data");
        let expected = "UniX-CHEM-R1-course-prod-analytics.xml.tar.gz \
            UniX-CHEM-R1-course_structure-prod-analytics.json events/ improved-video-data/ info.txt survey-data/";
        assert_eq!(names(tree, &folder).join(" "), expected, "no forum: the window's snapshot has none");
        assert!(tree.list(&format!("{folder}/improved-forum-data")).is_err());
        assert_eq!(names(tree, &format!("{folder}/events")), ["2016-01-02.log.gz"]);
        let file = artifact(tree, &format!("{folder}/events/2016-01-01.log.gz"));
        let content = Box::new(artifact(tree, &format!("{WINDOW}/events/2016-01-01.log")));
        assert_eq!(file, Artifact { recipe: Recipe::Gzipped { content }, output: Output::Whole });
        assert!(is_missing(tree, &format!("{folder}/events/2015-12-31.log.gz")));
        let info = page(tree, &format!("{folder}/info.txt"));
        for line in [
            "organisation: UniX",
            "course: CHEM",
            "run: R1",
            "first day: 2016-01-01",
            "last day: 2016-01-03",
            "days with events: 1",
            "snapshot: 2016-01-03",
        ] {
            assert!(info.lines().any(|l| l == line), "{line}: {info}");
        }
        assert_eq!(page(tree, &format!("{WINDOW}/samced/info.txt")), info);
        let whole = page(tree, &format!("{COURSE}/course-run-data/info.txt"));
        assert!(whole.contains("first day: open\n") && whole.contains("snapshot: 2016-01-10\n"), "{whole}");
        assert!(whole.contains("forum, course structure, course content\n"), "{whole}");
        let unknown = page(tree, "courses/UniX-CHEM-R1@edge/course-run-data/info.txt");
        assert!(unknown.contains("run: not known"), "{unknown}");
        assert_eq!(tree.render(&Page::RunInfo("gone".into(), Window::ALL)), "");
    });
}

#[test]
fn any_learner_resolves_and_none_is_listed() {
    let files = ["events.log", "video_events.log"];
    with(&shelf(), &Facts::default(), |tree| {
        for folder in [COURSE, WINDOW] {
            assert!(names(tree, &format!("{folder}/learners")).is_empty());
            for id in ["0", "7", "99999999999999999999", "undefined"] {
                assert_eq!(names(tree, &format!("{folder}/learners/{id}")), files);
            }
            for id in [".Trash", "007", "00", "999999999999999999999", "-1", "１", "Undefined", "7/x", "7/events.log/x"]
            {
                let path = format!("{folder}/learners/{id}");
                assert!(is_missing(tree, &path) && tree.list(&path).is_err(), "{path}");
            }
        }
        let user: Arc<str> = "7".into();
        let all = LateFile::Learner { user: user.clone(), lines: LearnerLines::All };
        let videos = LateFile::Learner { user, lines: LearnerLines::Videos };
        assert_eq!(late(tree, &format!("{COURSE}/learners/7/events.log")), of_course(all.clone(), ""));
        let cut = of_course(videos, "2016-01-01_2016-01-03");
        assert_eq!(late(tree, &format!("{WINDOW}/learners/7/video_events.log")), cut);
        assert_eq!(late(tree, "learners/7/UniX-CHEM-R1/events.log"), of_course(all, ""), "one inode");
    });
}

#[test]
fn at_the_root_a_learner_has_the_courses_that_may_hold_lines() {
    let mut facts = Facts::default();
    facts.learners.insert(("UniX-CHEM-R1".to_owned(), "7".to_owned()), false);
    facts.learners.insert(("UniX-CHEM-R1".to_owned(), "8".to_owned()), true);
    with(&shelf(), &facts, |tree| {
        assert!(names(tree, "learners").is_empty());
        assert_eq!(names(tree, "learners/7"), ["UniX-CHEM-R1@edge/"], "not known of the edge course");
        assert_eq!(names(tree, "learners/8"), ["UniX-CHEM-R1/", "UniX-CHEM-R1@edge/"]);
        assert_eq!(names(tree, "learners/7/UniX-CHEM-R1"), ["events.log", "video_events.log"], "it still resolves");
        for path in ["007", "7/UniX-BIO-R1", "7/UniX-CHEM-R1/x", "x/UniX-CHEM-R1", "x/UniX-CHEM-R1/events.log"] {
            let path = format!("learners/{path}");
            assert!(is_missing(tree, &path) && tree.list(&path).is_err(), "{path}");
        }
    });
}

fn opt_in(tree: &Tree<'_>) -> OptIn {
    match artifact(tree, "reports/email_opt_in.csv").recipe {
        Recipe::OptIn(opt_in) => OptIn::clone(&opt_in),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_opt_in_report_joins_the_newest_list_to_the_newest_tables() {
    const LIST: &str = "unix-email_opt_in-prod-analytics.csv.gpg";
    let list_of = |opt_in: &OptIn| opt_in.list.recipe.input().expect("a list").name();
    let mut shelf = full();
    with(&shelf, &Facts::default(), |tree| {
        assert_eq!(names(tree, "reports"), ["email_opt_in.csv"]);
        let made = opt_in(tree);
        assert_eq!(made.list, artifact(tree, "email-opt-in/unix-2016-01-03/unix-email_opt_in-prod-analytics.csv"));
        let folders = ["UniX-CHEM-R1", "UniX-CHEM-R1@edge"];
        let users = folders.map(|folder| artifact(tree, &format!("courses/{folder}/tables/auth_user.tsv")));
        assert_eq!(made.users, users);
        assert_eq!(made.profiles, [artifact(tree, &format!("{COURSE}/tables/auth_userprofile.tsv"))]);
        assert!(is_missing(tree, "reports/x") && is_missing(tree, "reports/email_opt_in.csv/x"));
    });
    shelf.weekly("2016-01-03", &[LIST]);
    with(&shelf, &Facts::default(), |tree| {
        assert!(list_of(&opt_in(tree)).starts_with("course-data/email-opt-in/"), "of the same day");
    });
    shelf.weekly("2016-01-17", &[LIST, "unix-email_opt_in-edge-analytics.csv.gpg"]);
    shelf.weekly("2016-01-24", &[LIST]).entries[0].bytes = 0;
    shelf.object("course-data/email-opt-in/unix-2016-01-31.zip");
    with(&shelf, &Facts::default(), |tree| {
        let newest = "course-data/unix-2016-01-17.zip/unix-2016-01-17/unix-email_opt_in-prod-analytics.csv.gpg";
        assert_eq!(list_of(&opt_in(tree)), newest, "newer ones cannot be read");
    });
    with(&Shelf::default(), &Facts::default(), |tree| {
        assert!(is_missing(tree, "reports") && is_missing(tree, "reports/email_opt_in.csv"));
        assert!(tree.list("reports").is_err());
    });
}

#[test]
fn a_derived_file_is_as_new_as_the_newest_input_that_may_hold_something() {
    let mut facts = Facts::default();
    let mut shelf = Shelf::default();
    shelf.weekly("2015-12-27", &["UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg"]);
    let days = ["2016-01-01", "2016-01-02", "2016-01-03"];
    let times = days.map(|date| shelf.log(date).modified);
    shelf.met("edx", CHEM, Some(1));
    let files = ["samced.db", "samced/SAMCED-problem.csv", "course-run-data/survey-data/pre_survey_answers.csv"];
    let files = [&files[..], &["learners/7/events.log"]].concat();
    let all_are = |facts: &Facts, time: Timestamp| {
        with(&shelf, facts, |tree| {
            for file in &files {
                assert_eq!(modified(tree, &format!("{COURSE}/{file}")), time, "{file}");
            }
        });
    };
    facts.day("2016-01-01", &[CHEM]);
    facts.day("2016-01-03", &[]);
    all_are(&facts, times[1]);
    facts.day("2016-01-02", &[]);
    all_are(&facts, times[0]);
    with(&shelf, &facts, |tree| {
        assert_eq!(modified(tree, "samced.db"), tree.catalog.newest());
        let snapshot = modified(tree, &format!("{COURSE}/tables"));
        assert_eq!(modified(tree, &format!("{COURSE}/between/2016-01-02_/samced.db")), snapshot);
    });
}

#[test]
fn a_folder_of_derived_files_asks_at_most_once_for_each_day() {
    let mut shelf = full();
    (1..=9).for_each(|day| {
        shelf.log(&format!("2016-02-0{day}"));
    });
    let facts = Facts::default();
    with(&shelf, &facts, |tree| {
        let folders = ["", "/samced", "/course-run-data", "/course-run-data/improved-video-data", "/learners/7"];
        let asked_for = |folder: &str| {
            assert!(!tree.list(&format!("{COURSE}{folder}")).expect("a folder").is_empty());
            facts.asked.take()
        };
        for folder in folders {
            assert!((1..=12).contains(&asked_for(folder)), "{folder}");
        }
        assert_eq!(asked_for("/course-run-data/events"), 12);
        tree.lookup(&format!("{COURSE}/course-run-data/events/2016-02-01.log.gz")).expect("a day");
        assert_eq!(facts.asked.take(), 1);
        tree.lookup(&format!("{COURSE}/course-run-data/UniX-CHEM-R1-prod.mongo")).expect("a file");
        tree.list("courses").expect("a folder");
        tree.list("").expect("a folder");
        assert_eq!(facts.asked.take(), 0);
    });
}
