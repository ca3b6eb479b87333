//! What de-identified tables leave out is nowhere: one learner's cells in those columns are marked in the package.

use std::fs;

use crate::common::{Mount, small_package};
use crate::judge::files;
use crate::{NEW, OLD, WINDOW, course_path, mounted};

const MARKS: [&str; 8] = [
    "marked_name",
    "marked_meta",
    "marked_courseware",
    "marked_address",
    "marked_goals",
    "marked_bio",
    "marked_image",
    "marked_state",
];

fn find(content: &[u8], mark: &str) -> bool {
    content.windows(mark.len()).any(|window| window == mark.as_bytes())
}

#[test]
fn the_marks_are_in_the_package() {
    let plain = small_package().plain.expect("the package keeps its plain texts");
    let table = |name: &str| {
        let week = "course-data/unix-2015-03-15/unix-2015-03-15";
        fs::read(plain.join(format!("{week}/{NEW}-{name}-prod-analytics.sql"))).expect("the table is there")
    };
    let profiles = table("auth_userprofile");
    assert_eq!(MARKS.iter().find(|mark| !find(&profiles, mark)), None);
    assert!(find(&table("certificates_generatedcertificate"), "marked_name"));
}

fn assert_clean(what: &str, content: &[u8]) {
    assert_eq!(MARKS.iter().find(|mark| find(content, mark)), None, "{what}");
}

fn assert_folder(mount: &Mount, folder: &str) {
    let database = format!("{folder}/samced.db").trim_start_matches('/').to_owned();
    let content = mount.read(&database).unwrap_or_else(|error| panic!("{database}: {error}"));
    assert!(content.len() > 100_000, "{database}: {} bytes", content.len());
    assert_clean(&database, &content);
    if folder.is_empty() {
        return;
    }
    let sheets = files(&mount.path(&format!("{folder}/samced")));
    assert!(sheets.contains_key("SAMCED-auth_userprofile.csv"), "{:?}", sheets.keys());
    for (name, content) in sheets {
        assert_clean(&format!("{folder}/samced/{name}"), &content);
    }
    for table in ["auth_userprofile", "certificates_generatedcertificate"] {
        let path = format!("{folder}/course-run-data/{table}.csv");
        let content = mount.read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // The marked learner came after the window's snapshot.
        assert!(find(&content, ",1003,") != folder.contains("between/"), "{path}");
        assert_clean(&path, &content);
    }
}

#[test]
fn removed_columns_are_nowhere() {
    let mount = mounted(&[]);
    for folder in [course_path(OLD, "_"), course_path(NEW, "_"), course_path(NEW, WINDOW), String::new()] {
        assert_folder(&mount, &folder);
    }
}
