//! A TCP connection.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socket2::SockRef;

use crate::net::addr::{self, ToSocketAddrs};
use crate::net::methods::{
    raw_handles, read_methods, readable_methods, ready_methods, std_conversions, tcp_pair,
    try_from_std, writable_methods, write_methods,
};
use crate::net::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, sealed};
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// A TCP connection.
///
/// Reading and writing take `&self`, so that one goroutine can read while another writes: share it by
/// reference, in an `Arc`, or by halves ([`TcpStream::split`], [`TcpStream::into_split`]).
///
/// Dropping it closes the connection.
///
/// # Examples
///
/// ```
/// use gorust::net::{TcpListener, TcpStream};
///
/// gorust::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///
///     client.write_all(b"ping").await?;
///     let mut buf = [0; 4];
///     server.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"ping");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "Dial")]
#[doc(alias = "Conn")]
pub struct TcpStream {
    polled: Polled<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to `addr`: to the first of its addresses that answers.
    ///
    /// # Errors
    ///
    /// Those of resolving the name, else that of the last address tried: `ConnectionRefused`,
    /// `TimedOut`, ...; `InvalidInput` if there is no address.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it gives the attempt up.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # gorust::block_on(async {
    /// let stream = gorust::net::TcpStream::connect("example.org:80").await?;
    /// # drop(stream);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "Dial")]
    pub async fn connect(addr: impl ToSocketAddrs) -> io::Result<Self> {
        addr::try_each(addr, |addr| async move {
            Self::finish_connect(mio::net::TcpStream::connect(addr)?).await
        })
        .await
    }

    /// Waits until a connection that has been begun stands.
    pub(super) async fn finish_connect(socket: mio::net::TcpStream) -> io::Result<Self> {
        let stream = Self::new(socket)?;
        stream
            .polled
            .io(Direction::Write, |socket, _| {
                socket.try_io(|| connected(socket))
            })
            .await?;
        Ok(stream)
    }

    std_conversions!(
        std::net::TcpStream,
        mio::net::TcpStream,
        "# let listener = std::net::TcpListener::bind(\"127.0.0.1:0\")?;\n\
         let socket = std::net::TcpStream::connect(listener.local_addr()?)?;\n\
         let stream = gorust::net::TcpStream::from_std(socket)?;\n\
         let socket = stream.into_std()?;\n\
         # drop(socket);\n\
         # std::io::Result::Ok(())"
    );

    pub(crate) fn polled(&self) -> &Polled<mio::net::TcpStream> {
        &self.polled
    }

    read_methods!(tcp_pair!());
    write_methods!(tcp_pair!());
    readable_methods!();
    writable_methods!();
    ready_methods!(tcp_pair!());

    /// The two directions as values that borrow the stream.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = concat!("# gorust::block_on(async {\n", tcp_pair!())]
    /// # let mut stream = stream;
    /// let (reader, writer) = stream.split();
    /// writer.write_all(b"ping").await?;
    /// peer.write_all(b"pong").await?;
    /// let mut buf = [0; 4];
    /// reader.read_exact(&mut buf).await?;
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// The two directions as values of their own; dropping the writing one sends EOF.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = concat!("# gorust::block_on(async {\n", tcp_pair!())]
    /// let (reader, writer) = stream.into_split();
    /// gorust::go(async move { writer.write_all(b"the whole request").await });
    /// let mut request = Vec::new();
    /// peer.read_to_end(&mut request).await?;
    /// assert_eq!(request, b"the whole request");
    /// # drop(reader);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    /// Ends one direction or both: after `Write`, the peer reads EOF.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `NotConnected` if the connection is gone already.
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
    /// Those of the operating system: `NotConnected` if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().peer_addr()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.polled.get().nodelay()
    }

    /// Sends small writes at once (`TCP_NODELAY`) instead of collecting them. Off at first.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.polled.get().set_nodelay(nodelay)
    }

    /// How many hops a packet may make (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.polled.get().ttl()
    }

    /// Sets how many hops a packet may make (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.polled.get().set_ttl(ttl)
    }

    /// What closing does with data that is still to be sent (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.polled.get()).linger()
    }

    /// Sets what closing does with data that is still to be sent (`SO_LINGER`): `None` sends it in
    /// the background, zero drops it and resets the connection. A longer time, in whole seconds,
    /// blocks the closing thread for up to that long.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.polled.get()).set_linger(linger)
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

/// Whether a connection that has been begun stands by now; `WouldBlock` if that is still open.
fn connected(socket: &mio::net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl sealed::Stream for TcpStream {
    type Io = mio::net::TcpStream;
    type Addr = SocketAddr;

    fn polled(&self) -> &Polled<mio::net::TcpStream> {
        &self.polled
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

raw_handles!(TcpStream);
try_from_std!(TcpStream, std::net::TcpStream);
