//! Input and output beside sockets: any pollable descriptor, copying, and the ecosystem's traits.
//!
//! The streams of [`net`](crate::net) read and write by methods of their own. For code that is
//! generic over streams they implement, by value and by reference, `AsyncRead` and `AsyncWrite` of
//! `futures_io`, which `futures-lite`, `futures-util` and many protocols speak; with the feature
//! `tokio-io` the traits of the same names of tokio; with the feature `hyper` hyper's `Read` and
//! `Write`, and then there is [`io::hyper`](self::hyper) with an executor and a timer. Each is
//! implemented directly, so a read is one system call however it is asked for.
//!
//! `BufReader`, `lines` and their like come from those crates.

#[cfg(unix)]
mod async_fd;
mod copy;
mod futures_io;
#[cfg(feature = "hyper")]
pub mod hyper;
mod ready;
#[cfg(feature = "tokio-io")]
mod tokio_io;

#[cfg(unix)]
pub use async_fd::Async;
pub use copy::{copy, copy_bidirectional};
pub use ready::{Interest, Ready};
