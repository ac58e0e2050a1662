//! TCP, UDP and Unix sockets that wait without blocking a thread.
//!
//! Problem: a goroutine that waits for the network must cost no thread, and a stream must be usable
//! by a reader and a writer goroutine at once, as in Go. So every operation takes `&self`, tries its
//! system call when the socket looks ready, and otherwise parks in the runtime's reactor. Several
//! goroutines may do the same thing to one socket: all of them are woken, and go on in turn.
//!
//! A socket belongs to the runtime that was current when it was made. When that runtime is gone,
//! every operation on it fails; it does not wait for ever.
//!
//! The inherent methods suffice for most programs. For the traits of `futures_io` every stream and
//! every half of one implements `AsyncRead` and `AsyncWrite`, by value and by reference; with the
//! features `tokio-io` and `hyper` those of tokio and hyper too.
//!
//! # Examples
//!
//! ```
//! use gorust::net::{TcpListener, TcpStream};
//!
//! gorust::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let addr = listener.local_addr()?;
//!     gorust::go(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let mut line = [0; 64];
//!         let n = stream.read(&mut line).await?;
//!         stream.write_all(&line[..n]).await
//!     });
//!     let stream = TcpStream::connect(addr).await?;
//!     stream.write_all(b"hello").await?;
//!     let mut answer = Vec::new();
//!     stream.read_to_end(&mut answer).await?;
//!     assert_eq!(answer, b"hello");
//!     std::io::Result::Ok(())
//! })
//! # .unwrap();
//! ```

mod addr;
mod methods;
mod split;
pub(crate) mod stream;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SplitStream, WriteHalf};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
