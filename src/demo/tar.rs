//! The tar format, written without a library, so that fixtures do not come from what reads them.

/// Bytes of a tar block.
const BLOCK: usize = 512;
/// Of every file: 2015-03-01 in seconds of Unix time.
const MODIFIED: u64 = 1_425_168_000;

/// A ustar archive in memory.
#[derive(Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// `path`: at most 100 bytes.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.header(path, b'0', 0o644, content.len());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// `path` with or without its final slash, or `/` alone, as RDX packages begin.
    pub fn folder(&mut self, path: &str) {
        self.header(path, b'5', 0o755, 0);
    }

    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, path: &str, kind: u8, mode: u32, length: usize) {
        let mut header = [0_u8; BLOCK];
        put(&mut header, 0..100, path);
        put(&mut header, 100..107, &format!("{mode:07o}"));
        put(&mut header, 108..115, "0000000");
        put(&mut header, 116..123, "0000000");
        put(&mut header, 124..135, &format!("{length:011o}"));
        put(&mut header, 136..147, &format!("{MODIFIED:011o}"));
        put(&mut header, 148..156, "        ");
        header[156] = kind;
        put(&mut header, 257..265, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut header, 148..156, &format!("{sum:06o}\0 "));
        self.bytes.extend_from_slice(&header);
    }
}

fn put(header: &mut [u8; BLOCK], at: std::ops::Range<usize>, text: &str) {
    let length = text.len().min(at.len());
    header[at.start..at.start + length].copy_from_slice(&text.as_bytes()[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_and_the_checksum_is_right() {
        let mut tar = Tar::default();
        tar.folder("/");
        tar.file("a/b", b"hello");
        let bytes = tar.into_bytes();
        assert_eq!(bytes.len(), 5 * BLOCK);
        let header = &bytes[BLOCK..2 * BLOCK];
        let blank: u32 =
            header.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
        assert_eq!(&header[148..154], format!("{blank:06o}").as_bytes());
    }
}
