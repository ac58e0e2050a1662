//! From what the user writes to socket addresses.
//!
//! Literal addresses are taken as they are. Names are looked up by the system's resolver, which
//! blocks, on the blocking pool.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What can be resolved to socket addresses, as std's trait of the same name, but without blocking.
///
/// Implemented for [`SocketAddr`] and its two kinds, for `(ip, port)`, for slices and arrays of
/// [`SocketAddr`], for `(name, port)`, and for strings of the form `"name:port"`, `"127.0.0.1:80"` or
/// `"[::1]:80"`. The trait is sealed.
///
/// # Examples
///
/// ```
/// use gorust::net::lookup_host;
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// gorust::block_on(async {
///     let addrs: Vec<SocketAddr> = lookup_host((Ipv4Addr::LOCALHOST, 80)).await?.collect();
///     assert_eq!(addrs, ["127.0.0.1:80".parse().unwrap()]);
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub trait ToSocketAddrs: sealed::ToSocketAddrs {}

impl<T: sealed::ToSocketAddrs + ?Sized> ToSocketAddrs for T {}

pub(crate) mod sealed {
    use super::{Target, io};

    pub trait ToSocketAddrs {
        fn target(&self) -> io::Result<Target>;
    }
}

/// Addresses, or a name that stands for some.
#[derive(Debug)]
pub enum Target {
    One(SocketAddr),
    Many(Vec<SocketAddr>),
    Name(String, u16),
}

/// The addresses that `host` stands for, in the system's order of preference.
///
/// # Errors
///
/// Those of the system's resolver for a name that it does not know; `InvalidInput` for a string that
/// is not of the form `"host:port"`.
///
/// # Cancellation
///
/// Dropping it forgets the answer; the question that was put to the resolver goes on in the background.
///
/// # Examples
///
/// ```
/// gorust::block_on(async {
///     for addr in gorust::net::lookup_host("localhost:80").await? {
///         assert!(addr.ip().is_loopback());
///     }
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[doc(alias = "LookupHost")]
#[doc(alias = "Resolver")]
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    // The user's value does not live across the wait: it need not be `Send`.
    let target = host.target();
    drop(host);
    resolve(target?).await
}

async fn resolve(target: Target) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    Ok(match target {
        Target::One(addr) => vec![addr],
        Target::Many(addrs) => addrs,
        Target::Name(host, port) => look_up(host, port).await?,
    }
    .into_iter())
}

async fn look_up(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let answer = crate::go_blocking(move || {
        std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port)).map(Iterator::collect)
    });
    answer.await.map_err(io::Error::other)?
}

/// Does `attempt` with each address in turn until one succeeds; answers the last error.
pub(crate) async fn try_each<T, F>(
    addrs: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let target = addrs.target();
    drop(addrs);
    let target = target?;
    // The usual case, without the list.
    if let Target::One(addr) = target {
        return attempt(addr).await;
    }
    let mut last = None;
    for addr in resolve(target).await? {
        match attempt(addr).await {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// The first address.
pub(crate) async fn first(addrs: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    lookup_host(addrs).await?.next().ok_or_else(no_address)
}

fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address",
    )
}

macro_rules! known_addresses {
    ($($addr:ty,)*) => {
        $(
            impl sealed::ToSocketAddrs for $addr {
                fn target(&self) -> io::Result<Target> {
                    Ok(Target::One(SocketAddr::from(*self)))
                }
            }
        )*
    };
}

known_addresses! {
    SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16),
}

impl sealed::ToSocketAddrs for [SocketAddr] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Many(self.to_vec()))
    }
}

impl<const N: usize> sealed::ToSocketAddrs for [SocketAddr; N] {
    fn target(&self) -> io::Result<Target> {
        self.as_slice().target()
    }
}

impl sealed::ToSocketAddrs for Vec<SocketAddr> {
    fn target(&self) -> io::Result<Target> {
        self.as_slice().target()
    }
}

impl sealed::ToSocketAddrs for (&str, u16) {
    fn target(&self) -> io::Result<Target> {
        let &(host, port) = self;
        Ok(match host.parse::<IpAddr>() {
            Ok(ip) => Target::One((ip, port).into()),
            Err(_) => Target::Name(host.to_owned(), port),
        })
    }
}

impl sealed::ToSocketAddrs for (String, u16) {
    fn target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).target()
    }
}

impl sealed::ToSocketAddrs for str {
    fn target(&self) -> io::Result<Target> {
        if let Ok(addr) = self.parse() {
            return Ok(Target::One(addr));
        }
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        let (host, port) = self
            .rsplit_once(':')
            .ok_or_else(|| invalid("an address has the form \"host:port\""))?;
        let port = port.parse().map_err(|_| invalid("not a port number"))?;
        (host, port).target()
    }
}

impl sealed::ToSocketAddrs for String {
    fn target(&self) -> io::Result<Target> {
        self.as_str().target()
    }
}

impl<T: sealed::ToSocketAddrs + ?Sized> sealed::ToSocketAddrs for &T {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::ToSocketAddrs;
    use super::*;

    fn one(addr: impl ToSocketAddrs) -> SocketAddr {
        match addr.target() {
            Ok(Target::One(addr)) => addr,
            other => panic!("expected an address: {other:?}"),
        }
    }

    #[test]
    fn literals_need_no_resolver() {
        assert_eq!(one("127.0.0.1:80").to_string(), "127.0.0.1:80");
        assert_eq!(one("[::1]:80").to_string(), "[::1]:80");
        assert_eq!(one(("127.0.0.1", 80)).to_string(), "127.0.0.1:80");
        assert_eq!(one((String::from("::1"), 80)).to_string(), "[::1]:80");
        assert_eq!(one((Ipv6Addr::LOCALHOST, 80)).to_string(), "[::1]:80");
        let name = String::from("1.2.3.4:5");
        assert_eq!(one(&name).to_string(), name);
    }

    #[test]
    fn names_are_split_from_their_ports() {
        match "example.org:443".target() {
            Ok(Target::Name(host, 443)) => assert_eq!(host, "example.org"),
            other => panic!("expected a name: {other:?}"),
        }
    }

    #[test]
    fn malformed_strings_are_invalid_input() {
        for text in [
            "",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "::1",
        ] {
            match text.target() {
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}"),
                // `::1` is the host `:` with port 1 for std too: its resolver refuses it.
                Ok(Target::Name(host, 1)) => assert_eq!((text, host.as_str()), ("::1", ":")),
                Ok(other) => panic!("{text:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn slices_keep_their_order() {
        let addrs: [SocketAddr; 2] = [one("127.0.0.1:2"), one("127.0.0.1:1")];
        match addrs[..].target() {
            Ok(Target::Many(many)) => assert_eq!(many, addrs),
            other => panic!("expected addresses: {other:?}"),
        }
    }
}
