//! Every byte arrives, once and in order.

use super::*;

#[test]
fn an_echo_comes_back() {
    run(async {
        let (client, server) = pair().await;
        let server = go(echo(server));
        for round in 0..1000_u32 {
            client.write_all(&round.to_le_bytes()).await.unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer), round);
        }
        drop(client);
        server.await.unwrap().unwrap();
    });
}

#[test]
fn goroutines_talk_to_goroutines() {
    run(async {
        let (listener, addr) = listener().await;
        let server = go(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(go(echo(stream)));
            }
        });
        let clients: Vec<_> = (0..50)
            .map(|i| {
                go(async move {
                    let stream = TcpStream::connect(addr).await.unwrap();
                    let message = pattern(100 + i);
                    let mut answer = vec![0; message.len()];
                    for _ in 0..50 {
                        stream.write_all(&message).await.unwrap();
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(answer, message);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        server.abort();
    });
}

#[test]
fn much_flows_both_ways_at_once() {
    run(async {
        let (a, b) = pair().await;
        let data = Arc::new(pattern(8 << 20));
        let (a, b) = (Arc::new(a), Arc::new(b));
        let both = [a, b].map(|stream| {
            let writer = go({
                let (stream, data) = (stream.clone(), data.clone());
                async move {
                    stream.write_all(&data).await.unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                }
            });
            let reader = go(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                all
            });
            (writer, reader)
        });
        for (writer, reader) in both {
            writer.await.unwrap();
            assert!(reader.await.unwrap() == *data);
        }
    });
}

/// Sizes at random, so that reads end short, exactly and in between.
#[test]
fn no_byte_is_lost_at_any_size_of_reads_and_writes() {
    let seed = Random::seeded().next();
    run(async {
        let (client, server) = pair().await;
        client.set_nodelay(true).unwrap();
        let data = Arc::new(pattern(1 << 20));
        let writer = go({
            let data = data.clone();
            async move {
                let mut random = Random::new(seed);
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let (now, later) =
                        rest.split_at(rest.len().min(1 + random.below(3000) as usize));
                    client.write_all(now).await.unwrap();
                    rest = later;
                    match random.below(8) {
                        0 => gorust::yield_now().await,
                        1 => time::sleep(Duration::from_micros(random.below(200))).await,
                        _ => {}
                    }
                }
            }
        });
        let mut random = Random::new(seed ^ 1);
        let mut got = Vec::new();
        loop {
            let mut buf = vec![0; 1 + random.below(3000) as usize];
            let n = server.read(&mut buf).await.unwrap();
            if n == 0 {
                break;
            }
            got.extend_from_slice(&buf[..n]);
        }
        writer.await.unwrap();
        assert!(got == *data);
    });
}

#[test]
fn reading_to_the_end_appends() {
    run(async {
        let (client, server) = pair().await;
        let data = pattern(300_000);
        let writer = go({
            let data = data.clone();
            async move { client.write_all(&data).await }
        });
        let mut all = b"before".to_vec();
        assert_eq!(server.read_to_end(&mut all).await.unwrap(), data.len());
        assert!(all[..6] == *b"before" && all[6..] == data);
        writer.await.unwrap().unwrap();
    });
}

#[test]
fn empty_buffers_do_not_wait() {
    run(async {
        let (client, _server) = pair().await;
        assert_eq!(client.read(&mut []).await.unwrap(), 0);
        client.read_exact(&mut []).await.unwrap();
        assert_eq!(client.read_vectored(&mut []).await.unwrap(), 0);
        client.write_all(&[]).await.unwrap();
    });
}

#[test]
fn vectored_reads_and_writes() {
    run(async {
        let (client, server) = pair().await;
        let parts = [&b"one "[..], b"", b"two ", b"three"].map(IoSlice::new);
        assert_eq!(client.write_vectored(&parts).await.unwrap(), 13);
        assert_eq!(client.try_write_vectored(&parts).unwrap(), 13);
        let mut all = [0; 26];
        let (head, tail) = all.split_at_mut(5);
        let mut got = 0;
        while got < 5 {
            let mut bufs = [IoSliceMut::new(&mut head[got..]), IoSliceMut::new(tail)];
            got += server.read_vectored(&mut bufs).await.unwrap();
        }
        server.read_exact(&mut all[got..]).await.unwrap();
        assert_eq!(&all, b"one two threeone two three");
        let nothing = server
            .try_read_vectored(&mut [IoSliceMut::new(&mut [0; 4])])
            .unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn urgent_data_hides_nothing_behind_it() {
    run(async {
        let (client, server) = pair().await;
        client.set_nodelay(true).unwrap();
        for round in 0..20 {
            client.write_all(b"before").await.unwrap();
            SockRef::from(&client).send_out_of_band(b"!").unwrap();
            client.write_all(b"after").await.unwrap();
            if round % 2 == 0 {
                // So that all of it is there when the first read ends at the mark.
                time::sleep(Duration::from_millis(2)).await;
            }
            let mut got = Vec::new();
            while got.len() < 11 {
                let mut buf = [0; 64];
                let n = server.read(&mut buf).await.unwrap();
                got.extend_from_slice(&buf[..n]);
            }
            assert_eq!(got, b"beforeafter");
        }
    });
}

#[test]
fn peeking_takes_nothing() {
    run(async {
        let (client, server) = pair().await;
        assert!(stays_pending(server.peek(&mut [0; 4])).await);
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 4];
        for _ in 0..2 {
            assert_eq!(server.peek(&mut buf).await.unwrap(), 4);
            assert_eq!(&buf, b"hell");
        }
        assert_eq!(
            poll_fn(|cx| server.poll_peek(cx, &mut buf)).await.unwrap(),
            4
        );
        let (reader, _writer) = server.into_split();
        assert_eq!(reader.peek(&mut buf).await.unwrap(), 4);
        let mut all = [0; 5];
        reader.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"hello");
    });
}
