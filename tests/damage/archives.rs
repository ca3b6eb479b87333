//! Damaged weekly zips: a directory takes its week away, an entry fails alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use edxfs::demo::Made;

use crate::common::{Mount, copy_of, folder_options, run, small_package};
use crate::gnupg::{Keyring, Reader};
use crate::injury::{Injury, directory_offset, noise, replace, zip_entries};
use crate::reading::{
    Expect, FIRST_DAY, Met, assert_joined, assert_told, assert_tree, keep_days, problems, quiet, read_tree, undamaged,
};

const OLDER: &str = "course-data/unix-2015-03-08.zip";
const NEWEST: &str = "course-data/unix-2015-03-15.zip";

/// A copy with one day of events, so that packages are what is read.
fn package(scratch: &Path) -> Made {
    let made = copy_of(&small_package(), scratch);
    keep_days(&made, &[FIRST_DAY]);
    made
}

/// The path in the undamaged tree that a course's newest file comes from, when the newest package is away.
fn in_older_snapshot(path: &str) -> Option<String> {
    let (course, file) = path.strip_prefix("courses/")?.split_once('/')?;
    if let Some(entry) = file.strip_prefix("course-run-data/") {
        let older = format!("course-data/unix-2015-03-08/unix-2015-03-08/{entry}");
        return undamaged().contains_key(&older).then_some(older);
    }
    if file.starts_with("samced") || file == "course-run-data" || file == "learners" {
        return None;
    }
    let plain = ["events", "snapshots", "between", "info.txt"].iter().all(|part| !file.starts_with(part));
    plain.then(|| format!("courses/{course}/snapshots/2015-03-08/{file}"))
}

#[test]
fn without_a_readable_directory_the_week_before_is_the_newest() {
    for injury in [Injury::CutLastByte, Injury::Cut(500), Injury::Garbage, Injury::Empty] {
        let scratch = tempfile::tempdir().unwrap();
        let made = package(scratch.path());
        injury.inflict_on(&made.data.join(NEWEST));
        assert_newest_is_away(&made, injury);
    }
    let scratch = tempfile::tempdir().unwrap();
    let made = package(scratch.path());
    let zip = fs::read(made.data.join(NEWEST)).unwrap();
    let mut flipped = zip.clone();
    flipped[directory_offset(&zip)] ^= 1;
    replace(&made.data.join(NEWEST), &flipped);
    assert_newest_is_away(&made, Injury::Flip(0));
}

fn assert_newest_is_away(made: &Made, injury: Injury) {
    let mount = Mount::start(&quiet(folder_options(made)));
    for root in ["courses/UniX-PHY-101-T1", "courses/UniX-_ko-1x-2T2015"] {
        let found = read_tree(&mount, root);
        assert_tree(&found, root, |path| match in_older_snapshot(path) {
            _ if path.contains("/snapshots/2015-03-15") => Expect::Gone,
            // What other days would show.
            _ if path.contains("/events/") && !path.contains(FIRST_DAY) => Expect::Gone,
            Some(older) => Expect::As(older),
            None => Expect::Right,
        });
    }
    let told = assert_told(&mount, NEWEST, "", "EIO");
    assert!(mount.list("courses").contains(&"UniX-CHEM-R1".to_owned()), "{injury:?}: {told:?}");
}

fn base_name(entry: &str) -> &str {
    entry.trim_end_matches(".gpg").rsplit('/').next().unwrap_or_default()
}

/// Every path of the undamaged tree that shows an entry of the newest package.
fn shows_entry(path: &str, course: &str, file: &str, entry: &str) -> bool {
    path == format!("courses/{course}/{file}")
        || path == format!("courses/{course}/snapshots/2015-03-15/{file}")
        || path == format!("course-data/unix-2015-03-15/{}", entry.trim_end_matches(".gpg"))
        || path == format!("courses/{course}/course-run-data/{}", base_name(entry))
}

/// Course folder, its file, and the entry's name in the zip.
fn entry(course: &str, file: &str, name: &str) -> (String, String, String) {
    (course.to_owned(), file.to_owned(), format!("unix-2015-03-15/{course}-{name}.gpg"))
}

fn table(course: &str, table: &str) -> (String, String, String) {
    entry(course, &format!("tables/{table}.tsv"), &format!("{table}-prod-analytics.sql"))
}

#[test]
fn an_entry_whose_bytes_or_crc_are_damaged_fails_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(scratch.path());
    let zip = fs::read(made.data.join(NEWEST)).unwrap();
    let mut hurt = zip.clone();
    let course = "UniX-PHY-101-T1";
    let damages = [
        (table(course, "auth_user"), "a bit of the data"),
        (table(course, "auth_userprofile"), "the data"),
        (table(course, "student_courseenrollment"), "CRC in the directory"),
        (table(course, "user_id_map"), "local header"),
        (entry(course, "forum.mongo", "prod.mongo"), "a bit of the data"),
        (entry(course, "course_structure.json", "course_structure-prod-analytics.json"), "the data"),
        (entry(course, "course.xml.tar.gz", "course-prod-analytics.xml.tar.gz"), "CRC in the directory"),
    ];
    let entries = zip_entries(&zip);
    for ((_, _, name), what) in &damages {
        let entry = entries.iter().find(|entry| entry.name == *name).unwrap_or_else(|| panic!("{name}"));
        match *what {
            "a bit of the data" => hurt[(entry.data.start + entry.data.end) / 2] ^= 4,
            "the data" => hurt[entry.data.clone()].copy_from_slice(&noise(entry.data.len())),
            "CRC in the directory" => hurt[entry.central + 16] ^= 1,
            _ => hurt[entry.local] ^= 1,
        }
    }
    replace(&made.data.join(NEWEST), &hurt);
    let mount = Mount::start(&quiet(folder_options(&made)));
    let hurts: Vec<_> = damages.into_iter().map(|(entry, _)| entry).collect();
    assert_entries_fail(&mount, &hurts);
    assert_joins_do_without(&mount, &hurts);
}

/// Of what is joined the tables fail that need a damaged entry; the others are right, and so is another course's.
fn assert_joins_do_without(mount: &Mount, hurts: &[(String, String, String)]) {
    let sound = tempfile::tempdir().unwrap();
    let sound = Mount::start(&quiet(folder_options(&package(sound.path()))));
    for root in ["courses/UniX-PHY-101-T1", "courses/UniX-CHEM-R1"] {
        assert_joined(&read_tree(&sound, root), &read_tree(mount, root), |path| {
            let table = base_name(path).trim_start_matches("SAMCED-").trim_end_matches(".csv").to_owned();
            let needs = |file: &str| match file {
                "forum.mongo" => table.starts_with("discussion_forum_"),
                "course_structure.json" => table == "course_axis",
                file => file == format!("tables/{table}.tsv"),
            };
            // They name what is missing, or problems by the structure.
            let tells = ["samced.db", "about", "problem_index"].contains(&&*table);
            match hurts.iter().any(|(course, file, _)| path.contains(course) && needs(file)) {
                true => Expect::Errno(libc::EIO),
                false if tells && path.contains("UniX-PHY") => Expect::Anything,
                false => Expect::Right,
            }
        });
    }
}

#[test]
fn a_damaged_message_inside_a_sound_zip_fails_its_entry_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(scratch.path());
    let unpacked = scratch.path().join("zip");
    run(Command::new("unzip").arg("-q").arg(made.data.join(NEWEST)).arg("-d").arg(&unpacked));
    let course = "UniX-PHY-101-T1";
    let damages = [
        (table(course, "auth_user"), Injury::Cut(500)),
        (table(course, "auth_userprofile"), Injury::Flip(800)),
        (table(course, "certificates_generatedcertificate"), Injury::Garbage),
        (table(course, "user_id_map"), Injury::Empty),
        (table(course, "wiki_article"), Injury::CutLastByte),
        (entry(course, "forum.mongo", "prod.mongo"), Injury::FlipLastByte),
    ];
    for ((_, _, name), injury) in &damages {
        injury.inflict_on(&unpacked.join(name));
    }
    let stranger = table(course, "wiki_articlerevision");
    let message = Keyring::of(&made).encrypt(Reader::Nobody, b"id\n1\n");
    replace(&unpacked.join(&stranger.2), &message);
    let missing = table(course, "student_courseenrollment");
    fs::remove_file(unpacked.join(&missing.2)).unwrap();
    let zip = scratch.path().join("new.zip");
    run(Command::new("zip").args(["-qr"]).arg(&zip).arg("unix-2015-03-15").current_dir(&unpacked));
    replace(&made.data.join(NEWEST), &fs::read(zip).unwrap());

    let mount = Mount::start(&quiet(folder_options(&made)));
    let mut hurts: Vec<_> = damages.into_iter().map(|(entry, _)| entry).collect();
    hurts.push(stranger);
    let (course, file, entry) = missing;
    assert!(!mount.path(&format!("courses/{course}/{file}")).exists(), "{entry}: not taken from an older week");
    assert_entries_fail(&mount, &hurts);
}

/// All entries fail on each of their paths; all else in the package and of the course is right; joined tables lack the
/// course and are right otherwise.
fn assert_entries_fail(mount: &Mount, hurts: &[(String, String, String)]) {
    let missing = |path: &str| path.contains("UniX-PHY-101-T1") && path.contains("student_courseenrollment");
    for root in ["course-data/unix-2015-03-15", "courses/UniX-PHY-101-T1", "courses/UniX-CHEM-R1"] {
        let found = read_tree(mount, root);
        assert_tree(&found, root, |path| {
            let hurt = hurts.iter().any(|(course, file, entry)| shows_entry(path, course, file, entry));
            match path {
                _ if hurt => Expect::Errno(libc::EIO),
                _ if path.contains("/events/") && !path.contains(FIRST_DAY) => Expect::Gone,
                _ if missing(path) && path.contains("/unix-2015-03-15/") => either(found.get(path), path),
                _ if missing(path) && !path.contains("2015-03-08") => either(found.get(path), path),
                _ => Expect::Right,
            }
        });
    }
    for (course, file, entry) in hurts {
        assert_told(mount, NEWEST, entry, "EIO");
        let Some(table) = file.strip_prefix("tables/") else { continue };
        let joined = String::from_utf8_lossy(&mount.read(&format!("tables/{table}")).unwrap()).into_owned();
        assert!(joined.starts_with("course\t"), "{table}: {joined:.100}");
        assert!(!joined.contains(&format!("\n{course}\t")), "{table}: rows of a damaged file");
        assert!(joined.contains("\nUniX-CHEM-R1\t"), "{table}: another course's rows are missing");
    }
}

/// In one test this entry is there and hurt or right, in the other it is missing.
fn either(met: Option<&Met>, path: &str) -> Expect {
    match met {
        None => Expect::Gone,
        Some(Met::Errno(errno)) => Expect::Errno(*errno),
        Some(_) => Expect::As(path.to_owned()),
    }
}

#[test]
fn damage_to_an_older_week_does_not_touch_the_newest() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(scratch.path());
    Injury::Cut(300).inflict_on(&made.data.join(OLDER));
    let mount = Mount::start(&quiet(folder_options(&made)));
    let found = read_tree(&mount, "courses/UniX-PHY-101-T1");
    assert_tree(&found, "courses/UniX-PHY-101-T1", |path| match path {
        _ if path.contains("/snapshots/2015-03-08") => Expect::Gone,
        _ if path.contains("/events/") && !path.contains(FIRST_DAY) => Expect::Gone,
        _ => Expect::Right,
    });
    assert_told(&mount, OLDER, "", "EIO");
}

/// Of an entry that the producer could not encrypt there is one line, however often it is opened.
#[test]
fn an_empty_entry_is_one_problem() {
    let made = small_package();
    let mount = Mount::start(&quiet(folder_options(&made)));
    let path = "courses/UniX-CHEM-R1/tables/credit_crediteligibility.tsv";
    assert_eq!(undamaged()[path], Met::Errno(libc::EIO));
    for _ in 0..2 {
        assert_eq!(mount.read(path).unwrap_err().raw_os_error(), Some(libc::EIO));
    }
    let day = "events/all/2015-03-03.log";
    assert_eq!(mount.read(day).unwrap_err().raw_os_error(), Some(libc::EIO));
    let all = problems(&mount);
    for object in [NEWEST, "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-03.log.gz.gpg"] {
        let about = |problem: &&_| is_empty_one(problem, object);
        assert_eq!(all.iter().filter(about).count(), 1, "{object}: {all:#?}");
    }
}

fn is_empty_one(problem: &crate::reading::Problem, object: &str) -> bool {
    problem.object == object && problem.errno == "EIO" && problem.what.contains("empty")
}
