//! From a reader to a writer, in one direction or in both.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::coop;

/// Bytes under way per direction.
const BUFFER: usize = 16 * 1024;

/// Copies all that `reader` has into `writer` and flushes that; the result is how much it was.
///
/// While nothing comes, what was written is flushed.
///
/// # Errors
///
/// The first error of either; `WriteZero` if the writer takes no more.
///
/// # Cancellation
///
/// Dropped before it is done, it may have read bytes that it had not written yet: they are lost.
///
/// # Examples
///
/// ```
/// gorust::block_on(async {
///     let mut reader = &b"hello"[..];
///     let mut writer = Vec::new();
///     assert_eq!(gorust::io::copy(&mut reader, &mut writer).await?, 5);
///     assert_eq!(writer, b"hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "Copy")]
pub async fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut transfer = Transfer::new();
    poll_fn(|cx| transfer.poll_copy(cx, &mut *reader, &mut *writer)).await
}

/// Copies from `a` to `b` and from `b` to `a` until both have ended; the results are how much came
/// from `a` and from `b`.
///
/// When one ends, the other's writing direction is closed, and copying goes on the other way: what a
/// proxy does.
///
/// # Errors
///
/// The first error of either; copying stops in both directions then.
///
/// # Cancellation
///
/// Dropped before it is done, it may have read bytes that it had not written yet: they are lost.
///
/// # Examples
///
/// ```
/// use gorust::net::{TcpListener, TcpStream};
///
/// # gorust::block_on(async {
/// # let target = TcpListener::bind("127.0.0.1:0").await?;
/// # let target = target.local_addr()?;
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// gorust::go(async move {
///     while let Ok((mut client, _)) = listener.accept().await {
///         gorust::go(async move {
///             let mut server = TcpStream::connect(target).await?;
///             gorust::io::copy_bidirectional(&mut client, &mut server).await
///         });
///     }
/// });
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let mut from_a = Transfer::new();
    let mut from_b = Transfer::new();
    poll_fn(|cx| {
        // Both, so that neither holds the other up.
        let there = from_a.poll_copy_and_close(cx, &mut *a, &mut *b)?;
        let back = from_b.poll_copy_and_close(cx, &mut *b, &mut *a)?;
        match (there, back) {
            (Poll::Ready(there), Poll::Ready(back)) => Poll::Ready(Ok((there, back))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// One direction of copying.
struct Transfer {
    buf: Box<[u8]>,
    /// What was read and not written yet.
    pending: std::ops::Range<usize>,
    copied: u64,
    unflushed: bool,
    ended: bool,
    closed: bool,
}

impl Transfer {
    fn new() -> Self {
        Transfer {
            buf: vec![0; BUFFER].into_boxed_slice(),
            pending: 0..0,
            copied: 0,
            unflushed: false,
            ended: false,
            closed: false,
        }
    }

    fn poll_copy<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        while !self.ended {
            // Reader and writer may both be of a kind that never waits.
            let unit = ready!(coop::poll_proceed(cx));
            if self.pending.is_empty() {
                ready!(self.poll_fill(cx, reader, writer))?;
            }
            unit.made_progress();
            ready!(self.poll_drain(cx, writer))?;
        }
        ready!(self.poll_flush(cx, writer))?;
        Poll::Ready(Ok(self.copied))
    }

    /// [`Self::poll_copy`], then tells the writer that no more will come. Once done, it stays done.
    fn poll_copy_and_close<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        if !self.closed {
            ready!(self.poll_copy(cx, reader, writer))?;
            ready!(Pin::new(writer).poll_close(cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(self.copied))
    }

    /// Reads something, or notes the end. What was written is flushed before waiting.
    fn poll_fill<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        match Pin::new(reader).poll_read(cx, &mut self.buf) {
            Poll::Ready(read) => {
                let read = read?;
                self.pending = 0..read;
                self.ended = read == 0;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                // The reader wakes us; whether the flush waits too makes no difference.
                if let Poll::Ready(Err(error)) = self.poll_flush(cx, writer) {
                    return Poll::Ready(Err(error));
                }
                Poll::Pending
            }
        }
    }

    fn poll_drain<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        while !self.pending.is_empty() {
            let rest = &self.buf[self.pending.clone()];
            let written = ready!(Pin::new(&mut *writer).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.start += written;
            self.copied += written as u64;
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.unflushed {
            ready!(Pin::new(writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
