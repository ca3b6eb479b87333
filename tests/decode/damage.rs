use std::io::Read;

use edxfs::decode::openpgp::{self, SecretKeys};
use edxfs::error::{Error, ErrorKind};

use crate::fixtures::*;

/// Damage to a session key of ours may name another recipient or algorithm; damage behind them is `Corrupt`.
fn is_refused(keys: &SecretKeys, message: &[u8], what: &str) {
    let error = decrypted(keys, message).map(|plain| plain.len()).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
}

#[test]
fn a_cut_message_never_ends_well() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let small = gpg.encrypted(&log_lines(3_000), &[CZAR], &[]);
    let large = gpg.encrypted(&noise(3 << 20), &[CZAR], &[]);
    for cut in (1..small.len()).step_by(7).chain(small.len() - 30..small.len()) {
        is_refused(&keys, &small[..cut], &format!("small, cut at {cut}"));
    }
    for cut in [1000, 8192, 600_000, 1 << 20, 2 << 20].into_iter().chain(large.len() - 25..large.len()) {
        is_refused(&keys, &large[..cut], &format!("large, cut at {cut}"));
    }
}

#[test]
fn a_flipped_bit_never_gives_other_bytes() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let log = log_lines(2_000);
    for compression in ["zlib", "bzip2", "none"] {
        let good = gpg.encrypted(&log, &[MASTER, CZAR], &["--compress-algo", compression]);
        let body = body_offset(&good);
        for at in (0..good.len()).step_by(3).chain(body..body + 40) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            match decrypted(&keys, &bad) {
                Ok(plain) => assert!(at < body && plain == log, "{compression}, byte {at} of {}", good.len()),
                Err(error) if at > body => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                    "{compression}, byte {at}: {error}"
                ),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_large_message_is_found_before_its_end() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    for (plain, options) in [(noise(3 << 20), ["-z", "0"]), (log_lines(20 << 20), ["-z", "6"])] {
        let good = gpg.encrypted(&plain, &[CZAR], &options);
        let body = body_offset(&good);
        let last = good.len() - 1;
        for at in (body + 50..good.len()).step_by(good.len() / 12).chain([last, last - 20, last - 22, last - 600]) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            is_refused(&keys, &bad, &format!("byte {at} of {}", good.len()));
        }
    }
}

#[test]
fn bytes_behind_a_message_are_refused() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    for plain in [log_lines(2_000), noise(3 << 20)] {
        let message = gpg.encrypted(&plain, &[CZAR], &[]);
        for tail in [&b"\n"[..], b"\0\0\0\0", b"garbage", &[0xff; 600], &message, &[0xcb, 7, b'b', 0, 0, 0, 0, 0, b'x']]
        {
            is_refused(&keys, &[&message, tail].concat(), &format!("tail of {}", tail.len()));
        }
        let marker = &[0xca, 3, b'P', b'G', b'P'];
        assert!(decrypted(&keys, &[marker, &message[..]].concat()).unwrap() == plain);
        assert!(decrypted(&keys, &[&message[..], marker].concat()).unwrap() == plain);
    }
}

#[test]
fn compression_bombs_end_in_an_error() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    for compression in ["zlib", "bzip2"] {
        let bomb = gpg.encrypted(&vec![0; 200 << 20], &[CZAR], &["--compress-algo", compression]);
        let error = decrypted(&keys, &bomb).unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("bomb"), "{error}");
    }
    // Zeros that a file may honestly have are no bomb.
    let honest = gpg.encrypted(&vec![0; 60 << 20], &[CZAR], &[]);
    assert_eq!(decrypted(&keys, &honest).unwrap().len(), 60 << 20);
}

/// Gives few bytes at a time, then fails like a source that went away.
struct Failing {
    content: std::io::Cursor<Vec<u8>>,
    piece: usize,
    good: usize,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.good.saturating_sub(self.content.position() as usize);
        if left == 0 {
            return Err(Error::new(ErrorKind::Unreachable, "went away").into());
        }
        let bytes = buffer.len().min(self.piece).min(left);
        self.content.read(&mut buffer[..bytes])
    }
}

#[test]
fn a_failing_source_keeps_its_own_error_and_small_pieces_are_enough() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    let plain = noise(3 << 20);
    let message = gpg.encrypted(&plain, &[MASTER, CZAR], &[]);
    let body = body_offset(&message);
    let opened = |piece, good| -> edxfs::error::Result<Vec<u8>> {
        let source = Failing { content: std::io::Cursor::new(message.clone()), piece, good };
        let mut plain = Vec::new();
        openpgp::decrypt(&keys, Box::new(source))?.read_to_end(&mut plain)?;
        Ok(plain)
    };
    for good in [0, 1, 10, body, body + 1, body + 20, body + 60, 70_000, 1 << 20, message.len() - 1, message.len()] {
        let error = opened(1000, good).map(|plain| plain.len()).expect_err("the source fails");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "after {good}: {error}");
    }
    assert!(opened(777, usize::MAX).unwrap() == plain);
}

#[test]
fn an_error_stays() {
    let gpg = gpg();
    let message = gpg.encrypted(&noise(3 << 20), &[CZAR], &[]);
    let mut reader = openpgp::decrypt(&gpg.keys(CZAR), boxed(&message[..2 << 20])).unwrap();
    reader.read_to_end(&mut Vec::new()).unwrap_err();
    for _ in 0..2 {
        assert_eq!(Error::from(reader.read(&mut [0; 9]).unwrap_err()).kind(), ErrorKind::Corrupt);
    }
}
