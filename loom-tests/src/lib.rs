//! The harness for gorust's loom models.
//!
//! Problem: loom deceives. It skips interleavings around a load that is followed by a write, so a
//! model may explore one execution and pass; and nothing tells a model that checks its promise
//! from one that checks nothing. A [`Model`] therefore states, beside its promise, the outcomes
//! that must be seen, a least number of executions, and at least one mutation of the shipped code
//! under which it must fail. The harness holds it to all three.
//!
//! # Writing a model
//!
//! One `#[test]` each, in `tests/<structure>.rs`, a file that starts with `#![cfg(gorust_loom)]`
//! (without that cfg this package is empty and has no tests). The name is `<structure>::<test>`.
//!
//! ```ignore
//! #![cfg(gorust_loom)]
//! use gorust::units::{Arc, idle::Idle};
//! use loom_tests::{Model, Named, Outcomes, Relaxed, Weaken};
//!
//! #[test]
//! fn push_against_park() {
//!     Model::new("idle::push_against_park")
//!         .promise("work pushed from outside is seen by the parker, or its push wakes it")
//!         .outcomes(&["woken", "seen"])
//!         .least_executions(12)
//!         .mutation(Weaken {
//!             file: "src/scheduler/idle.rs",
//!             snippet: "fence(Ordering::SeqCst); // parker",
//!             to: Relaxed,
//!         })
//!         .mutation(Named("idle.skip_recheck"))
//!         .run(|out: &Outcomes| {
//!             let idle = Arc::new(Idle::new(1));
//!             let pusher = loom::thread::spawn({ let idle = idle.clone(); move || idle.push() });
//!             out.saw(if idle.park() { "woken" } else { "seen" });
//!             pusher.join().unwrap();
//!         });
//! }
//! ```
//!
//! - **Outcomes**: each one listed must occur in some execution, and [`Outcomes::saw`] fails the
//!   model on any other. Threads of the model use a clone of it.
//! - **Executions** are counted with schedule points on (see `gorust::primitive`); what a floor
//!   should be, a first run with `.least_executions(2)` shows in its report (`--no-capture`).
//! - **Mutations**: [`Weaken`] gives one atomic operation a weaker ordering, [`WeakenFailure`] the
//!   failure ordering of one `compare_exchange`, [`Named`] makes one `mutated!("..")` hook of the
//!   shipped code answer `true`. A snippet must occur exactly once in its file, white space aside,
//!   and must contain the operation's *name* (`load`, `fence`), because that is where the compiler
//!   says the call is; end it with the comment on that line if the code alone is not unique. A
//!   fence weakened to `Relaxed` is left out.
//! - `.preemptions(3)` raises loom's bound from 2; `LOOM_MAX_PREEMPTIONS` overrides it.
//!
//! # Running
//!
//! `ci/loom [filter]`, or
//! `RUSTFLAGS="--cfg gorust_loom" cargo nextest run --release -p loom-tests --target-dir target/loom`.
//! Each model runs twice, with schedule points and without (they hide races that fences would show),
//! and must pass both times. Then the test starts its own program once more for each mutation, and
//! there one of the two runs must fail. A deadlock, a leak of loom's `Arc`, a crash and a livelock
//! (loom's limit of branches) are failures; a mutation that is never executed, a snippet that is
//! not found or an ordering that is not weaker is a mistake in the model and fails the test.
//!
//! To see a failure: `LOOM_LOG=trace LOOM_LOCATION=1 LOOM_MAX_PREEMPTIONS=2 ci/loom <test> --no-capture`
//! prints each step (of the passing executions, too). `GORUST_MUTANT=<model>#<index>` beside it runs
//! that mutation instead, and `GORUST_TRACE_SITES=1` names each atomic operation as it runs.
#![cfg(gorust_loom)]

mod explore;
mod model;
mod mutant;
mod mutation;

pub use explore::{Explored, Outcomes, SchedulePoints, explore};
pub use model::{Complaint, Model, Report};
pub use mutation::{Mutation, Named, Weaken, WeakenFailure};
pub use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
