//! Serves a folder over HTTP/1.1, with hyper on gorust's own sockets.
//!
//! ```text
//! cargo run --release --features hyper --example http_server -- target/doc 127.0.0.1:8080
//! ```
//!
//! Knows `GET` and `HEAD`, keep-alive, single byte ranges, `If-Modified-Since`, `index.html` and
//! folder listings. Nothing outside the folder is served, whatever the path or the symbolic links
//! in the folder say. Ctrl-c ends it: running answers are finished first.

mod answer;
mod file;
mod listing;
mod range;
mod target;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use gorust::chan::{Receiver, Sender};
use gorust::net::{TcpListener, TcpStream};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};

use answer::Answer;
use target::Site;

/// Serves a folder over HTTP.
#[derive(Debug, Parser)]
#[command(name = "http_server")]
struct Arguments {
    /// The folder to serve.
    #[arg(default_value = ".", value_parser = folder)]
    folder: PathBuf,
    /// Where to listen.
    #[arg(default_value = "127.0.0.1:8080", value_parser = address)]
    address: String,
}

/// How long running answers have for their end when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);

#[gorust::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_server: {}: {error}", arguments.address);
            ExitCode::FAILURE
        }
    }
}

fn folder(argument: &str) -> Result<PathBuf, String> {
    let folder = std::fs::canonicalize(argument).map_err(|error| error.to_string())?;
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err("not a folder".into())
    }
}

fn address(argument: &str) -> Result<String, String> {
    match argument.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(argument.to_owned())
        }
        _ => Err("expected an address such as 127.0.0.1:8080".into()),
    }
}

/// Serves until ctrl-c.
async fn serve(arguments: &Arguments) -> io::Result<()> {
    let listener = TcpListener::bind(arguments.address.as_str()).await?;
    let interrupted = interrupts()?;
    let address = listener.local_addr()?;
    println!(
        "serving {} on http://{address}/",
        arguments.folder.display()
    );

    let site = Arc::new(Site::new(arguments.folder.clone()));
    // Closed, it tells every connection to come to its end.
    let (stop, stopping) = gorust::chan::<()>(0);
    // Every connection has a clone of the sender; when the last is gone, so are they.
    let (present, all_gone) = gorust::chan::<()>(0);
    let door = gorust::go(accept(listener, site, stopping, present));

    let _ = interrupted.recv().await;
    println!("stopping");
    door.abort();
    let _ = door.await;
    stop.close();
    if gorust::time::timeout(FAREWELL, all_gone.recv())
        .await
        .is_err()
    {
        eprintln!("http_server: some answers are cut off");
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

/// Accepts connections, for ever.
async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    stopping: Receiver<()>,
    present: Sender<()>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = converse(stream, site.clone(), stopping.clone());
                let present = present.clone();
                drop(gorust::go(async move {
                    let _present = present;
                    connection.await;
                }));
            }
            Err(error) => {
                // Out of descriptors, most likely: wait until somebody leaves.
                eprintln!("http_server: cannot accept: {error}");
                gorust::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers the requests of one connection, until the client leaves or the server stops.
async fn converse(stream: TcpStream, site: Arc<Site>, stopping: Receiver<()>) {
    // Answers are written in large pieces: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| respond(site.clone(), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(stream, service));
    let mut stopped = pin!(stopping.recv());
    let mut told = false;
    let ended = std::future::poll_fn(|context| {
        if !told && stopped.as_mut().poll(context).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    });
    // Clients break off as they please; how one went is no concern of ours.
    let _ = ended.await;
}

/// Answers one request. Whatever touches the file system may block, and so goes elsewhere.
async fn respond(site: Arc<Site>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(answer::method_not_allowed());
    }
    let (request, _) = request.into_parts();
    let answered = gorust::go_blocking(move || answer::answer(&site, &request)).await;
    Ok(answered.unwrap_or_else(|error| {
        eprintln!("http_server: {error}");
        answer::status_only(StatusCode::INTERNAL_SERVER_ERROR)
    }))
}
