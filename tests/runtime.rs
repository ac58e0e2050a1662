//! Building runtimes, finding the current one, and what their threads look like.

mod common;

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use common::{Flag, child, eventually, is_child, successful_child, watchdog};
use gorust::runtime::{
    Builder, Handle, Runtime, UnhandledPanic, gomaxprocs, num_cpu, num_goroutine,
};
use gorust::{block_on, go, go_blocking, yield_now};

fn workers_of(handle: &Handle) -> usize {
    handle.metrics().num_workers()
}

#[test]
fn builders_refuse_what_cannot_be() {
    let _watchdog = watchdog();
    let refused = [
        Builder::new().worker_threads(0),
        Builder::current_thread().worker_threads(0),
        Builder::current_thread().worker_threads(2),
        Builder::new().max_blocking_threads(0),
        Builder::new().thread_name("with a \0 in it"),
    ];
    for builder in refused {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{shown}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn a_stack_that_cannot_be_had_is_an_error() {
    let _watchdog = watchdog();
    for size in [usize::MAX, usize::MAX / 2, 1 << 46] {
        assert!(
            Builder::new().thread_stack_size(size).build().is_err(),
            "{size}"
        );
    }
    // And it leaves nothing behind that another runtime would trip over.
    let runtime = Builder::new().build().unwrap();
    assert_eq!(runtime.block_on(runtime.go(async { 1 })).unwrap(), 1);
}

#[test]
fn small_and_large_stacks_are_taken() {
    let _watchdog = watchdog();
    for size in [1, 1 << 16, 16 << 20] {
        let runtime = Builder::new()
            .worker_threads(1)
            .thread_stack_size(size)
            .build()
            .unwrap();
        assert_eq!(runtime.block_on(runtime.go(async { 1 })).unwrap(), 1);
    }
    let runtime = Builder::new()
        .worker_threads(1)
        .thread_stack_size(32 << 20)
        .build()
        .unwrap();
    #[inline(never)]
    fn use_stack(depth: usize) -> usize {
        let block = std::hint::black_box([depth as u8; 4096]);
        if depth == 0 {
            return 0;
        }
        use_stack(depth - 1) + usize::from(block[17] == depth as u8)
    }
    // 4 MiB and more, on a worker and on a thread for blocking calls.
    let handle = runtime.go_blocking(|| use_stack(1_000));
    assert_eq!(block_on(handle).unwrap(), 1_000);
    let handle = runtime.go(async { use_stack(1_000) });
    assert_eq!(block_on(handle).unwrap(), 1_000);
}

#[test]
fn runtimes_have_the_workers_that_were_asked_for() {
    let _watchdog = watchdog();
    for count in [1, 2, 3, 7] {
        let runtime = Builder::new().worker_threads(count).build().unwrap();
        assert_eq!(workers_of(runtime.handle()), count);
    }
    assert_eq!(workers_of(Runtime::new().unwrap().handle()), gomaxprocs());
    let clamped = Builder::new().worker_threads(usize::MAX).build().unwrap();
    assert!((1_024..=1 << 16).contains(&workers_of(clamped.handle())));
    assert_eq!(clamped.block_on(clamped.go(async { 1 })).unwrap(), 1);
    let single = Builder::current_thread().build().unwrap();
    assert_eq!(workers_of(single.handle()), 1);
    let single = Builder::current_thread().worker_threads(1).build();
    assert_eq!(workers_of(single.unwrap().handle()), 1);
    assert_eq!(workers_of(&Handle::current()), gomaxprocs());
}

#[test]
fn a_builder_can_be_used_again() {
    let _watchdog = watchdog();
    let builder = Builder::new()
        .worker_threads(2)
        .thread_name("twice")
        .max_blocking_threads(1)
        .unhandled_panic(UnhandledPanic::Report);
    for runtime in [builder.clone().build().unwrap(), builder.build().unwrap()] {
        assert_eq!(runtime.block_on(runtime.go(async { 2 })).unwrap(), 2);
        assert!(!format!("{runtime:?} {:?}", runtime.handle()).is_empty());
    }
    assert_eq!(UnhandledPanic::default(), UnhandledPanic::Report);
}

#[test]
fn threads_have_the_name_that_was_asked_for() {
    let _watchdog = watchdog();
    let name = || std::thread::current().name().map(str::to_owned);
    let runtime = Builder::new()
        .worker_threads(2)
        .thread_name("of-the-test")
        .build()
        .unwrap();
    let on_worker = block_on(runtime.go(async move { name() })).unwrap();
    assert!(on_worker.unwrap().starts_with("of-the-test"));
    let in_pool = block_on(runtime.go_blocking(name)).unwrap();
    assert!(in_pool.unwrap().starts_with("of-the-test"));
}

/// Which threads began, and which ended.
#[derive(Clone, Default)]
struct Hooks(Arc<Mutex<HashMap<ThreadId, (usize, usize)>>>);

impl Hooks {
    fn add_to(&self, builder: Builder) -> Builder {
        let (starts, stops) = (self.clone(), self.clone());
        builder
            .on_thread_start(move || starts.here().0 += 1)
            .on_thread_stop(move || {
                // Time to look too early, if somebody did not wait.
                std::thread::sleep(std::time::Duration::from_millis(20));
                stops.here().1 += 1;
            })
    }

    fn here(&self) -> impl std::ops::DerefMut<Target = (usize, usize)> + '_ {
        struct Here<'a>(std::sync::MutexGuard<'a, HashMap<ThreadId, (usize, usize)>>);
        impl std::ops::Deref for Here<'_> {
            type Target = (usize, usize);
            fn deref(&self) -> &(usize, usize) {
                &self.0[&std::thread::current().id()]
            }
        }
        impl std::ops::DerefMut for Here<'_> {
            fn deref_mut(&mut self) -> &mut (usize, usize) {
                self.0.entry(std::thread::current().id()).or_default()
            }
        }
        Here(self.0.lock().unwrap())
    }

    fn started(&self, thread: ThreadId) -> bool {
        self.0.lock().unwrap().get(&thread) == Some(&(1, 0))
    }

    fn ended(&self, thread: &ThreadId) -> bool {
        self.0.lock().unwrap().get(thread) == Some(&(1, 1))
    }
}

#[test]
fn hooks_are_called_once_on_each_thread() {
    let _watchdog = watchdog();
    let hooks = Hooks::default();
    let runtime = hooks
        .add_to(Builder::new().worker_threads(3))
        .build()
        .unwrap();
    let here = || std::thread::current().id();
    let (mut workers, mut pool) = (HashSet::new(), HashSet::new());
    for _ in 0..50 {
        let worker = block_on(runtime.go(async move { here() })).unwrap();
        assert!(hooks.started(worker), "before it runs anything");
        workers.insert(worker);
        let thread = block_on(runtime.go_blocking(here)).unwrap();
        assert!(hooks.started(thread));
        pool.insert(thread);
    }
    // A thread in `block_on` is the user's own.
    runtime.block_on(async { yield_now().await });
    assert!(!hooks.started(here()));
    // One that stands in for a worker that blocks is the runtime's.
    let nested = runtime.go(async move { block_on(go(async move { here() })).unwrap() });
    let stand_in = block_on(nested).unwrap();
    assert!(hooks.started(stand_in));
    workers.insert(stand_in);
    drop(runtime);
    assert!(
        workers.iter().all(|thread| hooks.ended(thread)),
        "the drop waits for the workers, their last hook included: {:?}",
        hooks.0
    );
    eventually("and those of the pool end, too", || {
        pool.iter().all(|thread| hooks.ended(thread))
    });
}

#[test]
fn hooks_may_use_the_runtime_of_their_thread() {
    let _watchdog = watchdog();
    let ran = Arc::new(AtomicUsize::new(0));
    let seen = ran.clone();
    let runtime = Builder::new()
        .worker_threads(2)
        .on_thread_start(move || {
            let seen = seen.clone();
            drop(go(async move {
                seen.fetch_add(1, Ordering::Relaxed);
            }));
        })
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(runtime.go(async { 1 })).unwrap(), 1);
    eventually("they ran", || ran.load(Ordering::Relaxed) >= 2);
}

#[test]
fn hooks_that_panic_cost_no_thread() {
    let _watchdog = watchdog();
    let runtime = Builder::new()
        .worker_threads(2)
        .on_thread_start(|| panic!("as the test wants"))
        .on_thread_stop(|| panic!("as the test wants"))
        .build()
        .unwrap();
    let (one, two) = (Flag::new(), Flag::new());
    // Both workers are needed.
    let (set_one, wait_two) = (one.clone(), two.clone());
    let first = runtime.go(async move {
        set_one.set();
        wait_two.wait_blocking();
    });
    let second = runtime.go(async move {
        one.wait_blocking();
        two.set();
    });
    block_on(first).unwrap();
    block_on(second).unwrap();
    assert_eq!(block_on(runtime.go_blocking(|| 3)).unwrap(), 3);
    drop(runtime);
}

#[test]
fn the_current_runtime_is_the_one_that_one_is_in() {
    const NAME: &str = "the_current_runtime_is_the_one_that_one_is_in";
    if is_child() {
        // Told apart by their workers.
        let of = |count| Builder::new().worker_threads(count).build().unwrap();
        let (three, five) = (of(3), of(5));
        let here = || workers_of(&Handle::try_current().unwrap());
        assert!(Handle::try_current().is_none(), "none has started");
        assert_eq!(num_goroutine(), 0);
        assert!(Handle::try_current().is_none(), "and asking starts none");

        assert_eq!(three.block_on(async { here() }), 3);
        assert_eq!(block_on_other(&three, &five), (3, 5, 3));
        assert_eq!(three.block_on(five.go(async move { here() })).unwrap(), 5);
        assert_eq!(three.block_on(five.go_blocking(here)).unwrap(), 5);
        let nested = three.go(async move {
            let inside = here();
            let other = five.block_on(async { here() });
            let started = five.block_on(async { go(async move { here() }).await.unwrap() });
            let dropped = {
                drop(five);
                here()
            };
            (inside, other, started, dropped)
        });
        assert_eq!(three.block_on(nested).unwrap(), (3, 5, 5, 3));
        assert!(Handle::try_current().is_none(), "it is over");

        assert_eq!(workers_of(&Handle::current()), 2, "the default one starts");
        assert_eq!(here(), 2);
        assert_eq!(block_on(go(async move { here() })).unwrap(), 2);
        assert_eq!(block_on(go_blocking(here)).unwrap(), 2);
        return;
    }
    let _watchdog = watchdog();
    successful_child(NAME, &[("GOMAXPROCS", "2")]);
}

fn block_on_other(outer: &Runtime, inner: &Runtime) -> (usize, usize, usize) {
    let here = || workers_of(&Handle::current());
    outer.block_on(async {
        let before = here();
        let inside = inner.block_on(async { here() });
        (before, inside, here())
    })
}

#[test]
fn handles_start_goroutines_from_anywhere() {
    let _watchdog = watchdog();
    let runtime = Builder::new().worker_threads(3).build().unwrap();
    let here = || workers_of(&Handle::current());
    let handle = runtime.handle().clone();
    let outside = std::thread::spawn(move || handle.go(async move { here() }));
    assert_eq!(block_on(outside.join().unwrap()).unwrap(), 3);
    let handle = runtime.handle().clone();
    let inside = go(async move { handle.go(async move { here() }).await.unwrap() });
    assert_eq!(block_on(inside).unwrap(), 3);
    let handle = runtime.handle().clone();
    assert_eq!(block_on(handle.go_blocking(here)).unwrap(), 3);
    assert_eq!(handle.block_on(async { here() }), 3);
}

#[test]
fn runtimes_and_handles_are_send_and_sync() {
    fn assert_traits<T: Send + Sync + std::fmt::Debug + 'static>() {}
    assert_traits::<Runtime>();
    assert_traits::<Handle>();
    assert_traits::<Builder>();
    assert_traits::<gorust::runtime::Metrics>();
    assert_traits::<gorust::runtime::WorkerMetrics>();
}

#[test]
fn gomaxprocs_decides_how_many_workers_there_are() {
    const NAME: &str = "gomaxprocs_decides_how_many_workers_there_are";
    if is_child() {
        // Asked twice, reported once.
        let workers = workers_of(&Handle::current());
        assert_eq!(workers_of(Runtime::new().unwrap().handle()), workers);
        assert_eq!(gomaxprocs(), workers);
        let expected = std::env::var("GORUST_TEST_WORKERS").unwrap();
        match expected.as_str() {
            "default" => assert_eq!(workers, num_cpu()),
            count => assert_eq!(workers, count.parse::<usize>().unwrap()),
        }
        assert_eq!(block_on(go(async { 1 })).unwrap(), 1);
        return;
    }
    let _watchdog = watchdog();
    for good in ["1", "3", "64", " 5 "] {
        let stderr = successful_child(
            NAME,
            &[("GOMAXPROCS", good), ("GORUST_TEST_WORKERS", good.trim())],
        );
        assert!(!stderr.contains("GOMAXPROCS"), "{good:?}: {stderr}");
    }
    for bad in ["0", "-1", "two", "1.5", "3x", "99999999999999999999999999"] {
        let stderr = successful_child(
            NAME,
            &[("GOMAXPROCS", bad), ("GORUST_TEST_WORKERS", "default")],
        );
        let reports: Vec<_> = stderr
            .lines()
            .filter(|line| line.contains("GOMAXPROCS"))
            .collect();
        assert_eq!(reports.len(), 1, "{bad:?}: {stderr}");
        assert!(reports[0].contains(bad), "{bad:?}: {stderr}");
    }
    let stderr = successful_child(
        NAME,
        &[("GOMAXPROCS", ""), ("GORUST_TEST_WORKERS", "default")],
    );
    assert!(!stderr.contains("GOMAXPROCS"), "{stderr}");
}

#[test]
fn an_excessive_gomaxprocs_is_not_the_end_of_the_program() {
    const NAME: &str = "an_excessive_gomaxprocs_is_not_the_end_of_the_program";
    if is_child() {
        // A thread for each of them would be the end of the machine.
        assert!(gomaxprocs() >= 1_000);
        let handles: Vec<_> = (0..10_000).map(|i| go(async move { i })).collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(block_on(handle).unwrap(), i);
        }
        return;
    }
    let _watchdog = watchdog();
    for count in ["1000", "1000000", "18446744073709551615"] {
        let output = child(NAME, &[("GOMAXPROCS", count)]);
        assert!(
            output.status.success(),
            "{count}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn many_runtimes_live_side_by_side() {
    let _watchdog = watchdog();
    let runtimes: Vec<_> = (0..20)
        .map(|i| Builder::new().worker_threads(1 + i % 3).build().unwrap())
        .collect();
    // A token goes through all of them, ten times over.
    let mut token = runtimes[0].go(async { 0_usize });
    for _ in 0..10 {
        for runtime in &runtimes {
            token = runtime.go(async move { token.await.unwrap() + 1 });
        }
    }
    assert_eq!(block_on(token).unwrap(), 200);
}

#[test]
fn a_recycled_runtime_starts_afresh() {
    let _watchdog = watchdog();
    for round in 0..50 {
        let runtime = Builder::new().worker_threads(2).build().unwrap();
        let metrics = runtime.handle().metrics();
        assert_eq!(metrics.spawned(), 0, "round {round}");
        assert_eq!(metrics.num_goroutine(), 0);
        assert_eq!(metrics.injector_depth(), 0);
        assert_eq!(metrics.blocking_threads(), 0);
        for i in 0..round {
            drop(runtime.go(async move {
                if i % 2 == 0 {
                    std::future::pending::<()>().await;
                }
            }));
        }
        drop(runtime.go_blocking(|| ()));
        assert_eq!(metrics.spawned(), round);
    }
}
