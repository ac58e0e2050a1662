//! The heap cell of a goroutine: header, then the future, overlaid by its outcome.
//!
//! Who may touch what:
//! - the header's atomics: whoever holds a reference;
//! - `queue_next`: the queue that holds the run right, under that queue's lock;
//! - `links`: the owner's list, under its lock;
//! - `stage`: the owner of the run right until CLOSED; then the `JoinHandle` if there was one at
//!   that moment, else the closer;
//! - `join_waker`: see [`super::state`].
//!
//! A future is dropped where it lives, by the owner of the run right: by a worker or by shutdown,
//! never by whoever aborts it or drops a waker.

use std::any::Any;
use std::future::Future;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::alloc;
use super::id::Id;
use super::state::State;
use crate::primitive::UnsafeCell;
use crate::wait::batch::drop_quietly;

use super::Runnable;

/// Why a runnable goroutine is being put in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Just started.
    Spawned,
    /// Woken by somebody.
    Woken,
    /// Goes to the back: it yielded, or was woken while it ran.
    Yielded,
}

/// Where goroutines go when they become runnable, and when they are over.
///
/// Homes live for ever: a waker may outlive the runtime it came from.
pub trait Home: Sync + Sized + 'static {
    /// Takes over the run right.
    fn schedule(&'static self, runnable: Runnable, why: Why);
    /// Takes a closed cell off the list of live goroutines. The list's reference is the caller's.
    fn unlink(&'static self, cell: NonNull<Header>);
    /// A goroutine panicked and nobody holds its handle.
    fn unhandled_panic(&'static self, panicked: &Panicked<'_>);
}

/// What is known of a goroutine that panicked without a handle.
#[derive(Debug)]
pub struct Panicked<'a> {
    pub id: Id,
    pub name: Option<&'a str>,
    pub location: &'static Location<'static>,
    pub payload: &'a (dyn Any + Send),
}

/// How a goroutine ended.
pub enum Outcome<T> {
    Done(T),
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

/// Links of the owner's list.
#[derive(Clone, Copy)]
pub struct Links {
    pub previous: Option<NonNull<Header>>,
    pub next: Option<NonNull<Header>>,
}

/// The part of a cell that does not depend on its future.
#[repr(C)]
pub struct Header {
    pub state: State,
    vtable: &'static Vtable,
    pub queue_next: UnsafeCell<Option<NonNull<Header>>>,
    pub links: UnsafeCell<Links>,
    home: NonNull<()>,
    location: &'static Location<'static>,
    id: Id,
    join_waker: UnsafeCell<MaybeUninit<Waker>>,
}

/// The operations that need the type of the future.
struct Vtable {
    /// Polls; `true`: over, the outcome is in place.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future and puts `Cancelled` (or its destructor's panic) in its place.
    cancel: unsafe fn(NonNull<Header>),
    /// Moves the outcome to `*mut Outcome<T>`.
    take_outcome: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the outcome; reports a panic that nobody will see.
    discard_outcome: unsafe fn(NonNull<Header>),
    free: unsafe fn(NonNull<Header>),
    name: unsafe fn(NonNull<Header>) -> Option<NonNull<str>>,
    schedule: unsafe fn(NonNull<()>, Runnable, Why),
    unlink: unsafe fn(NonNull<()>, NonNull<Header>),
}

/// A future, then its outcome. Which of the two it is says CLOSED in the state word (and, during a
/// run, the code that runs it).
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<F::Output>>,
}

/// A whole cell. `N` is the name: `()` for the many goroutines that have none.
#[repr(C)]
struct Cell<F: Future, H, N> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
    name: N,
    home: std::marker::PhantomData<fn(H)>,
}

/// An optional name, without cost for those that have none.
pub trait Name: Send + 'static {
    fn get(&self) -> Option<&str>;
}
impl Name for () {
    fn get(&self) -> Option<&str> {
        None
    }
}
impl Name for Box<str> {
    fn get(&self) -> Option<&str> {
        Some(self)
    }
}

/// Allocates a goroutine that is queued already: the caller owns its run right, and a reference
/// each for the owner's list and for the handle.
pub fn allocate<F, H, N>(
    future: F,
    name: N,
    home: &'static H,
    id: Id,
    location: &'static Location<'static>,
) -> NonNull<Header>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    H: Home,
    N: Name,
{
    alloc::allocate(Cell::<F, H, N> {
        header: Header {
            state: State::new(),
            vtable: Cell::<F, H, N>::VTABLE,
            queue_next: UnsafeCell::new(None),
            links: UnsafeCell::new(Links {
                previous: None,
                next: None,
            }),
            home: NonNull::from(home).cast(),
            location,
            id,
            join_waker: UnsafeCell::new(MaybeUninit::uninit()),
        },
        stage: UnsafeCell::new(Stage {
            future: ManuallyDrop::new(future),
        }),
        name,
        home: std::marker::PhantomData,
    })
    .cast()
}

impl<F, H, N> Cell<F, H, N>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    H: Home,
    N: Name,
{
    const VTABLE: &'static Vtable = &Vtable {
        poll: Self::poll,
        cancel: Self::cancel,
        take_outcome: Self::take_outcome,
        discard_outcome: Self::discard_outcome,
        free: Self::free,
        name: Self::name,
        schedule: Self::schedule,
        unlink: Self::unlink,
    };

    /// # Safety
    /// The caller owns the run right, and the future is still there.
    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        let cell = header.cast::<Self>();
        // SAFETY: the cell is alive and, with the run right, its stage is ours alone; the future is
        // never moved: it is dropped where it lies.
        let polled = unsafe {
            cell.as_ref().stage.with_mut(|stage| {
                let future = Pin::new_unchecked(&mut *(*stage).future);
                catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
            })
        };
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(output)) => Outcome::Done(output),
            Err(payload) => Outcome::Panicked(payload),
        };
        // SAFETY: as above; the future is not used again.
        unsafe { Self::replace_future(cell, outcome) };
        true
    }

    /// # Safety
    /// As `poll`.
    unsafe fn cancel(header: NonNull<Header>) {
        // SAFETY: passed on to the caller.
        unsafe { Self::replace_future(header.cast(), Outcome::Cancelled) };
    }

    /// Drops the future and writes `outcome` where it was. A panic of the future's destructor
    /// becomes the outcome, unless there was a panic already.
    ///
    /// # Safety
    /// As `poll`.
    unsafe fn replace_future(cell: NonNull<Self>, outcome: Outcome<F::Output>) {
        // SAFETY: the stage is ours alone and holds the future, which is dropped exactly here; if
        // the destructor unwinds it still counts as dropped.
        let dropped = unsafe {
            cell.as_ref().stage.with_mut(|stage| {
                catch_unwind(AssertUnwindSafe(|| {
                    ManuallyDrop::drop(&mut (*stage).future)
                }))
            })
        };
        let outcome = match (dropped, outcome) {
            (Ok(()), outcome) => outcome,
            (Err(second), Outcome::Panicked(first)) => {
                drop_quietly(second);
                Outcome::Panicked(first)
            }
            (Err(payload), outcome) => {
                drop_quietly(outcome);
                Outcome::Panicked(payload)
            }
        };
        // SAFETY: as above; nothing lives there now.
        unsafe {
            cell.as_ref().stage.with_mut(|stage| {
                stage.write(Stage {
                    outcome: ManuallyDrop::new(outcome),
                });
            });
        }
    }

    /// # Safety
    /// The cell is closed, the outcome is the caller's and has not been taken; `to` is valid for a
    /// write of `Outcome<F::Output>`.
    unsafe fn take_outcome(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: the caller's promise; the outcome is moved out exactly once.
        unsafe {
            header.cast::<Self>().as_ref().stage.with_mut(|stage| {
                let outcome = ManuallyDrop::take(&mut (*stage).outcome);
                to.cast::<Outcome<F::Output>>().write(outcome);
            });
        }
    }

    /// # Safety
    /// As `take_outcome`.
    unsafe fn discard_outcome(header: NonNull<Header>) {
        let mut outcome = MaybeUninit::<Outcome<F::Output>>::uninit();
        // SAFETY: the caller's promise, and `outcome` is written before it is read.
        let outcome = unsafe {
            Self::take_outcome(header, outcome.as_mut_ptr().cast());
            outcome.assume_init()
        };
        match outcome {
            Outcome::Done(output) => drop_quietly(output),
            Outcome::Cancelled => {}
            Outcome::Panicked(payload) => {
                // SAFETY: the caller holds a reference, so the cell is alive.
                let cell = unsafe { header.cast::<Self>().as_ref() };
                cell.home().unhandled_panic(&Panicked {
                    id: cell.header.id,
                    name: cell.name.get(),
                    location: cell.header.location,
                    payload: &*payload,
                });
                drop_quietly(payload);
            }
        }
    }

    /// # Safety
    /// The last reference is gone, and with it future and outcome.
    unsafe fn free(header: NonNull<Header>) {
        // SAFETY: allocated as this type by `allocate`; nobody else can reach it. `Stage` has no
        // destructor, the name does.
        unsafe { alloc::free(header.cast::<Self>()) };
    }

    /// # Safety
    /// The caller holds a reference; the result lives as long.
    unsafe fn name(header: NonNull<Header>) -> Option<NonNull<str>> {
        // SAFETY: the cell is alive, and the name is never written after allocation.
        unsafe { header.cast::<Self>().as_ref().name.get().map(NonNull::from) }
    }

    fn home(&self) -> &'static H {
        // SAFETY: `allocate` put a `&'static H` there.
        unsafe { self.header.home.cast::<H>().as_ref() }
    }

    /// # Safety
    /// `home` is the one of this cell's header.
    unsafe fn schedule(home: NonNull<()>, runnable: Runnable, why: Why) {
        // SAFETY: `allocate` put a `&'static H` there.
        let home: &'static H = unsafe { home.cast::<H>().as_ref() };
        home.schedule(runnable, why);
    }

    /// # Safety
    /// As `schedule`.
    unsafe fn unlink(home: NonNull<()>, header: NonNull<Header>) {
        // SAFETY: `allocate` put a `&'static H` there.
        let home: &'static H = unsafe { home.cast::<H>().as_ref() };
        home.unlink(header);
    }
}

impl Header {
    pub fn id(&self) -> Id {
        self.id
    }

    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// # Safety
    /// `header` is alive; the result must not outlive the caller's reference.
    pub unsafe fn name<'a>(header: NonNull<Header>) -> Option<&'a str> {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.name)(header).map(|name| &*name.as_ptr()) }
    }

    /// # Safety
    /// As [`Cell::poll`].
    pub unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.poll)(header, cx) }
    }

    /// # Safety
    /// As [`Cell::cancel`].
    pub unsafe fn cancel(header: NonNull<Header>) {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.cancel)(header) }
    }

    /// # Safety
    /// As [`Cell::take_outcome`].
    pub unsafe fn take_outcome<T>(header: NonNull<Header>) -> Outcome<T> {
        let mut outcome = MaybeUninit::<Outcome<T>>::uninit();
        // SAFETY: the caller's promise, `T` included; written before it is read.
        unsafe {
            (header.as_ref().vtable.take_outcome)(header, outcome.as_mut_ptr().cast());
            outcome.assume_init()
        }
    }

    /// # Safety
    /// As [`Cell::take_outcome`].
    pub unsafe fn discard_outcome(header: NonNull<Header>) {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.discard_outcome)(header) }
    }

    /// Gives up one reference, and frees the cell with the last.
    ///
    /// # Safety
    /// The reference is the caller's.
    pub unsafe fn release(header: NonNull<Header>) {
        // SAFETY: the caller's reference keeps the cell alive until `release` answers.
        if unsafe { header.as_ref().state.release() } {
            // SAFETY: that was the last one.
            unsafe { Header::free(header) };
        }
    }

    /// # Safety
    /// As [`Cell::free`].
    #[cold]
    pub unsafe fn free(header: NonNull<Header>) {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.free)(header) }
    }

    /// Hands the run right to the goroutine's home.
    pub fn schedule(runnable: Runnable, why: Why) {
        let header = runnable.header();
        // SAFETY: the run right keeps the cell alive; vtable and home are never written.
        unsafe { (header.as_ref().vtable.schedule)(header.as_ref().home, runnable, why) }
    }

    /// # Safety
    /// `header` is alive.
    pub unsafe fn unlink(header: NonNull<Header>) {
        // SAFETY: the caller's promise.
        unsafe { (header.as_ref().vtable.unlink)(header.as_ref().home, header) }
    }

    /// Fills the join waker's slot.
    ///
    /// # Safety
    /// The slot is the caller's and empty.
    pub unsafe fn put_join_waker(&self, waker: Waker) {
        // SAFETY: the caller's promise.
        self.join_waker.with_mut(|slot| unsafe {
            (*slot).write(waker);
        });
    }

    /// Empties the join waker's slot.
    ///
    /// # Safety
    /// The slot is the caller's and full.
    pub unsafe fn take_join_waker(&self) -> Waker {
        // SAFETY: the caller's promise.
        self.join_waker
            .with_mut(|slot| unsafe { (*slot).assume_init_read() })
    }
}
