//! Copying, other descriptors than sockets, and the ecosystem's traits.

mod common;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::watchdog;
use futures_io::{AsyncRead, AsyncWrite};
use gorust::net::{TcpListener, TcpStream};
use gorust::{block_on, go, io as gio, time};

fn run<T>(test: impl Future<Output = T>) -> T {
    let _watchdog = watchdog();
    block_on(test)
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect()
}

/// Reads what it is told to, piece by piece.
struct Script(Vec<io::Result<Vec<u8>>>);

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = self.0.remove(0)?;
        buf[..piece.len()].copy_from_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }
}

/// Takes so many bytes per write, so many in all, and notes its flushes.
struct Sink {
    per_write: usize,
    room: usize,
    taken: Vec<u8>,
    flushed: usize,
    closed: bool,
}

impl Sink {
    fn new(per_write: usize, room: usize) -> Sink {
        Sink {
            per_write,
            room,
            taken: Vec::new(),
            flushed: 0,
            closed: false,
        }
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = buf.len().min(self.per_write).min(self.room);
        self.room -= n;
        self.taken.extend_from_slice(&buf[..n]);
        Poll::Ready(Ok(n))
    }
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = self.taken.len();
        Poll::Ready(Ok(()))
    }
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_copy_is_complete_and_flushed() {
    run(async {
        let data = pattern(100_000);
        let mut reader = &data[..];
        let mut sink = Sink::new(777, usize::MAX);
        assert_eq!(gio::copy(&mut reader, &mut sink).await.unwrap(), 100_000);
        assert!(sink.taken == data);
        assert_eq!(sink.flushed, data.len());
        assert!(!sink.closed);
        assert_eq!(gio::copy(&mut &b""[..], &mut sink).await.unwrap(), 0);
    });
}

#[test]
fn a_copy_stops_at_the_first_error() {
    run(async {
        let reset = Err(ErrorKind::ConnectionReset.into());
        let mut reader = Script(vec![Ok(b"one".to_vec()), reset, Ok(b"two".to_vec())]);
        let mut sink = Sink::new(1, usize::MAX);
        let error = gio::copy(&mut reader, &mut sink).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(sink.taken, b"one");

        let mut full = Sink::new(10, 5);
        let error = gio::copy(&mut &b"too much"[..], &mut full)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        assert_eq!(full.taken, b"too m");
    });
}

#[test]
fn a_copy_that_never_waits_starves_nobody() {
    let _watchdog = watchdog();
    let runtime = gorust::runtime::Builder::current_thread().build().unwrap();
    runtime.block_on(async {
        struct Endless;
        impl AsyncRead for Endless {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Ok(buf.len().min(1)))
            }
        }
        let copying = go(async {
            let mut sink = Sink::new(1, usize::MAX);
            gio::copy(&mut Endless, &mut sink).await
        });
        for _ in 0..100 {
            gorust::yield_now().await;
        }
        copying.abort();
        assert!(copying.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn what_was_copied_is_flushed_while_nothing_comes() {
    run(async {
        let (client, mut server) = tcp_pair().await;
        static FLUSHED: AtomicUsize = AtomicUsize::new(0);
        struct Buffered(usize);
        impl AsyncWrite for Buffered {
            fn poll_write(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0 += buf.len();
                Poll::Ready(Ok(buf.len()))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                FLUSHED.store(self.0, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let copying = go(async move { gio::copy(&mut server, &mut Buffered(0)).await });
        client.write_all(b"hello").await.unwrap();
        while FLUSHED.load(Ordering::Relaxed) != 5 {
            time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!copying.is_finished());
        drop(client);
        assert_eq!(copying.await.unwrap().unwrap(), 5);
    });
}

#[test]
fn sockets_are_copied_to_sockets() {
    run(async {
        let ((from, mut in_between), (mut and_on, to)) = (tcp_pair().await, tcp_pair().await);
        let data = pattern(3 << 20);
        let writer = go({
            let data = data.clone();
            async move { from.write_all(&data).await }
        });
        let copying = go(async move { gio::copy(&mut in_between, &mut and_on).await });
        let mut all = Vec::new();
        to.read_to_end(&mut all).await.unwrap();
        assert!(all == data);
        assert_eq!(copying.await.unwrap().unwrap(), data.len() as u64);
        writer.await.unwrap().unwrap();
    });
}

/// A proxy's life: both ways at once, one end closes, the answer still comes through.
#[test]
fn a_half_closed_connection_goes_on_the_other_way() {
    run(async {
        let ((client, mut proxy_client), (mut proxy_server, server)) =
            (tcp_pair().await, tcp_pair().await);
        let proxy =
            go(async move { gio::copy_bidirectional(&mut proxy_client, &mut proxy_server).await });
        client.write_all(b"request").await.unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut request = Vec::new();
        server.read_to_end(&mut request).await.unwrap();
        assert_eq!(request, b"request");
        time::sleep(Duration::from_millis(20)).await;
        assert!(!proxy.is_finished());
        let answer = pattern(2 << 20);
        let writer = go({
            let answer = answer.clone();
            async move { server.write_all(&answer).await }
        });
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert!(got == answer);
        writer.await.unwrap().unwrap();
        assert_eq!(proxy.await.unwrap().unwrap(), (7, answer.len() as u64));
    });
}

#[test]
fn an_error_ends_both_ways() {
    run(async {
        let ((client, mut proxy_client), (mut proxy_server, server)) =
            (tcp_pair().await, tcp_pair().await);
        let proxy =
            go(async move { gio::copy_bidirectional(&mut proxy_client, &mut proxy_server).await });
        time::sleep(Duration::from_millis(20)).await;
        server.set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        let error = proxy.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(client.read(&mut [0; 4]).await.unwrap(), 0);
    });
}

#[cfg(unix)]
mod descriptors {
    use super::*;
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    use gorust::io::{Async, Interest};
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};

    /// The reading end and the writing end.
    fn pipe() -> (File, File) {
        let mut ends = [0; 2];
        // SAFETY: the pointer is to room for two descriptors.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: the call succeeded: these are new, and nobody else's.
        ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) })
            .map(File::from)
            .into()
    }

    #[test]
    fn a_pipe_can_be_awaited() {
        run(async {
            let (reader, writer) = pipe();
            let (reader, writer) = (Async::new(reader).unwrap(), Async::new(writer).unwrap());
            let data = pattern(1 << 20);
            let writing = go({
                let data = data.clone();
                async move {
                    let mut rest = &data[..];
                    while !rest.is_empty() {
                        let n = writer
                            .write_with(|mut pipe| pipe.write(rest))
                            .await
                            .unwrap();
                        rest = &rest[n..];
                    }
                }
            });
            let mut all = Vec::new();
            loop {
                let mut buf = [0; 5000];
                let n = reader
                    .read_with(|mut pipe| pipe.read(&mut buf))
                    .await
                    .unwrap();
                if n == 0 {
                    break;
                }
                all.extend_from_slice(&buf[..n]);
            }
            assert!(all == data);
            writing.await.unwrap();
        });
    }

    #[test]
    fn readiness_is_that_of_the_descriptor() {
        run(async {
            let (reader, writer) = pipe();
            let (reader, writer) = (Async::new(reader).unwrap(), Async::new(writer).unwrap());
            writer.writable().await.unwrap();
            let soon = Duration::from_millis(50);
            assert!(time::timeout(soon, reader.readable()).await.is_err());
            writer.get_ref().write_all(b"x").unwrap();
            reader.readable().await.unwrap();
            let n = reader.try_io(Interest::READABLE, |mut pipe| pipe.read(&mut [0; 4]));
            assert_eq!(n.unwrap(), 1);
            let n = reader.try_io(Interest::READABLE, |mut pipe| pipe.read(&mut [0; 4]));
            assert_eq!(n.unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(time::timeout(soon, reader.readable()).await.is_err());
            // The writer goes, and whoever waits to read learns it.
            let waiting = go(async move {
                reader.readable().await.unwrap();
                reader.get_ref().read(&mut [0; 4]).unwrap()
            });
            time::sleep(Duration::from_millis(10)).await;
            drop(writer);
            assert_eq!(waiting.await.unwrap(), 0);
        });
    }

    #[test]
    fn traits_by_value_and_by_reference() {
        run(async {
            let (reader, writer) = pipe();
            let mut reader = Async::new(reader).unwrap();
            let mut writer = Async::new(writer).unwrap();
            writer.write_all(b"hello, ").await.unwrap();
            (&writer).write_all(b"world").await.unwrap();
            writer.flush().await.unwrap();
            writer.close().await.unwrap();
            let mut buf = [0; 7];
            reader.read_exact(&mut buf).await.unwrap();
            let mut rest = [0; 5];
            (&reader).read_exact(&mut rest).await.unwrap();
            assert_eq!((&buf, &rest), (b"hello, ", b"world"));
            drop(writer);
            assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        });
    }

    #[test]
    fn closing_a_socket_sends_the_end() {
        run(async {
            let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
            let (mut a, mut b) = (Async::new(a).unwrap(), Async::new(b).unwrap());
            a.write_all(b"bye").await.unwrap();
            a.close().await.unwrap();
            let mut all = Vec::new();
            b.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"bye");
        });
    }

    #[test]
    fn a_pipe_is_copied_into_a_socket() {
        run(async {
            let (reader, mut writer) = pipe();
            let (mut near, far) = tcp_pair().await;
            let copying = go(async move {
                let mut reader = Async::new(reader).unwrap();
                gio::copy(&mut reader, &mut near).await
            });
            let data = pattern(300_000);
            let thread = std::thread::spawn({
                let data = data.clone();
                move || writer.write_all(&data).unwrap()
            });
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            assert!(all == data);
            thread.join().unwrap();
            assert_eq!(copying.await.unwrap().unwrap(), 300_000);
        });
    }

    #[test]
    fn descriptors_come_back() {
        run(async {
            let (reader, mut writer) = pipe();
            let reader = Async::new(reader).unwrap();
            writer.write_all(b"x").unwrap();
            reader.readable().await.unwrap();
            let mut reader = reader.into_inner().unwrap();
            assert_eq!(reader.read(&mut [0; 4]).unwrap(), 1);
            // It can be registered again.
            let reader = Async::new(reader).unwrap();
            let _ = reader.as_fd();
            writer.write_all(b"y").unwrap();
            reader.readable().await.unwrap();
        });
    }

    #[test]
    fn regular_files_are_refused() {
        run(async {
            let file = File::open("Cargo.toml").unwrap();
            let error = Async::new(file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        });
    }

    #[test]
    fn descriptors_do_not_outlive_their_runtime() {
        let _watchdog = watchdog();
        let runtime = gorust::runtime::Runtime::new().unwrap();
        let (reader, _writer) = pipe();
        let reader = runtime.block_on(async { Async::new(reader).unwrap() });
        drop(runtime);
        let error = block_on(reader.readable()).unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        reader.into_inner().unwrap();
    }
}

#[cfg(feature = "tokio-io")]
mod tokio_io {
    use super::*;
    use std::future::poll_fn;
    use std::mem::MaybeUninit;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    #[test]
    fn streams_and_halves_speak_tokio() {
        run(async {
            let (mut client, server) = tcp_pair().await;
            let text = [io::IoSlice::new(b"hello, "), io::IoSlice::new(b"world")];
            assert!(client.is_write_vectored());
            let n = poll_fn(|cx| Pin::new(&mut client).poll_write_vectored(cx, &text)).await;
            assert_eq!(n.unwrap(), 12);
            poll_fn(|cx| AsyncWrite::poll_flush(Pin::new(&mut client), cx))
                .await
                .unwrap();
            poll_fn(|cx| Pin::new(&mut client).poll_shutdown(cx))
                .await
                .unwrap();

            let (mut reader, mut writer) = server.into_split();
            let mut room = [MaybeUninit::uninit(); 64];
            let mut buf = ReadBuf::uninit(&mut room);
            buf.put_slice(b"> ");
            loop {
                let before = buf.filled().len();
                poll_fn(|cx| AsyncRead::poll_read(Pin::new(&mut reader), cx, &mut buf))
                    .await
                    .unwrap();
                if buf.filled().len() == before {
                    break;
                }
            }
            assert_eq!(buf.filled(), b"> hello, world");
            let n = poll_fn(|cx| AsyncWrite::poll_write(Pin::new(&mut writer), cx, b"bye")).await;
            assert_eq!(n.unwrap(), 3);
            let mut answer = [0; 3];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"bye");
        });
    }
}

#[cfg(feature = "hyper")]
mod hyper_rt {
    use super::*;
    use gorust::io::hyper::{Executor, Timer};
    use hyper::rt::{self, Executor as _, ReadBuf, Timer as _};
    use std::future::poll_fn;
    use std::mem::MaybeUninit;
    use std::time::Instant;

    #[test]
    fn streams_speak_hyper() {
        run(async {
            let (mut client, mut server) = tcp_pair().await;
            let text = [io::IoSlice::new(b"hello, "), io::IoSlice::new(b"world")];
            assert!(rt::Write::is_write_vectored(&client));
            let n = poll_fn(|cx| rt::Write::poll_write_vectored(Pin::new(&mut client), cx, &text))
                .await;
            assert_eq!(n.unwrap(), 12);
            poll_fn(|cx| rt::Write::poll_flush(Pin::new(&mut client), cx))
                .await
                .unwrap();
            poll_fn(|cx| rt::Write::poll_shutdown(Pin::new(&mut client), cx))
                .await
                .unwrap();
            let mut room = [MaybeUninit::uninit(); 64];
            let mut buf = ReadBuf::uninit(&mut room);
            loop {
                let before = buf.filled().len();
                poll_fn(|cx| rt::Read::poll_read(Pin::new(&mut server), cx, buf.unfilled()))
                    .await
                    .unwrap();
                if buf.filled().len() == before {
                    break;
                }
            }
            assert_eq!(buf.filled(), b"hello, world");
        });
    }

    #[test]
    fn the_executor_starts_goroutines() {
        run(async {
            let (tx, rx) = gorust::chan(1);
            Executor.execute(async move {
                tx.send(gorust::task::id().is_some()).await.unwrap();
            });
            assert_eq!(rx.recv().await, Some(true));
        });
    }

    #[test]
    fn the_timer_keeps_time() {
        run(async {
            let start = Instant::now();
            Timer.sleep(Duration::from_millis(20)).await;
            assert!(start.elapsed() >= Duration::from_millis(20));
            Timer.sleep_until(start).await;

            let mut sleep = Timer.sleep(Duration::from_secs(3600));
            assert!(common::poll_once(&mut sleep).is_pending());
            Timer.reset(&mut sleep, Instant::now() + Duration::from_millis(20));
            let start = Instant::now();
            sleep.await;
            assert!(start.elapsed() >= Duration::from_millis(19));
        });
    }

    /// Not of ours: it is replaced.
    #[test]
    fn the_timer_resets_what_it_does_not_know() {
        struct Foreign;
        impl Future for Foreign {
            type Output = ();
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                Poll::Pending
            }
        }
        impl rt::Sleep for Foreign {}
        run(async {
            let mut sleep: Pin<Box<dyn rt::Sleep>> = Box::pin(Foreign);
            Timer.reset(&mut sleep, Timer.now());
            sleep.await;
        });
    }
}
