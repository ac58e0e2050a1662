//! UDP sockets send and receive whole datagrams, share well, and fail as std's.

mod common;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::watchdog;
use gorust::io::Interest;
use gorust::net::UdpSocket;
use gorust::runtime::Runtime;
use gorust::{block_on, go, time};

fn run<T>(test: impl Future<Output = T>) -> T {
    let _watchdog = watchdog();
    block_on(test)
}

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Two sockets, each connected to the other.
async fn pair() -> (UdpSocket, UdpSocket) {
    let ((a, a_addr), (b, b_addr)) = (socket().await, socket().await);
    a.connect(b_addr).await.unwrap();
    b.connect(a_addr).await.unwrap();
    (a, b)
}

async fn stays_pending<F: Future>(future: F) -> bool {
    time::timeout(Duration::from_millis(50), future)
        .await
        .is_err()
}

#[test]
fn datagrams_arrive_with_their_senders() {
    run(async {
        let ((a, a_addr), (b, b_addr)) = (socket().await, socket().await);
        assert_eq!(a.send_to(b"ping", b_addr).await.unwrap(), 4);
        let mut buf = [0; 64];
        assert_eq!(b.recv_from(&mut buf).await.unwrap(), (4, a_addr));
        assert_eq!(&buf[..4], b"ping");
        // By name too.
        let name = ("localhost", a_addr.port());
        assert_eq!(b.send_to(b"pong!", name).await.unwrap(), 5);
        assert_eq!(a.recv_from(&mut buf).await.unwrap(), (5, b_addr));
        assert_eq!(b.send_to(b"", a_addr).await.unwrap(), 0);
        assert_eq!(a.recv_from(&mut buf).await.unwrap(), (0, b_addr));
    });
}

#[test]
fn connected_sockets_need_no_addresses() {
    run(async {
        let (a, b) = pair().await;
        assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
        for round in 0..1000_u32 {
            a.send(&round.to_le_bytes()).await.unwrap();
            let mut buf = [0; 16];
            assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
            b.send(&buf[..4]).await.unwrap();
            assert_eq!(a.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], round.to_le_bytes());
        }
        // A stranger is not heard.
        let (stranger, _) = socket().await;
        stranger
            .send_to(b"hello", a.local_addr().unwrap())
            .await
            .unwrap();
        assert!(stays_pending(a.recv(&mut [0; 16])).await);
    });
}

#[test]
fn what_does_not_fit_is_cut_off() {
    run(async {
        let (a, b) = pair().await;
        a.send(b"hello, world").await.unwrap();
        a.send(b"next").await.unwrap();
        let mut buf = [0; 5];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf, b"hello");
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"next");
    });
}

#[test]
fn peeking_takes_nothing() {
    run(async {
        let (a, b) = pair().await;
        a.send(b"hello").await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(b.peek(&mut buf).await.unwrap(), 5);
        let from = a.local_addr().unwrap();
        assert_eq!(b.peek_from(&mut buf).await.unwrap(), (5, from));
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert!(stays_pending(b.peek(&mut buf)).await);
    });
}

#[test]
fn trying_never_waits() {
    run(async {
        let (a, b) = pair().await;
        let mut buf = [0; 16];
        let nothing = b.try_recv(&mut buf).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        assert!(stays_pending(b.readable()).await);
        assert_eq!(a.try_send(b"one").unwrap(), 3);
        b.readable().await.unwrap();
        assert_eq!(b.try_recv(&mut buf).unwrap(), 3);

        let ((c, c_addr), (d, d_addr)) = (socket().await, socket().await);
        assert_eq!(c.try_send_to(b"four", d_addr).unwrap(), 4);
        let ready = d.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable());
        assert_eq!(d.try_recv_from(&mut buf).unwrap(), (4, c_addr));
        let nothing = d.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn poll_functions_do_the_same() {
    run(async {
        let ((a, a_addr), (b, b_addr)) = (socket().await, socket().await);
        let mut buf = [0; 16];
        let n = poll_fn(|cx| a.poll_send_to(cx, b"hello", b_addr)).await;
        assert_eq!(n.unwrap(), 5);
        let received = poll_fn(|cx| b.poll_recv_from(cx, &mut buf)).await;
        assert_eq!(received.unwrap(), (5, a_addr));
        a.connect(b_addr).await.unwrap();
        b.connect(a_addr).await.unwrap();
        poll_fn(|cx| a.poll_write_ready(cx)).await.unwrap();
        let n = poll_fn(|cx| a.poll_send(cx, b"hello")).await;
        assert_eq!(n.unwrap(), 5);
        poll_fn(|cx| b.poll_read_ready(cx)).await.unwrap();
        let n = poll_fn(|cx| b.poll_recv(cx, &mut buf)).await;
        assert_eq!(n.unwrap(), 5);
    });
}

/// What the system learns of a datagram that found nobody comes as an error, and only once.
#[cfg(target_os = "linux")]
#[test]
fn nobody_there_is_refused() {
    run(async {
        let (a, addr) = socket().await;
        let (gone, gone_addr) = socket().await;
        drop(gone);
        a.connect(gone_addr).await.unwrap();
        let receiver = async { a.recv(&mut [0; 16]).await };
        let sender = async {
            time::sleep(Duration::from_millis(20)).await;
            a.send(b"anybody?").await
        };
        let (received, sent) = futures_lite::future::zip(receiver, sender).await;
        assert_eq!(sent.unwrap(), 8);
        assert_eq!(received.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        // The socket is as good as before.
        let (b, b_addr) = socket().await;
        a.connect(b_addr).await.unwrap();
        a.send(b"hello").await.unwrap();
        let (n, from) = b.recv_from(&mut [0; 16]).await.unwrap();
        assert_eq!((n, from), (5, addr));
        b.send_to(b"hello", addr).await.unwrap();
        assert_eq!(a.recv(&mut [0; 16]).await.unwrap(), 5);
    });
}

#[test]
fn addresses_in_use_and_without_peer_are_errors() {
    run(async {
        let (socket, addr) = socket().await;
        let error = UdpSocket::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = socket.peer_addr().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(socket.send(b"whereto?").await.is_err());
        assert!(
            socket
                .send_to(b"x", "no-such-host.invalid:1")
                .await
                .is_err()
        );
    });
}

#[test]
fn each_datagram_is_received_once_by_many() {
    run(async {
        let (receiver, addr) = socket().await;
        let receiver = Arc::new(receiver);
        let (tx, rx) = gorust::chan::unbounded();
        let receivers: Vec<_> = (0..8)
            .map(|_| {
                let (receiver, tx) = (receiver.clone(), tx.clone());
                go(async move {
                    let mut buf = [0; 16];
                    loop {
                        let (n, _) = receiver.recv_from(&mut buf).await.unwrap();
                        let number = u32::from_le_bytes(buf[..n].try_into().unwrap());
                        tx.send(number).await.unwrap();
                    }
                })
            })
            .collect();
        let (sender, _) = socket().await;
        let mut got = Vec::new();
        for round in 0..50_u32 {
            // Few at a time: the system drops what overflows its buffer.
            for i in 0..10 {
                let number = 10 * round + i;
                sender.send_to(&number.to_le_bytes(), addr).await.unwrap();
            }
            for _ in 0..10 {
                got.push(rx.recv().await.unwrap());
            }
        }
        got.sort_unstable();
        assert!(got.into_iter().eq(0..500));
        receivers.iter().for_each(|receiver| receiver.abort());
    });
}

#[test]
fn a_cancelled_receive_takes_nothing() {
    run(async {
        let (a, b) = pair().await;
        let sender = go(async move {
            for i in 0..100_u8 {
                a.send(&[i]).await.unwrap();
                time::sleep(Duration::from_micros(u64::from(i % 5) * 100)).await;
            }
        });
        let mut got = Vec::new();
        while got.len() < 100 {
            let mut buf = [0; 4];
            let limit = Duration::from_micros(20 + got.len() as u64 % 3 * 100);
            if let Ok(n) = time::timeout(limit, b.recv(&mut buf)).await {
                assert_eq!(n.unwrap(), 1);
                got.push(buf[0]);
            }
        }
        assert!(got.into_iter().eq(0..100));
        sender.await.unwrap();
    });
}

#[test]
fn options_are_set_and_read() {
    run(async {
        let (socket, _) = socket().await;
        assert!(!socket.broadcast().unwrap());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(17).unwrap();
        assert_eq!(socket.ttl().unwrap(), 17);
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        assert!(socket.take_error().unwrap().is_none());
    });
}

#[test]
fn groups_are_joined_and_left() {
    run(async {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        if let Err(error) = socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST) {
            println!("skipped: no multicast here: {error}");
            return;
        }
        socket
            .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .unwrap();
        assert!(
            socket
                .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
                .is_err()
        );
    });
}

#[test]
fn sockets_come_from_std_and_go_back() {
    run(async {
        let std_socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = std_socket.local_addr().unwrap();
        let ours = UdpSocket::try_from(std_socket).unwrap();
        let (other, other_addr) = socket().await;
        other.send_to(b"hello", addr).await.unwrap();
        assert_eq!(ours.recv_from(&mut [0; 16]).await.unwrap(), (5, other_addr));
        assert!(stays_pending(ours.recv(&mut [0; 16])).await);
        let std_socket = ours.into_std().unwrap();
        let thread = std::thread::spawn(move || std_socket.recv(&mut [0; 16]).unwrap());
        time::sleep(Duration::from_millis(20)).await;
        other.send_to(b"bye", addr).await.unwrap();
        assert_eq!(thread.join().unwrap(), 3);
    });
}

#[test]
fn sockets_do_not_outlive_their_runtime() {
    let _watchdog = watchdog();
    let old = Runtime::new().unwrap();
    let (socket, addr) = old.block_on(socket());
    drop(old);
    block_on(async {
        let error = socket.recv(&mut [0; 16]).await.unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        assert!(socket.send_to(b"x", addr).await.is_err());
    });
}
