//! Sockets and the runtimes they belong to.

use super::*;

#[test]
fn a_stream_that_is_always_ready_starves_nobody() {
    let _watchdog = watchdog();
    let runtime = gorust::runtime::Builder::current_thread().build().unwrap();
    runtime.block_on(async {
        let (client, server) = pair().await;
        client.write_all(&pattern(100_000)).await.unwrap();
        let greedy = go(async move {
            let mut reads = 0;
            while reads < 50_000 {
                server.read_exact(&mut [0; 1]).await.unwrap();
                reads += 1;
            }
        });
        let mut turns = 0;
        while !greedy.is_finished() {
            turns += 1;
            gorust::yield_now().await;
        }
        assert!(turns > 100, "only {turns} turns meanwhile");
        drop(client);
    });
}

#[test]
fn sockets_do_not_outlive_their_runtime() {
    let _watchdog = watchdog();
    let old = Runtime::new().unwrap();
    let (client, server, listener) = old.block_on(async {
        let (listener, addr) = listener().await;
        let client = TcpStream::connect(addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, server, listener)
    });
    // Somebody outside waits when it goes.
    let client = Arc::new(client);
    let waiting = std::thread::spawn({
        let client = client.clone();
        move || futures_lite::future::block_on(client.read(&mut [0; 4]))
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(old);
    let message = waiting.join().unwrap().unwrap_err().to_string();
    assert!(message.contains("runtime"), "{message}");

    let gone = |error: std::io::Error| assert_eq!(error.to_string(), message);
    // Also while another runtime is there, which may have taken over the old one's reactor.
    let new = Runtime::new().unwrap();
    new.block_on(async {
        gone(client.read(&mut [0; 4]).await.unwrap_err());
        gone(server.write_all(b"x").await.unwrap_err());
        gone(server.try_write(b"x").unwrap_err());
        gone(server.readable().await.unwrap_err());
        gone(listener.accept().await.map(drop).unwrap_err());
        gone(server.try_io(Interest::READABLE, || Ok(())).unwrap_err());
        // What is new works; what is old can still be taken out and used elsewhere.
        let (a, b) = pair().await;
        a.write_all(b"x").await.unwrap();
        b.read_exact(&mut [0]).await.unwrap();
        let server = TcpStream::from_std(server.into_std().unwrap()).unwrap();
        server.write_all(b"again").await.unwrap();
    });
}

#[test]
fn sockets_made_in_one_runtime_serve_another() {
    let _watchdog = watchdog();
    let (one, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (client, server) = one.block_on(pair());
    let echo = other.go(echo(server));
    other.block_on(async {
        client.write_all(b"hello").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        drop(client);
        echo.await.unwrap().unwrap();
    });
}

#[test]
fn sockets_work_on_a_plain_thread() {
    let _watchdog = watchdog();
    futures_lite::future::block_on(async {
        let (client, server) = pair().await;
        client.write_all(b"hello").await.unwrap();
        server.read_exact(&mut [0; 5]).await.unwrap();
    });
}
