//! The traits of `futures_io`, for streams, halves, and references to them.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

#[cfg(unix)]
use crate::net::UnixStream;
use crate::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, SplitStream, TcpStream, WriteHalf};

macro_rules! async_read {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncRead for $stream {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.polled().poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.polled().poll_read_vectored(cx, bufs)
            }
        }
    };
}

macro_rules! async_write {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> AsyncWrite for $stream {
            #[inline]
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

            /// There is no buffer of ours to be flushed.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Sends EOF; reading goes on.
            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.polled().close_write())
            }
        }
    };
}

async_read!([] TcpStream);
async_read!([] & TcpStream);
async_write!([] TcpStream);
async_write!([] & TcpStream);

#[cfg(unix)]
async_read!([] UnixStream);
#[cfg(unix)]
async_read!([] & UnixStream);
#[cfg(unix)]
async_write!([] UnixStream);
#[cfg(unix)]
async_write!([] & UnixStream);

async_read!([S: SplitStream] ReadHalf<'_, S>);
async_read!([S: SplitStream] &ReadHalf<'_, S>);
async_write!([S: SplitStream] WriteHalf<'_, S>);
async_write!([S: SplitStream] &WriteHalf<'_, S>);

async_read!([S: SplitStream] OwnedReadHalf<S>);
async_read!([S: SplitStream] &OwnedReadHalf<S>);
async_write!([S: SplitStream] OwnedWriteHalf<S>);
async_write!([S: SplitStream] &OwnedWriteHalf<S>);
