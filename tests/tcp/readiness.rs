//! Trying, waiting for readiness, poll functions and traits.

use super::*;

#[test]
fn trying_never_waits() {
    run(async {
        let (client, server) = pair().await;
        let mut buf = [0; 16];
        let nothing = server.try_read(&mut buf).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        assert_eq!(client.try_write(b"hello").unwrap(), 5);
        // Without awaiting anything: it is there as soon as the system has it.
        let end = Instant::now() + Duration::from_secs(10);
        let n = loop {
            match server.try_read(&mut buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < end);
                }
                result => break result.unwrap(),
            }
        };
        assert_eq!(&buf[..n], b"hello");
        let full = loop {
            if let Err(error) = client.try_write(&[0; 65536]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        assert!(stays_pending(client.writable()).await);
        drop(go(async move { server.read_to_end(&mut Vec::new()).await }));
        client.writable().await.unwrap();
        assert!(client.try_write(b"x").is_ok());
    });
}

#[test]
fn readable_means_there_is_something() {
    run(async {
        let (client, server) = pair().await;
        assert!(stays_pending(server.readable()).await);
        assert!(stays_pending(poll_fn(|cx| server.poll_read_ready(cx))).await);
        server.writable().await.unwrap();
        poll_fn(|cx| server.poll_write_ready(cx)).await.unwrap();
        let ready = server
            .ready(Interest::READABLE | Interest::WRITABLE)
            .await
            .unwrap();
        assert!(ready.is_writable() && !ready.is_readable());

        client.write_all(b"x").await.unwrap();
        server.readable().await.unwrap();
        poll_fn(|cx| server.poll_read_ready(cx)).await.unwrap();
        // It stays so until somebody finds out otherwise.
        server.readable().await.unwrap();
        assert_eq!(server.try_read(&mut [0; 4]).unwrap(), 1);
        let nothing = server.try_io(Interest::READABLE, || {
            Err::<(), _>(ErrorKind::WouldBlock.into())
        });
        assert!(nothing.is_err());
        assert!(stays_pending(server.readable()).await);
        drop(client);
        let ready = server.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && ready.is_read_closed());
    });
}

#[test]
fn the_traits_of_futures_io_work_by_value_and_by_reference() {
    run(async {
        let (mut client, server) = pair().await;
        let mut by_reference = &server;
        AsyncWriteExt::write_all(&mut client, b"hello")
            .await
            .unwrap();
        let mut buf = [0; 5];
        AsyncReadExt::read_exact(&mut by_reference, &mut buf)
            .await
            .unwrap();
        assert_eq!(&buf, b"hello");
        let (mut reader, mut writer): (OwnedReadHalf, OwnedWriteHalf) = client.into_split();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
        let mut rest = String::new();
        AsyncReadExt::read_to_string(&mut by_reference, &mut rest)
            .await
            .unwrap();
        assert_eq!(rest, "");
        AsyncWriteExt::write_all(&mut &server, b"world")
            .await
            .unwrap();
        AsyncReadExt::read_exact(&mut reader, &mut buf)
            .await
            .unwrap();
        assert_eq!(&buf, b"world");
    });
}

#[test]
fn poll_functions_of_two_goroutines_both_go_on() {
    run(async {
        let (client, server) = pair().await;
        let server = Arc::new(server);
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let server = server.clone();
                go(async move {
                    // By the trait, so by a poll function that cannot know of the others.
                    AsyncReadExt::read(&mut &*server, &mut [0; 1])
                        .await
                        .unwrap()
                })
            })
            .collect();
        time::sleep(Duration::from_millis(20)).await;
        client.write_all(b"12345").await.unwrap();
        for reader in readers {
            assert_eq!(reader.await.unwrap(), 1);
        }
    });
}
