//! A goroutine that came back from a blocking call took a processor without waking the watcher. Alone
//! in its process, so that the watcher is asleep.

use gorust::runtime::Builder;
use std::sync::mpsc;
use std::time::Duration;
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
#[test]
fn hog_after_a_blocking_call_while_the_watcher_sleeps() {
    let rt = Builder::new().worker_threads(2).build().unwrap();
    let (wake, woken) = gorust::chan::chan::<()>(1);
    let (out, result) = mpsc::channel();
    drop(rt.go(async move {
        woken.recv_blocking(); // gives the processor away, and takes one back
        let (tx, rx) = mpsc::channel();
        drop(gorust::go(async move {
            let _ = tx.send(());
        }));
        out.send(rx.recv_timeout(ms(2000)).is_ok()).unwrap();
    }));
    std::thread::sleep(ms(3000));
    wake.try_send(()).unwrap();
    assert!(
        result.recv_timeout(ms(5000)).unwrap(),
        "did not run on the other worker"
    );
}
