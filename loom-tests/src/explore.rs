//! One exploration of a model by loom.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gorust::units::mutate;

/// Loom's limit of thread switches in one execution; past it, it reports a livelock.
const MAX_BRANCHES: usize = 5_000;

/// Whether the wrapped atomics give loom a scheduling point before each operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulePoints {
    /// They do: races between a load and the write that follows it are explored.
    On,
    /// They do not: plain loom.
    Off,
}

/// What a model's executions came to. Clones share their content, for the model's threads.
#[derive(Clone, Debug)]
pub struct Outcomes {
    declared: Arc<[&'static str]>,
    seen: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Outcomes {
    /// Nothing seen yet, and these outcomes to be seen.
    pub fn new(declared: &[&'static str]) -> Self {
        Outcomes {
            declared: declared.into(),
            seen: Arc::default(),
        }
    }

    /// Notes that this execution came to `outcome`.
    ///
    /// # Panics
    ///
    /// If the model does not declare that outcome: the execution, and with it the model, fails.
    #[track_caller]
    pub fn saw(&self, outcome: &'static str) {
        assert!(
            self.declared.contains(&outcome),
            "outcome {outcome:?} is not one of {:?}",
            self.declared
        );
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        *seen.entry(outcome).or_default() += 1;
    }

    /// How often each outcome was seen.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The declared outcomes that no execution came to.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let seen = self.counts();
        let unseen = |outcome: &&'static str| !seen.contains_key(*outcome);
        self.declared.iter().copied().filter(unseen).collect()
    }
}

/// The size of an exploration that found nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many executions there were.
    pub executions: usize,
}

/// Lets loom run `body` in every way that the bound allows.
///
/// # Panics
///
/// With loom's message or the model's own, if one execution fails.
pub fn explore<F>(
    points: SchedulePoints,
    preemptions: Option<usize>,
    out: &Outcomes,
    body: &Arc<F>,
) -> Explored
where
    F: Fn(&Outcomes) + Send + Sync + 'static,
{
    mutate::set_schedule_points(points == SchedulePoints::On);
    let executions = Arc::new(AtomicUsize::new(0));
    let execution = {
        let (executions, out, body) = (executions.clone(), out.clone(), body.clone());
        move || {
            executions.fetch_add(1, Ordering::Relaxed);
            body(&out);
        }
    };
    if std::env::var_os("LOOM_LOG").is_some() {
        logged(execution);
    } else {
        bounded(preemptions, execution);
    }
    Explored {
        executions: executions.load(Ordering::Relaxed),
    }
}

fn bounded(preemptions: Option<usize>, execution: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
        builder.preemption_bound = preemptions;
    }
    if std::env::var_os("LOOM_MAX_BRANCHES").is_none() {
        builder.max_branches = MAX_BRANCHES;
    }
    // An exploration that is cut short says nothing, so nothing may cut it short.
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.check(execution);
}

/// Only `loom::model` prints loom's log, and it takes its bounds from the environment alone.
fn logged(execution: impl Fn() + Send + Sync + 'static) {
    assert!(
        std::env::var_os("LOOM_MAX_PREEMPTIONS").is_some(),
        "with LOOM_LOG, set LOOM_MAX_PREEMPTIONS too"
    );
    loom::model(execution);
}
