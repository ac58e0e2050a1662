//! The watcher sees to what a worker in a long poll cannot.

use std::sync::mpsc;
use std::time::Duration;

use gorust::runtime::Builder;

/// Time enough for the watcher to fall asleep, after a second without work.
const QUIET: Duration = Duration::from_millis(1_800);

#[test]
fn a_goroutine_is_taken_from_a_worker_that_blocks() {
    let runtime = Builder::new().worker_threads(2).build().unwrap();
    runtime.block_on(async {});
    std::thread::sleep(QUIET);
    runtime.block_on(async {
        gorust::yield_now().await; // from here on with a processor
        let (done, wait) = mpsc::channel();
        drop(gorust::go(async move { done.send(()).unwrap() }));
        // Not a way to wait, but it happens.
        wait.recv_timeout(Duration::from_secs(20))
            .expect("another worker runs it");
    });
}
