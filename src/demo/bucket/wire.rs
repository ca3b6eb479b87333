//! One connection's bytes, with a fault after so many bytes of a response body; no protocol but where a head ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What happens on the wire once a body has sent its allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    Cut,
    Stall,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    breakage: Breakage,
    allowed_bytes: u64,
    head: Head,
}

/// How much of the `\r\n\r\n` behind a response's head has been seen, or that the head is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Matched(usize),
    Over,
}

/// The fault of one connection, armed by the service before it answers.
#[derive(Default)]
pub struct Fault(Mutex<Option<Armed>>);

impl Fault {
    pub fn arm(&self, breakage: Breakage, allowed_bytes: u64) {
        let armed = Armed { breakage, allowed_bytes, head: Head::Matched(0) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(armed);
    }

    /// The next response on a kept connection is whole again.
    pub fn disarm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many of `bytes` may be written now; `Err` when the body's allowance is used up.
    fn allow(&self, bytes: &[u8]) -> Result<usize, Breakage> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(armed) = *guard else { return Ok(bytes.len()) };
        let head_bytes = armed.head.rest(bytes);
        if head_bytes == bytes.len() {
            return Ok(head_bytes);
        }
        match usize::try_from(armed.allowed_bytes) {
            Ok(0) if head_bytes == 0 => Err(armed.breakage),
            Ok(allowed) => Ok(bytes.len().min(head_bytes + allowed)),
            Err(_) => Ok(bytes.len()),
        }
    }

    /// Notes what was really written.
    fn wrote(&self, bytes: &[u8]) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(armed) = guard.as_mut() {
            let head_bytes = armed.head.advance(bytes);
            armed.allowed_bytes -= (bytes.len() - head_bytes) as u64;
        }
    }
}

impl Head {
    /// Bytes of `bytes` that still belong to the head.
    fn rest(mut self, bytes: &[u8]) -> usize {
        self.advance(bytes)
    }

    fn advance(&mut self, bytes: &[u8]) -> usize {
        const END: &[u8] = b"\r\n\r\n";
        for (at, byte) in bytes.iter().enumerate() {
            let Head::Matched(seen) = *self else { return at };
            let seen = if *byte == END[seen] { seen + 1 } else { usize::from(*byte == END[0]) };
            *self = if seen == END.len() { Head::Over } else { Head::Matched(seen) };
        }
        bytes.len()
    }
}

pub struct Wire<S> {
    stream: S,
    fault: Arc<Fault>,
}

impl<S> Wire<S> {
    pub fn new(stream: S, fault: Arc<Fault>) -> Self {
        Wire { stream, fault }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = match self.fault.allow(bytes) {
            Ok(allowed) => allowed,
            Err(Breakage::Cut) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            // Nobody is to wake it: the connection ends with its client or with the server.
            Err(Breakage::Stall) => return Poll::Pending,
        };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]))?;
        self.fault.wrote(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
