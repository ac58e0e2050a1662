//! Timers promise: never early, in order, gone when dropped, and woken whoever waits and wherever.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::future::or;
use gorust::time::Instant;
use gorust::{block_on, go};

mod interval;
mod later;
mod places;
mod sleep;
mod timeout;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Longer than any test takes on the slowest machine.
const LONG: Duration = Duration::from_secs(600);

/// Runs a future as a goroutine, and fails instead of hanging.
fn in_goroutine<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    block_on(async {
        let goroutine = go(future);
        let limit = async {
            gorust::time::sleep(Duration::from_secs(60)).await;
            panic!("the test hangs");
        };
        or(async { goroutine.await.expect("the test panicked") }, limit).await
    })
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
    fn wait(&self) {
        let start = Instant::now();
        while self.count() == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "never woken");
            thread::sleep(ms(1));
        }
    }
}

fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
