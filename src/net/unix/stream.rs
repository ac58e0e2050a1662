//! A Unix stream socket.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::net::methods::{
    raw_handles, read_methods, readable_methods, ready_methods, std_conversions, try_from_std,
    unix_pair, writable_methods, write_methods,
};
use crate::net::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, sealed};
use crate::reactor::polled::Polled;
use crate::time;

/// Between attempts to connect to a listener whose queue is full.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// A connection between two processes of one machine, or between two parts of one process.
///
/// Reading and writing take `&self`, so that one goroutine can read while another writes: share it by
/// reference, in an `Arc`, or by halves ([`UnixStream::split`], [`UnixStream::into_split`]).
///
/// # Examples
///
/// ```
/// gorust::block_on(async {
///     let (a, b) = gorust::net::UnixStream::pair()?;
///     a.write_all(b"ping").await?;
///     let mut buf = [0; 4];
///     b.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"ping");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "UnixConn")]
pub struct UnixStream {
    polled: Polled<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the socket that listens at `path`, waiting while its queue is full.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotFound`, `ConnectionRefused` if nobody listens, ...
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it gives the attempt up.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # gorust::block_on(async {
    /// let stream = gorust::net::UnixStream::connect("/run/service.sock").await?;
    /// # drop(stream);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let addr = SocketAddr::from_pathname(path);
        Self::connect_addr(&addr?).await
    }

    /// Like [`Self::connect`], to an address that may be one of the abstract kind.
    ///
    /// # Errors
    ///
    /// Those of [`Self::connect`].
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it gives the attempt up.
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<Self> {
        let mut pause = FIRST_PAUSE;
        loop {
            // It is connected, or refused, when the call returns; or the listener's queue is full,
            // and no event tells when there is room.
            match mio::net::UnixStream::connect_addr(addr) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    time::sleep(pause).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                result => return Self::new(result?),
            }
        }
    }

    /// Two streams, connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[doc(alias = "Pipe")]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = mio::net::UnixStream::pair()?;
        Ok((Self::new(a)?, Self::new(b)?))
    }

    std_conversions!(
        std::os::unix::net::UnixStream,
        mio::net::UnixStream,
        "let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;\n\
         let stream = gorust::net::UnixStream::from_std(socket)?;\n\
         let socket = stream.into_std()?;\n\
         # drop(socket);\n\
         # std::io::Result::Ok(())"
    );

    pub(crate) fn polled(&self) -> &Polled<mio::net::UnixStream> {
        &self.polled
    }

    read_methods!(unix_pair!());
    write_methods!(unix_pair!());
    readable_methods!();
    writable_methods!();
    ready_methods!(unix_pair!());

    /// The two directions as values that borrow the stream.
    pub fn split(&mut self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
        split::split(self)
    }

    /// The two directions as values of their own; dropping the writing one sends EOF.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = concat!("# gorust::block_on(async {\n", unix_pair!())]
    /// let (reader, writer) = stream.into_split();
    /// gorust::go(async move { writer.write_all(b"the whole request").await });
    /// let mut request = Vec::new();
    /// peer.read_to_end(&mut request).await?;
    /// assert_eq!(request, b"the whole request");
    /// # drop(reader);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        split::into_split(self)
    }

    /// Ends one direction or both: after `Write`, the peer reads EOF.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[doc(alias = "CloseWrite")]
    #[doc(alias = "CloseRead")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.polled.get().shutdown(how)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
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

impl sealed::Stream for UnixStream {
    type Io = mio::net::UnixStream;
    type Addr = SocketAddr;

    fn polled(&self) -> &Polled<mio::net::UnixStream> {
        &self.polled
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

raw_handles!(UnixStream);
try_from_std!(UnixStream, std::os::unix::net::UnixStream);
