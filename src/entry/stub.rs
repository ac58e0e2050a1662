//! Stands in for the runtime until that lands.
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

type Slot<T> = Arc<Mutex<(Option<Result<T, JoinError>>, Option<Waker>)>>;
pub struct JoinHandle<T>(Slot<T>);
pub struct JoinError(Box<dyn std::any::Any + Send>);
impl JoinError {
    pub fn is_panic(&self) -> bool {
        true
    }
    pub fn into_panic(self) -> Box<dyn std::any::Any + Send> {
        self.0
    }
}
impl std::fmt::Display for JoinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("panicked")
    }
}
impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock().unwrap();
        match slot.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
pub fn go<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let slot: Slot<F::Output> = Arc::new(Mutex::new((None, None)));
    let theirs = slot.clone();
    std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| block_on(future))).map_err(JoinError);
        let mut slot = theirs.lock().unwrap();
        slot.0 = Some(result);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    });
    JoinHandle(slot)
}
pub fn block_on<F: Future>(future: F) -> F::Output {
    super::wait_for(future)
}
pub mod runtime {
    #[derive(Default)]
    pub struct Builder;
    impl Builder {
        pub fn new() -> Self {
            Builder
        }
        pub fn current_thread() -> Self {
            Builder
        }
        pub fn worker_threads(self, _: usize) -> Self {
            self
        }
        pub fn build(self) -> std::io::Result<Runtime> {
            Ok(Runtime)
        }
    }
    pub struct Runtime;
    impl Runtime {
        pub fn block_on<F: Future>(&self, future: F) -> F::Output {
            super::block_on(future)
        }
    }
    pub fn configure_default(_: Builder) {}
}
