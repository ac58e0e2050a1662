//! A `JoinSet` gives back every member once, in the order in which they end.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use common::{Drops, Flag, Wakes, eventually, watchdog};
use gorust::runtime::{Builder, Runtime};
use gorust::task::JoinSet;
use gorust::{block_on, go, yield_now};

#[test]
fn an_empty_set_answers_none_at_once() {
    let _watchdog = watchdog();
    let mut set = JoinSet::<()>::default();
    assert!(set.is_empty());
    assert!(set.try_join_next().is_none());
    assert!(block_on(set.join_next()).is_none());
    set.abort_all();
    set.detach_all();
    assert_eq!(set.len(), 0);
    assert!(!format!("{set:?}").is_empty());
}

#[test]
fn members_come_in_the_order_in_which_they_end() {
    let _watchdog = watchdog();
    let gates: Vec<_> = (0..10).map(|_| Flag::new()).collect();
    let order = [3, 0, 9, 5, 1, 8, 2, 7, 4, 6];
    block_on(async {
        let mut set = JoinSet::new();
        for (i, gate) in gates.iter().enumerate() {
            let gate = gate.clone();
            set.go(async move {
                gate.wait().await;
                i
            });
        }
        for (joined, expected) in order.into_iter().enumerate() {
            assert_eq!(set.len(), 10 - joined);
            gates[expected].set();
            assert_eq!(set.join_next().await.unwrap().unwrap(), expected);
        }
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn members_that_ended_unobserved_keep_their_order() {
    let _watchdog = watchdog();
    let gates: Vec<_> = (0..20).map(|_| Flag::new()).collect();
    let mut set = JoinSet::new();
    let aborts: Vec<_> = gates
        .iter()
        .enumerate()
        .map(|(i, gate)| {
            let gate = gate.clone();
            set.go(async move {
                gate.wait().await;
                i
            })
        })
        .collect();
    // One look registers with all of them; then they end one by one, backwards.
    assert!(set.try_join_next().is_none());
    for (gate, abort) in gates.iter().zip(&aborts).rev() {
        gate.set();
        eventually("it ends", || abort.is_finished());
        // Its waker is called right after the end.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for expected in (0..20).rev() {
        assert_eq!(block_on(set.join_next()).unwrap().unwrap(), expected);
    }
}

#[test]
fn ten_thousand_members_are_all_joined() {
    let _watchdog = watchdog();
    block_on(async {
        let mut set = JoinSet::new();
        for i in 0..10_000_u32 {
            set.go(async move {
                if i % 3 == 0 {
                    yield_now().await;
                }
                i
            });
        }
        assert_eq!(set.len(), 10_000);
        let mut seen = HashSet::new();
        while let Some(result) = set.join_next().await {
            assert!(seen.insert(result.unwrap()));
        }
        assert_eq!(seen.len(), 10_000);
    });
}

#[test]
fn ten_thousand_ended_members_can_be_had_without_waiting() {
    let _watchdog = watchdog();
    let joiner = go(async {
        let mut set = JoinSet::new();
        for i in 0..10_000_u32 {
            set.go(async move { i });
        }
        // A goroutine that never waits, and so has no budget left soon.
        let mut sum = 0;
        while !set.is_empty() {
            match set.try_join_next() {
                Some(result) => sum += result.unwrap(),
                None => yield_now().await,
            }
        }
        sum
    });
    assert_eq!(block_on(joiner).unwrap(), (0..10_000).sum());
}

#[test]
fn a_loop_over_ended_members_goes_beyond_one_budget() {
    let _watchdog = watchdog();
    let joiner = go(async {
        let mut set = JoinSet::new();
        let aborts: Vec<_> = (0..1_000).map(|_| set.go(async {})).collect();
        while !aborts.iter().all(|abort| abort.is_finished()) {
            yield_now().await;
        }
        // Nothing here may wait for a budget: there is no `await`.
        let mut joined = 0;
        while let Some(result) = set.try_join_next() {
            result.unwrap();
            joined += 1;
        }
        joined
    });
    assert_eq!(block_on(joiner).unwrap(), 1_000);
}

#[test]
fn try_join_next_does_not_take_the_waker_of_a_wait() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut set = JoinSet::new();
    set.go(end.wait());
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    // As a hand-written future may do: register, look once more, answer Pending.
    assert!(set.poll_join_next(&mut cx).is_pending());
    assert!(set.try_join_next().is_none());
    end.set();
    eventually("the waiter is woken", || wakes.count() > 0);
    assert!(matches!(
        set.poll_join_next(&mut cx),
        Poll::Ready(Some(Ok(())))
    ));
}

#[test]
fn a_wait_that_is_dropped_loses_no_result() {
    let _watchdog = watchdog();
    block_on(async {
        for round in 0..500_u32 {
            let mut set = JoinSet::new();
            set.go(async move { round });
            for _ in 0..round % 5 {
                let mut wait = Box::pin(set.join_next());
                if let Poll::Ready(result) = common::poll_once(&mut wait) {
                    assert_eq!(result.unwrap().unwrap(), round);
                    drop(wait);
                    set.go(async move { round });
                }
            }
            assert_eq!(set.join_next().await.unwrap().unwrap(), round);
        }
    });
}

#[test]
fn abort_all_ends_the_members_and_keeps_them_to_be_joined() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..100 {
            let child = drops.child();
            set.go(async move {
                let _child = child;
                std::future::pending::<()>().await;
            });
        }
        set.abort_all();
        assert_eq!(set.len(), 100);
        let late = set.go(async {}); // after `abort_all`: not aborted
        let (mut done, mut cancelled) = (0, 0);
        while let Some(result) = set.join_next().await {
            match result {
                Ok(()) => done += 1,
                Err(error) => cancelled += usize::from(error.is_cancelled()),
            }
        }
        assert_eq!((done, cancelled), (1, 100));
        assert!(late.is_finished());
    });
    assert_eq!(drops.count(), 100);
}

#[test]
fn shutdown_waits_until_the_members_are_gone() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..50 {
            let child = drops.child();
            set.go(async move {
                let _child = child;
                std::future::pending::<()>().await;
            });
        }
        set.shutdown().await;
        assert!(set.is_empty());
        assert_eq!(drops.count(), 50);
    });
}

#[test]
fn dropping_the_set_aborts_its_members() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let mut set = JoinSet::new();
    let aborts: Vec<_> = (0..100)
        .map(|_| {
            let child = drops.child();
            set.go(async move {
                let _child = child;
                std::future::pending::<()>().await;
            })
        })
        .collect();
    drop(set);
    for abort in &aborts {
        eventually("it ends", || abort.is_finished());
    }
    assert_eq!(drops.count(), 100);
}

#[test]
fn detached_members_run_on() {
    let _watchdog = watchdog();
    let (begin, done) = (Flag::new(), Drops::new());
    let mut set = JoinSet::new();
    for _ in 0..50 {
        let (begin, child) = (begin.clone(), done.child());
        set.go(async move {
            begin.wait().await;
            drop(child);
        });
    }
    assert!(set.try_join_next().is_none());
    set.detach_all();
    assert!(set.is_empty());
    // The set can be used again, and the old members do not show up.
    set.go(async {});
    begin.set();
    eventually("the detached ones end", || done.count() == 50);
    assert!(block_on(set.join_next()).unwrap().is_ok());
    assert!(block_on(set.join_next()).is_none());
    drop(set);
}

#[test]
fn panics_are_results_like_others() {
    let _watchdog = watchdog();
    block_on(async {
        let mut set = JoinSet::new();
        for i in 0..30 {
            set.go(async move {
                assert!(i % 3 != 0, "as the test wants");
                i
            });
        }
        set.go_blocking(|| panic!("as the test wants"));
        set.go_blocking(|| 30);
        let (mut done, mut panicked) = (0, 0);
        while let Some(result) = set.join_next().await {
            match result {
                Ok(_) => done += 1,
                Err(error) => panicked += usize::from(error.is_panic()),
            }
        }
        assert_eq!((done, panicked), (21, 11));
    });
}

#[test]
fn results_that_nobody_took_are_dropped_once() {
    let _watchdog = watchdog();
    let drops = Drops::new();
    let mut set = JoinSet::new();
    let aborts: Vec<_> = (0..100)
        .map(|_| {
            let child = drops.child();
            set.go(async move { child })
        })
        .collect();
    for abort in &aborts {
        eventually("it ends", || abort.is_finished());
    }
    for _ in 0..10 {
        assert!(block_on(set.join_next()).unwrap().is_ok());
    }
    assert_eq!(drops.count(), 10);
    drop(set);
    assert_eq!(drops.count(), 100);
}

#[test]
fn a_set_can_move_between_goroutines_and_grow_while_it_is_joined() {
    let _watchdog = watchdog();
    let runtime = Runtime::new().unwrap();
    let mut set = JoinSet::new();
    for i in 0..100_u32 {
        let handle = runtime.go(async move { i });
        set.go(async move { handle.await.unwrap() });
    }
    let joiner = runtime.go(async move {
        let mut sum = 0;
        let mut more = 100;
        while let Some(result) = set.join_next().await {
            sum += result.unwrap();
            if more > 0 {
                more -= 1;
                set.go(async { 1 });
            }
        }
        sum
    });
    assert_eq!(runtime.block_on(joiner).unwrap(), 4950 + 100);
}

#[test]
fn members_of_a_runtime_that_goes_are_cancelled() {
    let _watchdog = watchdog();
    let runtime = Builder::new().worker_threads(2).build().unwrap();
    let mut set = JoinSet::new();
    runtime.block_on(async {
        for _ in 0..100 {
            set.go(std::future::pending::<()>());
        }
    });
    let (wakes, waker) = Wakes::new();
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(runtime);
    assert!(wakes.count() > 0);
    for _ in 0..100 {
        assert!(
            block_on(set.join_next())
                .unwrap()
                .unwrap_err()
                .is_cancelled()
        );
    }
    assert!(set.is_empty());
}

#[test]
fn a_set_keeps_no_waker_of_a_wait_that_has_ended() {
    let _watchdog = watchdog();
    let end = Flag::new();
    let mut set = JoinSet::new();
    set.go(end.wait());
    let (wakes, waker) = Wakes::new();
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    end.set();
    eventually("it is woken", || wakes.count() == 1);
    eventually("and let go", || Arc::strong_count(&wakes) == 1);
    assert!(block_on(set.join_next()).unwrap().is_ok());
}
