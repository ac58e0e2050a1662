//! A Unix datagram socket.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use crate::net::methods::{
    raw_handles, readable_methods, ready_methods, std_conversions, try_from_std, writable_methods,
};
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// A socket for datagrams between the processes of one machine: none is lost, and their order is kept.
///
/// Sending and receiving take `&self`: goroutines may share it.
///
/// # Examples
///
/// ```
/// gorust::block_on(async {
///     let (a, b) = gorust::net::UnixDatagram::pair()?;
///     a.send(b"ping").await?;
///     let mut buf = [0; 64];
///     let n = b.recv(&mut buf).await?;
///     assert_eq!(&buf[..n], b"ping");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct UnixDatagram {
    polled: Polled<mio::net::UnixDatagram>,
}

/// Example set-up: `stream` and `peer`, connected to each other.
macro_rules! datagram_pair {
    () => {
        "# let (stream, peer) = gorust::net::UnixDatagram::pair()?;\n"
    };
}

impl UnixDatagram {
    /// Makes a socket at `path`, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is something at `path`; others of the operating system.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(mio::net::UnixDatagram::bind(path)?)
    }

    /// A socket without an address: it can send, and nobody can send to it.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn unbound() -> io::Result<Self> {
        Self::new(mio::net::UnixDatagram::unbound()?)
    }

    /// Two sockets, connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = mio::net::UnixDatagram::pair()?;
        Ok((Self::new(a)?, Self::new(b)?))
    }

    std_conversions!(
        std::os::unix::net::UnixDatagram,
        mio::net::UnixDatagram,
        "let (socket, _peer) = std::os::unix::net::UnixDatagram::pair()?;\n\
         let socket = gorust::net::UnixDatagram::from_std(socket)?;\n\
         let socket = socket.into_std()?;\n\
         # drop(socket);\n\
         # std::io::Result::Ok(())"
    );

    fn polled(&self) -> &Polled<mio::net::UnixDatagram> {
        &self.polled
    }

    readable_methods!();
    writable_methods!();
    ready_methods!(datagram_pair!());

    /// Sets the peer: what is sent without a path goes there, and only what comes from there is
    /// received.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotFound`, `ConnectionRefused`, ...
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.polled.get().connect(path)
    }

    /// Sends `buf` to the peer, waiting while its queue is full.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotConnected` without a peer, `ConnectionRefused` if that is
    /// gone.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.polled.io(Direction::Write, |io, _| io.send(buf)).await
    }

    /// Receives a datagram; what does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has received nothing.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.polled.io(Direction::Read, |io, _| io.recv(buf)).await
    }

    /// Sends `buf` to the socket at `path`, waiting while its queue is full.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotFound`, `ConnectionRefused`, ...
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has sent nothing.
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.polled
            .io(Direction::Write, |io, _| io.send_to(buf, path))
            .await
    }

    /// Receives a datagram, and says where it comes from; what does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has received nothing.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.polled
            .io(Direction::Read, |io, _| io.recv_from(buf))
            .await
    }

    /// [`Self::send`] without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; otherwise those of [`Self::send`].
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.polled.try_io(Direction::Write, |io, _| io.send(buf))
    }

    /// [`Self::recv`] without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there; otherwise those of [`Self::recv`].
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.polled.try_io(Direction::Read, |io, _| io.recv(buf))
    }

    /// [`Self::send_to`] without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; otherwise those of [`Self::send_to`].
    pub fn try_send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.polled
            .try_io(Direction::Write, |io, _| io.send_to(buf, path))
    }

    /// [`Self::recv_from`] without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there; otherwise those of [`Self::recv_from`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.polled
            .try_io(Direction::Read, |io, _| io.recv_from(buf))
    }

    /// [`Self::send`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send`].
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.polled
            .poll_io(cx, Direction::Write, |io, _| io.send(buf))
    }

    /// [`Self::recv`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::recv`].
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.polled
            .poll_io(cx, Direction::Read, |io, _| io.recv(buf))
    }

    /// [`Self::send_to`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::send_to`].
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        path: impl AsRef<Path>,
    ) -> Poll<io::Result<usize>> {
        let path = path.as_ref();
        self.polled
            .poll_io(cx, Direction::Write, |io, _| io.send_to(buf, path))
    }

    /// [`Self::recv_from`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::recv_from`].
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.polled
            .poll_io(cx, Direction::Read, |io, _| io.recv_from(buf))
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.polled.get().shutdown(how)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().local_addr()
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` without a peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().peer_addr()
    }

    /// Takes the error that is pending on the socket (`SO_ERROR`), if there is one.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.polled.get().take_error()
    }
}

raw_handles!(UnixDatagram);
try_from_std!(UnixDatagram, std::os::unix::net::UnixDatagram);
