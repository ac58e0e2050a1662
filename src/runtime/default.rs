//! The default runtime: starts on first use, lasts as long as the process.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{Builder, Runtime};
use crate::scheduler::Lease;

static DEFAULT: OnceLock<Runtime> = OnceLock::new();
/// What `#[gorust::main]` asked for.
static WANTED: Mutex<Option<Builder>> = Mutex::new(None);

/// Sets what the default runtime is built with; without effect once it has started.
pub(crate) fn configure_default(builder: Builder) {
    *WANTED.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(builder);
}

/// The default runtime, started if need be.
///
/// # Panics
/// If the system has no selector or no thread for it even after a while: there is nobody to give
/// the error to. Build a [`Runtime`] of your own to handle that.
#[cold]
pub(crate) fn lease() -> &'static Arc<Lease> {
    DEFAULT.get_or_init(start).handle().lease()
}

/// The default runtime, if it has started.
pub(crate) fn started() -> Option<&'static Arc<Lease>> {
    DEFAULT.get().map(|runtime| runtime.handle().lease())
}

fn start() -> Runtime {
    if cfg!(gorust_loom) {
        panic!("under --cfg gorust_loom there is no runtime: only loom models can run");
    }
    let builder = WANTED
        .lock()
        .unwrap_or_else(|poison| poison.into_inner())
        .take();
    let builder = builder.unwrap_or_default();
    let mut last = None;
    for _ in 0..100 {
        match builder.clone().build() {
            Ok(runtime) => return runtime,
            Err(error) => last = Some(error),
        }
        // Too many open files or threads: often that passes.
        std::thread::sleep(Duration::from_millis(10));
    }
    let error = last.unwrap_or_else(|| io::ErrorKind::Other.into());
    panic!("gorust: the default runtime cannot be started: {error}");
}
