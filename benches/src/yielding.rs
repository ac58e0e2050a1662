//! Going to the back of the queue.

use crate::runtimes::{gorust_run, tokio_run};
use crate::table::Question;

pub fn questions() -> Vec<Question> {
    vec![Question {
        name: "yield_now, two goroutines",
        operations: 400_000,
        peers: vec![("gorust", gorust), ("tokio", tokio)],
    }]
}

fn gorust(count: u64) {
    gorust_run(async move {
        let other = gorust::go(async move {
            for _ in 0..count / 2 {
                gorust::yield_now().await;
            }
        });
        for _ in 0..count / 2 {
            gorust::yield_now().await;
        }
        other.await.expect("ends");
    });
}

fn tokio(count: u64) {
    tokio_run(async move {
        let other = tokio::spawn(async move {
            for _ in 0..count / 2 {
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..count / 2 {
            tokio::task::yield_now().await;
        }
        other.await.expect("ends");
    });
}
