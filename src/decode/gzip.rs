//! Multi-member gunzip, and gzip that is the same each time; no size guesses.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

use crate::decode::ratio::{Counting, Intake};
use crate::error::{Error, Result};

/// Coded bytes asked of the input at a time.
const INPUT_BYTES: usize = 256 << 10;

type Input = BufReader<Counting<Box<dyn Read + Send>>>;

/// The plain bytes of a gzip file (RFC 1952): all members in order, zero padding after the last one allowed.
///
/// Errors, from `read`: `Corrupt` for a bad header, CRC or length, a truncated or empty input, other bytes behind the
/// last member, or an expansion that only a bomb has; the input's own errors come through. The bytes of a member are
/// verified when the next one begins or the input ends.
pub fn gunzip(input: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let intake = Intake::default();
    let input = BufReader::with_capacity(INPUT_BYTES, intake.counting(input));
    Box::new(Gunzip { state: State::Between(input), intake, plain_bytes: 0, members: 0 })
}

struct Gunzip {
    state: State,
    intake: Intake,
    plain_bytes: u64,
    members: u64,
}

enum State {
    Between(Input),
    Member(Box<GzDecoder<Input>>),
    Ended,
    Failed(Error),
}

impl Gunzip {
    fn advance(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Between(mut input) => {
                    if self.at_end(&mut input)? {
                        return Ok(0);
                    }
                    self.members += 1;
                    self.state = State::Member(Box::new(GzDecoder::new(input)));
                }
                State::Member(mut member) => {
                    let bytes = member.read(buffer).map_err(explain)?;
                    if bytes == 0 {
                        self.state = State::Between(member.into_inner());
                        continue;
                    }
                    self.plain_bytes += bytes as u64;
                    self.intake.allow(self.plain_bytes)?;
                    self.state = State::Member(member);
                    return Ok(bytes);
                }
                State::Ended => return Ok(0),
                State::Failed(error) => return Err(error),
            }
        }
    }

    /// Whether nothing but zero padding is left; consumes the padding.
    fn at_end(&self, input: &mut Input) -> Result<bool> {
        let first = input.fill_buf()?;
        if self.members == 0 {
            return match first {
                [] => Err(Error::corrupt("is empty (0 bytes) where gzip was expected")),
                _ => Ok(false),
            };
        }
        if first.first().is_some_and(|&byte| byte == 0x1f) {
            return Ok(false);
        }
        loop {
            let rest = input.fill_buf()?;
            if rest.is_empty() {
                return Ok(true);
            }
            if rest.iter().any(|&byte| byte != 0) {
                return Err(Error::corrupt("has bytes behind the end of its gzip data"));
            }
            let padding = rest.len();
            input.consume(padding);
        }
    }
}

impl Read for Gunzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.advance(buffer).map_err(|error| {
            self.state = State::Failed(error.clone());
            error.into()
        })
    }
}

/// RFC 1952's number for a system that is not told.
const UNKNOWN_SYSTEM: u8 = 255;
const LEVEL: u32 = 6;
const BLOCK_BYTES: usize = 256 << 10;

/// Writes `plain` to `out` as one gzip member without a name or a time: the same bytes for the same content, however
/// the reader hands it out.
///
/// Memory: under 1 MiB. Errors: those of `plain` and `out`.
pub fn gzip(plain: &mut dyn Read, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let header = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let mut encoder = header.write(Vec::new(), Compression::new(LEVEL));
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        // Whole blocks: the compressor may decide otherwise where it is handed less at a time.
        let bytes = fill(plain, &mut block)?;
        encoder.write_all(&block[..bytes])?;
        if bytes < block.len() {
            return out(&encoder.finish()?);
        }
        out(encoder.get_ref())?;
        encoder.get_mut().clear();
    }
}

/// Reads until the block is full or the input ends.
fn fill(input: &mut dyn Read, block: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// The input's own error as it is, the decoder's as `Corrupt`.
pub fn explain(error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return Error::from(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::corrupt("its compressed data is cut short"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Error::corrupt("its compressed data is damaged").caused_by(error)
        }
        _ => Error::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn plain(input: &[u8]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        gunzip(Box::new(io::Cursor::new(input.to_vec()))).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn nothing_is_not_gzip() {
        for input in [&b""[..], b"\0\0\0", b"hello", b"\x1f\x8b"] {
            assert_eq!(plain(input).unwrap_err().kind(), ErrorKind::Corrupt, "{input:?}");
        }
    }

    /// Gives at most `step` bytes a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.1.min(buffer.len());
            self.0.read(&mut buffer[..bytes])
        }
    }

    fn gzipped(content: &[u8], step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        gzip(&mut Slow(content, step), &mut out).unwrap();
        bytes
    }

    #[test]
    fn the_same_content_is_the_same_gzip_however_it_is_read() {
        let lines: String =
            (0..40_000u32).map(|i| format!("line {} of {}\n", i.wrapping_mul(2_654_435_761), i % 7)).collect();
        let block = &lines.as_bytes()[..BLOCK_BYTES];
        for content in [&b""[..], b"x", &block[1..], block, &lines.as_bytes()[..BLOCK_BYTES + 1], lines.as_bytes()] {
            let whole = gzipped(content, usize::MAX);
            assert_eq!(whole[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], "no name, no time, no system");
            for step in [3, 1000, 65_537] {
                assert!(gzipped(content, step) == whole, "{} bytes by {step}", content.len());
            }
            assert!(plain(&whole).unwrap() == content);
        }
    }

    #[test]
    fn gzip_hands_on_the_errors_of_both_sides() {
        let full = |_: &[u8]| Err(Error::new(ErrorKind::CacheFull, "full"));
        assert_eq!(gzip(&mut &b"x"[..], &mut { full }).unwrap_err().kind(), ErrorKind::CacheFull);
        let mut cut = gunzip(Box::new(io::Cursor::new(b"\x1f\x8b".to_vec())));
        assert_eq!(gzip(&mut cut, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn an_error_of_the_input_comes_through_and_stays() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(Error::new(ErrorKind::Unreachable, "gone").into())
            }
        }
        let mut reader = gunzip(Box::new(Broken));
        for _ in 0..2 {
            let error = reader.read(&mut [0; 8]).unwrap_err();
            assert_eq!(Error::from(error).kind(), ErrorKind::Unreachable);
        }
    }
}
