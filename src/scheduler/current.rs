//! The only thread-local of the scheduler: what this thread is doing for which runtime.
//!
//! A plain thread has nothing here. A machine has its scheduler, and a processor while it holds
//! one; during a poll, the goroutine. `Entered` restores what was there before, so that runtimes
//! nest.

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::processor::Processor;
use super::worker::{PMachine, Root};
use super::{Lease, Scheduler};
use crate::task::cell::Header;

struct Current {
    lease: Cell<*const Lease>,
    processor: Cell<Option<&'static Processor>>,
    machine: Cell<*const PMachine>,
    root: Cell<Option<NonNull<dyn Root>>>,
    task: Cell<Option<NonNull<Header>>>,
    /// A poll is running: wake-ups go to `runnext`.
    in_poll: Cell<bool>,
    /// The goroutine asked to go to the back of the queue.
    yielded: Cell<bool>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            lease: Cell::new(ptr::null()),
            processor: Cell::new(None),
            machine: Cell::new(ptr::null()),
            root: Cell::new(None),
            task: Cell::new(None),
            in_poll: Cell::new(false),
            yielded: Cell::new(false),
        }
    };
}

struct Before {
    lease: *const Lease,
    processor: Option<&'static Processor>,
    machine: *const PMachine,
    task: Option<NonNull<Header>>,
    in_poll: bool,
}

/// Makes `lease` this thread's runtime until it is dropped.
pub(crate) struct Entered {
    _lease: Arc<Lease>,
    before: Before,
}

impl Entered {
    pub(crate) fn new(lease: Arc<Lease>) -> Entered {
        CURRENT.with(|current| {
            let before = Before {
                lease: current.lease.replace(Arc::as_ptr(&lease)),
                processor: current.processor.replace(None),
                machine: current.machine.replace(ptr::null()),
                task: current.task.replace(None),
                in_poll: current.in_poll.replace(false),
            };
            Entered {
                _lease: lease,
                before,
            }
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.lease.set(self.before.lease);
            current.processor.set(self.before.processor);
            current.machine.set(self.before.machine);
            current.task.set(self.before.task);
            current.in_poll.set(self.before.in_poll);
        });
    }
}

#[inline(always)]
fn read<R>(f: impl FnOnce(&Current) -> R) -> R {
    CURRENT.with(f)
}

/// The runtime this thread is in.
pub(crate) fn lease() -> Option<Arc<Lease>> {
    read(|current| {
        let lease = current.lease.get();
        if lease.is_null() {
            return None;
        }
        // SAFETY: set by `Entered`, which holds the `Arc` the pointer came from, on this thread.
        unsafe {
            Arc::increment_strong_count(lease);
            Some(Arc::from_raw(lease))
        }
    })
}

/// The scheduler this thread is in.
#[inline]
pub(crate) fn scheduler() -> Option<&'static Scheduler> {
    read(|current| {
        // SAFETY: as in `lease`.
        unsafe { current.lease.get().as_ref() }.map(|lease| lease.scheduler)
    })
}

/// The processor this thread holds.
#[inline]
pub(crate) fn processor() -> Option<&'static Processor> {
    read(|current| current.processor.get())
}

pub(crate) fn set_processor(processor: Option<&'static Processor>) {
    read(|current| current.processor.set(processor));
}

/// The processor this thread holds, and whether it is in a poll.
#[inline]
pub(crate) fn processor_and_poll() -> (Option<&'static Processor>, bool) {
    read(|current| (current.processor.get(), current.in_poll.get()))
}

/// Whether this thread is a machine in the middle of a poll.
pub(crate) fn in_poll() -> bool {
    read(|current| current.in_poll.get())
}

/// Makes `machine`, which outlives this thread's stay in the runtime, the thread's own.
pub(crate) fn set_machine(machine: &PMachine) {
    read(|current| current.machine.set(machine));
}

/// Whether this thread is `machine`.
pub(crate) fn is_machine(machine: &PMachine) -> bool {
    read(|current| ptr::eq(current.machine.get(), machine))
}

/// Makes a future the one that this thread waits for, until it is dropped.
pub(crate) struct Rooted(Option<NonNull<dyn Root>>);

impl Rooted {
    pub(crate) fn new(root: &dyn Root) -> Rooted {
        // SAFETY: only the lifetime changes; nobody sees the pointer once this is dropped, which
        // `Worker::run` does before its borrow of `root` ends.
        let root: &'static dyn Root = unsafe { std::mem::transmute::<&dyn Root, _>(root) };
        Rooted(read(|current| {
            current.root.replace(Some(NonNull::from(root)))
        }))
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        read(|current| {
            current.root.set(self.0);
            // Another thread's machine may come to lie where this one's was.
            current.machine.set(ptr::null());
        });
    }
}

/// Looks at the future that this thread waits for.
pub(crate) fn with_root<R>(f: impl FnOnce(&dyn Root) -> R) -> Option<R> {
    // SAFETY: set as long as a `Rooted` lives, which is within the life of what it points to.
    read(|current| current.root.get()).map(|root| f(unsafe { root.as_ref() }))
}

/// Looks at the goroutine that this thread is polling.
pub(crate) fn with_task<R>(f: impl FnOnce(&Header) -> R) -> Option<R> {
    // SAFETY: set for the time of a poll, during which the run right keeps the cell alive.
    read(|current| current.task.get()).map(|task| f(unsafe { task.as_ref() }))
}

/// The goroutine that this thread is polling, if any.
pub(crate) fn task() -> Option<NonNull<Header>> {
    read(|current| current.task.get())
}

/// Runs `poll` as a poll of `task`, or of a future without a cell.
#[inline]
pub(crate) fn while_polling<R>(task: Option<NonNull<Header>>, poll: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            read(|current| {
                current.task.set(None);
                current.in_poll.set(false);
            });
            crate::coop::end_slice();
        }
    }
    read(|current| {
        current.task.set(task);
        current.in_poll.set(true);
        current.yielded.set(false); // of a poll that ended otherwise
    });
    crate::coop::begin_slice();
    let _leave = Leave;
    poll()
}

/// Runs a blocking closure, which has a cell and no budget.
pub(crate) fn while_blocking<R>(task: NonNull<Header>, run: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            read(|current| current.task.set(None));
        }
    }
    read(|current| current.task.set(Some(task)));
    let _leave = Leave;
    run()
}

/// Notes that the running goroutine wants to go to the back of the queue.
#[inline]
pub(crate) fn set_yielded() {
    read(|current| current.yielded.set(true));
}

/// Whether it did, since the last question.
#[inline]
pub(crate) fn take_yielded() -> bool {
    read(|current| current.yielded.replace(false))
}
