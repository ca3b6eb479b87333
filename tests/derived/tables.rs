//! Every table, row for row, and every CSV, byte for byte.

use std::fs;

use crate::common::Mount;
use crate::judge::{Judge, ORGANISATION};
use crate::{NEW, OLD, WINDOW, course_path, mounted};

/// Opens what meets every course, so that the folders are settled.
fn settled(more: &[&str]) -> Mount {
    let mount = mounted(more);
    mount.read("events/unattributed/2015-03-02.log").expect("a day opens");
    mount.read("samced.db").expect("the organisation's database opens");
    mount
}

fn assert_course(mount: &Mount, judge: &Judge, course: &str, window: &str) {
    let path = course_path(course, window);
    judge.assert_database(course, &mount.path(&format!("{path}/samced.db")));
    judge.assert_sheets(course, &mount.path(&format!("{path}/samced")));
}

#[test]
fn every_table_of_a_course_is_as_the_model_says() {
    let mount = settled(&[]);
    let judge = Judge::of(&mount, &[], &[OLD, NEW, "UniX-BIO-1.2x-2014_T1@edge"]);
    for course in [OLD, NEW, "UniX-BIO-1.2x-2014_T1@edge"] {
        assert_course(&mount, &judge, course, "_");
    }
}

#[test]
fn every_table_of_a_window_is_as_the_model_says() {
    let mount = settled(&[]);
    for window in [WINDOW, "_2015-03-06", "2015-03-09_"] {
        let judge = Judge::of(&mount, &["--window", window], &[OLD, NEW]);
        assert_course(&mount, &judge, OLD, window);
        assert_course(&mount, &judge, NEW, window);
    }
}

#[test]
fn every_table_of_the_organisation_is_as_the_model_says() {
    let mount = settled(&[]);
    let judge = Judge::of(&mount, &[], &[ORGANISATION]);
    judge.assert_database(ORGANISATION, &mount.path("samced.db"));
    for (name, content) in judge.files(ORGANISATION, "samced") {
        // The root has the database alone, or its sheets beside it; both are the contract.
        if let Ok(found) = mount.read(&format!("samced/{name}")) {
            crate::judge::assert_equal(&name, &found, &content);
        }
    }
}

#[test]
fn options_change_the_tables_as_the_model_says() {
    for options in [&["--compartment", "10"][..], &["--survey-pre", "Umfrage|part [0-9]", "--survey-post", "^Quiz A$"]]
    {
        let mount = settled(options);
        let judge = Judge::of(&mount, options, &[OLD, NEW]);
        assert_course(&mount, &judge, OLD, "_");
        judge.assert_database(NEW, &mount.path(&format!("courses/{NEW}/samced.db")));
    }
}

#[test]
fn the_model_has_met_every_trap() {
    let mount = settled(&[]);
    let judge = Judge::of(&mount, &[], &[OLD, NEW]);
    for course in [OLD, NEW] {
        let errors = String::from_utf8(judge.read(course, "samced/errors.txt")).expect("our own text");
        for reason in ["payload does not parse", "no video id", "video id too long"] {
            assert!(errors.contains(reason), "{course}: {reason}");
        }
        let tables = fs::read_to_string(judge.path(course, "tables.jsonl")).expect("the model's tables");
        for met in [
            r#""table": "problem_Quiz1a""#,
            r#""table": "problem_QUIZ1A_2""#,
            r#""table": "problem_Quiz1a_2_2""#,
            r#""table": "problem_activity_2""#,
            r#""table": "problem_Index_2""#,
            r#""other_start""#,
            r#""problem_10_1""#,
            r#""bob \"q\" "#,
            r#""01003""#,
            r#""undefined""#,
            r#"a\u2400b"#,
            r#"["1001", "2", null, null, null, "2015-03-02 12:00:00.000000"]"#,
            r#"["1004", "4", null, null, null, null]"#,
        ] {
            assert!(tables.contains(met), "{course}: {met}");
        }
    }
}
