//! Waiting with a whole thread.
//!
//! The `*_blocking` operations are their futures, driven by the thread that calls them, which
//! sleeps in between. Nothing draws on a budget meanwhile: a thread that blocks has given up on
//! sharing anyway.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::coop;
use crate::primitive::atomic::{AtomicBool, Ordering};
use crate::primitive::thread::{self, Thread};
use crate::scheduler::worker::poll_root_of_this_thread;

/// Wakes one thread. (`std`'s `Arc`, because `Wake` knows no other.)
struct Unparker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unparker {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        // Pairs with the swap in `block_on`: what the waker did is visible to the poll.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Blocks the calling thread until the future is ready. A worker's processor goes to another thread
/// meanwhile.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unparker = std::sync::Arc::new(Unparker {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(unparker.clone());
    let mut cx = Context::from_waker(&waker);
    let mut poll = || coop::unconstrained(|| future.as_mut().poll(&mut cx));
    if let Poll::Ready(output) = poll() {
        return output; // nothing to wait for, no processor to give away
    }
    crate::scheduler::block_in_place(|| {
        loop {
            // Pairs with the swap in `wake_by_ref`.
            while !unparker.woken.swap(false, Ordering::Acquire) {
                if !poll_root_of_this_thread() {
                    thread::park();
                }
            }
            if let Poll::Ready(output) = poll() {
                return output;
            }
        }
    })
}
