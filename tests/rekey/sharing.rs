//! Adding, removing and listing keys.

use std::fs;
use std::process::Command;

use crate::common::run;
use crate::fixtures::{self, CURVE25519, CZAR, EXPIRED, MASTER, NIST};
use crate::site::{DAY, OWNER, Site, copy, key_id, text};

#[test]
fn an_added_key_reads_the_full_cache_and_a_removed_one_opens_nothing() {
    let mut site = Site::cached();
    site.assert_locked(CURVE25519);
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    site.assert_reads(OWNER);

    let mount = site.mount(CURVE25519);
    assert!(mount.read(DAY).unwrap() == site.right);
    let status = mount.status();
    assert_eq!((&status["decoded_objects"], &status["fetched_objects"]), (&0.into(), &0.into()), "{status}");
    site.unmount(mount);

    let [owner, _] = site.fingerprints(OWNER);
    site.rekey(CURVE25519, &["--remove", &owner]);
    site.assert_locked(OWNER);
    site.assert_reads(CURVE25519);
    assert_eq!(site.named_by_gnupg(), [key_id(&site.fingerprints(CURVE25519)[1])]);
    // And back, with the key in a file of secret keys.
    site.rekey(CURVE25519, &["--add", &site.made.secret_key.display().to_string()]);
    site.assert_reads(OWNER);
}

/// The data key stays the same, so a removed key must not find it in what is left of older files.
#[test]
fn key_files_that_are_replaced_are_overwritten() {
    let site = Site::cached();
    let part = site.cache().join("key.part");
    fs::copy(site.key_file(), &part).unwrap();
    let seen = [(site.key_file(), "whole"), (part, "left by a crash")].map(|(path, name)| {
        let link = site.scratch.path().join(name);
        fs::hard_link(path, &link).unwrap();
        link
    });
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    for link in seen {
        let bytes = fs::read(&link).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0), "{}", link.display());
    }
    site.assert_reads(CURVE25519);
}

#[test]
fn gnupg_opens_the_key_file_with_every_key_and_names_all() {
    let site = Site::cached();
    let people = [CURVE25519, NIST, CZAR, EXPIRED];
    let files = people.map(|user| site.certificate(user));
    let both = [fs::read(&files[1]).unwrap(), fs::read(&files[2]).unwrap()].concat();
    site.rekey(OWNER, &["--add", &files[0], &site.file("both.asc", &both), "--add", &files[3]]);
    let mut expected: Vec<String> = people.iter().map(|user| key_id(&site.fingerprints(user)[1]).to_owned()).collect();
    expected.insert(0, key_id(&site.fingerprints(OWNER)[1]).to_owned());
    assert_eq!(site.named_by_gnupg(), expected);
    let mut plains = people.map(|user| {
        let id = format!("{}!", site.fingerprints(user)[1]);
        let mut decrypt = site.gpg.command(&["--try-secret-key", &id, "--decrypt"]);
        fixtures::run(decrypt.arg(site.key_file()), b"")
    });
    assert!(plains[0].len() > 32);
    plains.rotate_left(1);
    assert!(plains.iter().all(|plain| *plain == plains[0]));
    for user in people {
        site.assert_reads(user);
    }
    // Once more the same changes nobody.
    site.rekey(NIST, &["--add", &files[0]]);
    assert_eq!(site.named_by_gnupg(), expected);
}

#[test]
fn the_list_says_who_can_open_the_cache_and_with_which_key() {
    let site = Site::cached();
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    let line = |user: &str, opens: &str| {
        let [certificate, subkey] = site.fingerprints(user);
        let name = if user == OWNER { "Demo czar <czar@unix.example.org>" } else { user };
        format!("{certificate}\t{}\t{opens}\t{name}\n", key_id(&subkey))
    };
    assert_eq!(site.rekey(OWNER, &["--list"]), line(OWNER, "opens") + &line(CURVE25519, "-"));
    assert_eq!(site.rekey(CURVE25519, &["--list"]), line(OWNER, "-") + &line(CURVE25519, "opens"));
    let list = site.rekey(CURVE25519, &["--remove", &site.fingerprints(OWNER)[0], "--list"]);
    assert_eq!(list, line(CURVE25519, "opens"));
}

#[test]
fn a_key_is_removed_by_whichever_of_its_names() {
    let site = Site::cached();
    let [certificate, subkey] = site.fingerprints(CURVE25519);
    let spaced: Vec<&str> = (0..10).map(|at| &certificate[at * 4..at * 4 + 4]).collect();
    for name in [
        certificate.clone(),
        subkey.clone(),
        spaced.join(" "),
        format!("0x{}", subkey.to_lowercase()),
        key_id(&certificate).to_owned(),
        key_id(&subkey).to_lowercase(),
    ] {
        site.rekey(OWNER, &["--add", &site.certificate(CURVE25519), &site.certificate(NIST)]);
        site.rekey(OWNER, &["--remove", &name]);
        site.assert_locked(CURVE25519);
        assert_eq!(site.named_by_gnupg().len(), 2, "{name}");
    }
    // A certificate and its successor in one command.
    let nist = &site.fingerprints(NIST)[0];
    let list = site.rekey(OWNER, &["--remove", nist, "--add", &site.certificate(NIST), "--list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    site.assert_reads(NIST);
}

#[test]
fn a_cache_made_with_several_keys_is_opened_by_each() {
    let site = Site::cached();
    fs::remove_dir_all(site.cache()).unwrap();
    let data = site.made.data.display().to_string();
    let more = site.secret(CURVE25519);
    let output = site.edxfs("cat", OWNER, &["--folder", &data, &more[0], &more[1], DAY]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    site.assert_reads(CURVE25519);
    let list = site.rekey(CURVE25519, &["--list"]);
    assert!(list.contains(OWNER) && list.contains(CURVE25519), "{list}");
}

/// A key file that holds the 32 bytes alone names its recipients and has no certificate of theirs.
#[test]
fn a_cache_that_keeps_no_certificates_loses_nobody_in_silence() {
    let site = Site::cached();
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519)]);
    let plain = fixtures::run(site.gpg.command(&["--decrypt"]).arg(site.key_file()), b"");
    fs::write(site.key_file(), site.gpg.encrypted(&plain[..32], &[CURVE25519, NIST, MASTER], &[])).unwrap();
    let old = site.named_by_gnupg();
    assert_eq!(old.len(), 3);
    site.assert_reads(CURVE25519);

    let list = site.rekey(CURVE25519, &["--list"]);
    let [_, nist] = site.fingerprints(NIST);
    assert!(list.contains(&format!("-\t{}\t-\tnot known: give its certificate with --add", key_id(&nist))), "{list}");
    assert!(list.lines().next().unwrap().ends_with(&format!("opens\t{CURVE25519}")), "{list}");
    let [czar, nist_file] = [site.certificate(CZAR), site.certificate(NIST)];
    for arguments in [&["--add", &czar][..], &["--add", &czar, &nist_file]] {
        let (code, message) = site.refused(CURVE25519, arguments);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(key_id(&site.fingerprints(MASTER)[1])), "{message}");
        assert!(message.contains("give it with --add to keep it, or name it with --remove"), "{message}");
    }
    let master = key_id(&site.fingerprints(MASTER)[1]).to_owned();
    let list = site.rekey(CURVE25519, &["--add", &czar, &nist_file, "--remove", &master, "--list"]);
    assert!(list.lines().count() == 3 && list.contains(NIST) && !list.contains("not known"), "{list}");
    site.assert_reads(NIST);
    site.assert_reads(CZAR);
    site.assert_locked(MASTER);
    // From now on nobody has to be named again.
    site.rekey(CZAR, &["--add", &site.certificate(MASTER)]);
    site.assert_reads(MASTER);
}

#[test]
fn several_organisations_are_changed_together_or_not_at_all() {
    let site = Site::cached();
    let above = site.scratch.path().join("caches");
    fs::create_dir(&above).unwrap();
    for org in ["unix", "other"] {
        copy(&site.cache(), &above.join(org));
    }
    let at = above.display().to_string();
    let place = ["--org", "unix", "--org", "other", "--cache-dir", &at];
    let [curve, nist] = [site.certificate(CURVE25519), site.certificate(NIST)];
    let output = site.edxfs_in(&place, "rekey", OWNER, &["--add", &curve, "--list"]);
    let list = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for org in ["unix", "other"] {
        assert!(list.contains(&format!("==> {at}/{org} <==\n")), "{list}");
    }
    assert_eq!(list.matches(CURVE25519).count(), 2, "{list}");
    let keys = || ["unix", "other"].map(|org| fs::read(above.join(org).join("key.gpg")).unwrap());
    let before = keys();
    // The second one's owner is at work.
    let lock = fs::File::create(above.join("other/lock")).unwrap();
    lock.lock().unwrap();
    let output = site.edxfs_in(&place, "rekey", OWNER, &["--add", &nist]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(keys() == before, "one was changed");
}

#[test]
fn nothing_in_the_cache_folder_says_who_can_open_it() {
    let site = Site::cached();
    let people = [OWNER, CURVE25519, NIST];
    site.rekey(OWNER, &["--add", &site.certificate(CURVE25519), &site.certificate(NIST)]);
    let mut marks: Vec<Vec<u8>> = people.iter().map(|user| user.as_bytes().to_vec()).collect();
    for fingerprint in people.iter().flat_map(|user| site.fingerprints(user)) {
        let raw = (0..20).map(|at| u8::from_str_radix(&fingerprint[at * 2..at * 2 + 2], 16).unwrap());
        marks.extend([raw.collect(), fingerprint.to_lowercase().into_bytes(), fingerprint.into_bytes()]);
    }
    let found = text(&run(Command::new("find").arg(site.cache()).args(["-type", "f"])).stdout);
    assert!(found.lines().count() > 5, "{found}");
    for path in found.lines() {
        let content = fs::read(path).unwrap();
        let mark = marks.iter().find(|mark| memchr::memmem::find(&content, mark).is_some());
        assert_eq!(mark, None, "{path}");
    }
}
