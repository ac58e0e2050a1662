//! Running a future on a thread that is not a goroutine.
//!
//! A plain thread *takes part* while it waits: it becomes a machine, holds a processor if one is
//! idle, polls its own future when that is woken and runs goroutines in between. So main and a
//! goroutine that talk to each other pay what two goroutines pay, not two thread switches a message.
//!
//! A worker that blocks (in the middle of a poll) first hands its processor to another machine, so
//! the other goroutines go on; then it waits for its future like any thread, and takes a processor
//! again afterwards if one is idle.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use super::default;
use crate::primitive::Arc;
use crate::primitive::atomic::{AtomicBool, Ordering};
use crate::scheduler::parker::Unparked;
use crate::scheduler::threads::Guest;
use crate::scheduler::worker::{PMachine, Root, Worker};
use crate::scheduler::{Lease, Scheduler, block_in_place, current};

/// Runs a future on the calling thread until it is done, and returns its output.
///
/// The future need not be `Send`, and may start goroutines: on the runtime the thread is in, else
/// on the default one. While it waits, the thread runs other goroutines; so a goroutine that never
/// waits can hold the future up. Called inside a goroutine it does not stop the others: the worker's
/// place is taken by another thread meanwhile. (Prefer `.await` there.)
///
/// # Panics
/// If the future does.
///
/// ```
/// let sum = gorust::block_on(async {
///     let one = gorust::go(async { 1 });
///     let two = gorust::go(async { 2 });
///     one.await.unwrap() + two.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    match current::lease() {
        Some(lease) => block_on_lease(&lease, future),
        None => block_on_lease(default::lease(), future),
    }
}

/// Runs `future` inside the runtime of `lease`.
pub(super) fn block_on_lease<F: Future>(lease: &StdArc<Lease>, future: F) -> F::Output {
    let mut future = pin!(future);
    if current::scheduler().is_some() {
        // A machine in a poll, or a thread for blocking calls: it does not run goroutines from here,
        // one of which could keep it for ever.
        return block_in_place(|| {
            let _entered = current::Entered::new(lease.clone());
            crate::wait::blocking::block_on(future.as_mut())
        });
    }
    let _entered = current::Entered::new(lease.clone());
    match take_part(lease, future.as_mut()) {
        Some(Ok(output)) => output,
        Some(Err(payload)) => resume_unwind(payload),
        // The runtime has gone, and the future goes on without it.
        None => crate::wait::blocking::block_on(future),
    }
}

type Finished<T> = Result<T, Box<dyn std::any::Any + Send>>;

/// Polls the future as a machine. `None`: the runtime has gone first.
fn take_part<F: Future>(lease: &StdArc<Lease>, future: Pin<&mut F>) -> Option<Finished<F::Output>> {
    let machine = Arc::new(PMachine::for_this_thread());
    let wakeup = StdArc::new(RootWaker {
        woken: AtomicBool::new(true),
        machine: machine.clone(),
        scheduler: lease.scheduler,
    });
    let root = RootFuture {
        lease,
        future: Cell::new(Some(future)),
        waker: Waker::from(wakeup.clone()),
        wakeup,
        finished: RefCell::new(None),
    };
    let _guest = Guest::new(lease.scheduler);
    Worker::new(lease, machine, false).run(&root);
    root.finished.into_inner()
}

struct RootFuture<'a, F: Future> {
    lease: &'a StdArc<Lease>,
    /// Taken out while it is polled, and for good when it is done.
    future: Cell<Option<Pin<&'a mut F>>>,
    wakeup: StdArc<RootWaker>,
    waker: Waker,
    finished: RefCell<Option<Finished<F::Output>>>,
}

impl<F: Future> Root for RootFuture<'_, F> {
    fn is_woken(&self) -> bool {
        self.wakeup.woken.load(Ordering::Relaxed)
    }

    fn is_done(&self) -> bool {
        self.finished.borrow().is_some()
    }

    fn poll(&self) -> bool {
        let Some(mut future) = self.future.take() else {
            return false;
        };
        // Acquire: the poll sees what the waker wrote (partner: `wake_by_ref`).
        self.wakeup.woken.swap(false, Ordering::Acquire);
        let mut cx = Context::from_waker(&self.waker);
        let polled = current::while_polling(None, || {
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)))
        });
        let finished = match polled {
            Ok(Poll::Pending) => {
                self.future.set(Some(future));
                return true;
            }
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        *self.finished.borrow_mut() = Some(finished);
        true
    }

    fn poll_from_within(&self) -> bool {
        let _entered = current::Entered::new(self.lease.clone());
        self.poll()
    }
}

/// Wakes the future of a thread in `block_on`.
struct RootWaker {
    woken: AtomicBool,
    machine: Arc<PMachine>,
    scheduler: &'static Scheduler,
}

impl Wake for RootWaker {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        // Release: partner `RootFuture::poll`.
        if self.woken.swap(true, Ordering::Release) || current::is_machine(&self.machine) {
            return; // it will look before it sleeps
        }
        match self.machine.parker.unpark() {
            Unparked::InterruptReactor => self.scheduler.reactor.interrupt(),
            // A goroutine may have blocked the thread, which then sleeps elsewhere.
            Unparked::Done => self.machine.parker.unpark_blocked(),
        }
    }
}
