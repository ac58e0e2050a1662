//! The global queue: what comes from outside the workers, and what rings have no room for.
//!
//! An intrusive list under a lock, with its length beside it so that workers can see without the
//! lock that there is nothing. Once closed (its runtime is gone) it takes nothing more: the pusher
//! gets the run right back, and ends the goroutine by dropping it.

use std::ptr::NonNull;

use super::queue::Entry;
use crate::primitive::atomic::{AtomicUsize, Ordering};
use crate::primitive::{CachePadded, Mutex, mutated};
use crate::task::Runnable;
use crate::task::cell::Header;

/// The queue.
#[derive(Debug)]
pub struct Injector {
    len: CachePadded<AtomicUsize>,
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    head: Option<NonNull<Header>>,
    tail: Option<NonNull<Header>>,
    closed: bool,
}

// SAFETY: each entry carries its run right, which may move between threads.
unsafe impl Send for List {}

impl Injector {
    pub fn new() -> Injector {
        Injector {
            len: CachePadded(AtomicUsize::new(0)),
            list: Mutex::new(List {
                head: None,
                tail: None,
                closed: false,
            }),
        }
    }

    /// How many are queued; a snapshot.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Appends a goroutine. Once the queue is closed it is given back, which ends it unless the
    /// caller knows better.
    pub fn push(&self, runnable: Runnable) -> Result<(), Runnable> {
        let mut list = self.list.lock();
        if list.closed && !mutated!("injector.push_into_closed") {
            return Err(runnable);
        }
        let entry = runnable.into_raw();
        // SAFETY: the run right keeps the cells alive, and the queue that holds it owns the link.
        unsafe {
            entry.as_ref().queue_next.with_mut(|next| *next = None);
            match list.tail {
                Some(tail) => tail
                    .as_ref()
                    .queue_next
                    .with_mut(|next| *next = Some(entry)),
                None => list.head = Some(entry),
            }
        }
        list.tail = Some(entry);
        // Written under the lock only, so load and store need not be one step.
        self.len
            .store(self.len.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes up to `limit` entries, handing each to `take` after the lock is gone.
    pub fn pop_batch(&self, limit: usize, mut take: impl FnMut(Entry)) -> usize {
        if self.len() == 0 || limit == 0 {
            return 0;
        }
        let (first, count) = self.cut(limit);
        let mut next = first;
        for _ in 0..count {
            let Some(entry) = next else { break };
            // SAFETY: cut off the list, so the entries and their links are ours.
            next = unsafe { entry.as_ref().queue_next.with(|next| *next) };
            take(entry);
        }
        count
    }

    /// Cuts off up to `limit` entries; their links lead from one to the next.
    fn cut(&self, limit: usize) -> (Option<Entry>, usize) {
        let mut list = self.list.lock();
        let first = list.head;
        let mut count = 0;
        while count < limit {
            let Some(entry) = list.head else { break };
            // SAFETY: as in `push`.
            list.head = unsafe { entry.as_ref().queue_next.with(|next| *next) };
            count += 1;
        }
        if list.head.is_none() && !mutated!("injector.cut_keeps_tail") {
            list.tail = None;
        }
        self.len
            .store(self.len.load(Ordering::Relaxed) - count, Ordering::Relaxed);
        (first, count)
    }

    /// Refuses entries from now on, or takes them again.
    pub fn set_closed(&self, closed: bool) {
        self.list.lock().closed = closed;
    }
}
