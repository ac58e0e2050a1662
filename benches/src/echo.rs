//! An echo server on loopback with 64 connections, clients in the same runtime.

use crate::runtimes::{gorust_run, tokio_run};
use crate::table::Question;

const CONNECTIONS: u64 = 64;
const BYTES: usize = 64;

pub fn questions() -> Vec<Question> {
    vec![Question {
        name: "TCP echo, 64 connections, round trip",
        operations: CONNECTIONS * 500,
        peers: vec![("gorust", gorust), ("tokio", tokio)],
    }]
}

fn gorust(count: u64) {
    use gorust::net::{TcpListener, TcpStream};
    gorust_run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let server = gorust::go(async move {
            for _ in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await.expect("accept");
                stream.set_nodelay(true).expect("connected");
                drop(gorust::go(async move {
                    let mut buffer = [0; BYTES];
                    while stream.read_exact(&mut buffer).await.is_ok() {
                        stream.write_all(&buffer).await.expect("write");
                    }
                }));
            }
        });
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                gorust::go(async move {
                    let stream = TcpStream::connect(address).await.expect("connect");
                    stream.set_nodelay(true).expect("connected");
                    let mut buffer = [0; BYTES];
                    for n in 0..count / CONNECTIONS {
                        stream.write_all(&[n as u8; BYTES]).await.expect("write");
                        stream.read_exact(&mut buffer).await.expect("read");
                        assert_eq!(buffer, [n as u8; BYTES]);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("ends");
        }
        server.await.expect("ends");
    });
}

fn tokio(count: u64) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    tokio_run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            for _ in 0..CONNECTIONS {
                let (mut stream, _) = listener.accept().await.expect("accept");
                stream.set_nodelay(true).expect("connected");
                drop(tokio::spawn(async move {
                    let mut buffer = [0; BYTES];
                    while stream.read_exact(&mut buffer).await.is_ok() {
                        stream.write_all(&buffer).await.expect("write");
                    }
                }));
            }
        });
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.expect("connect");
                    stream.set_nodelay(true).expect("connected");
                    let mut buffer = [0; BYTES];
                    for n in 0..count / CONNECTIONS {
                        stream.write_all(&[n as u8; BYTES]).await.expect("write");
                        stream.read_exact(&mut buffer).await.expect("read");
                        assert_eq!(buffer, [n as u8; BYTES]);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("ends");
        }
        server.await.expect("ends");
    });
}
