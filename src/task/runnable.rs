//! The run right of a goroutine as a value, and one turn of running it.

use std::mem;
use std::ptr::NonNull;
use std::task::Context;

use super::cell::Header;
use super::state::{Pause, Start, Wake};
use super::waker::BorrowedWaker;
use crate::primitive::mutated;
use crate::wait::batch::wake;

/// A goroutine that is to run: at most one exists per goroutine. Dropping it ends the goroutine,
/// which then counts as cancelled.
#[derive(Debug)]
pub struct Runnable(NonNull<Header>);

// SAFETY: futures and outputs of goroutines are `Send` (`allocate` demands it), and everything else
// in a cell is atomic or owned by whoever owns the run right.
unsafe impl Send for Runnable {}

/// How a turn ended.
#[derive(Debug)]
#[must_use]
pub enum Turn {
    /// The goroutine is over.
    Done,
    /// It waits; its run right is with whoever wakes it.
    Idle,
    /// It wants to go on: to the back of the queue.
    Again(Runnable),
}

impl Runnable {
    /// # Safety
    /// The caller owns the run right of `header` and gives it up.
    pub unsafe fn from_raw(header: NonNull<Header>) -> Runnable {
        Runnable(header)
    }

    /// The run right as a pointer, for a queue.
    pub fn into_raw(self) -> NonNull<Header> {
        let header = self.0;
        mem::forget(self);
        header
    }

    pub fn header(&self) -> NonNull<Header> {
        self.0
    }

    /// Polls the goroutine once. `yielded` is asked after a poll that answered `Pending`: did it
    /// ask to go to the back of the queue without waking itself?
    #[inline]
    pub fn run(self, yielded: impl FnOnce() -> bool) -> Turn {
        // SAFETY: the run right keeps the cell alive.
        let taken = match unsafe { self.0.as_ref().state.start_run() } {
            Start::Poll(taken) => taken,
            Start::Cancel => {
                drop(self);
                return Turn::Done;
            }
        };
        // SAFETY: the run right, ours during the poll, keeps the cell alive.
        let waker = unsafe { BorrowedWaker::new(self.0) };
        // SAFETY: we own the run right, so the future is there and ours.
        if unsafe { Header::poll(self.0, &mut Context::from_waker(&waker)) } {
            // SAFETY: the outcome is in place; the run right ends here.
            unsafe { close(self.into_raw()) };
            return Turn::Done;
        }
        if yielded() {
            return Turn::Again(self);
        }
        // SAFETY: the run right keeps the cell alive until `pause` gives it up.
        match unsafe { self.0.as_ref().state.pause(taken) } {
            Pause::Idle => {
                let _ = self.into_raw();
                Turn::Idle
            }
            Pause::Requeue => Turn::Again(self),
        }
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        // SAFETY: the run right is ours and ends here; the future is still there, since only a run
        // replaces it, and a run that did has forgotten its `Runnable`.
        unsafe {
            Header::cancel(self.0);
            close(self.0);
        }
    }
}

/// Publishes the outcome and gives up the list's reference.
///
/// # Safety
/// The caller owns the run right; the outcome is in place.
unsafe fn close(header: NonNull<Header>) {
    // SAFETY: the list's reference, which only we give up, keeps the cell alive to the end.
    unsafe {
        // First off the list: who has joined a goroutine must not find it counted as live.
        Header::unlink(header);
        // A joiner that polls from here on may take the outcome and release its reference.
        let closed = header.as_ref().state.close();
        if closed.has_waker {
            wake(header.as_ref().take_join_waker());
        }
        if !closed.has_handle {
            Header::discard_outcome(header);
        }
        Header::release(header);
    }
}

/// Takes the run right of an idle goroutine by waking it, for whoever is about to end it.
///
/// # Safety
/// `header` is alive.
pub unsafe fn claim(header: NonNull<Header>) -> Option<Runnable> {
    // SAFETY: the caller's promise.
    match unsafe { header.as_ref().state.wake() } {
        // SAFETY: the transition gave us the run right.
        Wake::Enqueue => Some(unsafe { Runnable::from_raw(header) }),
        // SAFETY: none, which is what the mutation is about.
        _ if mutated!("task.claim_unasked") => Some(unsafe { Runnable::from_raw(header) }),
        _ => None,
    }
}
