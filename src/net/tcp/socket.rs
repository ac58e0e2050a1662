//! A TCP socket before it is connected or listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::{TcpListener, TcpStream};

/// A TCP socket that neither listens nor is connected yet, so that its options can be set.
///
/// # Examples
///
/// ```
/// use gorust::net::{TcpSocket, TcpStream};
///
/// gorust::block_on(async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_recv_buffer_size(64 * 1024)?;
///     socket.bind("127.0.0.1:0".parse().unwrap())?;
///     let listener = socket.listen(16)?;
///
///     let client = TcpSocket::new_v4()?;
///     client.set_nodelay(true)?;
///     let stream: TcpStream = client.connect(listener.local_addr()?).await?;
///     assert!(stream.nodelay()?);
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "ListenConfig")]
#[doc(alias = "Dialer")]
pub struct TcpSocket {
    socket: Socket,
}

/// Options with a getter and a setter of socket2's.
macro_rules! options {
    ($($(#[$doc:meta])* $get:ident, $set:ident, $value:ty => $their_get:ident, $their_set:ident;)*) => {
        $(
            #[doc = concat!("What [`Self::", stringify!($set), "`] sets.")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn $get(&self) -> io::Result<$value> {
                self.socket.$their_get()
            }

            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn $set(&self, value: $value) -> io::Result<()> {
                self.socket.$their_set(value)
            }
        )*
    };
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    pub(super) fn new_for(addr: SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(addr))
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(TcpSocket { socket })
    }

    options! {
        /// Lets the socket take an address that lately belonged to another (`SO_REUSEADDR`).
        reuseaddr, set_reuseaddr, bool => reuse_address, set_reuse_address;
        /// Sends probes on an idle connection (`SO_KEEPALIVE`).
        keepalive, set_keepalive, bool => keepalive, set_keepalive;
        /// Sends small writes at once (`TCP_NODELAY`).
        nodelay, set_nodelay, bool => tcp_nodelay, set_tcp_nodelay;
        /// See [`TcpStream::set_linger`].
        linger, set_linger, Option<Duration> => linger, set_linger;
    }

    /// What [`Self::set_send_buffer_size`] sets, as the system counts it (Linux: twice that).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.socket.send_buffer_size().map(to_u32)
    }

    /// Sets the size of the system's send buffer, in bytes (`SO_SNDBUF`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.socket.set_send_buffer_size(bytes as usize)
    }

    /// What [`Self::set_recv_buffer_size`] sets, as the system counts it (Linux: twice that).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.socket.recv_buffer_size().map(to_u32)
    }

    /// Sets the size of the system's receive buffer, in bytes (`SO_RCVBUF`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.socket.set_recv_buffer_size(bytes as usize)
    }

    /// What [`Self::set_reuseport`] sets.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    pub fn reuseport(&self) -> io::Result<bool> {
        self.socket.reuse_port()
    }

    /// Lets several sockets listen on one address, each with a share of the connections
    /// (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.socket.set_reuse_port(reuseport)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the socket's address is not an IP address"))
    }

    /// Takes the error that is pending on the socket (`SO_ERROR`), if there is one.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Binds it to an address of this machine.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable` and others of the operating system.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.socket.bind(&addr.into())
    }

    /// Connects to `addr`.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `ConnectionRefused`, `TimedOut`, ...
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it gives the attempt up.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.socket.connect(&addr.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            #[cfg(unix)]
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        let socket = std::net::TcpStream::from(self.socket);
        TcpStream::finish_connect(mio::net::TcpStream::from_std(socket)).await
    }

    /// Begins to listen; up to `backlog` connections may wait to be accepted.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.socket
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let socket = std::net::TcpListener::from(self.socket);
        TcpListener::new(mio::net::TcpListener::from_std(socket))
    }

    /// Takes over a socket of std's that is not connected yet.
    ///
    /// # Errors
    ///
    /// That of changing it to non-blocking mode.
    pub fn from_std_stream(socket: std::net::TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(TcpSocket {
            socket: Socket::from(socket),
        })
    }
}

/// Sizes of buffers are C `int`s.
fn to_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// `EINPROGRESS` has no stable kind.
#[cfg(unix)]
fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for TcpSocket {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsRawSocket for TcpSocket {
    fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
        self.socket.as_raw_socket()
    }
}
