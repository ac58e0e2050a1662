//! `block_on` took a processor without waking the watcher. Alone in its process, so that the watcher
//! is asleep.

use gorust::runtime::Builder;
use std::sync::mpsc;
use std::time::Duration;
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
#[test]
fn started_by_a_hog_while_the_watcher_sleeps() {
    let rt = Builder::new().worker_threads(2).build().unwrap();
    std::thread::sleep(ms(2500));
    let got = rt.block_on(async {
        gorust::yield_now().await;
        let (tx, rx) = mpsc::channel();
        drop(gorust::go(async move { tx.send(()).unwrap() }));
        rx.recv_timeout(ms(2000))
    });
    got.expect("the goroutine did not run on the other worker");
}
