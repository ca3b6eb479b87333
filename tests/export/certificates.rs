//! Whom an archive is encrypted to: certificates are judged as they stand today.

use std::fs;
use std::path::Path;

use crate::common::{folder_options, small_package};
use crate::owner::Owner;
use crate::{errors, export};

/// Long enough ago for what lasts two days to have expired.
const ONCE: [&str; 2] = ["--faked-system-time", "20200101T000000!"];
const PAGE: &str = "courses.tsv";

/// Exit code and message of an export to a certificate; fails the test if a file is left.
fn refused(scratch: &Path, certificate: &Path) -> String {
    let archive = scratch.join("archive.gpg");
    let options = folder_options(&small_package());
    let output = export(&options, scratch, &[&PAGE, &"--recipient", &certificate, &archive]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(!archive.exists() && !archive.with_extension("gpg.part").exists());
    let message = errors(&output);
    assert!(message.contains(&certificate.display().to_string()), "{message}");
    message
}

#[test]
fn an_expired_certificate_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::new();
    owner.make_key("gone@example.org", "2d", &ONCE);
    owner.add_subkey("encr", "2d", &ONCE);
    let message = refused(scratch.path(), &owner.certificate(scratch.path(), "cert.asc"));
    assert!(message.to_lowercase().contains("expired"), "{message}");
    assert!(message.contains(&owner.fingerprint()), "{message}");
}

#[test]
fn a_certificate_whose_encryption_key_has_expired_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::new();
    owner.make_key("half@example.org", "never", &ONCE);
    owner.add_subkey("encr", "2d", &ONCE);
    let message = refused(scratch.path(), &owner.certificate(scratch.path(), "cert.asc"));
    assert!(message.contains("expired"), "{message}");
}

#[test]
fn a_revoked_certificate_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::with_key("lost@example.org");
    owner.revoke();
    let message = refused(scratch.path(), &owner.certificate(scratch.path(), "cert.asc"));
    assert!(message.contains("revoked"), "{message}");
}

#[test]
fn a_certificate_that_only_signs_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::new();
    owner.make_key("signs@example.org", "never", &[]);
    let message = refused(scratch.path(), &owner.certificate(scratch.path(), "cert.asc"));
    assert!(message.contains("only for signing"), "{message}");
}

#[test]
fn one_bad_certificate_of_several_refuses_all() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let [good, bad] = ["good@example.org", "bad@example.org"].map(Owner::with_key);
    bad.revoke();
    let files = [(&good, "good.asc"), (&bad, "bad.asc")].map(|(owner, name)| owner.certificate(scratch.path(), name));
    let both = scratch.path().join("both.asc");
    fs::write(&both, files.map(|file| fs::read(file).expect("it is there")).concat()).expect("it is ours");
    assert!(refused(scratch.path(), &both).contains(&bad.fingerprint()));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let file = scratch.path().join("file");
    for content in [&b""[..], b"hello", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxxxx\n", &[0xff; 100]] {
        fs::write(&file, content).expect("it is ours");
        assert!(refused(scratch.path(), &file).contains("gpg --armor --export"));
    }
    let options = folder_options(&small_package());
    let missing = scratch.path().join("missing.asc");
    let output = export(&options, scratch.path(), &[&PAGE, &"--recipient", &missing, &scratch.path().join("x")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("missing.asc"));
}

#[test]
fn several_in_one_file_can_read_it_and_of_a_secret_key_nothing_is_given_away() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owners = ["one@example.org", "two@example.org"].map(Owner::with_key);
    let names = ["one.asc", "two.asc"];
    let files = [0, 1].map(|i| owners[i].exported(scratch.path(), names[i], "--export-secret-keys"));
    let both = scratch.path().join("both.asc");
    fs::write(&both, files.map(|file| fs::read(file).expect("it is there")).concat()).expect("it is ours");
    let archive = scratch.path().join("archive.gpg");
    let options = folder_options(&small_package());
    let output = export(&options, scratch.path(), &[&PAGE, &archive, &"--recipient", &both]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    for (i, owner) in owners.iter().enumerate() {
        let (unpacked, _) = owner.unpack(&archive, &scratch.path().join(i.to_string()));
        assert!(unpacked.join(PAGE).exists());
    }
    let packets = owners[0].gpg().arg("--list-packets").arg(&archive).output().expect("gpg runs");
    let packets = String::from_utf8_lossy(&packets.stdout).into_owned();
    assert_eq!(packets.matches(":pubkey enc packet:").count(), 2, "{packets}");
    assert!(packets.contains("mdc_method: 2") && !packets.contains("secret"), "{packets}");
}
