//! Multi-member gunzip; no size guesses.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

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
