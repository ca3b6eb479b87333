use std::io::Read;
use std::process::Command;

use edxfs::decode::gzip::gunzip;
use edxfs::error::{ErrorKind, Result};

use crate::fixtures::*;

fn gzipped(plain: &[u8]) -> Vec<u8> {
    run(Command::new("gzip").arg("-9"), plain)
}

fn plain(input: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    gunzip(boxed(input)).read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn members_are_joined_and_zero_padding_is_dropped() {
    let (first, second) = (log_lines(300_000), log_lines(10));
    let both = [gzipped(&first), gzipped(b""), gzipped(&second)].concat();
    let expected = [first, second].concat();
    assert!(plain(&both).unwrap() == expected);
    for padding in [1, 511, 1 << 20] {
        assert!(plain(&[&both[..], &vec![0; padding]].concat()).unwrap() == expected, "{padding}");
    }
    assert_eq!(plain(&gzipped(b"")).unwrap(), b"");
}

#[test]
fn damage_of_any_kind_is_corrupt() {
    let good = gzipped(&log_lines(50_000));
    for tail in [&b"x"[..], b"\0\0x", b"\x1f", b"\x1f\x8b\x08", b"\x1f\x8bzzzzzzzzzzzzzzzz"] {
        let error = plain(&[&good[..], tail].concat()).map(|plain| plain.len()).expect_err("bytes behind the end");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{tail:?}: {error}");
    }
    for cut in (0..good.len()).step_by(97).chain(good.len() - 9..good.len()) {
        assert_eq!(plain(&good[..cut]).expect_err("a cut").kind(), ErrorKind::Corrupt, "cut at {cut}");
    }
    // Bits of the header's time, flags for speed and system mean nothing.
    for at in (10..good.len()).step_by(61).chain(good.len() - 8..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert_eq!(plain(&bad).expect_err("a flipped bit").kind(), ErrorKind::Corrupt, "byte {at}");
    }
}

#[test]
fn a_bomb_ends_early_and_honest_zeros_do_not() {
    let bomb = gzipped(&vec![0; 512 << 20]);
    let mut reader = gunzip(boxed(&bomb));
    let mut buffer = vec![0; 1 << 20];
    let mut given = 0;
    let error = loop {
        match reader.read(&mut buffer) {
            Ok(bytes) => given += bytes,
            Err(error) => break edxfs::error::Error::from(error),
        }
    };
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("bomb"), "{error}");
    assert!(given < 256 << 20, "{given}");
    assert_eq!(plain(&gzipped(&vec![0; 60 << 20])).unwrap().len(), 60 << 20);
}
