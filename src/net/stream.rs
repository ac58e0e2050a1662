//! Bytes in and out of a stream socket: all that TCP and Unix streams and their halves do.
//!
//! The public types only delegate here; so does each ecosystem trait (`crate::io`).

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::{Context, Poll};

use mio::event::Source;
use socket2::SockRef;

use crate::reactor::Direction;
use crate::reactor::polled::Polled;
use crate::reactor::readiness::Seen;

/// The system calls of a stream socket, which never wait. (On Windows, mio must see each that would
/// have to, so they go through its types.)
pub trait StreamIo: Source {
    /// Whether a transfer that was cut short shows that the next one would block.
    ///
    /// So it is with TCP, but not with Unix streams: there a read ends at the boundary of a message
    /// that carries descriptors or, with `SO_PASSCRED`, other credentials, whatever comes after it.
    const SHORT_IS_LAST: bool;

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn recv_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    /// The bytes counted in the result are initialised.
    fn recv_uninit(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize>;
    fn recv_peek(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn send(&self, buf: &[u8]) -> io::Result<usize>;
    fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    fn end(&self, how: Shutdown) -> io::Result<()>;
}

macro_rules! stream_io {
    ($socket:ty, short_is_last: $short_is_last:literal) => {
        impl StreamIo for $socket {
            const SHORT_IS_LAST: bool = $short_is_last;

            #[inline]
            fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buf)
            }
            fn recv_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                Read::read_vectored(&mut &*self, bufs)
            }
            #[inline]
            fn recv_uninit(&self, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
                self.try_io(|| SockRef::from(self).recv(buf))
            }
            fn recv_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                // SAFETY: initialised bytes are valid as maybe-uninitialised ones, and the call only
                // ever writes initialised ones.
                let buf = unsafe { &mut *(buf as *mut [u8] as *mut [MaybeUninit<u8>]) };
                self.try_io(|| SockRef::from(self).peek(buf))
            }
            #[inline]
            fn send(&self, buf: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, buf)
            }
            fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                Write::write_vectored(&mut &*self, bufs)
            }
            fn end(&self, how: Shutdown) -> io::Result<()> {
                <$socket>::shutdown(self, how)
            }
        }
    };
}

stream_io!(mio::net::TcpStream, short_is_last: true);
#[cfg(unix)]
stream_io!(mio::net::UnixStream, short_is_last: false);

/// Bytes to make room for at least when reading to the end.
const READ_TO_END_CHUNK: usize = 4096;

impl<S: StreamIo> Polled<S> {
    /// `call` as an attempt to transfer up to `len` bytes.
    #[inline]
    fn transfer(
        &self,
        direction: Direction,
        len: usize,
        mut call: impl FnMut(&S) -> io::Result<usize>,
    ) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        move |io, seen| {
            let done = call(io)?;
            if S::SHORT_IS_LAST && 0 < done && done < len {
                self.was_short(direction, seen);
            }
            Ok(done)
        }
    }

    #[inline]
    fn reading(&self, buf: &mut [u8]) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        self.transfer(Direction::Read, buf.len(), move |io| io.recv(buf))
    }

    fn reading_vectored(
        &self,
        bufs: &mut [IoSliceMut<'_>],
    ) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.transfer(Direction::Read, len, move |io| io.recv_vectored(bufs))
    }

    #[inline]
    fn reading_uninit(
        &self,
        buf: &mut [MaybeUninit<u8>],
    ) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        self.transfer(Direction::Read, buf.len(), move |io| io.recv_uninit(buf))
    }

    #[inline]
    fn writing(&self, buf: &[u8]) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        self.transfer(Direction::Write, buf.len(), move |io| io.send(buf))
    }

    fn writing_vectored(&self, bufs: &[IoSlice<'_>]) -> impl FnMut(&S, Seen) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.transfer(Direction::Write, len, move |io| io.send_vectored(bufs))
    }

    // Reading nothing is done at once, as in Go: the system would wait for something to come.

    #[inline]
    pub(crate) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.io(Direction::Read, self.reading(buf)).await
    }

    pub(crate) async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        self.io(Direction::Read, self.reading_vectored(bufs)).await
    }

    pub(crate) async fn read_exact(&self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let done = self.io(Direction::Read, self.reading(buf)).await?;
            if done == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buf = &mut buf[done..];
        }
        Ok(())
    }

    pub(crate) async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let before = buf.len();
        loop {
            if buf.len() == buf.capacity() {
                buf.reserve(READ_TO_END_CHUNK);
            }
            let spare = self.reading_uninit(buf.spare_capacity_mut());
            let done = self.io(Direction::Read, spare).await?;
            // SAFETY: `recv_uninit` initialised that many bytes from the start of the spare room.
            unsafe { buf.set_len(buf.len() + done) };
            if done == 0 {
                return Ok(buf.len() - before);
            }
        }
    }

    pub(crate) async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io(Direction::Read, |io, _| io.recv_peek(buf)).await
    }

    #[inline]
    pub(crate) async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io(Direction::Write, self.writing(buf)).await
    }

    pub(crate) async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io(Direction::Write, self.writing_vectored(bufs)).await
    }

    pub(crate) async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let done = self.io(Direction::Write, self.writing(buf)).await?;
            if done == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            buf = &buf[done..];
        }
        Ok(())
    }

    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_io(Direction::Read, self.reading(buf))
    }

    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_io(Direction::Read, self.reading_vectored(bufs))
    }

    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_io(Direction::Write, self.writing(buf))
    }

    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_io(Direction::Write, self.writing_vectored(bufs))
    }

    #[inline]
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_io(cx, Direction::Read, self.reading(buf))
    }

    pub(crate) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_io(cx, Direction::Read, self.reading_vectored(bufs))
    }

    #[cfg(any(feature = "hyper", feature = "tokio-io"))]
    /// That many bytes at the start of `buf` are initialised afterwards.
    #[cfg(any(feature = "hyper", feature = "tokio-io"))]
    #[inline]
    pub(crate) fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_io(cx, Direction::Read, self.reading_uninit(buf))
    }

    pub(crate) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, |io, _| io.recv_peek(buf))
    }

    #[inline]
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, self.writing(buf))
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, self.writing_vectored(bufs))
    }

    /// Sends EOF, for the traits' idea of closing: a connection that is gone already is closed.
    pub(crate) fn close_write(&self) -> io::Result<()> {
        match self.get().end(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}
