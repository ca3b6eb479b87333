//! One encrypted message → its plaintext, as a stream; what it may look like, and what it is called when it does not.

use std::io::{self, Cursor, Read};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sequoia_openpgp as openpgp;
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::packet::{PKESK, SKESK, Tag};
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, Decryptor, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::parse::{PacketParser, Parse};
use sequoia_openpgp::policy::Policy;
use sequoia_openpgp::types::{AEADAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};
use sequoia_openpgp::{Cert, KeyHandle, Packet};

use crate::decode::openpgp::OLD_TO_NEW;
use crate::decode::openpgp::framing::Framing;
use crate::decode::openpgp::keys::SecretKeys;
use crate::decode::ratio::{Counting, Intake};
use crate::error::{Error, ErrorKind, Result};

/// Plaintext withheld until its integrity is known; 256 KiB to 1 MiB decrypt fastest.
const BUFFER_BYTES: usize = 512 << 10;
/// Compressed packets inside each other; GnuPG writes one.
const COMPRESSION_LIMIT: usize = 4;
/// Packets of one message; a message for many recipients has one for each.
const PACKET_LIMIT: usize = 4096;
/// Ciphertext fetched ahead: the session keys of a hundred recipients, and the first of the encrypted data.
const START_BYTES: usize = 64 << 10;
/// Recipients named in a message to people.
const NAMED_RECIPIENTS: usize = 8;

/// Decrypts one binary OpenPGP message.
///
/// Output: the literal data, as a stream whose end is reached only if the integrity check of the whole message has
/// passed and nothing follows the message. Reads some of `input` at once.
/// Errors, here or from `read`: `NoSecretKey`; `Corrupt` for damage, truncation, an empty or unencrypted input and
/// bombs; `Unsupported` for forms without integrity protection, GnuPG's OCB, ElGamal and armor, each with the command
/// that re-encrypts it; the input's own errors come through.
pub fn decrypt(keys: &SecretKeys, input: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>> {
    let intake = Intake::default();
    let verdict = Verdict::default();
    let input = Input::begin(intake.counting(input), verdict.clone())?;
    let ended = input.ended.clone();
    let rules = Rules { keys: keys.clone(), verdict: verdict.clone(), seen: Seen::default() };
    let begun = unpanicked(|| {
        DecryptorBuilder::from_reader(input)
            .and_then(|builder| builder.buffer_size(BUFFER_BYTES).with_policy(&ANY_AGE, None, rules))
    });
    let decryptor = match begun {
        Some(Ok(decryptor)) => decryptor,
        Some(Err(error)) => return Err(verdict.given().unwrap_or_else(|| refusal(error.downcast_ref()))),
        None => return Err(verdict.given().unwrap_or_else(damaged)),
    };
    Ok(Box::new(Plaintext { decryptor, verdict, ended, intake, plain_bytes: 0 }))
}

/// None if `work` panicked: the OpenPGP crate does where its input fails within the first bytes of encrypted data.
/// What `work` borrows must not be used again then.
fn unpanicked<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The first error that we, not the OpenPGP crate, found: it would come out of the crate in disguise, or not at all.
#[derive(Clone, Default)]
struct Verdict(Arc<Mutex<Option<Error>>>);

impl Verdict {
    fn given(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn give(&self, error: Error) -> Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error).clone()
    }
}

/// The ciphertext up to the end of its encrypted packet; what lies behind it is judged and kept back.
struct Input {
    /// The message's first bytes, fetched before the OpenPGP crate sees any.
    start: Cursor<Vec<u8>>,
    /// The lock is never taken: it makes the reader `Sync`, which the OpenPGP crate asks for.
    rest: Mutex<Counting<Box<dyn Read + Send>>>,
    framing: Framing,
    ended: Arc<AtomicBool>,
    verdict: Verdict,
}

impl Input {
    fn begin(mut rest: Counting<Box<dyn Read + Send>>, verdict: Verdict) -> Result<Self> {
        let mut start = Vec::with_capacity(START_BYTES);
        (&mut rest).take(START_BYTES as u64).read_to_end(&mut start)?;
        match start.first() {
            None => return Err(Error::corrupt("is empty (0 bytes): its encryption failed at the producer")),
            Some(byte) if byte & 0x80 != 0 => {}
            Some(_) if start.starts_with(b"-----BEGIN PGP") => {
                let armored = Error::unsupported("is an OpenPGP message in ASCII armor");
                return Err(armored.advise("make it binary with gpg --dearmor"));
            }
            Some(_) => return Err(Error::corrupt("is not an OpenPGP message")),
        }
        let whole = start.len() < START_BYTES;
        let mut framing = Framing::new();
        let inside = framing.push(&start)?;
        if whole {
            framing.finish()?;
        }
        start.truncate(inside);
        let ended = Arc::new(AtomicBool::new(whole));
        Ok(Input { start: Cursor::new(start), rest: Mutex::new(rest), framing, ended, verdict })
    }

    fn advance(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if !self.framing.ended() {
            let bytes = self.fetch(buffer)?;
            let inside = self.framing.push(&buffer[..bytes])?;
            if bytes > 0 && !self.framing.ended() {
                return Ok(inside);
            }
            self.drain()?;
            return Ok(inside);
        }
        self.drain().map(|()| 0)
    }

    /// Judges what lies behind the encrypted packet, to the end of the input.
    fn drain(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        while !self.ended.load(Ordering::Relaxed) {
            let bytes = self.fetch(&mut buffer)?;
            self.framing.push(&buffer[..bytes])?;
            if bytes == 0 {
                self.framing.finish()?;
                self.ended.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            match rest.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.start.read(buffer)? {
            0 => self.advance(buffer).map_err(|error| self.verdict.give(error).into()),
            bytes => Ok(bytes),
        }
    }
}

struct Plaintext {
    decryptor: Decryptor<'static, Rules>,
    verdict: Verdict,
    /// Whether the whole input has been read and is in order.
    ended: Arc<AtomicBool>,
    intake: Intake,
    plain_bytes: u64,
}

impl Plaintext {
    fn whole(&self) -> bool {
        let ended = self.ended.load(Ordering::Relaxed);
        ended && self.decryptor.message_processed() && self.decryptor.helper_ref().seen.whole
    }

    fn advance(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = unpanicked(|| self.decryptor.read(buffer)).ok_or_else(damaged)?;
        let bytes = read.map_err(|_| damaged())?;
        if bytes == 0 && !self.whole() {
            return Err(damaged());
        }
        self.plain_bytes += bytes as u64;
        self.intake.allow(self.plain_bytes)?;
        Ok(bytes)
    }
}

impl Read for Plaintext {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // The decryptor may not be asked again after an error.
        if let Some(error) = self.verdict.given() {
            return Err(error.into());
        }
        let result = self.advance(buffer);
        match self.verdict.given() {
            Some(error) => Err(error.into()),
            None => result.map_err(|error| self.verdict.give(error).into()),
        }
    }
}

fn damaged() -> Error {
    Error::corrupt("its OpenPGP message fails the integrity check: it is damaged or cut short")
        .advise("fetch it again, or ask for a new copy")
}

/// What the OpenPGP crate refused before the first byte. Its own texts may quote plaintext, so none is shown.
fn refusal(error: Option<&openpgp::Error>) -> Error {
    use openpgp::Error as E;
    match error {
        Some(E::UnsupportedSymmetricAlgorithm(cipher)) => unsupported_cipher(*cipher),
        Some(E::UnsupportedAEADAlgorithm(mode)) => {
            let mode = format!("is encrypted in the mode {mode}, which is not read");
            Error::unsupported(mode).advise(format!("re-encrypt it: {OLD_TO_NEW}"))
        }
        Some(E::UnsupportedPublicKeyAlgorithm(algorithm)) => unsupported_key(*algorithm),
        Some(E::MalformedMessage(_) | E::MalformedPacket(_)) => Error::corrupt("is not a well-formed OpenPGP message"),
        _ => damaged(),
    }
}

fn unsupported_cipher(cipher: SymmetricAlgorithm) -> Error {
    Error::unsupported(format!("is encrypted with {cipher}, which is not read"))
        .advise(format!("re-encrypt it: {OLD_TO_NEW}"))
}

#[expect(deprecated, reason = "ElGamal is old, and so are packages")]
fn unsupported_key(algorithm: PublicKeyAlgorithm) -> Error {
    let name = match algorithm {
        PublicKeyAlgorithm::ElGamalEncrypt | PublicKeyAlgorithm::ElGamalEncryptSign => "ElGamal".to_owned(),
        other => other.to_string(),
    };
    Error::unsupported(format!("is encrypted to {name} keys only, which are not read"))
        .advise(format!("re-encrypt it to an RSA or ECDH key: {OLD_TO_NEW}"))
}

/// A policy that accepts what decrypting asks about, of every age; signatures and keys it is never asked about.
#[derive(Debug)]
struct AnyAge;
static ANY_AGE: AnyAge = AnyAge;

impl Policy for AnyAge {
    fn packet(&self, _: &Packet) -> openpgp::Result<()> {
        Ok(())
    }

    fn symmetric_algorithm(&self, _: SymmetricAlgorithm) -> openpgp::Result<()> {
        Ok(())
    }

    fn aead_algorithm(&self, _: AEADAlgorithm) -> openpgp::Result<()> {
        Ok(())
    }
}

/// Our part in the decryption: which keys, and which packets where.
struct Rules {
    keys: SecretKeys,
    verdict: Verdict,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    packets: usize,
    compressions: usize,
    strange_cipher: Option<SymmetricAlgorithm>,
    decrypted: bool,
    literal: bool,
    whole: bool,
}

impl Rules {
    /// Judges a packet before it is processed.
    fn admit(&mut self, packet: &Packet, tag: Tag) -> Result<()> {
        self.seen.packets += 1;
        if self.seen.packets > PACKET_LIMIT {
            return Err(Error::corrupt(format!("has more than {PACKET_LIMIT} OpenPGP packets, as only a bomb does")));
        }
        if self.seen.literal && !matches!(tag, Tag::MDC | Tag::Signature | Tag::Marker | Tag::Padding) {
            return Err(Error::corrupt("has bytes behind the end of its OpenPGP message"));
        }
        match tag {
            Tag::SEIP if self.seen.decrypted => {
                Err(Error::unsupported("is encrypted twice")
                    .advise("take one layer off: gpg --decrypt OLD.gpg > NEW.gpg"))
            }
            Tag::SEIP => match packet {
                Packet::SEIP(_) => Ok(()),
                _ => Err(Error::unsupported("is encrypted in a form of a newer OpenPGP version")
                    .advise(format!("re-encrypt it: {OLD_TO_NEW}"))),
            },
            Tag::Literal | Tag::CompressedData if !self.seen.decrypted => Err(damaged()),
            Tag::Literal => {
                self.seen.literal = true;
                Ok(())
            }
            Tag::CompressedData => self.admit_compression(packet),
            _ => Ok(()),
        }
    }

    fn admit_compression(&mut self, packet: &Packet) -> Result<()> {
        self.seen.compressions += 1;
        if self.seen.compressions > COMPRESSION_LIMIT {
            return Err(Error::corrupt(format!("is compressed more than {COMPRESSION_LIMIT} times over")));
        }
        match packet {
            Packet::CompressedData(data) if data.algo().is_supported() => Ok(()),
            _ => Err(Error::corrupt("is compressed by an algorithm that OpenPGP does not have")),
        }
    }

    /// Tries `pkesk` with each of `keys`; true once one of its session keys opened the message.
    fn open_with(
        &mut self,
        pkesk: &PKESK,
        recipient: Option<&KeyHandle>,
        cipher: Option<SymmetricAlgorithm>,
        open: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> bool {
        let strange = &mut self.seen.strange_cipher;
        self.keys.decryptors(recipient, pkesk.pk_algo()).any(|mut pair| match pkesk.decrypt(&mut pair, cipher) {
            Some((Some(algorithm), _)) if !algorithm.is_supported() => {
                *strange = Some(algorithm);
                false
            }
            Some((algorithm, session_key)) => open(algorithm, &session_key),
            None => false,
        })
    }

    /// Why no key of ours opened it.
    fn unopened(&self, pkesks: &[PKESK], skesks: &[SKESK]) -> Error {
        if let Some(cipher) = self.seen.strange_cipher {
            return unsupported_cipher(cipher);
        }
        if pkesks.is_empty() && !skesks.is_empty() {
            return Error::unsupported("is encrypted to a passphrase, not to a key")
                .advise(format!("re-encrypt it: {OLD_TO_NEW}"));
        }
        if let Some(first) = pkesks.first()
            && pkesks.iter().all(|pkesk| !pkesk.pk_algo().is_supported())
        {
            return unsupported_key(first.pk_algo());
        }
        if let Some(ours) = pkesks.iter().find(|pkesk| pkesk.recipient().is_some_and(|id| self.keys.holds(&id))) {
            if !ours.pk_algo().is_supported() {
                return unsupported_key(ours.pk_algo());
            }
            return Error::corrupt("the session key in its OpenPGP message is damaged")
                .advise("fetch it again, or ask for a new copy");
        }
        let mut names: Vec<String> = pkesks
            .iter()
            .take(NAMED_RECIPIENTS)
            .map(|pkesk| pkesk.recipient().map_or_else(|| "hidden".to_owned(), |id| id.to_string()))
            .collect();
        if pkesks.len() > names.len() {
            names.push("…".to_owned());
        }
        let count = pkesks.len();
        let noun = if count == 1 { "recipient" } else { "recipients" };
        let message = format!("no secret key for its {count} {noun} ({})", names.join(", "));
        Error::new(ErrorKind::NoSecretKey, message).advise("give one with --secret-key")
    }
}

impl DecryptionHelper for Rules {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        cipher: Option<SymmetricAlgorithm>,
        open: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        let (named, hidden): (Vec<&PKESK>, Vec<&PKESK>) = pkesks.iter().partition(|pkesk| pkesk.recipient().is_some());
        let opened = named.into_iter().chain(hidden).any(|pkesk| {
            let recipient = pkesk.recipient();
            self.open_with(pkesk, recipient.as_ref(), cipher, open)
        });
        if opened {
            self.seen.decrypted = true;
            return Ok(None);
        }
        Err(self.verdict.give(self.unopened(pkesks, skesks)).into())
    }
}

impl VerificationHelper for Rules {
    fn inspect(&mut self, parser: &PacketParser<'_>) -> openpgp::Result<()> {
        self.admit(&parser.packet, parser.packet.tag()).map_err(|error| self.verdict.give(error).into())
    }

    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    /// Reached once, after the last packet; who signed does not matter, that it was encrypted does.
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.seen.whole = structure.iter().any(|layer| matches!(layer, MessageLayer::Encryption { .. }));
        Ok(())
    }
}
