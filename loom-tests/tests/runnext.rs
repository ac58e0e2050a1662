//! The slot of the goroutine that runs next: its owner against a thief.
#![cfg(gorust_loom)]

use std::ptr::NonNull;

use gorust::units::scheduler::{Entry, RunNext};
use gorust::units::{Arc, UnsafeCell};
use loom::thread::spawn;
use loom_tests::{Model, Relaxed, Weaken};

const fn weaken(snippet: &'static str) -> Weaken {
    Weaken {
        file: "src/scheduler/runnext.rs",
        snippet,
        to: Relaxed,
    }
}

#[test]
fn owner_against_thief() {
    Model::new("runnext::owner_against_thief")
        .promise(
            "each entry is displaced, taken or stolen, once, by somebody who sees its goroutine",
        )
        .outcomes(&["nothing stolen", "first stolen", "second stolen"])
        .least_executions(2)
        .mutation(weaken("swap(entry.as_ptr(), Ordering::Release)"))
        .mutation(weaken("swap(ptr::null_mut(), Ordering::Acquire)"))
        .run(|out| {
            let shared = Arc::new((RunNext::new(), [UnsafeCell::new(0), UnsafeCell::new(0)]));
            let took = {
                let shared = shared.clone();
                move |entry: Entry| {
                    let index = entry.as_ptr() as usize - 1;
                    // SAFETY: whoever takes it has it alone; loom checks that.
                    let before = shared.1[index].with_mut(|c| unsafe { c.replace(2) });
                    assert_eq!(before, 1, "taken twice");
                    index
                }
            };
            let thief = spawn({
                let (shared, took) = (shared.clone(), took.clone());
                move || shared.0.take().map(took)
            });
            for index in 0..2_usize {
                // SAFETY: nobody else has it yet; loom checks that.
                shared.1[index].with_mut(|content| unsafe { *content = 1 });
                let entry = NonNull::new((index + 1) as *mut _).expect("not zero");
                shared.0.put(entry).map(&took);
            }
            shared.0.take().map(&took);
            let stolen = thief.join().unwrap();
            assert!(shared.0.is_empty());
            for content in &shared.1 {
                // SAFETY: nobody else is there.
                assert_eq!(content.with(|content| unsafe { *content }), 2);
            }
            out.saw(match stolen {
                None => "nothing stolen",
                Some(0) => "first stolen",
                Some(_) => "second stolen",
            });
        });
}
