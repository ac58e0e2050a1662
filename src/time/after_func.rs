//! Doing something later, unless stopped: Go's `time.AfterFunc`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{Sleep, sleep};
use crate::go;
use crate::primitive::{Arc, Mutex};
use crate::task::AbortHandle;

/// Runs `future` as a goroutine after `duration`, which begins now.
///
/// The [`Timer`] can stop or postpone that as long as the future has not begun; dropping the timer
/// changes nothing. Under a duration near [`Duration::MAX`] the future never runs.
///
/// Everything happens on the runtime that is current here. If that shuts down before the time has
/// come, the future does not run. While it waits it counts as a goroutine.
///
/// ```
/// use gorust::time;
/// use std::time::Duration;
///
/// gorust::block_on(async {
///     let timer = time::after_func(Duration::from_millis(2), async { println!("late") });
///     assert!(timer.reset(Duration::from_secs(60))); // not yet
///     assert!(timer.stop()); // not at all
///     assert!(!timer.stop());
/// });
/// ```
#[doc(alias = "AfterFunc")]
#[track_caller]
pub fn after_func<F>(duration: Duration, future: F) -> Timer
where
    F: Future + Send + 'static,
{
    let timer = Timer {
        shared: Arc::new(Mutex::new(State {
            future: Some(Box::pin(async move {
                future.await;
            })),
            generation: 0,
            armed: true,
            waiter: None,
        })),
    };
    timer.start(0, sleep(duration));
    timer
}

/// A future that is to run later: the result of [`after_func`].
#[doc(alias = "AfterFunc")]
pub struct Timer {
    shared: Arc<Mutex<State>>,
}

type Func = Pin<Box<dyn Future<Output = ()> + Send>>;

struct State {
    /// `None` once the timer has fired.
    future: Option<Func>,
    /// Grows with each stop and reset: tells the goroutine that waits that it is not the last one.
    generation: u64,
    /// Whether the goroutine of this generation is to run the future.
    armed: bool,
    /// The goroutine that waits, so that it does not wait for nothing.
    waiter: Option<AbortHandle>,
}

impl State {
    /// Begins a new generation, and answers the goroutine of the last.
    fn supersede(&mut self, armed: bool) -> Option<AbortHandle> {
        self.generation += 1;
        self.armed = armed;
        self.waiter.take()
    }
}

impl Timer {
    /// Keeps the future from running. `false` if it has begun to run, or was stopped before.
    ///
    /// A stopped timer keeps its future, for [`reset`](Timer::reset).
    pub fn stop(&self) -> bool {
        let mut state = self.shared.lock();
        if state.future.is_none() || !state.armed {
            return false;
        }
        let waiter = state.supersede(false);
        drop(state);
        if let Some(waiter) = waiter {
            waiter.abort();
        }
        true
    }

    /// Makes the future run after `duration` from now, as a goroutine of the runtime that is current
    /// here. `false` if it has begun to run, and then nothing happens; `false`, too, if the timer had
    /// been stopped, and then it goes on.
    #[track_caller]
    pub fn reset(&self, duration: Duration) -> bool {
        let sleep = sleep(duration);
        let mut state = self.shared.lock();
        if state.future.is_none() {
            return false;
        }
        let was_armed = state.armed;
        let waiter = state.supersede(true);
        let generation = state.generation;
        drop(state);
        if let Some(waiter) = waiter {
            waiter.abort();
        }
        self.start(generation, sleep);
        was_armed
    }

    /// Starts the goroutine that waits.
    #[track_caller]
    fn start(&self, generation: u64, sleep: Sleep) {
        let shared = self.shared.clone();
        let waiter = go(wait_and_run(shared, generation, sleep)).abort_handle();
        let mut state = self.shared.lock();
        if state.generation != generation {
            // Superseded by another thread. So it has not fired, and never will.
            drop(state);
            waiter.abort();
        } else if state.future.is_some() {
            state.waiter = Some(waiter);
        }
    }
}

async fn wait_and_run(shared: Arc<Mutex<State>>, generation: u64, sleep: Sleep) {
    sleep.await;
    if let Some(future) = fire(&shared, generation) {
        drop(shared);
        future.await;
    }
}

/// Takes the future, if the timer is still to fire in this generation.
fn fire(shared: &Mutex<State>, generation: u64) -> Option<Func> {
    let mut state = shared.lock();
    if state.generation != generation {
        return None;
    }
    state.armed = false;
    // From here on nobody may abort this goroutine, which becomes the user's.
    let waiter = state.waiter.take();
    let future = state.future.take();
    drop(state);
    drop(waiter);
    future
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Timer")
            .field("armed", &state.armed)
            .field("fired", &state.future.is_none())
            .finish()
    }
}
