//! A file's content on a stream whose end says nothing: frames of a length (u32, big-endian) and so many bytes, closed by
//! an empty one. After it comes a reply that says whether it was everything.

use std::io::{self, Read, Write};

/// The most that one frame holds.
const FRAME_BYTES: usize = 256 << 10;

/// Writes everything that `content` gives, in frames. The outer error is of `out`, the inner one of the content; the
/// frames are closed in either case that leaves `out` usable.
pub fn write(content: &mut dyn Read, out: &mut impl Write) -> io::Result<io::Result<()>> {
    let mut buffer = vec![0; FRAME_BYTES];
    let outcome = loop {
        match content.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(bytes) => {
                out.write_all(&(bytes as u32).to_be_bytes())?;
                out.write_all(&buffer[..bytes])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    out.write_all(&[0; 4])?;
    Ok(outcome)
}

/// Reads frames as one stream, up to the empty one.
pub struct Frames {
    /// Bytes of the frame under way that are still to come; None after the empty one.
    rest: Option<usize>,
}

impl Frames {
    pub fn new() -> Self {
        Frames { rest: Some(0) }
    }

    /// As `Read::read`, from `input`. Errors: `UnexpectedEof` where the stream ends before the empty frame.
    pub fn read(&mut self, input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest == Some(0) {
            let mut length = [0; 4];
            input.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            if length > FRAME_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than frames are"));
            }
            self.rest = (length > 0).then_some(length);
        }
        let Some(rest) = self.rest else { return Ok(0) };
        let wanted = buffer.len().min(rest);
        if wanted == 0 {
            return Ok(0);
        }
        match input.read(&mut buffer[..wanted])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => {
                self.rest = Some(rest - bytes);
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> io::Result<Vec<u8>> {
        let mut frames = Frames::new();
        let mut content = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match frames.read(&mut input, &mut buffer)? {
                0 => return Ok(content),
                bytes => content.extend_from_slice(&buffer[..bytes]),
            }
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        for bytes in [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES] {
            let content: Vec<u8> = (0..bytes).map(|i| i as u8).collect();
            let mut sent = Vec::new();
            write(&mut &content[..], &mut sent).unwrap().unwrap();
            assert_eq!(all(&sent).unwrap(), content);
            if bytes > 0 {
                let cut = all(&sent[..sent.len() - 1]).unwrap_err();
                assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }

    #[test]
    fn a_content_that_fails_closes_its_frames() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("damaged"))
            }
        }
        let mut sent = Vec::new();
        assert!(write(&mut b"before".chain(Failing), &mut sent).unwrap().is_err());
        assert_eq!(all(&sent).unwrap(), b"before");
    }
}
