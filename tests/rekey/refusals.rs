//! What `rekey` refuses: with which code, in which words, and with the key file as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::EDXFS;
use crate::fixtures::{CURVE25519, CZAR, SIGNER};
use crate::refusal::bounded;
use crate::site::{NO_CONFIGURATION, OWNER, Site, text};

#[test]
fn what_would_go_wrong_is_refused_in_words() {
    let site = Site::cached();
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    let [owner, curve, czar] = [OWNER, CURVE25519, CZAR].map(|user| site.fingerprints(user)[0].clone());
    let message = site.file("message.gpg", &site.gpg.encrypted(b"x", &[CZAR], &[]));
    let garbage = site.file("garbage", b"hello");
    let (signer, added) = (site.certificate(SIGNER), site.certificate(CZAR));
    for (arguments, code, says) in [
        (&["--remove", &owner][..], 2, "the secret keys given could not open this cache any more"),
        (&["--remove", &owner, &curve], 2, "nobody could open this cache any more"),
        (&["--remove", &czar], 2, "is nobody who can open this cache; `edxfs rekey --list` shows who can"),
        // Not a word of a failed command is followed.
        (&["--remove", &czar, "--add", &added], 2, "is nobody who can open this cache"),
        (&["--remove", "0123"], 2, "a fingerprint has 40 hex digits, a key ID 16"),
        (&["--remove", "czar@example.org"], 2, "a fingerprint has 40 hex digits"),
        (&["--add", &added, &signer], 2, "signer@example.org.asc: certificate"),
        (&["--add", &message], 2, "message.gpg: is an OpenPGP message, not a key file"),
        (&["--add", &garbage], 2, "garbage: holds no OpenPGP certificate"),
        (&["--add", "/nonexistent.asc"], 1, "/nonexistent.asc: "),
        (&[], 2, "<--add <CERT>...|--remove <FINGERPRINT>...|--list>"),
    ] {
        let (found, message) = site.refused(OWNER, arguments);
        assert!(message.contains(says), "{arguments:?}: {message}");
        assert_eq!(found, Some(code), "{arguments:?}: {message}");
    }
    site.assert_reads(OWNER);
    site.assert_reads(CURVE25519);
    // Whoever gives both keys may take either away.
    let more = site.secret(CURVE25519);
    site.rekey(OWNER, &["--remove", &owner, &more[0], &more[1]]);
    site.assert_locked(OWNER);
}

#[test]
fn a_key_that_opens_nothing_changes_nothing() {
    let site = Site::cached();
    let added = site.certificate(CZAR);
    for arguments in [&["--add", &added][..], &["--list"]] {
        let (code, message) = site.refused(CZAR, arguments);
        assert_eq!(code, Some(3), "{message}");
        assert!(message.contains("key.gpg: no secret key for its 1 recipient"), "{message}");
        let at = site.cache().display().to_string();
        let mut keyless = Command::new(EDXFS);
        keyless.arg("rekey").args(NO_CONFIGURATION).args(["--cache-dir", &at]).args(arguments);
        let output = bounded(&mut keyless);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains("give one with --secret-key"), "{message}");
    }
}

#[test]
fn a_folder_without_a_key_is_refused_and_left_as_it_is() {
    let site = Site::cached();
    let empty = site.scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o700)).unwrap();
    let missing = site.scratch.path().join("missing");
    for folder in [&empty, &missing] {
        let at = folder.display().to_string();
        let output = site.edxfs_in(&["--cache-dir", &at], "rekey", OWNER, &["--add", &site.certificate(CZAR)]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(&format!("{at}: no cache with a key is here")), "{message}");
    }
    assert!(!missing.exists() && fs::read_dir(&empty).unwrap().next().is_none());
    let output = site.edxfs_in(&[], "rekey", OWNER, &["--list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name its organisation with --org, or give --cache-dir"));
}

#[test]
fn a_mounts_cache_is_changed_by_nobody_else() {
    let mut site = Site::cached();
    let mount = site.mount(OWNER);
    let cache = mount.scratch.path().join("cache");
    let at = cache.display().to_string();
    let key = fs::read(cache.join("key.gpg")).unwrap();
    let output = site.edxfs_in(&["--cache-dir", &at], "rekey", OWNER, &["--add", &site.certificate(CZAR)]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("in use by process {}", mount.server.id())), "{message}");
    assert!(message.contains("edxfs unmount"), "{message}");
    assert!(fs::read(cache.join("key.gpg")).unwrap() == key);
    let output = site.edxfs_in(&["--cache-dir", &at], "rekey", OWNER, &["--list"]);
    assert!(output.status.success() && text(&output.stdout).contains(OWNER), "{}", text(&output.stderr));
}
