//! Methods that several sockets share, word for word.
//!
//! Each macro expands inside an `impl` of a type that has `fn polled(&self) -> &Polled<_>`. The text
//! it is given sets up its examples: hidden lines that define `stream` and its other end, `peer`.

/// One line of an example's set-up per socket type.
macro_rules! example {
    ($setup:expr, $($line:literal)*) => {
        concat!(
            "\n# Examples\n\n```\n# gorust::block_on(async {\n", $setup,
            $($line, "\n",)*
            "# std::io::Result::Ok(())\n# }).unwrap();\n```"
        )
    };
}

/// `TcpStream`: `stream` and `peer`.
macro_rules! tcp_pair {
    () => {
        "# let listener = gorust::net::TcpListener::bind(\"127.0.0.1:0\").await?;\n\
         # let stream = gorust::net::TcpStream::connect(listener.local_addr()?).await?;\n\
         # let (peer, _) = listener.accept().await?;\n"
    };
}

/// `UnixStream`: `stream` and `peer`.
#[cfg(unix)]
macro_rules! unix_pair {
    () => {
        "# let (stream, peer) = gorust::net::UnixStream::pair()?;\n"
    };
}

/// Reading from a stream.
macro_rules! read_methods {
    ($setup:expr) => {
        /// Reads what is there, up to `buf.len()` bytes, waiting until something is. `Ok(0)` means the
        /// end of the stream (or an empty `buf`).
        ///
        /// # Errors
        ///
        /// Those of the connection, of the kinds that std uses.
        ///
        /// # Cancellation
        ///
        /// Dropped before it is done, it has read nothing.
        #[doc = $crate::net::methods::example!($setup,
            "peer.write_all(b\"hello\").await?;"
            "let mut buf = [0; 16];"
            "let n = stream.read(&mut buf).await?;"
            "assert_eq!(&buf[..n], b\"hello\");")]
        #[inline]
        pub async fn read(&self, buf: &mut [u8]) -> ::std::io::Result<usize> {
            self.polled().read(buf).await
        }

        /// Like [`Self::read`], into several buffers, one after the other.
        #[doc = $crate::net::methods::example!($setup,
            "peer.write_all(b\"hello\").await?;"
            "let (mut head, mut tail) = ([0; 2], [0; 8]);"
            "let mut bufs = [std::io::IoSliceMut::new(&mut head), std::io::IoSliceMut::new(&mut tail)];"
            "assert_eq!(stream.read_vectored(&mut bufs).await?, 5);"
            "assert_eq!((&head, &tail[..3]), (b\"he\", &b\"llo\"[..]));")]
        pub async fn read_vectored(
            &self,
            bufs: &mut [::std::io::IoSliceMut<'_>],
        ) -> ::std::io::Result<usize> {
            self.polled().read_vectored(bufs).await
        }

        /// Fills `buf`.
        ///
        /// # Errors
        ///
        /// `UnexpectedEof` if the stream ends before; otherwise those of [`Self::read`]. What was
        /// read until then is in `buf`.
        ///
        /// # Cancellation
        ///
        /// Dropped before it is done, it may have taken bytes from the stream: they are in `buf`, and
        /// nothing says how many.
        #[doc = $crate::net::methods::example!($setup,
            "peer.write_all(b\"hello, world\").await?;"
            "let mut buf = [0; 5];"
            "stream.read_exact(&mut buf).await?;"
            "assert_eq!(&buf, b\"hello\");")]
        pub async fn read_exact(&self, buf: &mut [u8]) -> ::std::io::Result<()> {
            self.polled().read_exact(buf).await
        }

        /// Appends all that comes until the end of the stream to `buf`; the result is how much.
        ///
        /// # Errors
        ///
        /// Those of [`Self::read`]. What was read until then is in `buf`.
        ///
        /// # Cancellation
        ///
        /// Dropped before it is done, it leaves what it has read in `buf`.
        #[doc = $crate::net::methods::example!($setup,
            "peer.write_all(b\"hello\").await?;"
            "drop(peer);"
            "let mut all = Vec::new();"
            "stream.read_to_end(&mut all).await?;"
            "assert_eq!(all, b\"hello\");")]
        pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> ::std::io::Result<usize> {
            self.polled().read_to_end(buf).await
        }

        /// Like [`Self::read`], but the bytes stay in the stream, to be read again.
        #[doc = $crate::net::methods::example!($setup,
            "peer.write_all(b\"hello\").await?;"
            "let mut buf = [0; 16];"
            "let n = stream.peek(&mut buf).await?;"
            "assert_eq!(n, stream.read(&mut buf).await?);")]
        pub async fn peek(&self, buf: &mut [u8]) -> ::std::io::Result<usize> {
            self.polled().peek(buf).await
        }

        /// [`Self::peek`] as a poll function. `Pending` arranges for the caller to be woken.
        ///
        /// # Errors
        ///
        /// Those of [`Self::read`].
        pub fn poll_peek(
            &self,
            cx: &mut ::std::task::Context<'_>,
            buf: &mut [u8],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            self.polled().poll_peek(cx, buf)
        }

        /// Reads without waiting.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if nothing is there; otherwise those of [`Self::read`].
        #[doc = $crate::net::methods::example!($setup,
            "let mut buf = [0; 16];"
            "let nothing = stream.try_read(&mut buf).unwrap_err();"
            "assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);"
            "# drop(peer);")]
        pub fn try_read(&self, buf: &mut [u8]) -> ::std::io::Result<usize> {
            self.polled().try_read(buf)
        }

        /// [`Self::try_read`] into several buffers.
        ///
        /// # Errors
        ///
        /// Those of [`Self::try_read`].
        pub fn try_read_vectored(
            &self,
            bufs: &mut [::std::io::IoSliceMut<'_>],
        ) -> ::std::io::Result<usize> {
            self.polled().try_read_vectored(bufs)
        }
    };
}

/// Writing to a stream.
macro_rules! write_methods {
    ($setup:expr) => {
        /// Writes as much of `buf` as there is room for, waiting until there is some; the result says
        /// how much that was.
        ///
        /// # Errors
        ///
        /// Those of the connection, of the kinds that std uses.
        ///
        /// # Cancellation
        ///
        /// Dropped before it is done, it has written nothing.
        #[doc = $crate::net::methods::example!($setup,
            "let n = stream.write(b\"hello\").await?;"
            "assert_eq!(n, 5);"
            "# drop(peer);")]
        #[inline]
        pub async fn write(&self, buf: &[u8]) -> ::std::io::Result<usize> {
            self.polled().write(buf).await
        }

        /// Like [`Self::write`], from several buffers, one after the other.
        #[doc = $crate::net::methods::example!($setup,
            "let parts = [std::io::IoSlice::new(b\"hello, \"), std::io::IoSlice::new(b\"world\")];"
            "assert_eq!(stream.write_vectored(&parts).await?, 12);"
            "# drop(peer);")]
        pub async fn write_vectored(
            &self,
            bufs: &[::std::io::IoSlice<'_>],
        ) -> ::std::io::Result<usize> {
            self.polled().write_vectored(bufs).await
        }

        /// Writes all of `buf`.
        ///
        /// # Errors
        ///
        /// Those of [`Self::write`]; a part of `buf` may have been written by then.
        ///
        /// # Cancellation
        ///
        /// Dropped before it is done, it may have written a part of `buf`, and nothing says how much.
        #[doc = $crate::net::methods::example!($setup,
            "stream.write_all(b\"hello\").await?;"
            "# drop(peer);")]
        pub async fn write_all(&self, buf: &[u8]) -> ::std::io::Result<()> {
            self.polled().write_all(buf).await
        }

        /// Writes without waiting.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is no room; otherwise those of [`Self::write`].
        #[doc = $crate::net::methods::example!($setup,
            "assert_eq!(stream.try_write(b\"hello\")?, 5);"
            "# drop(peer);")]
        pub fn try_write(&self, buf: &[u8]) -> ::std::io::Result<usize> {
            self.polled().try_write(buf)
        }

        /// [`Self::try_write`] from several buffers.
        ///
        /// # Errors
        ///
        /// Those of [`Self::try_write`].
        pub fn try_write_vectored(
            &self,
            bufs: &[::std::io::IoSlice<'_>],
        ) -> ::std::io::Result<usize> {
            self.polled().try_write_vectored(bufs)
        }
    };
}

/// Waiting until a read is worth a try.
macro_rules! readable_methods {
    () => {
        /// Waits until a read would not have to: there is something to read, the end, or an error.
        ///
        /// It may be mistaken, so the read that follows may still say `WouldBlock`.
        ///
        /// # Errors
        ///
        /// That the socket's runtime has gone.
        ///
        /// # Cancellation
        ///
        /// Dropping it changes nothing.
        pub async fn readable(&self) -> ::std::io::Result<()> {
            self.polled().ready(true, false).await.map(|_| ())
        }

        /// [`Self::readable`] as a poll function. `Pending` arranges for the caller to be woken.
        ///
        /// # Errors
        ///
        /// Those of [`Self::readable`].
        pub fn poll_read_ready(
            &self,
            cx: &mut ::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            self.polled()
                .poll_ready(cx, $crate::reactor::Direction::Read)
        }
    };
}

/// Waiting until a write is worth a try.
macro_rules! writable_methods {
    () => {
        /// Waits until a write would not have to: there is room, or an error.
        ///
        /// It may be mistaken, so the write that follows may still say `WouldBlock`.
        ///
        /// # Errors
        ///
        /// That the socket's runtime has gone.
        ///
        /// # Cancellation
        ///
        /// Dropping it changes nothing.
        pub async fn writable(&self) -> ::std::io::Result<()> {
            self.polled().ready(false, true).await.map(|_| ())
        }

        /// [`Self::writable`] as a poll function. `Pending` arranges for the caller to be woken.
        ///
        /// # Errors
        ///
        /// Those of [`Self::writable`].
        pub fn poll_write_ready(
            &self,
            cx: &mut ::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            self.polled()
                .poll_ready(cx, $crate::reactor::Direction::Write)
        }
    };
}

/// Waiting for both directions, and calls of the user's own.
macro_rules! ready_methods {
    ($setup:expr) => {
        /// Waits until the socket is ready in one of the ways of `interest`, and says in which.
        ///
        /// # Errors
        ///
        /// That the socket's runtime has gone.
        ///
        /// # Cancellation
        ///
        /// Dropping it changes nothing.
        #[doc = $crate::net::methods::example!($setup,
                    "use gorust::io::Interest;"
                    "let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;"
                    "assert!(ready.is_writable());"
                    "# drop(peer);")]
        pub async fn ready(
            &self,
            interest: $crate::io::Interest,
        ) -> ::std::io::Result<$crate::io::Ready> {
            let (read, write) = self
                .polled()
                .ready(interest.is_readable(), interest.is_writable())
                .await?;
            Ok($crate::io::Ready::from_seen(read, write))
        }

        /// Makes a non-blocking system call on the socket. When that says `WouldBlock`, the socket
        /// counts as not ready any more in the ways of `interest`.
        ///
        /// # Errors
        ///
        /// Those of `call`, and that the socket's runtime has gone.
        #[doc = $crate::net::methods::example!($setup,
                    "use gorust::io::Interest;"
                    "let nothing = stream.try_io(Interest::READABLE, || {"
                    "    // Here goes a call on the socket's descriptor."
                    "    Err::<(), _>(std::io::ErrorKind::WouldBlock.into())"
                    "});"
                    "assert!(nothing.is_err());"
                    "# drop(peer);")]
        pub fn try_io<T>(
            &self,
            interest: $crate::io::Interest,
            call: impl FnOnce() -> ::std::io::Result<T>,
        ) -> ::std::io::Result<T> {
            self.polled()
                .try_on(interest.is_readable(), interest.is_writable(), |io| {
                    io.try_io(call)
                })
        }
    };
}

/// `AsFd` and its kin, for a type with a field `polled`.
macro_rules! raw_handles {
    ($socket:ty) => {
        #[cfg(unix)]
        impl ::std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                self.polled.get().as_fd()
            }
        }

        #[cfg(unix)]
        impl ::std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                self.polled.get().as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl ::std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> ::std::os::windows::io::BorrowedSocket<'_> {
                self.polled.get().as_socket()
            }
        }

        #[cfg(windows)]
        impl ::std::os::windows::io::AsRawSocket for $socket {
            fn as_raw_socket(&self) -> ::std::os::windows::io::RawSocket {
                self.polled.get().as_raw_socket()
            }
        }

        impl ::std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.polled.fmt(f)
            }
        }
    };
}

/// Between std's type and ours, for a type with a field `polled`.
macro_rules! std_conversions {
    ($std:ty, $mio:ty, $example:literal) => {
        /// Takes over a socket of std's, in whichever mode that is, and registers it with the current
        /// runtime.
        ///
        /// # Errors
        ///
        /// Those of changing it to non-blocking mode and of registering it.
        ///
        /// # Examples
        ///
        /// ```
        #[doc = $example]
        /// ```
        pub fn from_std(socket: $std) -> ::std::io::Result<Self> {
            socket.set_nonblocking(true)?;
            Self::new(<$mio>::from_std(socket))
        }

        /// Gives the socket back to std, in blocking mode as std's own.
        ///
        /// # Errors
        ///
        /// Those of taking it out of its runtime and of changing its mode.
        pub fn into_std(self) -> ::std::io::Result<$std> {
            let socket = <$std>::from(self.polled.into_inner()?);
            socket.set_nonblocking(false)?;
            Ok(socket)
        }

        pub(crate) fn new(socket: $mio) -> ::std::io::Result<Self> {
            $crate::reactor::polled::Polled::new(socket).map(|polled| Self { polled })
        }
    };
}

/// Conversion traits beside `from_std` and `into_std`.
macro_rules! try_from_std {
    ($socket:ty, $std:ty) => {
        impl TryFrom<$std> for $socket {
            type Error = ::std::io::Error;

            fn try_from(socket: $std) -> ::std::io::Result<Self> {
                Self::from_std(socket)
            }
        }
    };
}

#[cfg(unix)]
pub(crate) use unix_pair;
pub(crate) use {
    example, raw_handles, read_methods, readable_methods, ready_methods, std_conversions, tcp_pair,
    try_from_std, writable_methods, write_methods,
};
