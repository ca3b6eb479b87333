//! Keys and sealing: one data key, subkeys for each purpose, AES-256-GCM. The only AEAD crate; no files.
//!
//! Every use has a key of its own, derived from the data key by BLAKE3 with a context string that is used nowhere
//! else, so that no nonce of one use can meet a nonce of another:
//!
//! | use | key | nonce |
//! |---|---|---|
//! | small records | context `… record v1`, purpose | 96 random bits |
//! | the chunks and the table of one blob | context `… blob v1`, the blob's 256-bit random salt | the chunk's index |
//! | the pages of one scratch file | random, never leaves memory | number of the write |
//! | names and lookup keys | context `… name v1`, then keyed BLAKE3 | none |
//! | content digests | contexts `… chunk digest v1`, `… content digest v1`, then keyed BLAKE3 | none |
//!
//! Variable-length inputs are hashed with their length in front, so that no two lists of parts give the same bytes.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;
/// Bytes of a blob's salt.
pub const SALT_BYTES: usize = 32;

const NAME_CONTEXT: &str = "edxfs cache name v1";
const RECORD_CONTEXT: &str = "edxfs cache record v1";
const BLOB_CONTEXT: &str = "edxfs cache blob v1";
const BLOB_ROOT_CONTEXT: &str = "edxfs cache blob root v1";
const CHUNK_DIGEST_CONTEXT: &str = "edxfs cache chunk digest v1";
const CONTENT_DIGEST_CONTEXT: &str = "edxfs cache content digest v1";

type Key = Zeroizing<[u8; 32]>;

/// The one secret of a cache folder: 32 random bytes, overwritten when dropped.
pub struct DataKey(Key);

impl DataKey {
    /// A new key from the system's generator. Errors: `Internal` where there is none.
    pub fn random() -> Result<Self> {
        Ok(DataKey(Zeroizing::new(random_bytes()?)))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        DataKey(Zeroizing::new(bytes))
    }

    /// The key itself, to wrap it for its owners.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A name or lookup key that says nothing without the data key: equal for equal purpose and parts alone.
    pub fn name(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&subkey(NAME_CONTEXT, &self.0, &[purpose.as_bytes()]));
        update_parts(&mut hasher, parts);
        *hasher.finalize().as_bytes()
    }

    /// Seals a small record: random nonce (12 bytes), then ciphertext and tag. `aad` must be given again to open it.
    ///
    /// Errors: `Internal` without a random generator.
    pub fn seal_record(&self, purpose: &str, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random_bytes()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .record_key(purpose)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed[NONCE_LEN..])
            .map_err(|_| Error::internal("a record is too large to be sealed"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what `seal_record` made with the same purpose and `aad`. Errors: `Corrupt`.
    pub fn open_record(&self, purpose: &str, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let damaged = || Error::corrupt("a sealed record is damaged or belongs to another key");
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let mut plain = body.to_vec();
        let bytes = self
            .record_key(purpose)
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut plain)
            .map_err(|_| damaged())?
            .len();
        plain.truncate(bytes);
        Ok(plain)
    }

    fn record_key(&self, purpose: &str) -> LessSafeKey {
        aes_key(&subkey(RECORD_CONTEXT, &self.0, &[purpose.as_bytes()]))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(hidden)")
    }
}

/// What the store derives once from the data key: enough for blobs, not for the ledger or for wrapping.
pub(super) struct BlobKeys {
    root: Key,
    chunk_digest: Key,
    content_digest: Key,
}

impl BlobKeys {
    pub fn new(key: &DataKey) -> Self {
        BlobKeys {
            root: subkey(BLOB_ROOT_CONTEXT, &key.0, &[]),
            chunk_digest: subkey(CHUNK_DIGEST_CONTEXT, &key.0, &[]),
            content_digest: subkey(CONTENT_DIGEST_CONTEXT, &key.0, &[]),
        }
    }

    /// The cipher of the one blob with this header; `salt` is part of the header and never used twice.
    pub fn cipher<const N: usize>(&self, salt: &[u8; SALT_BYTES], header: [u8; N]) -> BlobCipher<N> {
        BlobCipher { key: aes_key(&subkey(BLOB_CONTEXT, &self.root, &[salt])), header }
    }

    pub fn chunk_digest(&self, plain: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.chunk_digest, plain).as_bytes()
    }

    /// The digest of a content from those of its chunks, in order, and its length in bytes.
    pub fn content_digest(&self, chunks: &[[u8; 32]], bytes: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.content_digest);
        hasher.update(chunks.as_flattened());
        hasher.update(&bytes.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// What a sealed piece of a blob is; part of its associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Chunk `.0`, and others come after it.
    Chunk(u64),
    /// Chunk `.0`, the last.
    LastChunk(u64),
    Table,
}

impl Piece {
    fn index(self) -> u64 {
        match self {
            Piece::Chunk(index) | Piece::LastChunk(index) => index,
            Piece::Table => u64::MAX,
        }
    }

    fn flag(self) -> u8 {
        match self {
            Piece::Chunk(_) => 0,
            Piece::LastChunk(_) => 1,
            Piece::Table => 2,
        }
    }
}

/// Seals and opens the pieces of one blob. Associated data: header, index (u64 LE), flag (0 more, 1 last, 2 table).
pub(super) struct BlobCipher<const N: usize> {
    key: LessSafeKey,
    header: [u8; N],
}

impl<const N: usize> BlobCipher<N> {
    /// Encrypts in place and appends the tag. One piece must be sealed once only.
    pub fn seal(&self, piece: Piece, text: &mut Vec<u8>) -> Result<()> {
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(piece), Aad::from(self.associated(piece)), text)
            .map_err(|_| Error::internal("a chunk is too large to be sealed"))?;
        text.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts in place; the plaintext is the front of `text`. Errors: `Corrupt`.
    pub fn open<'a>(&self, piece: Piece, text: &'a mut [u8]) -> Result<&'a [u8]> {
        self.key
            .open_in_place(nonce(piece), Aad::from(self.associated(piece)), text)
            .map(|plain| &*plain)
            .map_err(|_| Error::corrupt("a cached file is damaged or belongs to another key"))
    }

    fn associated(&self, piece: Piece) -> Vec<u8> {
        let mut data = Vec::with_capacity(N + 9);
        data.extend_from_slice(&self.header);
        data.extend_from_slice(&piece.index().to_le_bytes());
        data.push(piece.flag());
        data
    }
}

fn nonce(piece: Piece) -> Nonce {
    counted(piece.index().to_le_bytes())
}

/// Bytes that sealing adds to a page of scratch space: the number of its write in front, the tag behind.
pub(super) const PAGE_SEAL_BYTES: usize = 8 + TAG_BYTES;

/// Seals and opens the pages of one scratch file, under a key that nobody can have after it is dropped. A page may be
/// sealed again and again: no two sealings have the same nonce.
pub(super) struct ScratchCipher {
    key: LessSafeKey,
    sealings: u64,
}

impl ScratchCipher {
    /// Errors: `Internal` without a random generator.
    pub fn random() -> Result<Self> {
        let key: Key = Zeroizing::new(random_bytes()?);
        Ok(ScratchCipher { key: aes_key(&key), sealings: 0 })
    }

    /// Appends `plain`, sealed as page `page`, to `sealed`.
    pub fn seal(&mut self, page: u64, plain: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
        self.sealings += 1;
        let number = self.sealings.to_le_bytes();
        sealed.extend_from_slice(&number);
        let begin = sealed.len();
        sealed.extend_from_slice(plain);
        let tag = self
            .key
            .seal_in_place_separate_tag(counted(number), Aad::from(page.to_le_bytes()), &mut sealed[begin..])
            .map_err(|_| Error::internal("a page is too large to be sealed"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts in place what `seal` made of this page. Errors: `Corrupt`.
    pub fn open<'a>(&self, page: u64, sealed: &'a mut [u8]) -> Result<&'a [u8]> {
        let damaged = || Error::corrupt("a scratch file of the cache is damaged");
        let (number, text) = sealed.split_first_chunk_mut().ok_or_else(damaged)?;
        self.key
            .open_in_place(counted(*number), Aad::from(page.to_le_bytes()), text)
            .map(|plain| &*plain)
            .map_err(|_| damaged())
    }
}

fn counted(number: [u8; 8]) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&number);
    Nonce::assume_unique_for_key(bytes)
}

/// `N` bytes from the system's generator.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system's random generator does not answer"))?;
    Ok(bytes)
}

fn subkey(context: &str, key: &[u8; 32], parts: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(key);
    update_parts(&mut hasher, parts);
    Zeroizing::new(*hasher.finalize().as_bytes())
}

fn update_parts(hasher: &mut blake3::Hasher, parts: &[&[u8]]) {
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}

fn aes_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are an AES-256 key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn key() -> DataKey {
        DataKey::from_bytes([7; 32])
    }

    #[test]
    fn a_name_depends_on_key_purpose_and_every_border_between_parts() {
        let name = key().name("p", &[b"ab", b"c"]);
        assert_eq!(name, key().name("p", &[b"ab", b"c"]));
        assert_ne!(name, key().name("p", &[b"a", b"bc"]));
        assert_ne!(name, key().name("p", &[b"ab", b"c", b""]));
        assert_ne!(name, key().name("q", &[b"ab", b"c"]));
        assert_ne!(name, DataKey::from_bytes([8; 32]).name("p", &[b"ab", b"c"]));
    }

    #[test]
    fn a_record_opens_only_with_its_key_purpose_and_aad() {
        let sealed = key().seal_record("facts", b"row", b"plain").unwrap();
        assert_eq!(key().open_record("facts", b"row", &sealed).unwrap(), b"plain");
        assert_ne!(sealed, key().seal_record("facts", b"row", b"plain").unwrap());
        let refused = |result: Result<Vec<u8>>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
        refused(key().open_record("facts", b"other", &sealed));
        refused(key().open_record("other", b"row", &sealed));
        refused(DataKey::from_bytes([8; 32]).open_record("facts", b"row", &sealed));
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            refused(key().open_record("facts", b"row", &flipped));
            refused(key().open_record("facts", b"row", &sealed[..at]));
        }
    }

    #[test]
    fn a_page_opens_only_in_its_place_and_is_never_sealed_alike() {
        let mut cipher = ScratchCipher::random().unwrap();
        let mut sealed = Vec::new();
        cipher.seal(3, b"page", &mut sealed).unwrap();
        cipher.seal(3, b"page", &mut sealed).unwrap();
        let (first, second) = sealed.split_at_mut(4 + PAGE_SEAL_BYTES);
        assert_ne!(first, second);
        let refused = |result: Result<&[u8]>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
        refused(cipher.open(4, &mut first.to_vec()));
        refused(cipher.open(3, &mut first[..20].to_vec()));
        refused(cipher.open(3, &mut []));
        refused(ScratchCipher::random().unwrap().open(3, &mut first.to_vec()));
        for at in 0..first.len() {
            let mut flipped = first.to_vec();
            flipped[at] ^= 1;
            refused(cipher.open(3, &mut flipped));
        }
        assert_eq!((cipher.open(3, first).unwrap(), cipher.open(3, second).unwrap()), (&b"page"[..], &b"page"[..]));
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{:?}", key()), "DataKey(hidden)");
        assert_ne!(DataKey::random().unwrap().expose(), DataKey::random().unwrap().expose());
    }
}
