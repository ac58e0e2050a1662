//! gorust beside its peers: every question is asked of each of them in turn, round after round, in
//! one process, and what counts is the median over the rounds of the ratio within a round.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml -- [--rounds N] [FILTER]`

mod echo;
mod ping_pong;
mod spawn;
mod table;
mod timer;
mod yielding;

use clap::Parser;
use table::{Question, Table};

/// Compares gorust with its peers.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each asks every question of every peer once.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Only this peer, for profiling it.
    #[arg(long)]
    peer: Option<String>,
    /// Only questions whose name contains this.
    filter: Option<String>,
}

fn main() {
    let arguments = Arguments::parse();
    let mut questions: Vec<Question> = Vec::new();
    questions.extend(spawn::questions());
    questions.extend(yielding::questions());
    questions.extend(ping_pong::questions());
    questions.extend(timer::questions());
    questions.extend(echo::questions());
    if let Some(filter) = &arguments.filter {
        questions.retain(|question| question.name.contains(filter.as_str()));
    }
    if let Some(peer) = &arguments.peer {
        for question in &mut questions {
            question.peers.retain(|(name, _)| name == peer);
        }
        questions.retain(|question| !question.peers.is_empty());
    }
    let mut table = Table::new(&questions);
    for round in 0..=arguments.rounds {
        for (index, question) in questions.iter().enumerate() {
            // The first round only warms up.
            table.ask(index, question, round > 0);
        }
    }
    println!("{table}");
}

/// The runtimes, one of each kind for the whole run.
mod runtimes {
    use std::sync::OnceLock;

    /// tokio's multi-thread runtime with the number of workers we use.
    pub fn tokio() -> &'static tokio::runtime::Runtime {
        static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(gorust::runtime::gomaxprocs())
                .enable_all()
                .build()
                .expect("tokio's runtime starts")
        })
    }

    /// Runs a future as a goroutine, and waits for it.
    pub fn gorust_run<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        gorust::block_on(gorust::go(future)).expect("the goroutine ends");
    }

    /// Runs a future as a task of tokio's, and waits for it.
    pub fn tokio_run<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio()
            .block_on(tokio().spawn(future))
            .expect("the task ends");
    }
}
