//! What a runtime can be built with.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::cpus::MAX_PROCESSORS;
use super::{Runtime, gomaxprocs};
use crate::scheduler::{Config, Lease};

/// The most machines that are started before there is work for them; more come as it does.
const MAX_READY_MACHINES: usize = 256;

/// What becomes of a panic in a goroutine whose handle is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// It is reported on stderr, with the goroutine's id, name and the place that started it.
    #[default]
    Report,
    /// It is reported, and the process aborts: Go's way.
    Abort,
}

/// Builds a [`Runtime`].
///
/// ```
/// let runtime = gorust::runtime::Builder::new().worker_threads(2).thread_name("mine").build()?;
/// runtime.block_on(async {});
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a Builder does nothing before `build`"]
pub struct Builder {
    config: Config,
    single: bool,
}

impl Builder {
    /// A runtime with as many workers as [`gomaxprocs`] says.
    pub fn new() -> Builder {
        let processors = gomaxprocs();
        Builder {
            config: Config {
                processors,
                machines: processors.min(MAX_READY_MACHINES),
                max_blocking_threads: 512,
                thread_name: "gorust-worker".into(),
                stack_size: None,
                on_thread_start: None,
                on_thread_stop: None,
                unhandled_panic: UnhandledPanic::Report,
            },
            single: false,
        }
    }

    /// A runtime that runs one goroutine at a time.
    ///
    /// That is one *processor*, not one thread: whoever is in
    /// [`block_on`](Runtime::block_on) runs the goroutines; while nobody is, or while it is blocked,
    /// a thread is started for them.
    pub fn current_thread() -> Builder {
        let mut builder = Builder::new();
        builder.config.processors = 1;
        builder.config.machines = 0;
        builder.single = true;
        builder
    }

    /// How many goroutines run at once. [`build`](Builder::build) refuses 0, and for a
    /// `current_thread` builder anything but 1; more than 4,096 are taken as that.
    pub fn worker_threads(mut self, count: usize) -> Builder {
        self.config.processors = count.min(MAX_PROCESSORS);
        if !self.single {
            self.config.machines = self.config.processors.min(MAX_READY_MACHINES);
        }
        self
    }

    /// How many threads at most run blocking closures at once (by default 512); further closures
    /// wait for one of them. [`build`](Builder::build) refuses 0.
    pub fn max_blocking_threads(mut self, count: usize) -> Builder {
        self.config.max_blocking_threads = count;
        self
    }

    /// The name of the threads. [`build`](Builder::build) refuses one with a NUL in it.
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.config.thread_name = name.into();
        self
    }

    /// The stack of each thread, in bytes (by default std's). [`build`](Builder::build) reports a
    /// size that the system refuses.
    pub fn thread_stack_size(mut self, bytes: usize) -> Builder {
        self.config.stack_size = Some(bytes);
        self
    }

    /// Called on each thread that is started, before it does anything else. A panic in it is
    /// reported, and ignored.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.config.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread that ends, as the last thing. A panic in it is reported, and ignored.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.config.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// What becomes of a panic in a goroutine whose handle is gone.
    pub fn unhandled_panic(mut self, policy: UnhandledPanic) -> Builder {
        self.config.unhandled_panic = policy;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// `InvalidInput` for no workers, no blocking threads, more than one worker where
    /// [`current_thread`](Builder::current_thread) was asked for, or a name with a NUL; else what
    /// the system says when the selector or a thread cannot be had.
    pub fn build(self) -> io::Result<Runtime> {
        self.check()?;
        let runtime = Runtime::from_lease(Lease::new(self.config)?);
        runtime.start()?;
        Ok(runtime)
    }

    fn check(&self) -> io::Result<()> {
        let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if self.config.processors == 0 {
            return refuse("a runtime needs at least one worker thread");
        }
        if self.single && self.config.processors != 1 {
            return refuse("a current_thread runtime has exactly one worker");
        }
        if self.config.max_blocking_threads == 0 {
            return refuse("a runtime needs at least one blocking thread");
        }
        if self.config.thread_name.contains('\0') {
            return refuse("a thread's name cannot contain a NUL");
        }
        Ok(())
    }
}

impl Runtime {
    /// Starts the machines; what could not be started is ended with the runtime.
    fn start(&self) -> io::Result<()> {
        let lease = self.handle().lease();
        for _ in 0..lease.config.machines {
            if let Err(error) = lease.scheduler.threads.start_machine(lease.scheduler, None) {
                lease
                    .scheduler
                    .shut_down(lease, Duration::from_secs(1), Duration::ZERO);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("worker_threads", &self.config.processors)
            .field("max_blocking_threads", &self.config.max_blocking_threads)
            .field("thread_name", &self.config.thread_name)
            .field("unhandled_panic", &self.config.unhandled_panic)
            .finish_non_exhaustive()
    }
}
