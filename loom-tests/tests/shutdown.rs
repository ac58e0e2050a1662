//! The end of a runtime, against those who do not know of it yet.
#![cfg(gorust_loom)]

mod support;

use std::future::poll_fn;
use std::task::{Poll, Waker};

use gorust::units::Mutex;
use loom::thread::{spawn, yield_now};
use loom_tests::{Model, Named, Relaxed, Release, Weaken};
use support::{Record, Shop, Witness, leak};

const STATE: &str = "src/task/state.rs";

impl Shop {
    /// The steps of `Scheduler::shut_down`, without the wait for goroutines that others have.
    fn shut_down(&self) {
        self.live.set_closed(true);
        while self.sweep() {}
        self.queue.set_closed(true);
        while self.sweep() {}
    }
}

#[test]
fn claim_against_a_run() {
    Model::new("shutdown::claim_against_a_run")
        .promise("a goroutine claimed when it is idle is ended after its last poll, and once")
        .outcomes(&["never polled", "claimed", "left to its worker"])
        .least_executions(2)
        .mutation(Weaken {
            file: STATE,
            snippet: "self.0.fetch_add(WAKE_ONE, Ordering::AcqRel)",
            to: Release,
        })
        .mutation(Weaken {
            file: STATE,
            snippet: "self.0.fetch_sub(taken << WAKE_SHIFT, Ordering::Release)",
            to: Relaxed,
        })
        .run(|out| {
            let shop = Shop::open();
            let [record, polled] = [Record::new(), Record::new()];
            let witness = Witness::new(record);
            let mut first_poll = Some(Witness::new(polled));
            let future = poll_fn(move |_| {
                witness.touch();
                drop(first_poll.take());
                Poll::<()>::Pending
            });
            let handle = shop.go(future);
            let worker = spawn(|| shop.work());
            shop.shut_down();
            let ended_by_claim = record.drops() == 1;
            worker.join().unwrap();
            shop.shut_down();
            assert_eq!((record.drops(), shop.live.len()), (1, 0));
            let error = loom::future::block_on(handle).expect_err("no output");
            assert!(error.is_cancelled());
            out.saw(match (ended_by_claim, polled.dropped_here()) {
                (true, true) => "never polled",
                (true, false) => "claimed",
                (false, _) => "left to its worker",
            });
        });
}

#[test]
fn late_wake() {
    Model::new("shutdown::late_wake")
        .promise("a goroutine woken from elsewhere while its runtime ends is ended, and once")
        .outcomes(&["claimed or drained", "by its waker"])
        .least_executions(2)
        .mutation(Named("task.claim_unasked"))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let slot: &Mutex<Option<Waker>> = leak(Mutex::new(None));
            let witness = Witness::new(record);
            drop(shop.go(poll_fn(move |cx| {
                witness.touch();
                *slot.lock() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })));
            shop.work();
            let waker = slot.lock().take().expect("it waits");
            let foreigner = spawn(move || {
                waker.wake_by_ref();
                waker.wake();
            });
            shop.shut_down();
            foreigner.join().unwrap();
            assert_eq!(shop.live.len(), 0);
            out.saw(match record.dropped_here() {
                true => "claimed or drained",
                false => "by its waker",
            });
        });
}

#[test]
fn start_against_the_end() {
    Model::new("shutdown::start_against_the_end")
        .promise("once the list is closed and empty it stays so; who is refused is cancelled")
        .outcomes(&["refused", "drained"])
        .least_executions(2)
        .mutation(Named("owned.insert_into_closed"))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let witness = Witness::new(record);
            let starter = spawn(move || {
                let handle = shop.go(async move {
                    witness.touch();
                    std::future::pending::<()>().await;
                });
                let ended_here = record.drops() == 1 && record.dropped_here();
                let error = loom::future::block_on(handle).expect_err("no output");
                assert!(error.is_cancelled());
                ended_here
            });
            shop.live.set_closed(true);
            let mut swept = false;
            while shop.live.len() > 0 {
                swept |= shop.sweep();
                yield_now();
            }
            shop.queue.set_closed(true);
            assert_eq!(shop.live.len(), 0, "empty once, empty for ever");
            swept |= shop.sweep();
            let ended_there = starter.join().unwrap();
            assert_eq!((record.drops(), swept), (1, !ended_there));
            out.saw(if swept { "drained" } else { "refused" });
        });
}
