//! A waker that blocks its thread, called by a worker outside of any poll, gave the processor away
//! while the worker went on with it: two owners.

use gorust::runtime::Builder;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

struct Blocks(Waker);
impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        gorust::block_on(gorust::time::sleep(Duration::from_micros(300)));
        self.0.wake_by_ref();
    }
}
struct Odd<F>(Pin<Box<F>>);
impl<F: Future> Future for Odd<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> std::task::Poll<F::Output> {
        let waker = Waker::from(Arc::new(Blocks(cx.waker().clone())));
        self.0.as_mut().poll(&mut Context::from_waker(&waker))
    }
}
#[test]
fn a_waker_that_blocks() {
    let rt = Builder::new().worker_threads(3).build().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let mut all = Vec::new();
    for _ in 0..20 {
        let count = count.clone();
        all.push(rt.go(async move {
            for _ in 0..100 {
                Odd(Box::pin(gorust::time::sleep(Duration::from_micros(200)))).await;
                let set: Vec<_> = (0..10)
                    .map(|_| gorust::go(async { gorust::yield_now().await }))
                    .collect();
                for h in set {
                    h.await.unwrap();
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for h in all {
            let _ = futures_lite::future::block_on(h);
        }
        tx.send(()).unwrap();
    });
    let r = rx.recv_timeout(Duration::from_secs(20));
    println!("{:?} count {}", r, count.load(Ordering::Relaxed));
    r.unwrap();
    drop(rt);
}
