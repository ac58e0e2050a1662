//! The two directions of a stream as two values.
//!
//! Every stream can be shared by reference; halves are for when each goroutine should own its side,
//! and the writer's end should be the stream's end: dropping an [`OwnedWriteHalf`] sends EOF.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::Shutdown;

use crate::net::TcpStream;
use crate::net::methods::{
    read_methods, readable_methods, tcp_pair, writable_methods, write_methods,
};
use crate::net::stream::StreamIo;
use crate::primitive::Arc;
use crate::reactor::polled::Polled;

pub(crate) mod sealed {
    use super::{Polled, StreamIo, io};

    pub trait Stream {
        type Io: StreamIo;
        type Addr;
        fn polled(&self) -> &Polled<Self::Io>;
        fn local_addr(&self) -> io::Result<Self::Addr>;
        fn peer_addr(&self) -> io::Result<Self::Addr>;
    }
}

/// A stream socket that can be split: [`TcpStream`], and on Unix `UnixStream`.
pub trait SplitStream: sealed::Stream + fmt::Debug + Send + Sync + 'static {}

impl<S: sealed::Stream + fmt::Debug + Send + Sync + 'static> SplitStream for S {}

/// The reading side of a borrowed stream, from `split`.
#[derive(Debug)]
pub struct ReadHalf<'a, S: SplitStream = TcpStream> {
    stream: &'a S,
}

/// The writing side of a borrowed stream, from `split`.
///
/// Dropping it changes nothing: the stream goes on. Call `shutdown` on the stream to send EOF.
#[derive(Debug)]
pub struct WriteHalf<'a, S: SplitStream = TcpStream> {
    stream: &'a S,
}

/// The reading side of a stream, from `into_split`.
#[derive(Debug)]
pub struct OwnedReadHalf<S: SplitStream = TcpStream> {
    stream: Arc<S>,
}

/// The writing side of a stream, from `into_split`.
///
/// Dropping it sends EOF: it shuts the writing direction down, while the other half reads on.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: SplitStream = TcpStream> {
    stream: Arc<S>,
    eof_on_drop: bool,
}

pub(crate) fn split<S: SplitStream>(stream: &S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf { stream }, WriteHalf { stream })
}

pub(crate) fn into_split<S: SplitStream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: stream.clone(),
        eof_on_drop: true,
    };
    (OwnedReadHalf { stream }, write)
}

/// What all four halves have: their stream.
macro_rules! half {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            pub(crate) fn polled(&self) -> &Polled<S::Io> {
                self.stream.polled()
            }

            /// The address of this end.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn local_addr(&self) -> io::Result<S::Addr> {
                self.stream.local_addr()
            }

            /// The address of the other end.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn peer_addr(&self) -> io::Result<S::Addr> {
                self.stream.peer_addr()
            }
        }

        impl<$($generics)*> AsRef<S> for $half {
            fn as_ref(&self) -> &S {
                &self.stream
            }
        }
    };
}

half!(['a, S: SplitStream] ReadHalf<'a, S>);
half!(['a, S: SplitStream] WriteHalf<'a, S>);
half!([S: SplitStream] OwnedReadHalf<S>);
half!([S: SplitStream] OwnedWriteHalf<S>);

impl<S: SplitStream> ReadHalf<'_, S> {
    read_methods!(concat!(
        tcp_pair!(),
        "# let mut whole = stream; let (stream, _writer) = whole.split();\n"
    ));
    readable_methods!();
}

impl<S: SplitStream> WriteHalf<'_, S> {
    write_methods!(concat!(
        tcp_pair!(),
        "# let mut whole = stream; let (_reader, stream) = whole.split();\n"
    ));
    writable_methods!();
}

impl<S: SplitStream> OwnedReadHalf<S> {
    read_methods!(concat!(
        tcp_pair!(),
        "# let (stream, _writer) = stream.into_split();\n"
    ));
    readable_methods!();

    /// Puts two halves of one stream together again; no EOF is sent.
    ///
    /// # Errors
    ///
    /// Gives both back if they are halves of different streams.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = concat!("# gorust::block_on(async {\n", tcp_pair!())]
    /// let (reader, writer) = stream.into_split();
    /// let stream = reader.reunite(writer).unwrap();
    /// stream.write_all(b"still open").await?;
    /// # drop(peer);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn reunite(self, write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.stream, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.forget();
        match Arc::try_unwrap(self.stream) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("each half has one reference, and halves cannot be cloned"),
        }
    }
}

impl<S: SplitStream> OwnedWriteHalf<S> {
    write_methods!(concat!(
        tcp_pair!(),
        "# let (_reader, stream) = stream.into_split();\n"
    ));
    writable_methods!();

    /// Drops the half without sending EOF.
    pub fn forget(mut self) {
        self.eof_on_drop = false;
    }

    /// [`OwnedReadHalf::reunite`] from the other side.
    ///
    /// # Errors
    ///
    /// Gives both back if they are halves of different streams.
    pub fn reunite(self, read: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        read.reunite(self)
    }
}

impl<S: SplitStream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.eof_on_drop {
            // What can fail is a connection that is gone, and then the peer knows.
            let _ = self.polled().get().end(Shutdown::Write);
        }
    }
}

/// The halves were not of one stream; they are given back.
pub struct ReuniteError<S: SplitStream = TcpStream>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: SplitStream> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError")
            .field(&self.0)
            .field(&self.1)
            .finish()
    }
}

impl<S: SplitStream> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of one stream")
    }
}

impl<S: SplitStream> Error for ReuniteError<S> {}
