use proptest::prelude::*;

use super::package::Found;
use super::testing::{Shelf, met};
use super::*;
use crate::edx::member_name::MemberKind;
use crate::source::Availability;

const USERS: &str = "UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg";

fn prod() -> Site {
    Site::from_token("prod")
}

fn folders(catalog: &Catalog) -> Vec<String> {
    catalog.courses().map(|course| course.folder.to_string()).collect()
}

fn whats(catalog: &Catalog) -> Vec<String> {
    catalog.problems().iter().map(|p| format!("{}|{}|{}|{}", p.object, p.entry, p.what, p.errno)).collect()
}

fn id_of(catalog: &Catalog, folder: &str) -> Option<String> {
    let course = catalog.course(folder).expect("the course is there");
    course.id.as_ref().map(|(id, _)| id.as_str().to_owned())
}

#[test]
fn of_several_logs_of_a_day_the_package_form_wins_then_the_newest() {
    let mut shelf = Shelf::default();
    shelf.site_log("edx", "2015-03-02");
    shelf.site_log("prod", "2015-03-02");
    shelf.object("mirror/edx/events/2015/unix-edx-events-2015-03-02.log.gz");
    let catalog = shelf.catalog();
    let log = catalog.day(&prod(), "2015-03-02".parse().expect("a date")).expect("a log");
    assert_eq!(log.site_token, "prod");
    assert_eq!(log.decrypted_name("unix"), "unix-prod-events-2015-03-02.log.gz");
    assert_eq!(log.layers.to_string(), ".gpg.gz");
    assert_eq!(log.encryption().to_string(), ".gpg");
    assert_eq!(catalog.problems().len(), 2);
    assert!(catalog.problems().iter().all(|problem| problem.what.contains("-prod-events-")));
}

#[test]
fn an_empty_log_is_a_problem_and_hides_no_other() {
    let mut shelf = Shelf::default();
    shelf.log("2015-03-02").id.bytes = 0;
    let only = shelf.catalog();
    assert_eq!(only.days(&prod(), Window::ALL).count(), 1);
    assert_eq!(only.problems().first().map(|problem| problem.errno), Some("EIO"));
    shelf.object("mirror/unix-edx-events-2015-03-02.log.gz");
    let catalog = shelf.catalog();
    let log = catalog.days(&prod(), Window::ALL).next().expect("a log");
    assert_eq!(log.object.key.as_str(), "mirror/unix-edx-events-2015-03-02.log.gz");
}

#[test]
fn an_empty_file_of_a_decrypted_mirror_is_just_empty() {
    let mut shelf = Shelf::default();
    shelf.object("mirror/unix-edx-events-2015-03-02.log").id.bytes = 0;
    shelf.object("unix-2016-05-29/UniX-CHEM-R1-teams-prod-analytics.sql").id.bytes = 0;
    assert!(shelf.catalog().problems().is_empty());
    shelf.object("unix-2016-05-29/UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg").id.bytes = 0;
    assert_eq!(shelf.catalog().problems().len(), 1);
}

#[test]
fn an_archived_object_and_an_unknown_key_are_noted() {
    let mut shelf = Shelf::default();
    shelf.log("2015-03-02").availability = Availability::Archived;
    shelf.object("course-data/readme.html");
    let catalog = shelf.catalog();
    assert_eq!(catalog.unknown_keys(), 1);
    assert_eq!(catalog.problems().first().map(|problem| problem.errno), Some("EACCES"));
    assert_eq!(catalog.newest(), shelf.objects[1].modified);
}

#[test]
fn a_readable_zip_wins_over_its_unpacked_files_and_an_unreadable_one_does_not() {
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[USERS]);
    shelf.object("course-data/unix-2016-05-29/UniX-CHEM-R1-auth_user-prod-analytics.sql");
    shelf.object("course-data/unix-2016-06-05/UniX-CHEM-R1-auth_user-prod-analytics.sql");
    shelf.object("course-data/unix-2016-06-05.zip");
    let catalog = shelf.catalog();
    let course = catalog.course("UniX-CHEM-R1").expect("a course");
    let entries: Vec<bool> = course
        .snapshots()
        .iter()
        .map(|snapshot| snapshot.members().next().expect("a file").1.entry.is_some())
        .collect();
    assert_eq!(entries, [true, false]);
    let whats = whats(&catalog);
    assert!(whats.iter().any(|what| what.contains("unpacked files not used")), "{whats:?}");
    assert!(whats.iter().any(|what| what.contains("no end of central directory|EIO")), "{whats:?}");
}

#[test]
fn an_unreadable_package_is_shown_without_members_and_is_nobodys_newest() {
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[USERS]);
    shelf.object("course-data/unix-2016-06-05.zip");
    let catalog = shelf.catalog();
    assert_eq!(catalog.package("unix-2016-06-05").expect("shown").members().count(), 0);
    assert_eq!(catalog.newest_package(), Some("unix-2016-05-29"));
    assert_eq!(catalog.course("UniX-CHEM-R1").expect("a course").snapshots().len(), 1);
}

#[test]
fn odd_entries_become_problems_and_hide_nothing() {
    let mut shelf = Shelf::default();
    let directory = shelf.weekly(
        "2016-05-29",
        &[
            USERS,
            "UniX-CHEM-R1-auth_user-prod-edx-replica.sql.gpg",
            "UniX-CHEM-R1-teams-prod-analytics.sql.failed.gpg",
            "UniX-CHEM-R1-wiki_article-prod-analytics.sql.gpg",
            "note",
            "note.gpg",
            "note/inner.gpg",
            "ora/",
        ],
    );
    directory.entries[3].bytes = 0;
    directory.refused.push(("../evil".to_owned(), "leads out of the archive".to_owned()));
    let catalog = shelf.catalog();
    let course = catalog.course("UniX-CHEM-R1").expect("a course");
    let kinds: Vec<&MemberKind> = course.snapshots()[0].members().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    let paths: Vec<&str> = catalog.packages().next().expect("a package").members().map(|m| m.path).collect();
    assert_eq!(paths.len(), 5, "{paths:?}");
    let errnos: Vec<_> = catalog.problems().iter().map(|p| (p.entry.as_str(), p.errno)).collect();
    let inner = |name: &str| format!("unix-2016-05-29/{name}");
    for (name, errno) in [
        (inner("UniX-CHEM-R1-auth_user-prod-edx-replica.sql.gpg"), ""),
        (inner("UniX-CHEM-R1-teams-prod-analytics.sql.failed.gpg"), ""),
        (inner("UniX-CHEM-R1-wiki_article-prod-analytics.sql.gpg"), "EIO"),
        (inner("note"), ""),
        (inner("note.gpg"), ""),
        ("../evil".to_owned(), ""),
    ] {
        assert!(errnos.contains(&(name.as_str(), errno)), "{name}: {errnos:?}");
    }
    assert_eq!(errnos.len(), 6);
}

#[test]
fn a_table_that_the_newest_snapshot_lacks_is_reported_and_not_taken_from_an_older_one() {
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[USERS, "UniX-CHEM-R1-prod.mongo.gpg"]);
    shelf.weekly("2016-06-05", &[USERS]);
    let catalog = shelf.catalog();
    let course = catalog.course("UniX-CHEM-R1").expect("a course");
    assert!(course.snapshot_for(None).expect("a snapshot").member(&MemberKind::Forum).is_none());
    let missing = catalog.problems().first().expect("a problem");
    assert_eq!((missing.entry.as_str(), missing.errno), ("UniX-CHEM-R1-prod.mongo", "ENOENT"));
    assert_eq!(missing.object, "course-data/unix-2016-06-05.zip");
}

#[test]
fn a_course_needs_a_file_or_a_stated_id() {
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[USERS, "UniX-BIO-R1-teams-prod-analytics.sql.failed.gpg"]);
    shelf.met("edx", "course-v1:UniX+NEW+R1", Some(1));
    shelf.met("edx", "course-v1:UniX+SEEN+R1", None);
    shelf.met("edge", "course-v1:UniX+NEW+R1", Some(2));
    let catalog = shelf.catalog();
    assert_eq!(folders(&catalog), ["UniX-CHEM-R1", "UniX-NEW-R1", "UniX-NEW-R1@edge"]);
    assert_eq!(id_of(&catalog, "UniX-CHEM-R1"), None);
    let seen = met("edx", "course-v1:UniX+SEEN+R1", None);
    assert!(catalog.folder_of(&seen.site, &seen.id).is_none());
}

#[test]
fn the_id_stated_first_keeps_the_plain_folder_and_the_snapshot() {
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[USERS, "UniX-CHEM-R1-auth_user-prod-edge-analytics.sql.gpg"]);
    shelf.met("edx", "UniX/CHEM/R1", None);
    shelf.met("edx", "course-v1:UniX+CHEM+R1", None);
    assert_eq!(id_of(&shelf.catalog(), "UniX-CHEM-R1").as_deref(), Some("UniX/CHEM/R1"), "smallest mentioned");
    shelf.met("edx", "course-v1:UniX+CHEM+R1", Some(9));
    let one = shelf.catalog();
    assert_eq!(id_of(&one, "UniX-CHEM-R1").as_deref(), Some("course-v1:UniX+CHEM+R1"));
    let old = met("edx", "UniX/CHEM/R1", None);
    assert!(one.folder_of(&old.site, &old.id).is_none(), "merely mentioned, and the folder has an owner");
    shelf.met("edx", "UniX/CHEM/R1", Some(10));
    shelf.met("edge", "UniX/CHEM/R1", Some(11));
    shelf.met("edge", "course-v1:UniX+CHEM+R1", Some(12));
    let two = one.with_met(&shelf.met);
    let hash = |id: &str| blake3::hash(id.as_bytes()).to_hex()[..6].to_owned();
    let mut expected = vec![
        "UniX-CHEM-R1".to_owned(),
        "UniX-CHEM-R1@edge".to_owned(),
        format!("UniX-CHEM-R1~{}", hash("UniX/CHEM/R1")),
        format!("UniX-CHEM-R1~{}@edge", hash("course-v1:UniX+CHEM+R1")),
    ];
    expected.sort();
    assert_eq!(folders(&two), expected);
    assert_eq!(id_of(&two, "UniX-CHEM-R1").as_deref(), Some("course-v1:UniX+CHEM+R1"));
    let later = two.folder_of(&old.site, &old.id).expect("a folder of its own");
    assert!(later.snapshots().is_empty() && later.folder.contains('~'));
}

#[test]
fn a_name_of_300_bytes_is_cut_and_stays_when_more_ids_are_met() {
    let run = "r".repeat(300);
    let mut shelf = Shelf::default();
    shelf.weekly("2016-05-29", &[&format!("{}-edge.mongo.gpg", "o".repeat(238))]);
    shelf.met("edx", &format!("course-v1:UniX+X+{run}"), Some(1));
    let first = folders(&shelf.catalog());
    assert_eq!(first.len(), 2);
    shelf.met("edx", &format!("UniX/X/{run}"), Some(2));
    let catalog = shelf.catalog();
    assert_eq!(catalog.courses().count(), 3);
    for course in catalog.courses() {
        assert!(course.folder.len() <= 240 && course.folder.contains('~'), "{}", course.folder);
    }
    assert!(first.iter().all(|folder| catalog.course(folder).is_some()));
    let edge = folders(&catalog).into_iter().find(|folder| folder.starts_with('o')).expect("the edge course");
    assert!(edge.ends_with("@edge"), "{edge}");
}

#[test]
fn the_filter_hides_folders_and_days_but_not_whose_a_line_is() {
    let day = |text: &str| Some(text.parse().expect("a date"));
    let mut shelf = Shelf::default();
    shelf.filter = Filter::new(&["*BIO*".to_owned()], day("2015-03-02"), day("2015-03-03")).expect("valid");
    for date in ["2015-03-01", "2015-03-02", "2015-03-03", "2015-03-04"] {
        shelf.log(date);
    }
    shelf.met("edx", "UniX/CHEM/R1", Some(1));
    shelf.met("edx", "UniX/BIO/R1", Some(2));
    let catalog = shelf.catalog();
    assert_eq!(folders(&catalog), ["UniX-BIO-R1"]);
    assert!(catalog.course("UniX-CHEM-R1").is_none());
    assert!(catalog.folder_of(&prod(), &shelf.met[0].id).is_some());
    assert_eq!(catalog.days(&prod(), Window::ALL).count(), 2);
    assert!(catalog.day(&prod(), day("2015-03-04").expect("a date")).is_none());
    let outside = Window { from: day("2015-03-04"), to: None };
    assert_eq!(catalog.days(&prod(), outside).count(), 0);
}

#[test]
fn a_window_takes_the_first_snapshot_on_or_after_its_end() {
    let mut shelf = Shelf::default();
    for date in ["2016-05-15", "2016-05-22", "2016-05-29"] {
        shelf.weekly(date, &[USERS]);
    }
    shelf.weekly("2016-06-05", &["UniX-BIO-R1-auth_user-prod-analytics.sql.gpg"]);
    shelf.object("CHEM/metadata/UniX-CHEM-R1-auth_user-prod-analytics.sql");
    let catalog = shelf.catalog();
    let course = catalog.course("UniX-CHEM-R1").expect("a course");
    let at = |end: &str| course.snapshot_for(Some(end.parse().expect("a date"))).expect("a snapshot").name();
    assert_eq!(at("2016-05-16"), "2016-05-22");
    assert_eq!(at("2016-05-22"), "2016-05-22");
    assert_eq!(at("2010-01-01"), "2016-05-15");
    assert_eq!(at("2016-06-01"), "2016-05-29");
    assert_eq!(course.snapshot_for(None).expect("a snapshot").name(), "2016-05-29");
    assert!(course.snapshot("2016-05-22").is_some() && course.snapshot("2016-05-23").is_none());
    assert_eq!(course.snapshots()[0].name(), "undated");
    assert!(course.snapshot("undated").is_some() && course.snapshot("x").is_none());
}

proptest! {
    #[test]
    fn courses_do_not_depend_on_the_order_in_which_ids_are_handed_in(
        met_courses in prop::collection::vec((0..2usize, 0..4usize, prop::option::of(0..50u64)), 0..12).prop_shuffle(),
        keys in prop::collection::vec(any::<u32>(), 12),
    ) {
        let ids = ["UniX/CHEM/R1", "course-v1:UniX+CHEM+R1", "UniX/A-B/R1", "UniX-A/B/R1"];
        let mut shelf = Shelf::default();
        shelf.weekly("2016-05-29", &[USERS]);
        let list: Vec<MetCourse> =
            met_courses.iter().map(|&(site, id, stated)| met(["edx", "edge"][site], ids[id], stated)).collect();
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|&at| keys[at]);
        let shuffled: Vec<MetCourse> = order.iter().map(|&at| list[at].clone()).collect();
        let catalog = shelf.catalog();
        let (a, b) = (catalog.with_met(&list), catalog.with_met(&shuffled));
        prop_assert_eq!(folders(&a), folders(&b));
        for course in a.courses() {
            prop_assert_eq!(&b.course(&course.folder).expect("the same folder").id, &course.id);
        }
        for course in &list {
            let folder = |catalog: &Catalog| catalog.folder_of(&course.site, &course.id).map(|c| c.folder.clone());
            prop_assert_eq!(folder(&a), folder(&b));
            prop_assert!(course.stated.is_none() || folder(&a).is_some());
        }
    }

    #[test]
    fn a_package_finds_what_it_lists(names in prop::collection::vec("[ab.-]{1,2}(/[ab.0-]{1,2}){0,2}", 0..20)) {
        let mut shelf = Shelf::default();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        shelf.archive("course-data/unix-2016-05-29.zip", &names);
        let catalog = shelf.catalog();
        let package = catalog.packages().next().expect("a package");
        let mut folders = vec![String::new()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for (name, found) in package.children(&folder) {
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                match (package.find(&path).expect("listed"), found) {
                    (Found::Folder, Found::Folder) => folders.push(path),
                    (Found::File(a), Found::File(b)) => { prop_assert_eq!(a, b); files += 1; }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
        prop_assert_eq!(files, package.members().count());
        prop_assert!(package.find("c").is_none() && package.find("a/").is_none());
    }
}
