//! Two that talk: each message waits for the answer.

use crate::runtimes::{gorust_run, tokio, tokio_run};
use crate::table::Question;

const ROUND_TRIPS: u64 = 100_000;

pub fn questions() -> Vec<Question> {
    vec![
        Question {
            name: "rendezvous ping-pong, round trip",
            operations: ROUND_TRIPS,
            // tokio has no rendezvous: a capacity of 1 is the closest.
            peers: vec![("gorust", gorust), ("tokio", tokio_mpsc)],
        },
        Question {
            name: "the same between main and a goroutine",
            operations: ROUND_TRIPS,
            peers: vec![
                ("gorust", gorust_main),
                ("gorust, two goroutines", gorust),
                ("tokio", tokio_main),
            ],
        },
        Question {
            name: "bounded channel (64), one to one",
            operations: 400_000,
            peers: vec![("gorust", gorust_bounded), ("tokio", tokio_bounded)],
        },
    ]
}

async fn gorust_pair(count: u64) {
    let (ping, pings) = gorust::chan::<u64>(0);
    let (pong, pongs) = gorust::chan::<u64>(0);
    let other = gorust::go(async move {
        while let Some(n) = pings.recv().await {
            pong.send(n).await.expect("open");
        }
    });
    for n in 0..count {
        ping.send(n).await.expect("open");
        assert_eq!(pongs.recv().await, Some(n));
    }
    drop(ping);
    other.await.expect("ends");
}

fn gorust(count: u64) {
    gorust_run(gorust_pair(count));
}

fn gorust_main(count: u64) {
    gorust::block_on(gorust_pair(count));
}

async fn tokio_pair(count: u64) {
    let (ping, mut pings) = tokio::sync::mpsc::channel::<u64>(1);
    let (pong, mut pongs) = tokio::sync::mpsc::channel::<u64>(1);
    let other = tokio::spawn(async move {
        while let Some(n) = pings.recv().await {
            pong.send(n).await.expect("open");
        }
    });
    for n in 0..count {
        ping.send(n).await.expect("open");
        assert_eq!(pongs.recv().await, Some(n));
    }
    drop(ping);
    other.await.expect("ends");
}

fn tokio_mpsc(count: u64) {
    tokio_run(tokio_pair(count));
}

fn tokio_main(count: u64) {
    tokio().block_on(tokio_pair(count));
}

fn gorust_bounded(count: u64) {
    gorust_run(async move {
        let (sender, receiver) = gorust::chan::<u64>(64);
        let producer = gorust::go(async move {
            for n in 0..count {
                sender.send(n).await.expect("open");
            }
        });
        let mut sum = 0;
        while let Some(n) = receiver.recv().await {
            sum += n;
        }
        producer.await.expect("ends");
        assert_eq!(sum, count * (count - 1) / 2);
    });
}

fn tokio_bounded(count: u64) {
    tokio_run(async move {
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(64);
        let producer = tokio::spawn(async move {
            for n in 0..count {
                sender.send(n).await.expect("open");
            }
        });
        let mut sum = 0;
        while let Some(n) = receiver.recv().await {
            sum += n;
        }
        producer.await.expect("ends");
        assert_eq!(sum, count * (count - 1) / 2);
    });
}
