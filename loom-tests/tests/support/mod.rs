//! What the models of goroutines share: a home to live in, and witnesses of what happens to them.
#![allow(dead_code, reason = "each file of models uses its part")]

use std::future::Future;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc as StdArc, Mutex as StdMutex};
use std::task::{Wake, Waker};

use gorust::task::JoinHandle;
use gorust::units::atomic::AtomicBool;
use gorust::units::scheduler::{Entry, Injector};
use gorust::units::task::{
    Header, Home, OwnedList, Panicked, Runnable, Turn, Why, allocate, next_id,
};
use gorust::units::{Condvar, Mutex, UnsafeCell, mutate};
use loom::alloc::Track;
use loom::thread::ThreadId;

/// For what the shipped code wants to live for ever. It is never dropped; what it holds in the end
/// is checked by whoever puts it there.
pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A runtime without threads: whoever calls [`Shop::work`] runs what is queued.
pub struct Shop {
    pub live: OwnedList,
    pub queue: Injector,
}

impl Shop {
    pub fn open() -> &'static Shop {
        leak(Shop {
            live: OwnedList::new(),
            queue: Injector::new(),
        })
    }

    /// Starts a goroutine, as a thread outside of the workers does.
    pub fn go<F>(&'static self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cell = allocate(future, (), self, next_id(), Location::caller());
        // SAFETY: all that `allocate` gave goes on; the output is `F::Output`.
        unsafe { self.live.start(cell, |runnable| self.put(runnable)) }
    }

    fn put(&self, runnable: Runnable) {
        // A closed queue gives it back, and then it ends here.
        let _ = self.queue.push(runnable);
    }

    /// Runs what is queued until nothing is.
    pub fn work(&self) {
        while let Some(entry) = self.next() {
            // SAFETY: what is in a queue carries its run right.
            if let Turn::Again(runnable) = unsafe { Runnable::from_raw(entry) }.run(|| false) {
                self.put(runnable);
            }
        }
    }

    fn next(&self) -> Option<Entry> {
        let mut next = None;
        self.queue.pop_batch(1, |entry| next = Some(entry));
        next
    }

    /// Ends what is queued and what is idle. `true`: there was something.
    pub fn sweep(&self) -> bool {
        let mut any = false;
        while let Some(entry) = self.next() {
            any = true;
            // SAFETY: as in `work`.
            drop(unsafe { Runnable::from_raw(entry) });
        }
        any | !self.live.claim_idle(usize::MAX).is_empty()
    }
}

impl Home for Shop {
    fn schedule(&'static self, runnable: Runnable, _why: Why) {
        self.put(runnable);
    }
    fn unlink(&'static self, cell: NonNull<Header>) {
        self.live.remove(cell);
    }
    /// A goroutine's poll catches the panics of failed checks, loom's among them: passes them on.
    fn unhandled_panic(&'static self, panicked: &Panicked<'_>) {
        let text = panicked.payload.downcast_ref::<String>();
        panic!("in a goroutine: {}", text.map_or("a panic", |text| text));
    }
}

/// What became of a [`Witness`]; kept apart so that it can be asked afterwards.
#[derive(Default)]
pub struct Record {
    drops: AtomicUsize,
    dropped_by: StdMutex<Option<ThreadId>>,
}

impl Record {
    pub fn new() -> &'static Record {
        leak(Record::default())
    }

    /// Whether its witness, which has been dropped exactly once, was dropped by this thread.
    pub fn dropped_here(&self) -> bool {
        assert_eq!(self.drops(), 1, "drops of a witness");
        *self.dropped_by.lock().unwrap() == Some(loom::thread::current().id())
    }

    pub fn drops(&self) -> usize {
        self.drops.load(Ordering::Relaxed)
    }
}

/// Part of a future or of its output: notices races between its uses and its end, and a leak.
pub struct Witness {
    content: UnsafeCell<()>,
    record: &'static Record,
    _leak: Track<()>,
}

impl Witness {
    pub fn new(record: &'static Record) -> Witness {
        Witness {
            content: UnsafeCell::new(()),
            record,
            _leak: Track::new(()),
        }
    }

    /// Uses it as its only owner.
    pub fn touch(&self) {
        self.content.with_mut(|_| ());
    }
}

// SAFETY: the cell holds nothing; that uses exclude each other is what loom checks.
unsafe impl Sync for Witness {}

impl Drop for Witness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.touch();
            self.record.drops.fetch_add(1, Ordering::Relaxed);
            *self.record.dropped_by.lock().unwrap() = Some(loom::thread::current().id());
        }
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Bell(AtomicUsize);

impl Bell {
    pub fn new() -> (StdArc<Bell>, Waker) {
        let bell = StdArc::new(Bell::default());
        (bell.clone(), Waker::from(bell))
    }

    pub fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stands for the reactor: one may wait in it, until it is interrupted or an event comes, now or
/// before.
pub struct Reactor {
    /// No mutex: loom does not explore how a `try_lock` fails.
    is_held: AtomicBool,
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    interrupt: bool,
    event: bool,
}

pub struct Held<'a>(&'a Reactor);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.is_held.store(false, Ordering::Release);
    }
}

impl Reactor {
    pub fn new() -> Reactor {
        Reactor {
            is_held: AtomicBool::new(false),
            pending: Mutex::new(Pending::default()),
            changed: Condvar::new(),
        }
    }

    /// The right to wait in it, unless somebody has it.
    pub fn try_hold(&self) -> Option<Held<'_>> {
        let take = || {
            self.is_held
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
        };
        while take().is_err() {
            if !mutate::is_active("reactor.is_waited_for") {
                return None;
            }
            loom::thread::yield_now();
        }
        Some(Held(self))
    }

    pub fn wait(&self) {
        let mut pending = self.pending.lock();
        while !pending.interrupt && !pending.event {
            pending = self.changed.wait(pending);
        }
        pending.interrupt = false;
    }

    pub fn interrupt(&self) {
        self.pending.lock().interrupt = true;
        self.changed.notify_all();
    }

    pub fn send_event(&self) {
        self.pending.lock().event = true;
        self.changed.notify_all();
    }

    pub fn has_event(&self) -> bool {
        self.pending.lock().event
    }

    pub fn take_event(&self) -> bool {
        std::mem::take(&mut self.pending.lock().event)
    }
}
