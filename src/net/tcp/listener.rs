//! A TCP socket that accepts connections.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::{TcpSocket, TcpStream};
use crate::net::addr::{self, ToSocketAddrs};
use crate::net::methods::{raw_handles, std_conversions, try_from_std};
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// Connections that may wait to be accepted; the system has its own limit below or above that.
const BACKLOG: u32 = 4096;

/// A TCP socket that accepts connections.
///
/// Any number of goroutines may accept on one listener.
///
/// # Examples
///
/// ```
/// use gorust::net::{TcpListener, TcpStream};
///
/// gorust::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let addr = listener.local_addr()?;
///     gorust::go(async move {
///         while let Ok((stream, peer)) = listener.accept().await {
///             gorust::go(async move {
///                 println!("hello, {peer}");
///                 stream.write_all(b"hello").await
///             });
///         }
///     });
///     let mut greeting = Vec::new();
///     TcpStream::connect(addr).await?.read_to_end(&mut greeting).await?;
///     assert_eq!(greeting, b"hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "Listen")]
pub struct TcpListener {
    polled: Polled<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens on `addr`: on the first of its addresses that can be had. Port 0 asks for a free one.
    ///
    /// As in std, `SO_REUSEADDR` is set on Unix, so that a restarted server gets its port again.
    ///
    /// # Errors
    ///
    /// Those of resolving the name, else that of the last address tried: `AddrInUse`,
    /// `AddrNotAvailable`, `PermissionDenied`, ...; `InvalidInput` if there is no address.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has done nothing.
    #[doc(alias = "Listen")]
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        addr::try_each(addr, |addr| async move {
            let socket = TcpSocket::new_for(addr)?;
            // Elsewhere it would let another process take the port over.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            socket.listen(BACKLOG)
        })
        .await
    }

    std_conversions!(
        std::net::TcpListener,
        mio::net::TcpListener,
        "let socket = std::net::TcpListener::bind(\"127.0.0.1:0\")?;\n\
         let listener = gorust::net::TcpListener::from_std(socket)?;\n\
         let socket = listener.into_std()?;\n\
         # drop(socket);\n\
         # std::io::Result::Ok(())"
    );

    /// Accepts the next connection, and says where it comes from.
    ///
    /// A connection that its peer gave up while it was waiting is passed over.
    ///
    /// # Errors
    ///
    /// Those of the operating system. After one for want of descriptors (`EMFILE`, `ENFILE`) the
    /// connection is still there, and the next call tries again at once: close something, or wait a
    /// little, in between.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has accepted nothing.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |socket: &mio::net::TcpListener, _| accept(socket);
        let (socket, addr) = self.polled.io(Direction::Read, accept).await?;
        Ok((TcpStream::new(socket)?, addr))
    }

    /// [`Self::accept`] as a poll function. `Pending` arranges for the caller to be woken.
    ///
    /// # Errors
    ///
    /// Those of [`Self::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.polled
            .poll_io(cx, Direction::Read, |socket, _| accept(socket))
            .map(|result| result.and_then(|(socket, addr)| Ok((TcpStream::new(socket)?, addr))))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.polled.get().local_addr()
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

    /// Takes the error that is pending on the socket (`SO_ERROR`), if there is one.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.polled.get().take_error()
    }
}

/// Accepts without waiting, past connections that were aborted in the queue.
fn accept(socket: &mio::net::TcpListener) -> io::Result<(mio::net::TcpStream, SocketAddr)> {
    loop {
        match socket.accept() {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            result => return result,
        }
    }
}

raw_handles!(TcpListener);
try_from_std!(TcpListener, std::net::TcpListener);
