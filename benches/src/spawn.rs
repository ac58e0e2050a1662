//! Starting goroutines and joining them.

use crate::runtimes::{gorust_run, tokio_run};
use crate::table::Question;

pub fn questions() -> Vec<Question> {
    vec![
        Question {
            name: "spawn and join, one by one",
            operations: 200_000,
            peers: vec![("gorust", gorust_one), ("tokio", tokio_one)],
        },
        Question {
            name: "spawn 1,000 and join them",
            operations: 200_000,
            peers: vec![("gorust", gorust_batch), ("tokio", tokio_batch)],
        },
    ]
}

fn gorust_one(count: u64) {
    gorust_run(async move {
        for i in 0..count {
            assert_eq!(gorust::go(async move { i }).await.ok(), Some(i));
        }
    });
}

fn tokio_one(count: u64) {
    tokio_run(async move {
        for i in 0..count {
            assert_eq!(tokio::spawn(async move { i }).await.ok(), Some(i));
        }
    });
}

fn gorust_batch(count: u64) {
    gorust_run(async move {
        for _ in 0..count / 1_000 {
            let handles: Vec<_> = (0..1_000).map(|i| gorust::go(async move { i })).collect();
            for (i, handle) in handles.into_iter().enumerate() {
                assert_eq!(handle.await.ok(), Some(i));
            }
        }
    });
}

fn tokio_batch(count: u64) {
    tokio_run(async move {
        for _ in 0..count / 1_000 {
            let handles: Vec<_> = (0..1_000).map(|i| tokio::spawn(async move { i })).collect();
            for (i, handle) in handles.into_iter().enumerate() {
                assert_eq!(handle.await.ok(), Some(i));
            }
        }
    });
}
