//! UDP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use crate::net::addr::{self, ToSocketAddrs};
use crate::net::methods::{
    raw_handles, readable_methods, ready_methods, std_conversions, try_from_std, writable_methods,
};
use crate::reactor::Direction;
use crate::reactor::polled::Polled;

/// A UDP socket.
///
/// Sending and receiving take `&self`: goroutines may share it.
///
/// # Examples
///
/// ```
/// use gorust::net::UdpSocket;
///
/// gorust::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.send_to(b"ping", server.local_addr()?).await?;
///
///     let mut buf = [0; 512];
///     let (n, from) = server.recv_from(&mut buf).await?;
///     assert_eq!((&buf[..n], from), (&b"ping"[..], client.local_addr()?));
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "UDPConn")]
#[doc(alias = "PacketConn")]
#[doc(alias = "ListenPacket")]
pub struct UdpSocket {
    polled: Polled<mio::net::UdpSocket>,
}

/// Example set-up: `stream` and `peer`, connected to each other.
macro_rules! udp_pair {
    () => {
        "# let stream = gorust::net::UdpSocket::bind(\"127.0.0.1:0\").await?;\n\
         # let peer = gorust::net::UdpSocket::bind(\"127.0.0.1:0\").await?;\n\
         # stream.connect(peer.local_addr()?).await?;\n\
         # peer.connect(stream.local_addr()?).await?;\n"
    };
}

/// Options with a getter and a setter.
macro_rules! options {
    ($($(#[$doc:meta])* $get:ident, $set:ident, $value:ty;)*) => {
        $(
            #[doc = concat!("What [`Self::", stringify!($set), "`] sets.")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn $get(&self) -> io::Result<$value> {
                self.polled.get().$get()
            }

            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn $set(&self, value: $value) -> io::Result<()> {
                self.polled.get().$set(value)
            }
        )*
    };
}

impl UdpSocket {
    /// Binds a socket to `addr`: to the first of its addresses that can be had. Port 0 asks for a
    /// free one.
    ///
    /// # Errors
    ///
    /// Those of resolving the name, else that of the last address tried: `AddrInUse`,
    /// `AddrNotAvailable`, ...; `InvalidInput` if there is no address.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has done nothing.
    #[doc(alias = "ListenPacket")]
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        addr::try_each(addr, |addr| async move {
            Self::new(mio::net::UdpSocket::bind(addr)?)
        })
        .await
    }

    std_conversions!(
        std::net::UdpSocket,
        mio::net::UdpSocket,
        "let socket = std::net::UdpSocket::bind(\"127.0.0.1:0\")?;\n\
         let socket = gorust::net::UdpSocket::from_std(socket)?;\n\
         let socket = socket.into_std()?;\n\
         # drop(socket);\n\
         # std::io::Result::Ok(())"
    );

    fn polled(&self) -> &Polled<mio::net::UdpSocket> {
        &self.polled
    }

    readable_methods!();
    writable_methods!();
    ready_methods!(udp_pair!());

    /// Sets the peer: what is sent without an address goes there, and only what comes from there is
    /// received. Of several addresses, the first that the system accepts.
    ///
    /// # Errors
    ///
    /// Those of resolving the name and of the operating system.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has changed nothing.
    pub async fn connect(&self, addr: impl ToSocketAddrs) -> io::Result<()> {
        addr::try_each(addr, |addr| async move { self.polled.get().connect(addr) }).await
    }

    /// Sends `buf` to the peer.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `ConnectionRefused` if an earlier datagram found no socket,
    /// `NotConnected` (on some systems another) without a peer.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.polled.io(Direction::Write, |io, _| io.send(buf)).await
    }

    /// Receives a datagram from the peer; what does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// Those of the operating system: `ConnectionRefused` if an earlier datagram found no socket.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has received nothing.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.polled.io(Direction::Read, |io, _| io.recv(buf)).await
    }

    /// Sends `buf` to the first of `target`'s addresses.
    ///
    /// # Errors
    ///
    /// Those of resolving the name and of the operating system.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it has sent nothing.
    #[doc(alias = "WriteTo")]
    pub async fn send_to(&self, buf: &[u8], target: impl ToSocketAddrs) -> io::Result<usize> {
        let target = addr::first(target).await?;
        self.polled
            .io(Direction::Write, |io, _| io.send_to(buf, target))
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
    #[doc(alias = "ReadFrom")]
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.polled
            .io(Direction::Read, |io, _| io.recv_from(buf))
            .await
    }

    /// Like [`Self::recv`], but the datagram stays, to be received again.
    ///
    /// # Errors
    ///
    /// Those of [`Self::recv`].
    ///
    /// # Cancellation
    ///
    /// Dropping it changes nothing.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.polled.io(Direction::Read, |io, _| io.peek(buf)).await
    }

    /// Like [`Self::recv_from`], but the datagram stays, to be received again.
    ///
    /// # Errors
    ///
    /// Those of [`Self::recv_from`].
    ///
    /// # Cancellation
    ///
    /// Dropping it changes nothing.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.polled
            .io(Direction::Read, |io, _| io.peek_from(buf))
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
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.polled
            .try_io(Direction::Write, |io, _| io.send_to(buf, target))
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
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.polled
            .poll_io(cx, Direction::Write, |io, _| io.send_to(buf, target))
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

    options! {
        /// Allows sending to broadcast addresses (`SO_BROADCAST`).
        broadcast, set_broadcast, bool;
        /// How many hops a packet may make (`IP_TTL`).
        ttl, set_ttl, u32;
        /// How many hops a multicast packet may make (`IP_MULTICAST_TTL`).
        multicast_ttl_v4, set_multicast_ttl_v4, u32;
        /// Whether multicast packets come back to this machine (`IP_MULTICAST_LOOP`).
        multicast_loop_v4, set_multicast_loop_v4, bool;
        /// Whether multicast packets come back to this machine (`IPV6_MULTICAST_LOOP`).
        multicast_loop_v6, set_multicast_loop_v6, bool;
    }

    /// Joins a multicast group (`IP_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.polled.get().join_multicast_v4(&group, &interface)
    }

    /// Leaves a multicast group (`IP_DROP_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.polled.get().leave_multicast_v4(&group, &interface)
    }

    /// Joins a multicast group on the interface of that index (`IPV6_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.polled.get().join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group (`IPV6_DROP_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.polled.get().leave_multicast_v6(group, interface)
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

raw_handles!(UdpSocket);
try_from_std!(UdpSocket, std::net::UdpSocket);
