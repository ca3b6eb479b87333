use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;

use edxfs::decode::openpgp::{KeyHint, Passphrase, SecretKeys, unwrap, wrap};
use edxfs::decode::{Layers, decode};
use edxfs::error::{ErrorKind, Result};
use sequoia_openpgp::Cert;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Recipient};
use sequoia_openpgp::types::{CompressionAlgorithm, Features};

use crate::fixtures::*;

#[test]
fn every_compression_cipher_and_way_of_encrypting_is_read() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let log = log_lines(60_000);
    for compression in ["zlib", "zip", "bzip2", "none"] {
        let message = gpg.encrypted(&log, &[MASTER, CZAR], &["--compress-algo", compression]);
        assert_eq!(decrypted(&keys, &message).unwrap(), log, "{compression}");
    }
    for cipher in ["AES128", "AES192", "AES256", "3DES", "CAST5", "TWOFISH", "CAMELLIA128", "CAMELLIA256", "BLOWFISH"] {
        let message = gpg.encrypted(&log, &[CZAR, MASTER], &["--cipher-algo", cipher]);
        assert_eq!(decrypted(&keys, &message).unwrap(), log, "{cipher}");
    }
    for options in
        [&["--throw-keyids"][..], &["--hidden-recipient", CZAR], &["--sign", "--local-user", CZAR], &["-z", "9"]]
    {
        let recipients = if options[0] == "--hidden-recipient" { &[MASTER][..] } else { &[MASTER, CZAR] };
        let message = gpg.encrypted(&log, recipients, options);
        assert_eq!(decrypted(&keys, &message).unwrap(), log, "{options:?}");
    }
}

#[test]
fn large_messages_stream_from_a_pipe_and_from_a_file() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let noise = noise(5 << 20);
    let piped = gpg.encrypted(&noise, &[CZAR, MASTER], &[]);
    assert_eq!(decrypted(&keys, &piped).unwrap(), noise);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("day.log.gz");
    std::fs::write(&file, &noise).unwrap();
    let path = file.to_str().unwrap();
    run(&mut gpg.command(&["--recipient", CZAR, "--encrypt", path]), b"");
    let named = std::fs::read(folder.path().join("day.log.gz.gpg")).unwrap();
    assert_eq!(decrypted(&keys, &named).unwrap(), noise);
    let empty = gpg.encrypted(b"", &[CZAR], &[]);
    assert_eq!(decrypted(&keys, &empty).unwrap(), b"");
}

#[test]
fn a_day_comes_out_of_openpgp_around_zlib_around_gzip() {
    let gpg = gpg();
    let log = log_lines(3_000_000);
    let gz = run(Command::new("gzip").arg("-9"), &log);
    let message = gpg.encrypted(&gz, &[MASTER, CZAR], &[]);
    let (layers, rest) = Layers::of("o-edx-events-2015-03-02.log.gz.gpg");
    assert_eq!(rest, "o-edx-events-2015-03-02.log");
    let mut plain = Vec::new();
    decode(boxed(&message), &layers, &gpg.keys(CZAR)).unwrap().read_to_end(&mut plain).unwrap();
    assert!(plain == log);
}

#[test]
fn elliptic_and_expired_keys_decrypt() {
    let gpg = gpg();
    let log = log_lines(5_000);
    for user in [CURVE25519, NIST] {
        assert_eq!(decrypted(&gpg.keys(user), &gpg.encrypted(&log, &[user], &[])).unwrap(), log, "{user}");
    }
    let message = gpg.encrypted(&log, &[EXPIRED], &["--faked-system-time", LONG_AGO]);
    assert_eq!(decrypted(&gpg.keys(EXPIRED), &message).unwrap(), log);
}

#[test]
fn old_forms_are_named_with_the_way_out() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let message = gpg.encrypted(b"x", &[CZAR], &[]);
    let session_keys = &message[..body_offset(&message)];
    let with_body = |tag: u8| [session_keys, &[0xc0 | tag, 40], &noise(40)].concat();
    let elgamal = gpg.encrypted(b"x", &[ELGAMAL], &[]);
    let armored = gpg.encrypted(b"x", &[CZAR], &["--armor"]);
    let passphrase = run(&mut gpg.command(&["--passphrase", "p", "--symmetric"]), b"x");
    for (input, what, how) in [
        (with_body(9), "without integrity protection", "--ignore-mdc-error"),
        (with_body(20), "OCB", "gpg --decrypt"),
        (elgamal, "ElGamal", "RSA or ECDH"),
        (armored, "armor", "--dearmor"),
        (passphrase, "passphrase", "gpg --decrypt"),
    ] {
        let error = decrypted(&keys, &input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(what) && error.message().contains(how), "{error}");
    }
}

#[test]
fn what_is_not_an_encrypted_message_is_corrupt() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let empty = decrypted(&keys, b"").unwrap_err();
    assert_eq!(empty.message(), "is empty (0 bytes): its encryption failed at the producer");
    let stored = run(&mut gpg.command(&["--store", "-z", "0"]), b"plain");
    let compressed = run(&mut gpg.command(&["--store"]), b"plain");
    let signed = run(&mut gpg.command(&["--sign", "--local-user", CZAR]), b"plain");
    let certificate = run(&mut gpg.command(&["--export", CZAR]), b"");
    for input in
        [&b"plain text"[..], b"\x1f\x8b\x08", &noise(300), &[0xff; 90], &stored, &compressed, &signed, &certificate]
    {
        let error = decrypted(&keys, input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn a_message_for_others_says_how_many() {
    let gpg = gpg();
    let message = gpg.encrypted(b"x", &[MASTER, CZAR], &[]);
    for keys in [gpg.keys(NIST), SecretKeys::none()] {
        let error = decrypted(&keys, &message).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSecretKey);
        assert!(error.message().contains("no secret key for its 2 recipients"), "{error}");
        assert!(error.message().ends_with("give one with --secret-key"), "{error}");
    }
    let mixed = gpg.encrypted(b"x", &[ELGAMAL, CZAR], &[]);
    assert_eq!(decrypted(&gpg.keys(NIST), &mixed).unwrap_err().kind(), ErrorKind::NoSecretKey);
    assert_eq!(decrypted(&gpg.keys(CZAR), &mixed).unwrap(), b"x");
}

#[test]
fn key_files_may_be_armored_several_or_without_their_primary() {
    let gpg = gpg();
    let armored = [gpg.exported(CZAR, &["--armor"]), gpg.exported(MASTER, &["--armor"])].concat();
    let binary = [gpg.exported(CZAR, &[]), gpg.exported(MASTER, &[])].concat();
    let subkeys = run(&mut gpg.command(&["--export-secret-subkeys", MASTER]), b"");
    let message = gpg.encrypted(b"x", &[MASTER], &[]);
    for (file, decrypting) in [(armored, 2), (binary, 2), (subkeys, 1)] {
        let keys = loaded(&file);
        assert_eq!(decrypted(&keys, &message).unwrap(), b"x");
        assert_eq!(keys.key_ids().len(), decrypting, "{keys:?}");
        assert_eq!(keys.warnings(), &[] as &[String]);
    }
}

fn load(files: &[(&str, Vec<u8>)], ask: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>) -> Result<SecretKeys> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (path, (_, content)) in paths.iter().zip(files) {
        std::fs::write(path, content).unwrap();
    }
    SecretKeys::load(&paths, ask)
}

#[test]
fn a_passphrase_is_asked_once_and_a_wrong_one_named() {
    let gpg = gpg();
    let locked = gpg.exported(LOCKED, &[]);
    let mut asked = Vec::new();
    let again = [("locked.gpg", locked.clone()), ("copy.asc", gpg.exported(LOCKED, &["--armor"]))];
    let keys = load(&again, &mut |hint| {
        asked.push(hint.clone());
        Ok(Some(Passphrase::new(PASSPHRASE.into())))
    })
    .unwrap();
    assert_eq!((asked.len(), keys.key_ids().len()), (1, 1));
    assert!(asked[0].user_id.as_ref().is_some_and(|user| user.contains(LOCKED)));
    assert_eq!(keys.key_ids()[0], asked[0].key_id);
    assert_eq!(decrypted(&keys, &gpg.encrypted(b"x", &[LOCKED], &[])).unwrap(), b"x");

    let wrong = &mut |_: &KeyHint| Ok(Some(Passphrase::new(b"wrong".to_vec())));
    let error = load(&again[..1], wrong).unwrap_err();
    assert!(error.subject().unwrap().ends_with("locked.gpg"), "{error}");
    assert!(error.message().contains("wrong passphrase") && error.message().contains(&asked[0].key_id), "{error}");
    let error = load(&again[..1], &mut |_| Ok(None)).unwrap_err();
    assert!(error.message().contains("--passphrase-file"), "{error}");

    let both = [again[0].clone(), ("czar.gpg", gpg.exported(CZAR, &[]))];
    let keys = load(&both, wrong).unwrap();
    assert_eq!(keys.warnings().len(), 1);
    assert!(keys.warnings()[0].contains("wrong passphrase"), "{:?}", keys.warnings());
    assert!(!format!("{:?}{keys:?}", Passphrase::new(PASSPHRASE.into())).contains("horse"));
}

#[test]
fn a_file_without_a_usable_key_is_refused_by_name() {
    let gpg = gpg();
    let public = run(&mut gpg.command(&["--export", CZAR]), b"");
    let message = gpg.encrypted(b"x", &[CZAR], &[]);
    for (content, says) in [
        (public, "no secret key"),
        (message, "not a key file"),
        (gpg.exported(SIGNER, &[]), "only keys that sign"),
        (gpg.exported(ELGAMAL, &[]), "ElGamal"),
        (b"hello".to_vec(), ""),
        (vec![], ""),
        (gpg.exported(CZAR, &[])[..900].to_vec(), "damaged"),
    ] {
        let error = load(&[("some.key", content)], &mut |_| Ok(None)).unwrap_err();
        assert!(error.subject().unwrap().ends_with("some.key") && error.message().contains(says), "{error}");
    }
    let missing = SecretKeys::load(&["/nonexistent/key".into()], &mut |_| Ok(None)).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_wrapped_secret_opens_with_each_key_even_locked_or_expired_ones() {
    let gpg = gpg();
    let files = [CZAR, CURVE25519, EXPIRED, LOCKED].map(|user| (user, gpg.exported(user, &[])));
    let keys = load(&files, &mut |_| Ok(None)).unwrap();
    let secret = noise(32);
    let wrapped = wrap(keys.recipients(), &secret).unwrap();
    for user in [CZAR, CURVE25519, EXPIRED] {
        assert_eq!(*unwrap(&gpg.keys(user), &wrapped).unwrap(), secret, "{user}");
    }
    let by_gnupg =
        run(&mut gpg.command(&["--passphrase", PASSPHRASE, "--try-secret-key", LOCKED, "--decrypt"]), &wrapped);
    assert_eq!(by_gnupg, secret);
    assert_eq!(unwrap(&gpg.keys(NIST), &wrapped).unwrap_err().kind(), ErrorKind::NoSecretKey);
    assert_eq!(wrap(&[], &secret).unwrap_err().kind(), ErrorKind::NoSecretKey);
    let large = gpg.encrypted(&noise((1 << 20) + 1), &[CZAR], &[]);
    assert_eq!(wrap(keys.recipients(), &noise((1 << 20) + 1)).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(unwrap(&keys, &large).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// A message that GnuPG 2.2 cannot write, straight from the OpenPGP crate: `nested` times compressed, around `plain`.
fn crafted(certificate: &[u8], features: Features, nested: usize, plain: &[u8]) -> Vec<u8> {
    let certificate = Cert::from_bytes(certificate).unwrap();
    let subkey = certificate.keys().subkeys().next().unwrap().key();
    let recipient = Recipient::new(features, subkey.key_handle(), subkey);
    let mut message = Vec::new();
    let mut layers = Encryptor::for_recipients(Message::new(&mut message), [recipient]).build().unwrap();
    for _ in 0..nested {
        layers = Compressor::new(layers).algo(CompressionAlgorithm::Zip).build().unwrap();
    }
    let mut literal = LiteralWriter::new(layers).build().unwrap();
    literal.write_all(plain).unwrap();
    literal.finalize().unwrap();
    message
}

#[test]
fn seipd_version_2_is_read_and_its_damage_found() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let certificate = run(&mut gpg.command(&["--export", CZAR]), b"");
    for plain in [log_lines(2_000), noise(3 << 20)] {
        let features = Features::empty().set_seipdv2();
        let good = crafted(&certificate, features, 1, &plain);
        assert!(decrypted(&keys, &good).unwrap() == plain);
        let body = body_offset(&good);
        for at in (body + 50..good.len()).step_by(good.len() / 9).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let error = decrypted(&keys, &bad).map(|plain| plain.len()).expect_err("a flipped bit");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
        }
    }
}

#[test]
fn compression_inside_compression_is_read_but_not_endlessly() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let certificate = run(&mut gpg.command(&["--export", CZAR]), b"");
    let log = log_lines(50_000);
    for (nested, readable) in [(0, true), (2, true), (4, true), (5, false), (12, false)] {
        let message = crafted(&certificate, Features::empty().set_seipdv1(), nested, &log);
        match decrypted(&keys, &message) {
            Ok(plain) => assert!(readable && plain == log, "{nested}"),
            Err(error) => assert!(!readable && error.kind() == ErrorKind::Corrupt, "{nested}: {error}"),
        }
    }
}
