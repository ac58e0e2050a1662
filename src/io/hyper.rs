//! What hyper needs of a runtime: its traits on our streams, an executor and a timer.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::rt::{self, ReadBufCursor};

use crate::net::TcpStream;
#[cfg(unix)]
use crate::net::UnixStream;
use crate::time::{self, Instant};

macro_rules! read_and_write {
    ($stream:ty) => {
        impl rt::Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: the call only ever writes initialised bytes.
                let room = unsafe { buf.as_mut() };
                let done = ready!(self.polled().poll_read_uninit(cx, room))?;
                // SAFETY: so many bytes at the start of the room are initialised now.
                unsafe { buf.advance(done) };
                Poll::Ready(Ok(()))
            }
        }

        impl rt::Write for $stream {
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

read_and_write!(TcpStream);
#[cfg(unix)]
read_and_write!(UnixStream);

/// Runs hyper's background work as goroutines of the current runtime.
///
/// # Examples
///
/// ```
/// use hyper::rt::Executor as _;
///
/// gorust::block_on(async {
///     gorust::io::hyper::Executor.execute(async { println!("in a goroutine") });
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(crate::go(future));
    }
}

/// Lets hyper's timeouts run on the current runtime's timers.
///
/// # Examples
///
/// ```
/// use hyper::rt::Timer as _;
/// use std::time::{Duration, Instant};
///
/// gorust::block_on(async {
///     let start = Instant::now();
///     gorust::io::hyper::Timer.sleep(Duration::from_millis(10)).await;
///     assert!(start.elapsed() >= Duration::from_millis(10));
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep(duration)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep_until(deadline)))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => ours.get_pinned().reset(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// Ours, under hyper's trait.
struct Sleep(time::Sleep);

impl Sleep {
    fn get_pinned(self: Pin<&mut Self>) -> Pin<&mut time::Sleep> {
        // SAFETY: the field is pinned whenever `self` is: nothing moves it out, there is no `Drop`,
        // and `Sleep` is `Unpin` only if the field is.
        unsafe { self.map_unchecked_mut(|sleep| &mut sleep.0) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_pinned().poll(cx)
    }
}

impl rt::Sleep for Sleep {}
