//! Key files, passphrases, and whether they open what is there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{Mount, folder_options, small_package};
use crate::gnupg::{Keyring, Reader};
use crate::reading::quiet;
use crate::visit::{Home, Visit, option};

/// The package's folder, and these keys.
fn with_keys(home: &Home, keys: &[[String; 2]]) -> Visit {
    let made = small_package();
    let mut options = vec!["--org".to_owned(), made.org.clone()];
    options.extend(option("--folder", &made.data));
    options.extend(keys.iter().flatten().cloned());
    home.visit(&options)
}

fn private(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
}

#[test]
fn without_a_key_the_recipients_are_named() {
    let visit = with_keys(&Home::new(), &[]);
    assert_eq!(visit.code, Some(3), "{visit}");
    visit.assert_well_but(&["recipients"]);
    let wrong = visit.said("wrong", "recipients");
    assert_eq!(wrong.len(), 2, "{visit}");
    for finding in wrong {
        assert!(finding.contains("no --secret-key is given") && finding.contains("2 recipients 0x"), "{visit}");
        assert!(finding.contains("gpg --export-secret-keys 0x"), "{visit}");
    }
}

#[test]
fn another_key_opens_nothing() {
    let home = Home::new();
    let key = Keyring::empty().new_secret_key(&home.path(""));
    let visit = with_keys(&home, &[option("--secret-key", &key)]);
    assert_eq!(visit.code, Some(3), "{visit}");
    visit.assert_well_but(&["recipients"]);
    visit.assert_said("ok", "key", &["(not locked)"]);
    visit.assert_said("ok", "passphrase", &["no key is locked"]);
    visit.assert_said("wrong", "recipients", &["no secret key for its 2 recipients 0x", "gpg --export-secret-keys"]);
    // A second key file that does open it makes that right.
    let made = small_package();
    let both = [option("--secret-key", &key), option("--secret-key", &made.secret_key)];
    let passphrase = option("--passphrase-file", &made.passphrase_file);
    let visit = with_keys(&home, &[&both[..], &[passphrase]].concat());
    assert_eq!((visit.code, visit.said("ok", "recipients").len()), (Some(0), 2), "{visit}");
}

#[test]
fn an_expired_certificate_is_a_note() {
    let home = Home::new();
    let key = Keyring::empty().expired_secret_key(&home.path(""));
    let visit = with_keys(&home, &[option("--secret-key", &key)]);
    visit.assert_said(
        "note",
        "key",
        &["other-secret.asc: certificate ", " expired on 2016-01-01", "decrypts all the same"],
    );
    visit.assert_said("ok", "key", &["(not locked)"]);
}

#[test]
fn a_certificate_whose_old_subkey_has_a_successor_is_valid() {
    let home = Home::new();
    let key = Keyring::empty().renewed_secret_key(&home.path(""));
    let visit = with_keys(&home, &[option("--secret-key", &key)]);
    visit.assert_said("ok", "key", &["(not locked), "]);
    assert!(visit.said("note", "key").is_empty(), "{visit}");
}

/// What a mount takes for a warning beside a key that opens, and what stops it.
#[test]
fn a_key_that_cannot_be_used_is_wrong_only_where_the_mount_cannot_do_without() {
    let home = Home::new();
    let made = small_package();
    let (signing, locked) = (home.path("signing"), home.path("locked"));
    for folder in [&signing, &locked] {
        fs::create_dir(folder).expect("it is ours");
    }
    let signing = Keyring::empty().signing_secret_key(&signing);
    let locked = Keyring::empty().locked_secret_key(&locked);
    let passphrase = option("--passphrase-file", &made.passphrase_file);
    let with = |files: &[&Path]| {
        let keys: Vec<_> = files.iter().map(|file| option("--secret-key", file)).collect();
        with_keys(&home, &[&keys[..], std::slice::from_ref(&passphrase)].concat())
    };
    let visit = with(&[&signing, &locked, &made.secret_key]);
    assert_eq!(visit.code, Some(0), "{visit}");
    let said = visit.said("warn", "key");
    assert_eq!(said.len(), 2, "{visit}");
    assert!(said[0].contains("only keys that sign") && said[0].contains("a mount does without it"), "{visit}");
    assert!(said[1].contains("wrong passphrase for key "), "{visit}");
    assert!(with(&[&signing, &locked]).said("wrong", "key").len() == 2);
    let public = made.secret_key.with_file_name("master-public.asc");
    let visit = with(&[&signing, &public, &made.secret_key]);
    assert!(visit.only("wrong", "key").contains("holds no secret key"), "{visit}");
    assert!(visit.only("warn", "key").contains("only keys that sign"), "{visit}");
}

#[test]
fn what_is_no_secret_key_says_what_it_is() {
    let home = Home::new();
    let text = home.write("notes.txt", "not a key");
    private(&text);
    let public = small_package().secret_key.with_file_name("master-public.asc");
    let missing = home.path("missing.key");
    let keys = [&text, &public, &missing].map(|path| option("--secret-key", path));
    let visit = with_keys(&home, &keys);
    assert_eq!(visit.code, Some(1), "{visit}");
    let wrong = visit.said("wrong", "key");
    assert_eq!(wrong.len(), 3, "{visit}");
    for (finding, path) in wrong.iter().zip([&text, &public, &missing]) {
        assert!(finding.starts_with(&path.display().to_string()), "{visit}");
    }
    assert!(wrong[1].contains("gpg --export-secret-keys"), "{visit}");
}

#[test]
fn a_wrong_passphrase_is_found_and_not_shown() {
    let home = Home::new();
    let passphrase = home.write("passphrase", "guessed-4711\n");
    fs::set_permissions(&passphrase, Permissions::from_mode(0o640)).expect("it is ours");
    let key = option("--secret-key", &small_package().secret_key);
    let visit = with_keys(&home, &[key.clone(), option("--passphrase-file", &passphrase)]);
    assert_eq!(visit.code, Some(3), "{visit}");
    visit.assert_said("wrong", "key", &["wrong passphrase for key "]);
    visit.assert_said("warn", "passphrase", &["mode 0640", "chmod 600 "]);
    visit.assert_said("wrong", "recipients", &["czar-secret.asc, but does not open"]);
    assert!(!visit.text.contains("4711"), "{visit}");

    let empty = home.write("empty", "\nsecond\n");
    private(&empty);
    for path in [empty, home.path("missing")] {
        let visit = with_keys(&home, &[key.clone(), option("--passphrase-file", &path)]);
        assert_eq!(visit.code, Some(3), "{visit}");
        visit.assert_said("wrong", "passphrase", &[&path.display().to_string()]);
    }
    let failing = ["--passphrase-command".to_owned(), "echo guessed-4711; exit 3".to_owned()];
    let visit = with_keys(&home, &[key, failing]);
    assert_eq!(visit.code, Some(3), "{visit}");
    visit.assert_said("wrong", "passphrase", &["the passphrase command failed"]);
    assert!(!visit.text.contains("4711"), "{visit}");
}

#[test]
fn without_a_terminal_nobody_is_waited_for() {
    let visit = with_keys(&Home::new(), &[option("--secret-key", &small_package().secret_key)]);
    assert_eq!(visit.code, Some(3), "{visit}");
    visit.assert_said("wrong", "passphrase", &["no terminal to ask", "--passphrase-file"]);
    visit.assert_said("wrong", "key", &["is locked"]);
}

#[test]
fn a_passphrase_command_is_run_once_for_all_files() {
    let home = Home::new();
    let made = small_package();
    let copy = home.path("copy.asc");
    fs::copy(&made.secret_key, &copy).expect("it can be read");
    private(&copy);
    let command = format!("echo >> {}; cat {}", home.path("runs").display(), made.passphrase_file.display());
    let keys = [option("--secret-key", &made.secret_key), option("--secret-key", &copy)];
    let visit = with_keys(&home, &[&keys[..], &[["--passphrase-command".to_owned(), command]]].concat());
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said("ok", "passphrase", &["the command of passphrase-command"]);
    assert_eq!(fs::read_to_string(home.path("runs")).expect("it was run"), "\n", "{visit}");
}

#[test]
fn a_key_file_that_others_can_read_is_a_warning() {
    let home = Home::new();
    let made = small_package();
    let copy = home.path("czar's key.asc");
    fs::copy(&made.secret_key, &copy).expect("it can be read");
    fs::set_permissions(&copy, Permissions::from_mode(0o644)).expect("it is ours");
    let passphrase = option("--passphrase-file", &made.passphrase_file);
    let visit = with_keys(&home, &[option("--secret-key", &copy), passphrase]);
    assert_eq!(visit.code, Some(0), "{visit}");
    let remedy = format!("chmod 600 '{}'", copy.display().to_string().replace('\'', r"'\''"));
    visit.assert_said("warn", "key", &["others can read it (mode 0644)", &remedy]);
}

#[test]
fn a_cache_of_other_keys_is_told() {
    let home = Home::new();
    let made = small_package();
    let scratch = Mount::start(&quiet(folder_options(&made))).stop();
    let cache = option("--cache-dir", &scratch.path().join("cache"));
    let key = Keyring::empty().new_secret_key(&home.path(""));
    let visit = with_keys(&home, &[option("--secret-key", &key), cache.clone()]);
    visit.assert_said("wrong", "recipients", &["cache/key.gpg: no secret key for its 1 recipient 0x"]);
    let right = [option("--secret-key", &made.secret_key), option("--passphrase-file", &made.passphrase_file), cache];
    let visit = with_keys(&home, &right);
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said("ok", "recipients", &["cache/key.gpg: opens with key "]);
}

#[test]
fn a_damaged_key_of_the_cache_is_told_as_such() {
    let home = Home::new();
    let made = small_package();
    let scratch = Mount::start(&quiet(folder_options(&made))).stop();
    let cache = scratch.path().join("cache");
    let wrapped = fs::read(cache.join("key.gpg")).expect("it was made");
    let options = [folder_options(&made), option("--cache-dir", &cache).to_vec()].concat();
    let mut flipped = wrapped.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    let keyless = Keyring::of(&made).encrypt(Reader::Czar, b"too short for a key");
    for damaged in [&b""[..], b"nothing of ours", &wrapped[..wrapped.len() - 40], &flipped, &keyless] {
        fs::write(cache.join("key.gpg"), damaged).expect("it is ours");
        let visit = home.visit(&options);
        assert_eq!(visit.code, Some(1), "{visit}");
        visit.assert_well_but(&["cache folder"]);
        let remedy =
            format!("destroy the cache, which is made anew: edxfs purge --org unix --cache-dir {}", cache.display());
        visit.assert_said("wrong", "cache folder", &["cache/key.gpg: is damaged", &remedy]);
    }
}
