//! The budget that keeps a goroutine which never waits from starving the others.
//!
//! Every slice (one poll of a goroutine by a worker) starts with 128 units; every asynchronous
//! operation that makes progress draws one. With none left the operation wakes its own goroutine
//! and answers `Pending`, which puts the goroutine at the tail of the queue. Outside our workers
//! the budget is unlimited. An operation that turns out to wait gives its unit back: otherwise a
//! goroutine that polls a thousand waiting operations could never reach a ready one.

use std::cell::Cell;
use std::task::{Context, Poll};

/// Units in one slice.
pub(crate) const SLICE: u32 = 128;
/// Stands for "no limit".
const UNLIMITED: u32 = u32::MAX;

thread_local! {
    static BUDGET: Cell<u32> = const { Cell::new(UNLIMITED) };
}

/// A drawn unit, given back on drop unless the operation made progress.
#[must_use]
pub(crate) struct Unit(());

impl Unit {
    /// Keeps the unit spent.
    #[inline]
    pub(crate) fn made_progress(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unit {
    #[inline]
    fn drop(&mut self) {
        BUDGET.with(|budget| budget.set(budget.get().saturating_add(1)));
    }
}

/// Draws one unit, or arranges for the goroutine to go to the back of the queue.
///
/// Call it at the start of an asynchronous operation's `poll`, and `made_progress` on the unit
/// before answering `Ready`.
#[inline]
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<Unit> {
    BUDGET.with(|budget| match budget.get() {
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        left => {
            if left != UNLIMITED {
                budget.set(left - 1);
            }
            Poll::Ready(Unit(()))
        }
    })
}

/// Begins a slice on a worker.
#[inline]
pub(crate) fn begin_slice() {
    BUDGET.with(|budget| budget.set(SLICE));
}

/// Ends the worker's slice: what runs on this thread now has no limit.
#[inline]
pub(crate) fn end_slice() {
    BUDGET.with(|budget| budget.set(UNLIMITED));
}

/// Runs `f` without a limit, then goes on with the budget there was.
pub(crate) fn unconstrained<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUDGET.with(|budget| budget.set(self.0));
        }
    }
    let _restore = Restore(BUDGET.with(|budget| budget.replace(UNLIMITED)));
    f()
}
