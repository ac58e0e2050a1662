//! A processor's ring: its owner against thieves.
#![cfg(gorust_loom)]

use std::ptr::NonNull;

use gorust::units::scheduler::{CAPACITY, Entry, Ring};
use gorust::units::{Arc, UnsafeCell};
use loom::thread::spawn;
use loom_tests::{Model, Named, Relaxed, Weaken};

const fn weaken(snippet: &'static str) -> Weaken {
    Weaken {
        file: "src/scheduler/queue.rs",
        snippet,
        to: Relaxed,
    }
}

/// Goroutines that are numbers, with contents that tell whether each was taken once, by somebody
/// who may see it.
struct Bench {
    victim: Ring,
    contents: [UnsafeCell<usize>; CAPACITY + 2],
}

impl Bench {
    fn new() -> Arc<Bench> {
        Arc::new(Bench {
            victim: Ring::new(),
            contents: std::array::from_fn(|_| UnsafeCell::new(0)),
        })
    }

    /// The owner pushes number `index`. `false`: no room.
    fn push(&self, index: usize) -> bool {
        // SAFETY: nobody else has it yet; loom checks that.
        self.contents[index].with_mut(|content| unsafe { *content = 1 });
        let entry = NonNull::new((index + 1) as *mut _).expect("not zero");
        self.victim.push(entry).is_ok()
    }

    /// Takes note of what the caller got.
    fn took(&self, entry: Entry) {
        let index = entry.as_ptr() as usize - 1;
        // SAFETY: whoever takes it has it alone; loom checks that.
        let before = self.contents[index].with_mut(|content| unsafe { content.replace(2) });
        assert_eq!(before, 1, "taken twice or never pushed");
    }

    /// Takes what the owner finds.
    fn pop_all(&self, ring: &Ring) -> usize {
        let mut count = 0;
        while let Some(entry) = ring.pop() {
            self.took(entry);
            count += 1;
        }
        count
    }

    /// The first `pushed` numbers have been taken; all other threads are gone.
    fn all_taken(&self, pushed: usize) {
        for content in &self.contents[..pushed] {
            // SAFETY: nobody else is there.
            assert_eq!(content.with(|content| unsafe { *content }), 2);
        }
    }
}

#[test]
fn owner_against_two_thieves() {
    Model::new("queue::owner_against_two_thieves")
        .promise("each entry is taken once, by somebody who sees its goroutine")
        .outcomes(&["none stolen", "one thief", "both thieves"])
        .least_executions(2)
        .mutation(weaken("self.tail.store(tail + 1, Ordering::Release);"))
        .mutation(weaken("let tail = self.tail.load(Ordering::Acquire);"))
        .mutation(Named("queue.pop_unasked"))
        .run(|out| {
            let bench = Bench::new();
            assert!(bench.push(0));
            let many = spawn({
                let bench = bench.clone();
                move || {
                    let own = Ring::new();
                    let count = bench.victim.steal_into(&own);
                    assert_eq!(own.len(), count);
                    bench.pop_all(&own)
                }
            });
            let one = spawn({
                let bench = bench.clone();
                move || {
                    let stolen = bench.victim.steal_one();
                    stolen.inspect(|entry| bench.took(*entry)).is_some()
                }
            });
            assert!(bench.push(1));
            bench.victim.pop().inspect(|entry| bench.took(*entry));
            let stolen = (many.join().unwrap() > 0, one.join().unwrap());
            bench.pop_all(&bench.victim);
            bench.all_taken(2);
            out.saw(match stolen {
                (false, false) => "none stolen",
                (true, true) => "both thieves",
                _ => "one thief",
            });
        });
}

#[test]
fn thief_of_a_thief() {
    Model::new("queue::thief_of_a_thief")
        .promise("what was stolen can be stolen again, and its goroutine is seen")
        .outcomes(&["kept", "lost"])
        .least_executions(2)
        .mutation(weaken("thief.tail.store(to + half, Ordering::Release);"))
        .run(|out| {
            let bench = Bench::new();
            let own = Arc::new(Ring::new());
            let thief = spawn({
                let (bench, own) = (bench.clone(), own.clone());
                move || {
                    bench.victim.steal_into(&own);
                    bench.pop_all(&own)
                }
            });
            let second = spawn({
                let bench = bench.clone();
                move || {
                    let stolen = own.steal_one();
                    stolen.inspect(|entry| bench.took(*entry)).is_some()
                }
            });
            assert!(bench.push(0));
            thief.join().unwrap();
            let lost = second.join().unwrap();
            bench.pop_all(&bench.victim);
            bench.all_taken(1);
            out.saw(if lost { "lost" } else { "kept" });
        });
}

#[test]
fn full_ring() {
    Model::new("queue::full_ring")
        .promise("a full ring refuses, and slots are used again only when they are free")
        .outcomes(&["refused", "room made by the thief"])
        .least_executions(2)
        .mutation(Named("queue.push_into_full"))
        .mutation(Named("queue.steal_unasked"))
        .run(|out| {
            let bench = Bench::new();
            for index in 0..CAPACITY {
                assert!(bench.push(index));
            }
            let thief = spawn({
                let bench = bench.clone();
                move || {
                    let own = Ring::new();
                    bench.victim.steal_into(&own);
                    bench.pop_all(&own);
                }
            });
            let mut pushed = CAPACITY;
            while pushed < CAPACITY + 2 && bench.push(pushed) {
                pushed += 1;
            }
            bench.pop_all(&bench.victim);
            thief.join().unwrap();
            bench.pop_all(&bench.victim);
            bench.all_taken(pushed);
            out.saw(match pushed {
                CAPACITY => "refused",
                _ => "room made by the thief",
            });
        });
}
