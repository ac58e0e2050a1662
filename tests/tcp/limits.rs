//! At the limits of the system.

use super::*;

/// The limit of open descriptors is lowered for the whole process, so it needs one of its own.
#[cfg(unix)]
#[test]
fn want_of_descriptors_is_an_error_that_passes() {
    if !common::is_child() {
        common::successful_child("limits::want_of_descriptors_is_an_error_that_passes", &[]);
        return;
    }
    run(async {
        let (listener, addr) = listener().await;
        let waiting = TcpStream::connect(addr).await.unwrap();
        // Everything that opens descriptors on first use has done so by now.
        time::sleep(Duration::from_millis(1)).await;
        let limit = libc::rlimit {
            rlim_cur: 64,
            rlim_max: 64,
        };
        // SAFETY: the pointer is to a value that lives through the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        for _ in 0..3 {
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        }
        // One more comes while there is no room; neither it nor the first is lost.
        hoard.pop();
        let also_waiting = TcpStream::connect(addr).await.unwrap();
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        hoard.truncate(hoard.len() - 2);
        for client in [waiting, also_waiting] {
            let (_, from) = listener.accept().await.unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            std::mem::forget(client);
            hoard.truncate(hoard.len() - 1);
        }
    });
}

/// Each end has a process of its own, and the clients come from several addresses: descriptors and
/// ports are limited.
#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_connections_at_once() {
    const SERVER: &str = "GORUST_TEST_SERVER";
    let _watchdog = watchdog_for(Duration::from_secs(600));
    if !raise_descriptor_limit(CONNECTIONS as libc::rlim_t + 200) {
        common::say("skipped: the limit of open descriptors cannot be raised that far");
        return;
    }
    // Not `is_child`, which allows a minute: where the machine is busy this takes longer.
    if let Ok(addr) = std::env::var(SERVER) {
        block_on(ten_thousand_clients(addr.parse().unwrap()));
        return;
    }
    block_on(async {
        let (listener, addr) = listener().await;
        let served = Arc::new(AtomicUsize::new(0));
        let server = go({
            let served = served.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    drop(go(echo(stream)));
                }
            }
        });
        let clients = gorust::go_blocking(move || {
            let environment = [(SERVER, addr.to_string())];
            let environment = environment
                .each_ref()
                .map(|(name, value)| (*name, &**value));
            common::successful_child("limits::ten_thousand_connections_at_once", &environment)
        });
        common::say(&clients.await.unwrap());
        assert_eq!(served.load(Ordering::Relaxed), CONNECTIONS);
        server.abort();
    });
}

#[cfg(target_os = "linux")]
const CONNECTIONS: usize = 10_000;

#[cfg(target_os = "linux")]
async fn ten_thousand_clients(server: SocketAddr) {
    const ROUND_TRIPS: usize = 100;
    let start = Instant::now();
    let all_there = gorust::sync::WaitGroup::new();
    all_there.add(CONNECTIONS);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|i| {
            let all_there = all_there.clone();
            go(async move {
                let socket = TcpSocket::new_v4().unwrap();
                let from = Ipv4Addr::new(127, 0, 0, 1 + (i % 4) as u8);
                socket.bind((from, 0).into()).unwrap();
                let stream = socket.connect(server).await.unwrap();
                stream.set_nodelay(true).unwrap();
                all_there.done();
                all_there.wait().await;
                for round in 0..ROUND_TRIPS {
                    let message = ((i * ROUND_TRIPS + round) as u64).to_le_bytes();
                    stream.write_all(&message).await.unwrap();
                    let mut answer = [0; 8];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, message);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    common::say(&format!(
        "{CONNECTIONS} connections, {ROUND_TRIPS} round trips each: {:?}",
        start.elapsed()
    ));
}

#[cfg(target_os = "linux")]
fn raise_descriptor_limit(wanted: libc::rlim_t) -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a value that lives through the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if limit.rlim_cur >= wanted {
        return true;
    }
    limit.rlim_cur = wanted;
    limit.rlim_max = limit.rlim_max.max(wanted);
    // SAFETY: as above.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 }
}
