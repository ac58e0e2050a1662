//! What `#[gorust::main]` and `#[gorust::test]` call at run time.
//!
//! Problem: the main future should be an ordinary goroutine, so that no long poll of another one
//! holds it up and it pays no thread switch when it talks to the others; but a goroutine must be
//! `Send`, and a main future need not be. The macro cannot ask the compiler "is this `Send`?" and
//! go on either way, but method lookup can: [`SendMain::how`] takes `&Main<F>` where `F: Send`,
//! [`AnyMain::how`] takes `&&Main<F>` for any `F`, and for `(&main).how()` the compiler tries the
//! former first. Each answers with a type whose `run` does it that way.
//!
//! The process ends when main has returned, as in Go. So nothing that a goroutine does may keep
//! the thread of `fn main` from noticing: while main is a goroutine, that thread runs no other,
//! it only waits.
//!
//! The result becomes an exit code where the future ran; it never crosses to another thread, and
//! need not be `Send` either.

use std::future::Future;
use std::panic::resume_unwind;
use std::process::{ExitCode, Termination};

use crate::runtime::Builder;

/// Makes an `async fn` the entry of the program.
///
/// On `async fn main`, the function becomes a goroutine of the default runtime, and the process
/// ends when it returns: **no other goroutine is waited for**, as in Go. Its future need not be
/// `Send`; one that is not (it keeps an `Rc` across an `.await`, say) stays on the main thread,
/// where it can be held up by a goroutine that runs there without ever waiting. `main` may return
/// `()`, a `Result<(), E>` whose `E` is `Debug`, or anything else that is a [`Termination`]. A
/// panic is reported and ends the process with exit code 101.
///
/// On any other `async fn`, the function becomes a plain one that runs itself with
/// [`block_on`](crate::block_on).
///
/// # Options
/// They configure *the* default runtime, and so have no effect once that has started.
///
/// | option | meaning |
/// | --- | --- |
/// | `worker_threads = N` | how many goroutines run at once; at least 1, by default `GOMAXPROCS` |
/// | `flavor = "current_thread"` | one at a time; `"multi_thread"` is the default |
/// | `crate = "path"` | where to find this crate, if it is not called `gorust` |
///
/// # Examples
/// ```
/// #[gorust::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let answer: u32 = "42".parse()?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
/// ```
/// #[gorust::main(worker_threads = 2)]
/// async fn twice(n: u32) -> u32 {
///     2 * n
/// }
///
/// assert_eq!(twice(21), 42);
/// ```
pub use gorust_macros::main;

/// Makes an `async fn` a test, on a runtime of its own.
///
/// The runtime is built before the test and dropped after it, and with it every goroutine that the
/// test left behind. The future need not be `Send`. The test may return what any test may; other
/// attributes (`#[ignore]`, `#[should_panic]`) mean what they always do.
///
/// The options are those of [`main`](macro@main); here they are the options of the test's runtime.
///
/// # Examples
/// ```
/// # fn main() {} // a doc test has no test harness
/// #[gorust::test(worker_threads = 2)]
/// async fn adds_up() {
///     assert_eq!(async { 1 + 1 }.await, 2);
/// }
/// ```
pub use gorust_macros::test;

/// The options of the attribute.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    worker_threads: Option<usize>,
    current_thread: bool,
}

impl Options {
    /// No options.
    pub const fn new() -> Self {
        Options {
            worker_threads: None,
            current_thread: false,
        }
    }

    /// `worker_threads = count`.
    #[must_use]
    pub const fn worker_threads(mut self, count: usize) -> Self {
        self.worker_threads = Some(count);
        self
    }

    /// `flavor = "current_thread"`.
    #[must_use]
    pub const fn current_thread(mut self) -> Self {
        self.current_thread = true;
        self
    }

    fn builder(self) -> Builder {
        let builder = if self.current_thread {
            Builder::current_thread()
        } else {
            Builder::new()
        };
        match self.worker_threads {
            Some(count) => builder.worker_threads(count),
            None => builder,
        }
    }

    /// Makes the default runtime one with these options, unless it has started already.
    fn configure_default(self) {
        if self.worker_threads.is_some() || self.current_thread {
            crate::runtime::configure_default(self.builder());
        }
    }
}

/// The main future and how to run it.
#[derive(Debug)]
pub struct Main<F> {
    options: Options,
    future: F,
}

impl Main<()> {
    /// The result becomes an exit code in the place where the future runs. All of the user's types
    /// end here: the macro places this call, alone, at the return type that the user wrote.
    pub fn new<F>(options: Options, future: F) -> Main<impl Future<Output = ExitCode>>
    where
        F: Future,
        F::Output: Termination,
    {
        Main {
            options,
            future: async { future.await.report() },
        }
    }
}

/// For a main future that is `Send`.
pub trait SendMain {
    /// As a goroutine.
    fn how(&self) -> AsGoroutine {
        AsGoroutine
    }
}

impl<F: Send> SendMain for Main<F> {}

/// For every main future, found only if [`SendMain`] does not fit.
pub trait AnyMain {
    /// On the thread of `fn main`.
    fn how(&self) -> OnThisThread {
        OnThisThread
    }
}

impl<F> AnyMain for &Main<F> {}

/// Main becomes a goroutine, and this thread waits for it.
#[derive(Debug)]
pub struct AsGoroutine;

impl AsGoroutine {
    /// Runs main to its end.
    #[track_caller]
    pub fn run<F>(self, main: Main<F>) -> ExitCode
    where
        F: Future<Output = ExitCode> + Send + 'static,
    {
        refuse_under_loom();
        main.options.configure_default();
        let handle = crate::go(main.future);
        match crate::wait::blocking::block_on(handle) {
            Ok(code) => code,
            // The panic hook has spoken already; unwinding on makes the exit code 101.
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => {
                eprintln!("gorust: main did not run to its end: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Main is polled by this thread, and by no other.
#[derive(Debug)]
pub struct OnThisThread;

impl OnThisThread {
    /// Runs main to its end.
    #[track_caller]
    pub fn run<F>(self, main: Main<F>) -> ExitCode
    where
        F: Future<Output = ExitCode>,
    {
        block_on(main.options, main.future)
    }
}

/// Runs a function under `#[gorust::main]` that is not the program's `main`.
#[track_caller]
pub fn block_on<F: Future>(options: Options, future: F) -> F::Output {
    refuse_under_loom();
    options.configure_default();
    crate::block_on(future)
}

/// Runs a test on a runtime of its own, which is gone when the test has ended.
///
/// # Panics
/// If the runtime cannot be built, or if the test panics.
#[track_caller]
pub fn run_test<F: Future>(options: Options, future: F) -> F::Output {
    refuse_under_loom();
    match options.builder().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("cannot build the runtime of this test: {error}"),
    }
}

/// Under loom's cfg only models run: nothing here can work outside one.
fn refuse_under_loom() {
    if cfg!(gorust_loom) {
        panic!("gorust was built with `--cfg gorust_loom`, under which only loom models run");
    }
}
