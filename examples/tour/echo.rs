//! An echo server on loopback, and a thousand clients that talk to it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gorust::net::{TcpListener, TcpStream};
use gorust::task::JoinHandle;

use super::Outcome;
use super::report::{Progress, Row, human, thousands};

const CLIENTS: usize = 1_000;
/// For how long the clients talk.
pub const SECONDS: u64 = 3;
const MESSAGE: usize = 64;
/// Descriptors besides the connections': standard streams, the selector, files.
const SPARE: u64 = 64;

/// Serves all clients for a while and looks at how long each request took.
pub async fn serve(progress: Progress) -> Outcome {
    let clients = allowed_clients();
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| format!("echo server: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = gorust::go(accept(listener));

    let outcome = talk(clients, address, &progress).await;
    progress.finish();
    server.abort();
    let Talk { mut times, elapsed } = outcome.map_err(|error| format!("echo client: {error}"))?;

    times.sort_unstable();
    let requests = times.len() as u64;
    let percentile = |part: usize| human(times[(times.len() - 1) * part / 100]);
    if requests < clients as u64 {
        return Err(format!("{clients} clients had {requests} answers only"));
    }
    let rate = requests as f64 / elapsed.as_secs_f64();
    Ok(vec![Row::new(
        format!("echo server, {} clients", thousands(clients as u64)),
        format!("{}/s", thousands(rate as u64)),
        format!("p50 {}, p99 {}", percentile(50), percentile(99)),
    )])
}

/// How many clients the limit on open files allows, once it has been raised as far as possible.
fn allowed_clients() -> usize {
    // Both ends of each connection are ours.
    let wanted = 2 * CLIENTS as u64 + SPARE;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit >= wanted => CLIENTS,
        Ok(limit) => {
            let clients = limit.saturating_sub(SPARE) / 2;
            let clients = usize::try_from(clients).unwrap_or(CLIENTS).max(1);
            eprintln!("only {limit} open files are allowed: {clients} echo clients, not {CLIENTS}");
            clients
        }
        Err(error) => {
            eprintln!("the limit on open files stays as it is ({error}): 100 echo clients");
            100
        }
    }
}

/// The server: a goroutine per connection.
async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(gorust::go(echo(stream))),
            Err(error) => {
                eprintln!("echo server: {error}");
                gorust::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4 * MESSAGE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read]).await?,
        }
    }
}

/// How long each request took, and all of them together.
struct Talk {
    times: Vec<Duration>,
    elapsed: Duration,
}

async fn talk(clients: usize, address: SocketAddr, progress: &Progress) -> io::Result<Talk> {
    let mut streams = Vec::with_capacity(clients);
    for _ in 0..clients {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let start = Instant::now();
    let end = start + Duration::from_secs(SECONDS);
    let talking: Vec<JoinHandle<io::Result<Vec<Duration>>>> = streams
        .into_iter()
        .enumerate()
        .map(|(number, stream)| gorust::go(client(number, stream, end)))
        .collect();
    for _ in 0..SECONDS {
        gorust::time::sleep(Duration::from_secs(1)).await;
        progress.step();
    }
    let mut times = Vec::new();
    for client in talking {
        times.extend(client.await.map_err(io::Error::other)??);
    }
    Ok(Talk {
        times,
        elapsed: start.elapsed(),
    })
}

/// Asks until `end`; each answer must be the question.
async fn client(number: usize, stream: TcpStream, end: Instant) -> io::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut answer = [0; MESSAGE];
    for turn in 0_u64.. {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let mut question = [0; MESSAGE];
        question[..8].copy_from_slice(&(number as u64).to_le_bytes());
        question[8..16].copy_from_slice(&turn.to_le_bytes());
        stream.write_all(&question).await?;
        stream.read_exact(&mut answer).await?;
        if answer != question {
            return Err(io::Error::other("the echo is not what was said"));
        }
        times.push(asked.elapsed());
    }
    Ok(times)
}
