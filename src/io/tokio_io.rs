//! The traits of `tokio::io`, for streams and halves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(unix)]
use crate::net::UnixStream;
use crate::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, SplitStream, TcpStream, WriteHalf};

macro_rules! async_read {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: the call only ever writes initialised bytes.
                let room = unsafe { buf.unfilled_mut() };
                let done = ready!(self.polled().poll_read_uninit(cx, room))?;
                // SAFETY: so many bytes at the start of the room are initialised now.
                unsafe { buf.assume_init(done) };
                buf.advance(done);
                Poll::Ready(Ok(()))
            }
        }
    };
}

macro_rules! async_write {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.polled().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.polled().poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// There is no buffer of ours to be flushed.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Sends EOF; reading goes on.
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.polled().close_write())
            }
        }
    };
}

async_read!([] TcpStream);
async_write!([] TcpStream);

#[cfg(unix)]
async_read!([] UnixStream);
#[cfg(unix)]
async_write!([] UnixStream);

async_read!([S: SplitStream] ReadHalf<'_, S>);
async_write!([S: SplitStream] WriteHalf<'_, S>);

async_read!([S: SplitStream] OwnedReadHalf<S>);
async_write!([S: SplitStream] OwnedWriteHalf<S>);
