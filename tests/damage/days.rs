//! Damaged day logs: every course's file, `all`, `unattributed` and the `.log.gz` of that day fail, and nothing else.

use std::fs;
use std::path::Path;

use edxfs::demo::Made;

use crate::common::{Mount, copy_of, folder_options, small_package};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::injury::{Injury, replace};
use crate::reading::{Expect, Met, assert_joined, assert_told, assert_tree, quiet, read_tree, undamaged};

/// The day whose object is 0 bytes long in every package.
const EMPTY_DAY: &str = "2015-03-03";

fn key(site: &str, day: &str) -> String {
    format!("edx-course-data/unix/{site}/events/2015/unix-{site}-events-{day}.log.gz.gpg")
}

/// Whether `path` shows something of that site's day, and whether it is the day's file as it came.
fn shows(path: &str, site: &str, day: &str) -> Option<Shown> {
    if path == format!("edx-course-data/{site}/events/2015/unix-{site}-events-{day}.log.gz") {
        return Some(Shown::AsItCame);
    }
    let path = path.replace("/course-run-data/events/", "/events/");
    let rest = path.strip_suffix(".gz").unwrap_or(&path).strip_suffix(&format!("/{day}.log"))?;
    let folder = rest.strip_prefix("courses/").and_then(|rest| rest.strip_suffix("/events"));
    let folder = folder.or_else(|| rest.strip_prefix("events/"))?;
    (folder.ends_with("@edge") == (site == "edge")).then_some(Shown::Decoded)
}

enum Shown {
    AsItCame,
    Decoded,
}

/// What happens to the messages of the two sites.
const PROD: &[(&str, Injury)] = &[
    ("2015-03-04", Injury::Flip(500)),
    ("2015-03-05", Injury::Empty),
    ("2015-03-06", Injury::Garbage),
    ("2015-03-07", Injury::CutLastByte),
    ("2015-03-08", Injury::FlipLastByte),
    ("2015-03-09", Injury::Cut(500)),
    ("2015-03-10", Injury::Cut(1)),
    ("2015-03-11", Injury::Trailing),
];
const EDGE: &[(&str, Injury)] = &[
    ("2015-03-05", Injury::Cut(990)),
    ("2015-03-06", Injury::Flip(250)),
    ("2015-03-07", Injury::Flip(750)),
    ("2015-03-08", Injury::Flip(990)),
    ("2015-03-09", Injury::Cut(250)),
];

#[test]
fn a_damaged_message_fails_its_day_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let made = copy_of(&small_package(), scratch.path());
    let with =
        |site, days: &[(&'static str, Injury)]| days.iter().map(|(day, hurt)| (site, *day, *hurt)).collect::<Vec<_>>();
    let damages: Vec<(&str, &str, Injury)> = [with("edx", PROD), with("edge", EDGE)].concat();
    for (site, day, injury) in &damages {
        injury.inflict_on(&made.data.join(key(site, day)));
    }
    fs::remove_file(made.data.join(key("edx", "2015-03-12"))).unwrap();
    let stranger = Keyring::of(&made).encrypt(Reader::Nobody, &gzipped(b"{\"secret\": \"nobody's\"}\n"));
    replace(&made.data.join(key("edx", "2015-03-13")), &stranger);

    let mount = Mount::start(&quiet(folder_options(&made)));
    let before = mount.list("events/all");
    let found = read_tree(&mount, "");
    assert_tree(&found, "", |path| match path {
        _ if shows(path, "edx", "2015-03-12").is_some() => Expect::Gone,
        _ if shows(path, "edx", "2015-03-13").is_some() => Expect::Errno(libc::EIO),
        _ if damages.iter().any(|(site, day, _)| shows(path, site, day).is_some()) => Expect::Errno(libc::EIO),
        _ => Expect::Right,
    });
    assert_eq!(mount.list("events/all"), before, "the listing stays");
    for (site, day, injury) in &damages {
        let told = assert_told(&mount, &key(site, day), "", "EIO");
        assert!(!told.what.contains("no secret key") || *injury == Injury::Garbage, "{injury:?}: {told:?}");
    }
    let told = assert_told(&mount, &key("edx", "2015-03-13"), "", "EIO");
    assert!(told.what.contains("secret key") && told.what_to_do.contains("--secret-key"), "{told:?}");

    // What joins days does without those that are damaged, as without those that are empty.
    for (site, day) in damages.iter().map(|(site, day, _)| (*site, *day)).chain([("edx", "2015-03-13")]) {
        replace(&made.data.join(key(site, day)), b"");
    }
    let emptied = Mount::start(&quiet(folder_options(&made)));
    assert_joined(&read_tree(&emptied, ""), &found, |_| Expect::Right);
}

#[test]
fn damaged_gzip_inside_a_sound_message_fails_what_is_decoded_from_it() {
    let scratch = tempfile::tempdir().unwrap();
    let made = copy_of(&small_package(), scratch.path());
    let keyring = Keyring::of(&made);
    let damages = [
        ("2015-03-04", Injury::Flip(500)),
        ("2015-03-05", Injury::Empty),
        ("2015-03-06", Injury::Garbage),
        ("2015-03-07", Injury::CutLastByte),
        // The length, in the trailer; the byte before it is of the CRC.
        ("2015-03-08", Injury::FlipLastByte),
        ("2015-03-09", Injury::Trailing),
        ("2015-03-10", Injury::Cut(5)),
        ("2015-03-12", Injury::Cut(500)),
    ];
    let hurt: Vec<_> =
        damages.iter().map(|(day, injury)| (*day, injury.inflict(&gzipped(&plain_log(&made, day))))).collect();
    for (day, bytes) in &hurt {
        replace(&made.data.join(key("edx", day)), &keyring.encrypt(Reader::Czar, bytes));
    }
    let mut crc = gzipped(&plain_log(&made, "2015-03-11"));
    let at = crc.len() - 8;
    crc[at] ^= 0x80;
    replace(&made.data.join(key("edx", "2015-03-11")), &keyring.encrypt(Reader::Czar, &crc));
    let hurt: Vec<_> = hurt.into_iter().chain([("2015-03-11", crc)]).collect();

    let mount = Mount::start(&quiet(folder_options(&made)));
    let found = read_tree(&mount, "");
    assert_tree(&found, "", |path| {
        for (day, bytes) in &hurt {
            match shows(path, "edx", day) {
                // The message is sound, and its content is shown as it came: nothing is taken off a `.gz`.
                Some(Shown::AsItCame) => return Expect::Bytes(Met::bytes(bytes)),
                Some(Shown::Decoded) => return Expect::Errno(libc::EIO),
                None => {}
            }
        }
        Expect::Right
    });
    for (day, _) in &hurt {
        assert_told(&mount, &key("edx", day), "", "EIO");
    }
}

fn plain_log(made: &Made, day: &str) -> Vec<u8> {
    let plain = made.plain.as_ref().expect("plaintexts are kept");
    fs::read(plain.join(key("edx", day).trim_end_matches(".gz.gpg"))).expect("a plain log")
}

/// The tree that all tests compare with is itself compared with what went into the package.
#[test]
fn the_undamaged_tree_holds_what_was_encrypted() {
    let plain = small_package().plain.expect("plaintexts are kept");
    let mut compared = 0;
    for (path, met) in undamaged() {
        let file = match path.split_once('/') {
            Some(("course-data", _)) => plain.join(path),
            Some(("events", rest)) if rest.starts_with("all/") => {
                let day = Path::new(path).file_stem().unwrap().to_str().unwrap();
                plain.join(key("edx", day).trim_end_matches(".gz.gpg"))
            }
            _ => continue,
        };
        if *met != Met::Folder && !path.contains(EMPTY_DAY) && file.is_file() {
            assert_eq!(*met, Met::bytes(&fs::read(&file).unwrap()), "{path}");
            compared += 1;
        }
    }
    assert!(compared > 500, "only {compared} files were compared");
}

#[test]
fn with_another_key_everything_encrypted_fails_and_everything_is_listed() {
    let scratch = tempfile::tempdir().unwrap();
    let made = small_package();
    let other = Keyring::empty().new_secret_key(scratch.path());
    let mount = Mount::start(&quiet(folder_options(&Made { secret_key: other, ..made.clone() })));
    for root in ["courses/UniX-PHY-101-T1/events", "courses/UniX-PHY-101-T1/tables", "events/all", "tables"] {
        let found = read_tree(&mount, root);
        assert!(found.len() > 5, "{root}: {found:?}");
        assert_tree(&found, root, |path| match undamaged().get(path) {
            Some(Met::Folder) => Expect::Right,
            _ => Expect::Errno(libc::EIO),
        });
    }
    let told = assert_told(&mount, &key("edx", "2015-03-02"), "", "EIO");
    assert!(told.what.contains("secret key"), "{told:?}");
}
