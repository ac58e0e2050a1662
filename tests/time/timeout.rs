//! Timeouts.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gorust::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::{LONG, in_goroutine, ms};

#[test]
fn timeout_passes_the_output_on() {
    in_goroutine(async {
        assert_eq!(timeout(LONG, ready(1)).await, Ok(1));
        let slow = async {
            sleep(ms(5)).await;
            2
        };
        assert_eq!(timeout(LONG, slow).await, Ok(2));
        assert_eq!(timeout_at(Instant::now() + LONG, ready(3)).await, Ok(3));
    });
}

#[test]
fn timeout_gives_up_in_time_and_drops_the_future() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    in_goroutine(async {
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Dropped(drops.clone());
        let start = Instant::now();
        let result = timeout(ms(20), async move {
            let _held = held;
            pending::<()>().await;
        })
        .await;
        let elapsed = result.unwrap_err();
        assert!(start.elapsed() >= ms(20));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert_eq!(elapsed.to_string(), "deadline has elapsed");
        let error = std::io::Error::from(elapsed);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(
            timeout_at(std::time::Instant::now() + ms(1), pending::<()>())
                .await
                .is_err()
        );
    });
}

#[test]
fn a_future_that_is_ready_with_the_deadline_wins() {
    in_goroutine(async {
        for _ in 0..20 {
            let deadline = Instant::now() + ms(3);
            let both = timeout_at(deadline, sleep_until(deadline));
            assert_eq!(both.await, Ok(()));
        }
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
    });
}

#[test]
fn nested_timeouts_end_with_the_inner_or_the_outer() {
    in_goroutine(async {
        let inner = timeout(LONG, timeout(ms(5), pending::<()>())).await;
        assert!(inner.unwrap().is_err());
        let outer = timeout(ms(5), timeout(LONG, pending::<()>())).await;
        assert!(outer.is_err());
    });
}

#[test]
fn timeout_reaches_a_future_that_never_waits() {
    in_goroutine(async {
        let greedy = async {
            loop {
                sleep(Duration::ZERO).await; // draws on the budget, and is always ready
            }
        };
        let result: Result<(), _> = timeout(ms(10), greedy).await;
        assert!(result.is_err());
    });
}
