//! Many goroutines, joined in the order in which they end.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use slab::Slab;

use super::{AbortHandle, JoinError, JoinHandle};
use crate::coop;
use crate::primitive::Mutex;
use crate::wait::batch::{drop_quietly, wake};

/// A set of goroutines of one output type.
///
/// Dropping the set aborts those that are left.
///
/// ```
/// gorust::block_on(async {
///     let mut set = gorust::task::JoinSet::new();
///     for i in 0..10 {
///         set.go(async move { i * i });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 285);
/// });
/// ```
pub struct JoinSet<T> {
    members: Slab<Member<T>>,
    ended: Arc<Ended>,
}

struct Member<T> {
    handle: JoinHandle<T>,
    waker: Waker,
}

/// The members whose handles are worth a poll, and who waits for them.
#[derive(Default)]
struct Ended(Mutex<EndedState>);

#[derive(Default)]
struct EndedState {
    keys: VecDeque<usize>,
    waiter: Option<Waker>,
}

impl Ended {
    fn note(&self, key: usize) {
        let waiter = {
            let mut state = self.0.lock();
            state.keys.push_back(key);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            wake(waiter);
        }
    }
}

/// The waker of one member.
struct MemberWaker {
    key: usize,
    ended: Arc<Ended>,
}

impl Wake for MemberWaker {
    fn wake(self: Arc<Self>) {
        self.ended.note(self.key);
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet {
            members: Slab::new(),
            ended: Arc::new(Ended::default()),
        }
    }

    /// How many goroutines have not been joined yet.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether all have been joined.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Asks all goroutines of the set to end. They stay in it until they are joined.
    pub fn abort_all(&mut self) {
        for (_, member) in &self.members {
            member.handle.abort();
        }
    }

    /// Takes all goroutines out of the set without ending them.
    pub fn detach_all(&mut self) {
        self.members.clear();
        self.ended = Arc::new(Ended::default());
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// Starts a goroutine, as [`go`](crate::go) does, and puts it in the set.
    #[track_caller]
    pub fn go<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        let handle = crate::scheduler::spawn_current(future, (), Location::caller());
        self.insert(handle)
    }

    /// Runs blocking code, as [`go_blocking`](crate::go_blocking) does, as a member of the set.
    #[track_caller]
    pub fn go_blocking<F>(&mut self, code: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let handle = crate::go_blocking(code);
        self.insert(handle)
    }

    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let entry = self.members.vacant_entry();
        let key = entry.key();
        let waker = Waker::from(Arc::new(MemberWaker {
            key,
            ended: self.ended.clone(),
        }));
        entry.insert(Member { handle, waker });
        // The first poll registers the member's waker.
        self.ended.note(key);
        abort
    }

    /// Waits until one goroutine of the set is over and takes its result; `None` when the set is
    /// empty.
    ///
    /// # Cancellation
    /// Dropping the future loses no result.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// The result of one goroutine that is over already; `None` if there is none now.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        // Without a limit, as in `poll_join_next`; and whoever waits already goes on waiting.
        match coop::unconstrained(|| self.poll_members(None)) {
            Poll::Ready(result) => result,
            Poll::Pending => None,
        }
    }

    /// Aborts all goroutines and waits until they are over.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// What [`join_next`](JoinSet::join_next) does, for futures written by hand.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let unit = ready!(coop::poll_proceed(cx));
        // One unit for all of it: a member without budget would note itself again and again.
        let result = ready!(coop::unconstrained(|| self.poll_members(Some(cx.waker()))));
        unit.made_progress();
        Poll::Ready(result)
    }

    /// `waiter` is who is to be woken if none is over yet. Called without a budget.
    fn poll_members(&mut self, waiter: Option<&Waker>) -> Poll<Option<Result<T, JoinError>>> {
        loop {
            if self.members.is_empty() {
                return Poll::Ready(None);
            }
            let Some(key) = self.next_ended(waiter) else {
                return Poll::Pending;
            };
            let Some(member) = self.members.get_mut(key) else {
                continue;
            };
            let mut member_cx = Context::from_waker(&member.waker);
            // A late wake-up for an earlier owner of the key leads to one poll too many.
            if let Poll::Ready(result) = Pin::new(&mut member.handle).poll(&mut member_cx) {
                drop(self.members.remove(key));
                return Poll::Ready(Some(result));
            }
        }
    }

    /// A member that is worth a poll, or `waiter` registered for the next one.
    fn next_ended(&mut self, waiter: Option<&Waker>) -> Option<usize> {
        let waiter = waiter.cloned();
        let mut state = self.ended.0.lock();
        let key = state.keys.pop_front();
        let unused = match waiter {
            Some(waiter) if key.is_none() => state.waiter.replace(waiter),
            waiter => waiter,
        };
        drop(state);
        drop_quietly(unused);
        key
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}
