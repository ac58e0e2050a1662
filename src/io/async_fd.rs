//! Any pollable descriptor, awaitable.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Registry, Token};
use socket2::SockRef;

use crate::io::Interest;
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// Makes a descriptor awaitable: a pipe, a terminal, a socket of a kind that [`net`](crate::net) does
/// not have, an `eventfd`, whatever the system can poll. Regular files it cannot.
///
/// It implements `AsyncRead` and `AsyncWrite` of `futures_io` where `T` implements `Read` and `Write`;
/// a reference does where a reference to `T` does. Closing it flushes it, and sends EOF if it is a
/// socket; a pipe ends when it is dropped.
///
/// # Examples
///
/// ```
/// use gorust::io::Async;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// gorust::block_on(async {
///     let (a, b) = UnixStream::pair()?;
///     let (a, b) = (Async::new(a)?, Async::new(b)?);
///     a.write_with(|mut a| a.write(b"hello")).await?;
///     let mut buf = [0; 16];
///     let n = b.read_with(|mut b| b.read(&mut buf)).await?;
///     assert_eq!(&buf[..n], b"hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "AsyncFd")]
pub struct Async<T: AsFd> {
    polled: Polled<Descriptor<T>>,
}

struct Descriptor<T>(T);

impl<T: AsFd> Source for Descriptor<T> {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).deregister(registry)
    }
}

impl<T: AsFd> Async<T> {
    /// Changes the descriptor to non-blocking mode (`O_NONBLOCK`, which it shares with its
    /// duplicates) and registers it with the current runtime.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `PermissionDenied` for one that cannot be polled, such as a
    /// regular file.
    pub fn new(io: T) -> io::Result<Self> {
        // Despite its name it does this to any descriptor.
        SockRef::from(&io).set_nonblocking(true)?;
        let polled = Polled::new(Descriptor(io))?;
        Ok(Async { polled })
    }

    /// The descriptor. Reading and writing it here does not wait: see [`Self::read_with`].
    pub fn get_ref(&self) -> &T {
        &self.polled.get().0
    }

    /// Gives the descriptor back, still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of taking it out of its runtime.
    pub fn into_inner(self) -> io::Result<T> {
        self.polled.into_inner().map(|descriptor| descriptor.0)
    }

    /// Waits until a read would not have to. It may be mistaken.
    ///
    /// # Errors
    ///
    /// That the descriptor's runtime has gone.
    ///
    /// # Cancellation
    ///
    /// Dropping it changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.polled.ready(true, false).await.map(|_| ())
    }

    /// Waits until a write would not have to. It may be mistaken.
    ///
    /// # Errors
    ///
    /// That the descriptor's runtime has gone.
    ///
    /// # Cancellation
    ///
    /// Dropping it changes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.polled.ready(false, true).await.map(|_| ())
    }

    /// [`Self::readable`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::readable`].
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled.poll_ready(cx, Direction::Read)
    }

    /// [`Self::writable`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::writable`].
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled.poll_ready(cx, Direction::Write)
    }

    /// Makes `read` again and again, each time when the descriptor is readable, until it says
    /// something other than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `read`, and that the descriptor's runtime has gone.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has done what `read` does when it says `WouldBlock`: nothing, if
    /// that is a system call.
    pub async fn read_with<R>(&self, mut read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.polled
            .io(Direction::Read, |descriptor, _| read(&descriptor.0))
            .await
    }

    /// Makes `write` again and again, each time when the descriptor is writable, until it says
    /// something other than `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `write`, and that the descriptor's runtime has gone.
    ///
    /// # Cancellation
    ///
    /// As for [`Self::read_with`].
    pub async fn write_with<R>(&self, mut write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.polled
            .io(Direction::Write, |descriptor, _| write(&descriptor.0))
            .await
    }

    /// Makes `call` once. When that says `WouldBlock`, the descriptor counts as not ready any more in
    /// the ways of `interest`: a following [`Self::readable`] or [`Self::writable`] waits.
    ///
    /// # Errors
    ///
    /// Those of `call`, and that the descriptor's runtime has gone.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.polled.try_on(
            interest.is_readable(),
            interest.is_writable(),
            |descriptor| call(&descriptor.0),
        )
    }

    fn close(&self) -> io::Result<()> {
        match SockRef::from(self.get_ref()).shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => Ok(()),
            result => result,
        }
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + Read + Unpin> AsyncRead for Async<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.polled
            .poll_io_mut(cx, Direction::Read, |descriptor| descriptor.0.read(buf))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io_mut(cx, Direction::Read, |descriptor| {
            descriptor.0.read_vectored(bufs)
        })
    }
}

impl<T: AsFd> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io(cx, Direction::Read, |descriptor, _| {
            (&descriptor.0).read(buf)
        })
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io(cx, Direction::Read, |descriptor, _| {
            (&descriptor.0).read_vectored(bufs)
        })
    }
}

impl<T: AsFd + Write + Unpin> AsyncWrite for Async<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.polled
            .poll_io_mut(cx, Direction::Write, |descriptor| descriptor.0.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io_mut(cx, Direction::Write, |descriptor| {
            descriptor.0.write_vectored(bufs)
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled
            .poll_io_mut(cx, Direction::Write, |descriptor| descriptor.0.flush())
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(self.close())
    }
}

impl<T: AsFd> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io(cx, Direction::Write, |descriptor, _| {
            (&descriptor.0).write(buf)
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled.poll_io(cx, Direction::Write, |descriptor, _| {
            (&descriptor.0).write_vectored(bufs)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled.poll_io(cx, Direction::Write, |descriptor, _| {
            (&descriptor.0).flush()
        })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(self.close())
    }
}
