//! Arming a timer and cancelling it, as every request with a timeout does.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::runtimes::{gorust_run, tokio_run};
use crate::table::Question;

pub fn questions() -> Vec<Question> {
    vec![Question {
        name: "timer, armed and cancelled",
        operations: 400_000,
        peers: vec![("gorust", gorust), ("tokio", tokio)],
    }]
}

/// Polls once, which arms the timer, and drops it.
async fn arm(sleep: impl Future<Output = ()>) {
    let mut sleep = pin!(sleep);
    std::future::poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

fn gorust(count: u64) {
    gorust_run(async move {
        for i in 0..count {
            arm(gorust::time::sleep(Duration::from_millis(
                10_000 + i % 1_000,
            )))
            .await;
        }
    });
}

fn tokio(count: u64) {
    tokio_run(async move {
        for i in 0..count {
            arm(tokio::time::sleep(Duration::from_millis(
                10_000 + i % 1_000,
            )))
            .await;
        }
    });
}
