//! Certificates that a secret is wrapped to, made by GnuPG: which of their keys count, and which files are refused.

use std::process::Command;

use edxfs::decode::openpgp::{KeyName, Recipient, certificates, from_packets, named_in, to_packets, unwrap, wrap};
use edxfs::error::{ErrorKind, Result};

use crate::fixtures::*;
use crate::gnupg_home::GnupgHome;

fn read(content: &[u8]) -> Result<Vec<Recipient>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.cert");
    std::fs::write(&file, content).unwrap();
    certificates(&file)
}

fn public(gpg: &Gpg, user: &str, options: &[&str]) -> Vec<u8> {
    run(&mut gpg.command(&[options, &["--export", user]].concat()), b"")
}

#[test]
fn certificates_are_read_armored_binary_several_secret_and_expired() {
    let gpg = gpg();
    let armored = [CZAR, CURVE25519].map(|user| public(&gpg, user, &["--armor"])).concat();
    let binary = [CZAR, CURVE25519].map(|user| public(&gpg, user, &[])).concat();
    let secret = [CZAR, CURVE25519].map(|user| gpg.exported(user, &["--armor"])).concat();
    for file in [armored, binary, secret] {
        let recipients = read(&file).unwrap();
        assert_eq!(recipients.len(), 2);
        let wrapped = wrap(&recipients, b"x").unwrap();
        for (recipient, user) in recipients.iter().zip([CZAR, CURVE25519]) {
            assert!(recipient.user_id().is_some_and(|id| id.contains(user)), "{recipient:?}");
            assert_eq!(*unwrap(&gpg.keys(user), &wrapped).unwrap(), b"x");
        }
    }
    let expired = read(&public(&gpg, EXPIRED, &[])).unwrap();
    assert_eq!(*unwrap(&gpg.keys(EXPIRED), &wrap(&expired, b"x").unwrap()).unwrap(), b"x");
}

#[test]
fn what_cannot_be_wrapped_to_is_refused_by_name() {
    let gpg = gpg();
    let message = gpg.encrypted(b"x", &[CZAR], &[]);
    let whole = public(&gpg, CZAR, &[]);
    for (content, says) in [
        (public(&gpg, SIGNER, &[]), "no key that can be encrypted to"),
        (public(&gpg, ELGAMAL, &[]), "no key that can be encrypted to"),
        ([whole.clone(), public(&gpg, SIGNER, &[])].concat(), "no key that can be encrypted to"),
        (message, "not a key file"),
        (b"hello".to_vec(), ""),
        (Vec::new(), ""),
        (whole[..whole.len() - 100].to_vec(), "damaged"),
    ] {
        let error = read(&content).map(|recipients| recipients.len()).expect_err(says);
        assert!(error.subject().unwrap().ends_with("some.cert") && error.message().contains(says), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::Corrupt), "{error:?}");
    }
    assert_eq!(certificates("/nonexistent".as_ref()).unwrap_err().kind(), ErrorKind::NotFound);
}

/// A home of its own: what is done to a certificate stays done.
struct Eve {
    home: GnupgHome,
    fingerprint: String,
}

impl Eve {
    /// A certificate with two subkeys for encryption.
    fn new(options: &[&str]) -> Eve {
        let mut eve = Eve { home: GnupgHome::new(), fingerprint: String::new() };
        eve.gpg(
            &[options, &["--batch", "--quick-gen-key", "eve@example.org", "ed25519", "sign", "never"]].concat(),
            b"",
        );
        eve.fingerprint = eve.home.fingerprint();
        for _ in 0..2 {
            let add = ["--batch", "--quick-add-key", &eve.fingerprint, "cv25519", "encr", "never"];
            eve.gpg(&[options, &add].concat(), b"");
        }
        eve
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        run(self.home.gpg().args(["--passphrase", "", "--command-fd", "0"]).args(arguments), input)
    }

    fn export(&self) -> Vec<u8> {
        self.gpg(&["--batch", "--export", &self.fingerprint], b"")
    }
}

#[test]
fn revoked_certificates_are_refused_and_revoked_subkeys_left_out() {
    let eve = Eve::new(&[]);
    let both = read(&eve.export()).unwrap();
    assert_eq!(both.len(), 2);
    eve.gpg(&["--edit-key", &eve.fingerprint], b"key 1\nrevkey\ny\n0\n\ny\nsave\n");
    let left = read(&eve.export()).unwrap();
    assert_eq!(left.len(), 1);
    assert!(both.iter().any(|recipient| recipient.key() == left[0].key()));
    let revocation = eve.gpg(&["--gen-revoke", &eve.fingerprint], b"y\n0\n\ny\n");
    eve.gpg(&["--batch", "--import"], &revocation);
    let error = read(&eve.export()).map(|recipients| recipients.len()).unwrap_err();
    assert!(error.message().contains(&format!("certificate {} is revoked", eve.fingerprint)), "{error}");
}

#[test]
fn a_certificate_bound_with_sha1_counts() {
    let eve = Eve::new(&["--cert-digest-algo", "SHA1"]);
    let packets = String::from_utf8(run(Command::new("gpg").arg("--list-packets"), &eve.export())).unwrap();
    assert_eq!(
        (packets.matches("digest algo 2,").count(), packets.matches("digest algo").count()),
        (3, 3),
        "{packets}"
    );
    assert_eq!(read(&eve.export()).unwrap().len(), 2);
}

/// As a key server may hand it out: somebody's subkey behind another's certificate.
#[test]
fn a_subkey_that_the_certificate_has_not_signed_is_left_out() {
    let gpg = gpg();
    let (czar, curve) = (public(&gpg, CZAR, &[]), public(&gpg, CURVE25519, &[]));
    let subkey = packets(&curve).into_iter().skip_while(|packet| packet[0] != 0xb8).collect::<Vec<_>>().concat();
    assert!(!subkey.is_empty());
    let smuggled = [czar, subkey].concat();
    let recipients = read(&smuggled).unwrap();
    assert_eq!(recipients.len(), 1);
    let wrapped = wrap(&recipients, b"x").unwrap();
    assert_eq!(*unwrap(&gpg.keys(CZAR), &wrapped).unwrap(), b"x");
    assert_eq!(unwrap(&gpg.keys(CURVE25519), &wrapped).unwrap_err().kind(), ErrorKind::NoSecretKey);
}

/// The packets of a small binary certificate as GnuPG writes them: old headers, lengths of one or two bytes.
fn packets(certificate: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < certificate.len() {
        let bytes = match certificate[at] & 3 {
            0 => 2 + usize::from(certificate[at + 1]),
            1 => 3 + usize::from(u16::from_be_bytes([certificate[at + 1], certificate[at + 2]])),
            kind => panic!("length type {kind}"),
        };
        found.push(certificate[at..at + bytes].to_vec());
        at += bytes;
    }
    found
}

#[test]
fn kept_recipients_come_back_as_they_were() {
    let gpg = gpg();
    let users = [CZAR, CURVE25519, NIST, EXPIRED];
    let recipients = users.map(|user| read(&public(&gpg, user, &[])).unwrap()).concat();
    let kept = from_packets(&to_packets(&recipients).unwrap()).unwrap();
    assert_eq!(kept.len(), recipients.len());
    for (kept, given) in kept.iter().zip(&recipients) {
        assert_eq!(
            (kept.certificate(), kept.key(), kept.user_id()),
            (given.certificate(), given.key(), given.user_id())
        );
    }
    let wrapped = wrap(&kept, b"x").unwrap();
    let named = named_in(&wrapped).unwrap();
    assert!(named.iter().zip(&kept).all(|(name, recipient)| recipient.key().agrees_with(name)), "{named:?}");
    assert_eq!(*unwrap(&gpg.keys(NIST), &wrapped).unwrap(), b"x");
    let hidden = named_in(&gpg.encrypted(b"x", &[], &["--hidden-recipient", CZAR])).unwrap();
    assert_eq!(hidden, ["0000000000000000".parse::<KeyName>().unwrap()]);
    assert!(!recipients[0].key().agrees_with(&hidden[0]));
}
