//! TCP streams carry every byte, once and in order, whoever reads and writes them, and fail as std's.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod bytes;
mod ends;
mod limits;
mod readiness;
mod runtimes;
mod sharing;

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use common::{Random, poll_once, watchdog, watchdog_for};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use gorust::io::Interest;
use gorust::net::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpSocket, TcpStream, lookup_host};
use gorust::runtime::Runtime;
use gorust::{block_on, go, time};
use socket2::SockRef;

fn run<T>(test: impl Future<Output = T>) -> T {
    let _watchdog = watchdog();
    block_on(test)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listener().await;
    let client = TcpStream::connect(addr).await.unwrap();
    let (server, from) = listener.accept().await.unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    (client, server)
}

/// An address where nobody listens.
async fn closed() -> SocketAddr {
    listener().await.1
}

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect()
}

async fn echo(stream: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
    }
}

/// Whether `future` is still pending after a while.
async fn stays_pending<F: Future>(future: F) -> bool {
    time::timeout(Duration::from_millis(50), future)
        .await
        .is_err()
}
