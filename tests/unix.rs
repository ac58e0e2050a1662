//! Unix sockets: streams, datagrams, listeners, paths and abstract names.
#![cfg(unix)]

mod common;

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::watchdog;
use gorust::io::Interest;
use gorust::net::{UnixDatagram, UnixListener, UnixStream};
use gorust::runtime::Runtime;
use gorust::{block_on, go, time};

fn run<T>(test: impl Future<Output = T>) -> T {
    let _watchdog = watchdog();
    block_on(test)
}

/// A directory of the test's own, gone when it ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gorust-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn stays_pending<F: Future>(future: F) -> bool {
    time::timeout(Duration::from_millis(50), future)
        .await
        .is_err()
}

fn pathname(addr: &std::os::unix::net::SocketAddr) -> Option<&Path> {
    addr.as_pathname()
}

#[test]
fn a_pair_talks() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let echo = go(async move {
            let mut buf = [0; 64];
            loop {
                let n = b.read(&mut buf).await.unwrap();
                if n == 0 {
                    break;
                }
                b.write_all(&buf[..n]).await.unwrap();
            }
        });
        for round in 0..1000_u32 {
            a.write_all(&round.to_le_bytes()).await.unwrap();
            let mut answer = [0; 4];
            a.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer), round);
        }
        a.shutdown(Shutdown::Write).unwrap();
        assert_eq!(a.read(&mut [0; 4]).await.unwrap(), 0);
        echo.await.unwrap();
    });
}

#[test]
fn listeners_accept_at_paths() {
    run(async {
        let directory = Directory::new();
        let path = directory.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(pathname(&listener.local_addr().unwrap()), Some(&*path));
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);

        let clients: Vec<_> = (0..20)
            .map(|i| {
                let path = path.clone();
                go(async move {
                    let client = UnixStream::connect(&path).await.unwrap();
                    client.write_all(&[i]).await.unwrap();
                    let mut answer = [0];
                    client.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, [i]);
                })
            })
            .collect();
        for _ in 0..20 {
            let (server, from) = listener.accept().await.unwrap();
            assert!(from.is_unnamed());
            let mut buf = [0];
            server.read_exact(&mut buf).await.unwrap();
            server.write_all(&buf).await.unwrap();
        }
        for client in clients {
            client.await.unwrap();
        }
        assert!(stays_pending(poll_fn(|cx| listener.poll_accept(cx))).await);
        drop(listener);
        // The file stays, with nobody behind it.
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = UnixStream::connect(directory.join("none"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_need_no_file() {
    use std::os::linux::net::SocketAddrExt;
    run(async {
        let name = format!("gorust-abstract-{}", std::process::id());
        let addr = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let client = UnixStream::connect_addr(&addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(
            client.peer_addr().unwrap().as_abstract_name(),
            Some(name.as_bytes())
        );
        server.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
    });
}

/// On Linux, connecting to a listener whose queue is full fails at once unless it may block.
#[test]
fn connecting_waits_while_the_queue_is_full() {
    run(async {
        let directory = Directory::new();
        let path = directory.join("socket");
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket
            .bind(&socket2::SockAddr::unix(&path).unwrap())
            .unwrap();
        socket.listen(1).unwrap();
        let listener = UnixListener::from_std(std::os::unix::net::UnixListener::from(
            std::os::fd::OwnedFd::from(socket),
        ))
        .unwrap();
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let path = path.clone();
                go(async move { UnixStream::connect(&path).await.map(drop) })
            })
            .collect();
        time::sleep(Duration::from_millis(50)).await;
        for _ in 0..10 {
            listener.accept().await.unwrap();
        }
        for client in clients {
            client.await.unwrap().unwrap();
        }
    });
}

#[test]
fn much_flows_through_a_small_buffer() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let data: Vec<u8> = (0..4 << 20).map(|i: u32| (i >> 8) as u8).collect();
        let writer = go({
            let data = data.clone();
            async move { a.write_all(&data).await }
        });
        let mut all = Vec::new();
        b.read_to_end(&mut all).await.unwrap();
        assert!(all == data);
        writer.await.unwrap().unwrap();
    });
}

#[test]
fn halves_behave_as_those_of_tcp() {
    run(async {
        let (mut a, b) = UnixStream::pair().unwrap();
        {
            let (reader, writer) = a.split();
            writer.write_all(b"x").await.unwrap();
            b.write_all(b"y").await.unwrap();
            reader.read_exact(&mut [0]).await.unwrap();
        }
        let (reader, writer) = a.into_split();
        let a = reader.reunite(writer).unwrap();
        let (reader, writer) = a.into_split();
        writer.write_all(b"request").await.unwrap();
        drop(writer);
        let mut request = Vec::new();
        b.read_to_end(&mut request).await.unwrap();
        assert_eq!(request, b"xrequest");
        b.write_all(b"answer").await.unwrap();
        reader.read_exact(&mut [0; 6]).await.unwrap();
    });
}

/// A read ends where a message that carries a descriptor ends, however much comes after it. If that
/// counted as "nothing more there", the rest would wait for an event that has been.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_in_a_stream_hide_nothing_behind_them() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        for _ in 0..20 {
            send_with_descriptor(&a, b"one");
            a.write_all(b"two").await.unwrap();
            // Both are there, and have been reported, before the first read.
            b.readable().await.unwrap();
            time::sleep(Duration::from_millis(2)).await;
            let mut got = Vec::new();
            while got.len() < 6 {
                let mut buf = [0; 64];
                let n = b.read(&mut buf).await.unwrap();
                got.extend_from_slice(&buf[..n]);
            }
            assert_eq!(got, b"onetwo");
        }
    });
}

#[cfg(target_os = "linux")]
fn send_with_descriptor(stream: &UnixStream, bytes: &[u8]) {
    let mut control = [0_u64; 4];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all zeroes is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the control buffer is large enough for one descriptor and aligned as its header, every
    // pointer lives through the call, and the descriptor sent is open.
    let sent = unsafe {
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(header)
            .cast::<i32>()
            .write(stream.as_raw_fd());
        libc::sendmsg(stream.as_raw_fd(), &message, 0)
    };
    assert_eq!(sent, bytes.len() as isize);
}

#[test]
fn streams_try_poll_and_scatter() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let nothing = b.try_read(&mut [0; 4]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        assert!(stays_pending(b.readable()).await);
        let parts = [IoSlice::new(b"hello, "), IoSlice::new(b"world")];
        assert_eq!(a.write_vectored(&parts).await.unwrap(), 12);
        let ready = b.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && !ready.is_read_closed());
        let mut buf = [0; 16];
        assert_eq!(b.peek(&mut buf).await.unwrap(), 12);
        assert_eq!(b.try_read(&mut buf).unwrap(), 12);
        assert_eq!(&buf[..12], b"hello, world");
        poll_fn(|cx| a.poll_write_ready(cx)).await.unwrap();
        drop(b);
        let error = a.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(a.local_addr().unwrap().is_unnamed());
    });
}

#[test]
fn datagrams_go_to_paths() {
    run(async {
        let directory = Directory::new();
        let (a_path, b_path) = (directory.join("a"), directory.join("b"));
        let a = UnixDatagram::bind(&a_path).unwrap();
        let b = UnixDatagram::bind(&b_path).unwrap();
        assert_eq!(a.send_to(b"ping", &b_path).await.unwrap(), 4);
        let mut buf = [0; 16];
        let (n, from) = b.recv_from(&mut buf).await.unwrap();
        assert_eq!((n, pathname(&from)), (4, Some(&*a_path)));

        let unbound = UnixDatagram::unbound().unwrap();
        unbound.connect(&b_path).unwrap();
        unbound.send(b"hello").await.unwrap();
        let (n, from) = b.recv_from(&mut buf).await.unwrap();
        assert!(n == 5 && from.is_unnamed());
        assert_eq!(pathname(&unbound.peer_addr().unwrap()), Some(&*b_path));

        assert_eq!(unbound.try_send_to(b"x", &a_path).unwrap(), 1);
        a.readable().await.unwrap();
        assert_eq!(a.try_recv(&mut buf).unwrap(), 1);
        let nothing = a.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        let error = a.send_to(b"x", directory.join("none")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        drop(b);
        let error = unbound.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn datagrams_wait_for_room_and_keep_their_order() {
    run(async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let sender = go(async move {
            for i in 0..5000_u32 {
                a.send(&i.to_le_bytes()).await.unwrap();
            }
        });
        time::sleep(Duration::from_millis(20)).await;
        assert!(!sender.is_finished());
        for i in 0..5000_u32 {
            let mut buf = [0; 16];
            let n = poll_fn(|cx| b.poll_recv(cx, &mut buf)).await.unwrap();
            assert_eq!(buf[..n], i.to_le_bytes());
        }
        sender.await.unwrap();
    });
}

#[test]
fn sockets_come_from_std_and_go_back() {
    run(async {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let (a, b) = (
            UnixStream::try_from(a).unwrap(),
            UnixStream::from_std(b).unwrap(),
        );
        a.write_all(b"hello").await.unwrap();
        b.read_exact(&mut [0; 5]).await.unwrap();
        let mut std_a = a.into_std().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buf = [0; 5];
            std::io::Read::read_exact(&mut std_a, &mut buf).unwrap();
            buf
        });
        time::sleep(Duration::from_millis(20)).await;
        b.write_all(b"world").await.unwrap();
        assert_eq!(&thread.join().unwrap(), b"world");

        let (c, d) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let c = UnixDatagram::from_std(c).unwrap();
        d.send(b"x").unwrap();
        assert_eq!(c.recv(&mut [0; 4]).await.unwrap(), 1);
        c.into_std().unwrap().send(b"y").unwrap();
    });
}

#[test]
fn one_stream_serves_several_goroutines() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let b = Arc::new(b);
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let b = b.clone();
                go(async move { b.read(&mut [0; 1]).await.unwrap() })
            })
            .collect();
        time::sleep(Duration::from_millis(20)).await;
        readers[1].abort();
        a.write_all(b"12345").await.unwrap();
        for (i, reader) in readers.into_iter().enumerate() {
            assert!(reader.await.is_ok() || i == 1);
        }
    });
}

#[test]
fn sockets_do_not_outlive_their_runtime() {
    let _watchdog = watchdog();
    let old = Runtime::new().unwrap();
    let (a, _b) = old.block_on(async { UnixStream::pair().unwrap() });
    drop(old);
    block_on(async {
        let error = a.read(&mut [0; 4]).await.unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
    });
}
