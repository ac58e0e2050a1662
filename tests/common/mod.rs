//! What the tests of the core share: a watchdog, flags, counters of drops, child processes.
#![allow(dead_code)] // each test file uses a part

use std::future::Future;
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// After so long a wait counts as a hang.
pub const HANG: Duration = Duration::from_secs(30);

/// Aborts the process unless it is dropped within a minute: a hang becomes a failure with a name.
#[must_use]
pub struct Watchdog(#[allow(unused)] mpsc::Sender<()>);

/// Sets a [`Watchdog`] on the rest of the test.
pub fn watchdog() -> Watchdog {
    watchdog_for(Duration::from_secs(60))
}

/// The same, for tests that have more to do.
pub fn watchdog_for(limit: Duration) -> Watchdog {
    let (alive, dropped) = mpsc::channel::<()>();
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    std::thread::spawn(move || {
        if dropped.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("watchdog: {name} hangs");
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// Waits, with the whole thread, until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "never came true: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Keeps the thread busy until `condition` holds.
#[track_caller]
pub fn spin_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "never came true: {what}");
        std::hint::spin_loop();
    }
}

/// Set once; can be waited for by goroutines and by threads.
#[derive(Clone, Default)]
pub struct Flag(Arc<FlagState>);

#[derive(Default)]
struct FlagState {
    set: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Flag {
    pub fn new() -> Flag {
        Flag::default()
    }

    pub fn set(&self) {
        let waiting = {
            let mut waiting = self.0.waiting.lock().unwrap();
            self.0.set.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }

    /// How many wakers are registered.
    pub fn waiters(&self) -> usize {
        self.0.waiting.lock().unwrap().len()
    }

    /// Waits as a future does.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let flag = self.clone();
        std::future::poll_fn(move |cx| flag.poll(cx))
    }

    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.0.waiting.lock().unwrap();
        if self.is_set() {
            return Poll::Ready(());
        }
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits as a thread that sleeps.
    #[track_caller]
    pub fn wait_blocking(&self) {
        eventually("a flag", || self.is_set());
    }

    /// Waits as a thread that hogs its CPU.
    #[track_caller]
    pub fn spin(&self) {
        spin_until("a flag", || self.is_set());
    }
}

/// Counts its children, and how many of them were dropped.
#[derive(Clone, Default)]
pub struct Drops(Arc<(AtomicUsize, AtomicUsize)>);

impl Drops {
    pub fn new() -> Drops {
        Drops::default()
    }

    pub fn count(&self) -> usize {
        self.0.1.load(Ordering::Acquire)
    }

    /// Children that were not dropped yet.
    pub fn alive(&self) -> usize {
        // In this order: a child that comes and goes in between must not make it negative.
        let dropped = self.count();
        self.0.0.load(Ordering::Acquire) - dropped
    }

    /// A value whose drop is counted.
    pub fn child(&self) -> Dropped {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        Dropped(self.clone())
    }
}

/// See [`Drops::child`].
pub struct Dropped(Drops);

impl Dropped {
    /// Another child of the same counter.
    pub fn sibling(&self) -> Dropped {
        self.0.child()
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, Ordering::AcqRel);
    }
}

/// Calls a closure when it is dropped.
pub struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    pub fn new(code: F) -> OnDrop<F> {
        OnDrop(Some(code))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(code) = self.0.take() {
            code();
        }
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Polls once, with a waker that does nothing.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Whether this process was started by [`child`]. If so, it does not outlive its parent by much.
pub fn is_child() -> bool {
    let is_child = std::env::var_os(CHILD).is_some();
    if is_child {
        std::mem::forget(watchdog_for(Duration::from_secs(55)));
    }
    is_child
}

const CHILD: &str = "GORUST_TEST_CHILD";

/// Runs the test `name` of this binary once more, in a process of its own, where [`is_child`] holds.
pub fn child(name: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The same for a child that must succeed; its stderr.
#[track_caller]
pub fn successful_child(name: &str, environment: &[(&str, &str)]) -> String {
    let output = child(name, environment);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{name} failed as a child: {}\n{}\n{stderr}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
    );
    stderr
}

/// A whole line on stderr in one write: the panic hook of another thread does not get in between.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// xorshift64*, for tests that print their seed.
pub struct Random(u64);

impl Random {
    /// From `GORUST_SEED`, else from the clock; printed, so that a failure can be repeated.
    pub fn seeded() -> Random {
        let seed = std::env::var("GORUST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                now.map_or(1, |now| now.as_nanos() as u64)
            });
        println!("GORUST_SEED={seed}");
        Random(seed | 1)
    }

    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}
