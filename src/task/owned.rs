//! All live goroutines of one home, as an intrusive list.
//!
//! Invariant: a cell is on the list from `insert` until it is closed, and the list's reference
//! keeps it alive as long. Shutdown closes the list, after which `insert` refuses, and then ends
//! what is on it.

use std::ptr::NonNull;

use super::cell::{Header, Links};
use super::runnable::claim;
use super::{JoinHandle, Runnable};
use crate::primitive::{Mutex, mutated};

/// The list behind its lock.
#[derive(Debug)]
pub struct OwnedList(Mutex<List>);

#[derive(Debug)]
struct List {
    head: Option<NonNull<Header>>,
    len: usize,
    closed: bool,
}

// SAFETY: the cells on the list are shared by design; their links are touched under the lock only.
unsafe impl Send for List {}

impl OwnedList {
    pub fn new() -> OwnedList {
        OwnedList(Mutex::new(List {
            head: None,
            len: 0,
            closed: false,
        }))
    }

    /// Puts a new cell on the list; refused once the list is closed.
    #[must_use]
    fn insert(&self, cell: NonNull<Header>) -> bool {
        let mut list = self.0.lock();
        if list.closed && !mutated!("owned.insert_into_closed") {
            return false;
        }
        let links = Links {
            previous: None,
            next: list.head,
        };
        // SAFETY: both cells are alive (the caller's, the list's reference), and links are ours
        // under the lock.
        unsafe {
            cell.as_ref().links.with_mut(|l| *l = links);
            if let Some(head) = list.head {
                head.as_ref().links.with_mut(|l| (*l).previous = Some(cell));
            }
        }
        list.head = Some(cell);
        list.len += 1;
        true
    }

    /// Puts a new cell on the list and gives its run right to `queue`; once the list is closed, ends
    /// it instead.
    ///
    /// # Safety
    /// The run right, the list's reference and the handle's are the caller's, as `allocate` gives
    /// them, and `T` is the output of the cell's future.
    #[inline]
    pub unsafe fn start<T>(
        &self,
        cell: NonNull<Header>,
        queue: impl FnOnce(Runnable),
    ) -> JoinHandle<T> {
        // SAFETY: passed on to the caller.
        let (runnable, handle) = unsafe { (Runnable::from_raw(cell), JoinHandle::new(cell)) };
        if self.insert(cell) {
            queue(runnable);
        } else {
            drop(runnable); // cancelled before it began
        }
        handle
    }

    /// Takes a cell off the list, if it is on it.
    pub fn remove(&self, cell: NonNull<Header>) {
        let mut list = self.0.lock();
        // SAFETY: the caller keeps `cell` alive, the list its neighbours; links are ours under the
        // lock.
        unsafe {
            let links = cell.as_ref().links.with(|l| *l);
            match links.previous {
                Some(previous) => previous.as_ref().links.with_mut(|l| (*l).next = links.next),
                None if list.head == Some(cell) => list.head = links.next,
                None => return, // refused by `insert`
            }
            if let Some(next) = links.next {
                next.as_ref()
                    .links
                    .with_mut(|l| (*l).previous = links.previous);
            }
        }
        list.len -= 1;
    }

    pub fn len(&self) -> usize {
        self.0.lock().len
    }

    /// Refuses cells from now on (or, `false`, takes them again).
    pub fn set_closed(&self, closed: bool) {
        self.0.lock().closed = closed;
    }

    /// Takes the run right of up to `limit` idle goroutines; what is queued or running is left.
    pub fn claim_idle(&self, limit: usize) -> Vec<Runnable> {
        let list = self.0.lock();
        let mut claimed = Vec::new();
        let mut next = list.head;
        while let Some(cell) = next {
            if claimed.len() == limit {
                break;
            }
            // SAFETY: on the list, so alive, and links are ours under the lock.
            unsafe {
                claimed.extend(claim(cell));
                next = cell.as_ref().links.with(|l| (*l).next);
            }
        }
        claimed
    }

    /// Calls `see` for each live goroutine.
    #[allow(dead_code)]
    pub fn for_each(&self, mut see: impl FnMut(&Header)) {
        let list = self.0.lock();
        let mut next = list.head;
        while let Some(cell) = next {
            // SAFETY: as in `claim_idle`.
            unsafe {
                see(cell.as_ref());
                next = cell.as_ref().links.with(|l| (*l).next);
            }
        }
    }
}
