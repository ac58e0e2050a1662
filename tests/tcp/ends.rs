//! Ends and errors are those of std.

use super::*;

#[test]
fn the_end_of_the_stream_stays_the_end() {
    run(async {
        let (client, server) = pair().await;
        client.write_all(b"last words").await.unwrap();
        drop(client);
        let mut buf = [0; 4];
        server.read_exact(&mut buf).await.unwrap();
        // The rest arrives with the end or before it: a short read must not hide the end.
        let mut rest = [0; 100];
        assert_eq!(server.read(&mut rest).await.unwrap(), 6);
        for _ in 0..3 {
            assert_eq!(server.read(&mut rest).await.unwrap(), 0);
        }
        let error = server.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(server.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    });
}

#[test]
fn nobody_there_is_refused() {
    run(async {
        let error = TcpStream::connect(closed().await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let socket = TcpSocket::new_v4().unwrap();
        let error = socket.connect(closed().await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_reset_is_reported_as_one() {
    run(async {
        let (client, server) = pair().await;
        let reader = go(async move {
            let mut buf = [0; 16];
            client.read(&mut buf).await
        });
        time::sleep(Duration::from_millis(20)).await;
        server.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(server.linger().unwrap(), Some(Duration::ZERO));
        drop(server);
        let error = reader.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn writing_to_a_connection_that_is_gone_fails() {
    run(async {
        let (client, server) = pair().await;
        drop(server);
        let error = loop {
            // The first writes may go into the void.
            if let Err(error) = client.write_all(&[0; 1024]).await {
                break error;
            }
            time::sleep(Duration::from_millis(1)).await;
        };
        assert!(
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ),
            "{error:?}"
        );
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_does_not_answer_times_out() {
    use std::os::fd::AsRawFd;
    run(async {
        // Its queue is full: the system drops what else comes.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        for _ in 0..4 {
            let connect = time::timeout(Duration::from_millis(100), TcpStream::connect(addr));
            queue.push(connect.await.ok());
        }
        let socket = TcpSocket::new_v4().unwrap();
        // SAFETY: the descriptor is open and the value is a C int of that size.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_SYNCNT,
                (&raw const ATTEMPTS).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        static ATTEMPTS: libc::c_int = 1;
        assert_eq!(result, 0);
        let error = socket.connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn an_address_in_use_is_refused() {
    run(async {
        let (_listener, addr) = listener().await;
        let error = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = TcpListener::bind("192.0.2.1:0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn directions_are_shut_down_one_by_one() {
    run(async {
        let (client, server) = pair().await;
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 0);
        let error = client.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        server.write_all(b"y").await.unwrap();
        assert_eq!(client.read(&mut [0; 4]).await.unwrap(), 1);
        // It ends a read that is under way.
        let client = Arc::new(client);
        let reader = go({
            let client = client.clone();
            async move { client.read(&mut [0; 4]).await }
        });
        time::sleep(Duration::from_millis(20)).await;
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 0);
    });
}
