//! The global queue.
#![cfg(gorust_loom)]

mod support;

use std::future::ready;

use gorust::units::task::Runnable;
use loom::thread::spawn;
use loom_tests::{Model, Named};
use support::{Record, Shop, Witness};

#[test]
fn push_against_pop() {
    Model::new("injector::push_against_pop")
        .promise("of two pushers and a taker of batches, each goroutine is taken once")
        .outcomes(&["0 at first", "1 at first", "2 at first"])
        .least_executions(2)
        .mutation(Named("injector.cut_keeps_tail"))
        .run(|out| {
            let shop = Shop::open();
            let records = [Record::new(), Record::new()];
            let pushers = records.map(|record| {
                let witness = Witness::new(record);
                spawn(move || drop(shop.go(ready(witness))))
            });
            let mut taken = 0;
            let take = |entry| {
                taken += 1;
                // SAFETY: what is in a queue carries its run right.
                let _ = unsafe { Runnable::from_raw(entry) }.run(|| false);
            };
            let at_first = shop.queue.pop_batch(2, take);
            for pusher in pushers {
                pusher.join().unwrap();
            }
            assert_eq!(shop.queue.len(), 2 - at_first);
            shop.work();
            assert_eq!((taken, shop.queue.len()), (at_first, 0));
            assert_eq!(records.map(Record::drops), [1, 1]);
            out.saw(["0 at first", "1 at first", "2 at first"][at_first]);
        });
}

#[test]
fn push_against_closing() {
    Model::new("injector::push_against_closing")
        .promise("who closes and then drains has all that was taken; the rest is given back")
        .outcomes(&["drained", "given back"])
        .least_executions(2)
        .mutation(Named("injector.push_into_closed"))
        .run(|out| {
            let shop = Shop::open();
            let record = Record::new();
            let witness = Witness::new(record);
            let pusher = spawn(move || drop(shop.go(ready(witness))));
            shop.queue.set_closed(true);
            shop.work();
            let drained = record.drops() == 1 && record.dropped_here();
            assert_eq!(shop.queue.len(), 0, "nothing gets in");
            pusher.join().unwrap();
            assert_eq!(record.drops(), 1);
            out.saw(if drained { "drained" } else { "given back" });
        });
}
