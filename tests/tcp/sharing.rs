//! One socket, several goroutines: halves, references, and waiters that go away.

use super::*;

#[test]
fn borrowed_halves_read_and_write_at_once() {
    run(async {
        let (mut client, server) = pair().await;
        let server = go(echo(server));
        {
            let (reader, writer) = client.split();
            let data = pattern(1 << 20);
            let write = async {
                writer.write_all(&data).await.unwrap();
            };
            let read = async {
                let mut back = vec![0; data.len()];
                reader.read_exact(&mut back).await.unwrap();
                assert!(back == data);
            };
            futures_lite::future::zip(write, read).await;
            assert_eq!(reader.local_addr().unwrap(), writer.local_addr().unwrap());
        }
        // The halves are gone, and the stream goes on.
        client.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        server.await.unwrap().unwrap();
    });
}

#[test]
fn dropping_the_owned_write_half_sends_the_end() {
    run(async {
        let (client, server) = pair().await;
        let (reader, writer) = client.into_split();
        writer.write_all(b"the whole request").await.unwrap();
        drop(writer);
        let mut request = Vec::new();
        server.read_to_end(&mut request).await.unwrap();
        assert_eq!(request, b"the whole request");
        // The other direction is still open.
        server.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    });
}

#[test]
fn a_forgotten_write_half_sends_no_end() {
    run(async {
        let (client, server) = pair().await;
        let (_reader, writer) = client.into_split();
        writer.forget();
        assert!(stays_pending(server.read(&mut [0; 1])).await);
    });
}

#[test]
fn halves_are_reunited_with_their_own_only() {
    run(async {
        let (client, server) = pair().await;
        let (client_reader, client_writer) = client.into_split();
        let (server_reader, server_writer) = server.into_split();
        let error = client_reader.reunite(server_writer).unwrap_err();
        assert!(error.to_string().contains("one stream"));
        let (client_reader, server_writer) = (error.0, error.1);
        let client = client_writer.reunite(client_reader).unwrap();
        let server = server_reader.reunite(server_writer).unwrap();
        client.write_all(b"still open").await.unwrap();
        let mut buf = [0; 10];
        server.read_exact(&mut buf).await.unwrap();
        assert!(stays_pending(server.read(&mut buf)).await);
    });
}

#[test]
fn a_stream_is_shared_by_reader_and_writer() {
    run(async {
        let (client, server) = pair().await;
        let server = go(echo(server));
        let client = Arc::new(client);
        let writer = go({
            let client = client.clone();
            async move {
                for i in 0..10_000_u32 {
                    client.write_all(&i.to_le_bytes()).await.unwrap();
                }
                client.shutdown(Shutdown::Write).unwrap();
            }
        });
        let mut buf = [0; 4];
        for i in 0..10_000_u32 {
            client.read_exact(&mut buf).await.unwrap();
            assert_eq!(u32::from_le_bytes(buf), i);
        }
        assert_eq!(client.read(&mut buf).await.unwrap(), 0);
        writer.await.unwrap();
        server.await.unwrap().unwrap();
    });
}

#[test]
fn many_readers_share_one_stream() {
    run(async {
        let (client, server) = pair().await;
        let server = Arc::new(server);
        let sum = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..10)
            .map(|_| {
                let (server, sum) = (server.clone(), sum.clone());
                go(async move {
                    let mut buf = [0; 7];
                    loop {
                        let n = server.read(&mut buf).await.unwrap();
                        if n == 0 {
                            return;
                        }
                        sum.fetch_add(n, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..100 {
            client.write_all(&[1; 33]).await.unwrap();
            gorust::yield_now().await;
        }
        drop(client);
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(sum.load(Ordering::Relaxed), 3300);
    });
}

#[test]
fn many_accept_on_one_listener() {
    run(async {
        let (listener, addr) = listener().await;
        let listener = Arc::new(listener);
        let accepted = Arc::new(AtomicUsize::new(0));
        let accepters: Vec<_> = (0..20)
            .map(|_| {
                let (listener, accepted) = (listener.clone(), accepted.clone());
                go(async move {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        accepted.fetch_add(1, Ordering::Relaxed);
                        stream.write_all(b"x").await.unwrap();
                    }
                })
            })
            .collect();
        for round in 0..2 {
            let clients: Vec<_> = (0..100)
                .map(|_| {
                    go(async move {
                        let client = TcpStream::connect(addr).await.unwrap();
                        client.read_exact(&mut [0]).await.unwrap();
                    })
                })
                .collect();
            for client in clients {
                client.await.unwrap();
            }
            assert_eq!(accepted.load(Ordering::Relaxed), 100 * (round + 1));
            // All but one go; that one must be enough.
            accepters
                .iter()
                .skip(1)
                .for_each(|accepter| accepter.abort());
        }
    });
}

#[test]
fn waiting_accepters_each_get_a_connection() {
    run(async {
        let (listener, addr) = listener().await;
        let listener = Arc::new(listener);
        let accepters: Vec<_> = (0..10)
            .map(|_| {
                let listener = listener.clone();
                go(async move { listener.accept().await.unwrap().1 })
            })
            .collect();
        time::sleep(Duration::from_millis(20)).await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
        let mut seen = Vec::new();
        for accepter in accepters {
            seen.push(accepter.await.unwrap());
        }
        let mut made: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
    });
}

#[test]
fn a_cancelled_read_takes_nothing() {
    run(async {
        let (client, server) = pair().await;
        let writer = go(async move {
            for i in 0..200_u8 {
                client.write_all(&[i]).await.unwrap();
                time::sleep(Duration::from_micros(u64::from(i % 7) * 100)).await;
            }
        });
        let mut got = Vec::new();
        let mut cancelled = 0;
        while got.len() < 200 {
            let mut buf = [0; 16];
            let limit = Duration::from_micros(20 + got.len() as u64 % 5 * 100);
            match time::timeout(limit, server.read(&mut buf)).await {
                Ok(n) => got.extend_from_slice(&buf[..n.unwrap()]),
                Err(_) => cancelled += 1,
            }
        }
        assert!(got.iter().copied().eq(0..200), "{got:?}");
        assert!(cancelled > 0);
        writer.await.unwrap();
    });
}

#[test]
fn a_cancelled_accept_takes_nothing() {
    run(async {
        let (listener, addr) = listener().await;
        let clients = go(async move {
            let mut clients = Vec::new();
            for i in 0..100_u64 {
                clients.push(TcpStream::connect(addr).await.unwrap());
                time::sleep(Duration::from_micros(i % 5 * 100)).await;
            }
            clients
        });
        let mut accepted = Vec::new();
        while accepted.len() < 100 {
            let limit = Duration::from_micros(20 + accepted.len() as u64 % 3 * 100);
            if let Ok(result) = time::timeout(limit, listener.accept()).await {
                accepted.push(result.unwrap());
            }
        }
        assert_eq!(clients.await.unwrap().len(), 100);
    });
}

#[test]
fn a_cancelled_waiter_leaves_the_others_theirs() {
    run(async {
        let (client, server) = pair().await;
        let server = Arc::new(server);
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let server = server.clone();
                go(async move { server.read(&mut [0; 1]).await.unwrap() })
            })
            .collect();
        time::sleep(Duration::from_millis(20)).await;
        readers[0].abort();
        readers[2].abort();
        client.write_all(b"xy").await.unwrap();
        for (i, reader) in readers.into_iter().enumerate() {
            match reader.await {
                Ok(n) => assert_eq!(n, 1),
                Err(error) => assert!(error.is_cancelled() && i % 2 == 0),
            }
        }
    });
}

#[test]
fn operations_can_be_stopped_by_abort() {
    run(async {
        let (_client, server) = pair().await;
        let server = Arc::new(server);
        let reader = go({
            let server = server.clone();
            async move { server.read(&mut [0; 1]).await }
        });
        time::sleep(Duration::from_millis(10)).await;
        reader.abort();
        assert!(reader.await.unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&server), 1);
    });
}

#[test]
fn a_future_polled_once_and_kept_does_not_hold_others_up() {
    run(async {
        let (client, server) = pair().await;
        let mut buf = [0; 1];
        let mut kept: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(server.read(&mut buf));
        assert!(poll_once(&mut kept).is_pending());
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 1);
        assert!(stays_pending(kept).await);
    });
}
