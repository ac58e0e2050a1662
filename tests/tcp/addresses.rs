//! Addresses, names, options, and sockets of std's.

use super::*;

#[test]
fn names_are_resolved() {
    run(async {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        assert!(addr.ip().is_loopback());
        // Whichever of localhost's addresses it listens on, one of them answers.
        TcpStream::connect(("localhost", addr.port()))
            .await
            .unwrap();
        TcpStream::connect(format!("localhost:{}", addr.port()))
            .await
            .unwrap();
        let found: Vec<_> = lookup_host(("localhost", 80)).await.unwrap().collect();
        assert!(
            found
                .iter()
                .all(|addr| addr.ip().is_loopback() && addr.port() == 80)
        );
        assert!(!found.is_empty());
    });
}

#[test]
fn names_that_do_not_resolve_are_errors() {
    run(async {
        assert!(TcpStream::connect("no-such-host.invalid:80").await.is_err());
        assert!(lookup_host("no-such-host.invalid:80").await.is_err());
        for malformed in ["", "localhost", "127.0.0.1", "localhost:http"] {
            let error = TcpStream::connect(malformed).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{malformed:?}");
        }
    });
}

#[test]
fn each_address_is_tried() {
    run(async {
        let (_listener, open) = listener().await;
        let (shut, also_shut) = (closed().await, closed().await);
        let stream = TcpStream::connect([shut, also_shut, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let error = TcpStream::connect(&[shut, also_shut][..])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let none: [SocketAddr; 0] = [];
        let error = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn ipv6_works_where_there_is_ipv6() {
    run(async {
        let Ok(listener) = TcpListener::bind("[::1]:0").await else {
            println!("skipped: no IPv6 loopback here");
            return;
        };
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        assert!(stream.peer_addr().unwrap().is_ipv6());
    });
}

#[test]
fn options_are_set_and_read() {
    run(async {
        let (client, _server) = pair().await;
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        client.set_ttl(17).unwrap();
        assert_eq!(client.ttl().unwrap(), 17);
        client.set_linger(Some(Duration::from_secs(3))).unwrap();
        assert_eq!(client.linger().unwrap(), Some(Duration::from_secs(3)));
        client.set_linger(None).unwrap();
        assert_eq!(client.linger().unwrap(), None);
        assert!(client.take_error().unwrap().is_none());

        let socket = TcpSocket::new_v4().unwrap();
        socket.set_keepalive(true).unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_send_buffer_size(32 * 1024).unwrap();
        assert!(socket.keepalive().unwrap() && socket.reuseaddr().unwrap());
        assert!(socket.send_buffer_size().unwrap() >= 32 * 1024);
        let (listener, _) = listener().await;
        listener.set_ttl(18).unwrap();
        assert_eq!(listener.ttl().unwrap(), 18);
    });
}

#[cfg(unix)]
#[test]
fn listeners_share_a_port() {
    run(async {
        let listen = |port| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseport(true).unwrap();
            socket.bind((Ipv4Addr::LOCALHOST, port).into()).unwrap();
            socket.listen(16).unwrap()
        };
        let first = listen(0);
        let addr = first.local_addr().unwrap();
        let second = listen(addr.port());
        let client = TcpSocket::new_v4().unwrap();
        client.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let from = client.local_addr().unwrap();
        let client = client.connect(addr).await.unwrap();
        let (_, seen) = futures_lite::future::or(first.accept(), second.accept())
            .await
            .unwrap();
        assert_eq!((seen, client.peer_addr().unwrap()), (from, addr));
    });
}

#[test]
fn sockets_come_from_std_and_go_back() {
    run(async {
        let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::try_from(std_listener).unwrap();
        let addr = listener.local_addr().unwrap();
        let std_client = std::net::TcpStream::connect(addr).unwrap();
        let client = TcpStream::from_std(std_client).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        server.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        client.read_exact(&mut buf).await.unwrap();
        assert!(stays_pending(client.read(&mut buf)).await);

        let mut client = client.into_std().unwrap();
        let thread = std::thread::spawn(move || {
            // Blocking again: it waits.
            client.read_exact(&mut buf).unwrap();
            client.write_all(b"thanks").unwrap();
            buf
        });
        time::sleep(Duration::from_millis(20)).await;
        server.write_all(b"world").await.unwrap();
        let mut thanks = [0; 6];
        server.read_exact(&mut thanks).await.unwrap();
        assert_eq!(&thread.join().unwrap(), b"world");
        let listener = listener.into_std().unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
    });
}

#[test]
fn types_are_what_users_expect() {
    fn send_and_sync<T: Send + Sync + Unpin + std::fmt::Debug + 'static>(_: &T) {}
    fn send<T: Send>(value: T) -> T {
        value
    }
    run(async {
        let (client, server) = pair().await;
        send_and_sync(&client);
        assert!(format!("{client:?}").contains("127.0.0.1"));
        let buf = &mut [0; 1];
        let mut read = pin!(send(server.read(buf)));
        let polled = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await;
        assert!(polled);
        let (reader, writer) = client.into_split();
        send_and_sync(&reader);
        send_and_sync(&writer);
        let connect = send(TcpStream::connect("localhost:1"));
        drop(connect);
        let bind = send(TcpListener::bind(String::from("127.0.0.1:0")));
        send_and_sync(&bind.await.unwrap());
    });
}
