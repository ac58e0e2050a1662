//! A chat server to talk to with `nc`.
//!
//! ```text
//! cargo run --release --example chat -- 127.0.0.1:7000
//! nc 127.0.0.1 7000
//! ```
//!
//! Goroutines and channels do it all, without a lock: one goroutine owns the room ([`room`]), two
//! serve each client ([`client`]), and they send each other messages.

mod client;
mod lines;
mod room;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use gorust::chan::{Receiver, Sender};
use gorust::net::TcpListener;

use room::Event;

/// Serves a chat room; talk to it with `nc`.
#[derive(Debug, Parser)]
#[command(name = "chat")]
struct Arguments {
    /// Where to listen.
    #[arg(default_value = "127.0.0.1:7000")]
    address: SocketAddr,
}

/// How long clients have for taking leave when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

#[gorust::main]
async fn main() -> ExitCode {
    let Arguments { address } = Arguments::parse();
    match serve(address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until ctrl-c.
async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("chat on {}", listener.local_addr()?);
    let interrupted = interrupts()?;

    let (room, events) = gorust::chan(64);
    let running = gorust::go(room::run(events));
    // Everyone in the room has a clone of the sender; when the last is gone, so are they all.
    let (present, all_gone) = gorust::chan::<()>(1);
    let door = gorust::go(admit(listener, room.clone(), present));

    let _ = interrupted.recv().await;
    println!("closing");
    door.abort();
    let _ = room.send(Event::Close).await;
    let _ = running.await;
    if gorust::time::timeout(FAREWELL, all_gone.recv())
        .await
        .is_err()
    {
        eprintln!("chat: some clients did not take their last messages");
    }
    Ok(())
}

/// A message for each ctrl-c; the second ends the process at once.
fn interrupts() -> io::Result<Receiver<()>> {
    let (interrupt, interrupted) = gorust::chan(1);
    ctrlc::set_handler(move || {
        if interrupt.try_send(()).is_err() {
            std::process::exit(130);
        }
    })
    .map_err(io::Error::other)?;
    Ok(interrupted)
}

/// Lets clients in, for ever.
async fn admit(listener: TcpListener, room: Sender<Event>, present: Sender<()>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let client = client::serve(stream, room.clone(), present.downgrade());
                drop(gorust::go(client));
            }
            Err(error) => {
                // Out of descriptors, most likely: wait until somebody leaves.
                eprintln!("chat: cannot let anyone in: {error}");
                gorust::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
