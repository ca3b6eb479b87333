//! Damage to what is neither a day log nor a weekly zip: exchanged packages, the tar era, opt-in lists.

use std::fs;

use edxfs::demo::Made;

use crate::common::{Mount, copy_of, folder_options, run, small_package};
use crate::gnupg::{Keyring, Reader, filter, gzipped};
use crate::injury::{Injury, replace, zip_entries};
use crate::reading::{Expect, FIRST_DAY, Met, assert_told, assert_tree, keep_days, quiet, read_tree, undamaged};

const EXCHANGED: &str = "edx-course-data/unix/rdx/REQ-7/OtherX_DemoX_R1.tar.gz.gpg";
const SHOWN: &str = "rdx/REQ-7/OtherX_DemoX_R1";
const TAR: &str = "course-data/2014-05-04-unix-tracking.tar";
const OPT_IN: &str = "course-data/email-opt-in/unix-2015-03-15.zip";

fn package(scratch: &tempfile::TempDir) -> Made {
    let made = copy_of(&small_package(), scratch.path());
    keep_days(&made, &[FIRST_DAY]);
    made
}

/// The tar inside, as GnuPG and gzip take it apart.
fn exchanged_tar(made: &Made) -> Vec<u8> {
    let plain = made.plain.as_ref().expect("plaintexts are kept");
    let gz = fs::read(plain.join(EXCHANGED.trim_end_matches(".gpg")));
    let gz = gz.or_else(|_| fs::read(plain.join(EXCHANGED.trim_end_matches(".gz.gpg")))).expect("a plain package");
    match gz.starts_with(&[0x1f, 0x8b]) {
        true => filter(std::process::Command::new("gzip").arg("-dc"), &gz),
        false => gz,
    }
}

#[test]
fn a_damaged_exchanged_package_shows_none_of_its_files() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(&scratch);
    let keyring = Keyring::of(&made);
    let sound = fs::read(made.data.join(EXCHANGED)).unwrap();
    let tar = exchanged_tar(&made);
    let gz = gzipped(&tar);
    let mut header = tar.clone();
    header[512 + 150] ^= 1;
    let damages = [
        ("message cut", Injury::Cut(700).inflict(&sound)),
        ("message flipped", Injury::Flip(700).inflict(&sound)),
        ("message of somebody else", keyring.encrypt(Reader::Nobody, &gz)),
        ("message empty", Vec::new()),
        ("gzip cut", keyring.encrypt(Reader::Czar, &Injury::Cut(700).inflict(&gz))),
        ("gzip flipped", keyring.encrypt(Reader::Czar, &Injury::Flip(700).inflict(&gz))),
        ("tar cut", keyring.encrypt(Reader::Czar, &gzipped(&Injury::Cut(300).inflict(&tar)))),
        ("tar header flipped", keyring.encrypt(Reader::Czar, &gzipped(&header))),
        ("tar of noise", keyring.encrypt(Reader::Czar, &gzipped(&Injury::Garbage.inflict(&tar)))),
    ];
    // One package each, beside a sound one: a request may hold several.
    let folder = made.data.join("edx-course-data/unix/rdx/REQ-7");
    for (number, (_, bytes)) in damages.iter().enumerate() {
        fs::write(folder.join(format!("OtherX_Hurt{number}_R1.tar.gz.gpg")), bytes).unwrap();
    }
    let mount = Mount::start(&quiet(folder_options(&made)));
    for (number, (what, _)) in damages.iter().enumerate() {
        let path = format!("rdx/REQ-7/OtherX_Hurt{number}_R1");
        let met = read_tree(&mount, &path);
        assert_eq!(met.into_iter().collect::<Vec<_>>(), [(path.clone(), Met::Errno(libc::EIO))], "{what}");
        let known = mount.read(&format!("{path}/metadata_file.json")).unwrap_err();
        assert_eq!(known.raw_os_error(), Some(libc::EIO), "{what}");
        assert_told(&mount, &format!("edx-course-data/unix/rdx/REQ-7/OtherX_Hurt{number}_R1.tar.gz.gpg"), "", "EIO");
    }
    assert_tree(&read_tree(&mount, SHOWN), SHOWN, |_| Expect::Right);
    assert_eq!(mount.list("rdx/REQ-7").len(), damages.len() + 1, "the listing stays");
}

#[test]
fn a_damaged_entry_of_the_tar_era_fails_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(&scratch);
    let listed = run(std::process::Command::new("tar").arg("-tRf").arg(made.data.join(TAR)));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let hurt = "prod-edx-001/2014-05-01-unix.log";
    let line = listed.lines().find(|line| line.contains(hurt)).unwrap();
    let block: usize = line.trim_start_matches("block ").split(':').next().unwrap().parse().unwrap();
    let mut tar = fs::read(made.data.join(TAR)).unwrap();
    // Behind the header, in the middle of the message.
    tar[(block + 1) * 512 + 900] ^= 8;
    replace(&made.data.join(TAR), &tar);
    let mount = Mount::start(&quiet(folder_options(&made)));
    let root = "course-data/2014-05-04-unix-tracking";
    assert_tree(&read_tree(&mount, root), root, |path| match path.strip_prefix(&format!("{root}/")) {
        Some(rest) if rest == hurt => Expect::Errno(libc::EIO),
        _ => Expect::Right,
    });
    assert_told(&mount, TAR, &format!("{hurt}.gpg"), "EIO");
}

#[test]
fn a_damaged_opt_in_list_fails_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let made = package(&scratch);
    let mut zip = fs::read(made.data.join(OPT_IN)).unwrap();
    let entry = zip_entries(&zip).into_iter().find(|entry| entry.name.ends_with(".gpg")).unwrap();
    zip[(entry.data.start + entry.data.end) / 2] ^= 2;
    replace(&made.data.join(OPT_IN), &zip);
    let mount = Mount::start(&quiet(folder_options(&made)));
    let found = read_tree(&mount, "email-opt-in");
    assert_tree(&found, "email-opt-in", |path| match undamaged()[path] {
        Met::Content(..) if path.contains("2015-03-15") => Expect::Errno(libc::EIO),
        _ => Expect::Right,
    });
    assert_told(&mount, OPT_IN, &entry.name, "EIO");
}
