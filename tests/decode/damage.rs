use edxfs::decode::openpgp::SecretKeys;
use edxfs::error::ErrorKind;

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
                Err(error) if at >= body + 1 => assert!(
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
#[test]
fn zz_debug() {
    let gpg = gpg();
    let keys = gpg.keys(CZAR);
    for bytes in [2000, 100_000, 500_000, 600_000, 1 << 20, 2 << 20, 3 << 20] {
        let message = gpg.encrypted(&noise(bytes), &[CZAR], &[]);
        for tail in [1, 2, 3, 4, 5, 7, 8, 16, 600] {
            let r = decrypted(&keys, &[&message, &vec![0x0a; tail][..]].concat());
            eprintln!("{bytes} {tail} {:?}", r.map(|p| p.len()));
        }
    }
}
