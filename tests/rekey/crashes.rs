//! The key file when a `rekey` was cut off, and when somebody has put something into it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::common::EDXFS;
use crate::fixtures::{CURVE25519, CZAR, NIST, body_offset};
use crate::refusal::bounded;
use crate::site::{NO_CONFIGURATION, OWNER, Site, key_id, text};

/// The kernel ends the program as it writes byte 65 of the new key file.
#[test]
fn a_crash_while_the_key_file_is_written_leaves_the_old_one() {
    let site = Site::cached();
    let old = fs::read(site.key_file()).unwrap();
    let mut limited = Command::new("prlimit");
    limited
        .args(["--fsize=64", EDXFS, "rekey"])
        .args(NO_CONFIGURATION)
        .arg("--cache-dir")
        .arg(site.cache())
        .args(site.secret(OWNER));
    let output = bounded(limited.args(["--add", &site.certificate(CURVE25519)]));
    assert_eq!(output.status.signal(), Some(libc::SIGXFSZ), "{}", text(&output.stderr));
    let part = site.cache().join("key.part");
    assert_eq!(fs::metadata(&part).unwrap().len(), 64);
    assert!(fs::read(site.key_file()).unwrap() == old);
    site.assert_reads(OWNER);
    site.assert_locked(CURVE25519);
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    assert!(!part.exists());
    site.assert_reads(CURVE25519);
}

#[test]
fn a_whole_new_key_file_counts_for_nothing_until_it_has_the_name() {
    let site = Site::cached();
    let part = site.cache().join("key.part");
    let old = fs::read(site.key_file()).unwrap();
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    fs::rename(site.key_file(), &part).unwrap();
    fs::write(site.key_file(), &old).unwrap();
    site.assert_reads(OWNER);
    site.assert_locked(CURVE25519);
    site.rekey(OWNER, &["--add", &site.certificate(NIST)]);
    assert!(!part.exists());
    site.assert_locked(CURVE25519);
    site.assert_reads(NIST);
}

/// A session key packet from another message: it names somebody, and gives him nothing.
#[test]
fn nobody_gets_in_by_putting_his_name_into_the_key_file() {
    let site = Site::cached();
    let sound = fs::read(site.key_file()).unwrap();
    for (options, name) in [(&[][..], key_id(&site.fingerprints(NIST)[1])), (&["--throw-keyids"], "0000000000000000")] {
        let foreign = site.gpg.encrypted(b"x", &[NIST], options);
        fs::write(site.key_file(), [&foreign[..body_offset(&foreign)], &sound].concat()).unwrap();
        site.assert_reads(OWNER);
        let (code, message) = site.refused(OWNER, &["--add", &site.certificate(CZAR)]);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(&format!("the certificate of {name}, who can open this cache")), "{message}");
        site.rekey(OWNER, &["--add", &site.certificate(CZAR), "--remove", name]);
        assert_eq!(site.named_by_gnupg().len(), 2);
        let output = site.cat(NIST);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    }
}
