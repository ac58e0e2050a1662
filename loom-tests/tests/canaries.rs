//! Canaries: programs that show whether loom, the wrapped atomics and the harness still see what
//! they are trusted to see. When one fails, no other model can be believed.
#![cfg(gorust_loom)]

mod programs;

use gorust::units::{Arc, mutate, thread};
use loom::thread::spawn;
use loom_tests::{
    AcqRel, Acquire, Complaint, Model, Named, Outcomes, Relaxed, Release, SchedulePoints, Weaken,
    WeakenFailure, explore,
};
use programs::*;

/// Where the mutated operations are.
const THERE: &str = "loom-tests/tests/programs/mod.rs";

#[test]
fn schedule_points_reveal_a_race_of_load_and_exchange() {
    let seen = seen_in(
        SchedulePoints::On,
        &["before", "after"],
        load_against_exchange,
    );
    assert_eq!(seen, ["after", "before"]);
}

/// On the day this fails, loom has learnt it, and the schedule points can go.
#[test]
fn loom_alone_misses_the_race_of_load_and_exchange() {
    let seen = seen_in(
        SchedulePoints::Off,
        &["before", "after"],
        load_against_exchange,
    );
    assert_eq!(seen, ["before"]);
}

#[test]
fn schedule_points_hide_a_race_of_fences() {
    assert_eq!(
        seen_in(SchedulePoints::On, &["read"], relayed_fence),
        ["read"]
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_alone_reports_the_race_of_fences() {
    seen_in(SchedulePoints::Off, &["read"], relayed_fence);
}

fn seen_in(
    points: SchedulePoints,
    outcomes: &'static [&'static str],
    body: fn(&Outcomes),
) -> Vec<&'static str> {
    let out = Outcomes::new(outcomes);
    explore(points, Some(3), &out, &std::sync::Arc::new(body));
    out.counts().into_keys().collect()
}

#[test]
fn dekker_with_fences() {
    Model::new("canaries::dekker_with_fences")
        .promise("with a sequentially consistent fence on each side, one side sees the other")
        .outcomes(&["both", "here", "there"])
        .least_executions(6)
        .mutation(Weaken {
            file: THERE,
            snippet: "fence(Ordering::SeqCst); // here",
            to: Relaxed,
        })
        .mutation(Weaken {
            file: THERE,
            snippet: "fence(Ordering::SeqCst); // there",
            to: AcqRel,
        })
        .run(dekker);
}

fn publication_model(test: &'static str) -> Model {
    Model::new(test)
        .promise("an acquire load that sees a release store sees what came before it")
        .outcomes(&["read", "nothing"])
        .least_executions(4)
}

#[test]
fn a_weakened_ordering_kills() {
    publication_model("canaries::a_weakened_ordering_kills")
        .mutation(Weaken {
            file: THERE,
            snippet: "store(1, Ordering::Release);",
            to: Relaxed,
        })
        // For a store nothing is left of this but `Relaxed`, and for a load of the next.
        .mutation(Weaken {
            file: THERE,
            snippet: "store(1, Ordering::Release);",
            to: Acquire,
        })
        .mutation(Weaken {
            file: THERE,
            snippet: "load(Ordering::Acquire) == 1",
            to: Release,
        })
        .run(publication);
}

#[test]
fn a_mutation_that_changes_nothing_survives() {
    let complaints = rejected(
        publication_model("canaries::a_mutation_that_changes_nothing_survives")
            .mutation(Named("canary.ignored")),
        |out| {
            let _ignored = mutate::is_active("canary.ignored");
            publication(out);
        },
    );
    assert_eq!(
        complaints,
        [Complaint::Survived("hook \"canary.ignored\"".to_string())]
    );
}

#[test]
fn a_mutation_that_is_not_executed_is_a_mistake() {
    let complaints = rejected(
        publication_model("canaries::a_mutation_that_is_not_executed_is_a_mistake")
            .mutation(Named("canary.no_such_hook"))
            // In this file, but in another program.
            .mutation(Weaken {
                file: THERE,
                snippet: "fence(Ordering::SeqCst); // here",
                to: Relaxed,
            })
            // No line of an operation's name.
            .mutation(Weaken {
                file: THERE,
                snippet: "// SAFETY: the load saw",
                to: Relaxed,
            }),
        publication,
    );
    assert_eq!(
        mistakes(&complaints, "never executed"),
        3,
        "{complaints:#?}"
    );
}

#[test]
fn a_snippet_that_is_not_found_once_is_a_mistake() {
    let absent = concat!("this is ", "nowhere");
    let twice = concat!("shared.0.store(1, ", "Ordering::Rel");
    let complaints = rejected(
        publication_model("canaries::a_snippet_that_is_not_found_once_is_a_mistake")
            .mutation(Weaken {
                file: THERE,
                snippet: absent,
                to: Relaxed,
            })
            .mutation(Weaken {
                file: THERE,
                snippet: twice,
                to: Relaxed,
            })
            .mutation(Weaken {
                file: "src/no_such_file.rs",
                snippet: absent,
                to: Relaxed,
            }),
        publication,
    );
    assert_eq!(
        mistakes(&complaints, "does not occur"),
        1,
        "{complaints:#?}"
    );
    assert_eq!(
        mistakes(&complaints, "occurs 2 times"),
        1,
        "{complaints:#?}"
    );
    assert_eq!(mistakes(&complaints, "cannot read"), 1, "{complaints:#?}");
}

#[test]
fn an_ordering_that_is_not_weaker_is_a_mistake() {
    let complaints = rejected(
        publication_model("canaries::an_ordering_that_is_not_weaker_is_a_mistake").mutation(
            Weaken {
                file: THERE,
                snippet: "load(Ordering::Relaxed); // a hint",
                to: Acquire,
            },
        ),
        publication,
    );
    assert_eq!(mistakes(&complaints, "not stronger"), 1, "{complaints:#?}");
}

#[test]
fn a_snippet_with_two_operations_is_a_mistake() {
    let complaints = rejected(
        Model::new("canaries::a_snippet_with_two_operations_is_a_mistake")
            .promise("two on one line cannot be told apart")
            .outcomes(&["done"])
            .least_executions(2)
            .mutation(Weaken {
                file: THERE,
                snippet: "// both are mutated",
                to: Relaxed,
            }),
        two_on_a_line,
    );
    assert_eq!(
        mistakes(&complaints, "several operations"),
        1,
        "{complaints:#?}"
    );
}

#[test]
fn a_failure_ordering_can_be_weakened() {
    Model::new("canaries::a_failure_ordering_can_be_weakened")
        .promise("a compare-and-exchange that fails with acquire sees what was released")
        .outcomes(&["read", "nothing"])
        .least_executions(3)
        .mutation(WeakenFailure {
            file: THERE,
            snippet: ".compare_exchange(9, 9,",
            to: Relaxed,
        })
        .run(failed_exchange);
}

/// A waker that forgets its sleeper, a panic while panicking, a leak.
#[test]
fn deadlock_and_abort_and_leak_kill() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("while panicking");
        }
    }
    let report = publication_model("canaries::deadlock_and_abort_and_leak_kill")
        .mutation(Named("canary.forget_to_unpark"))
        .mutation(Named("canary.panic_twice"))
        .mutation(Named("canary.leak"))
        .check(|out| {
            publication(out);
            let sleeper = spawn(thread::park);
            if !mutate::is_active("canary.forget_to_unpark") {
                sleeper.thread().unpark();
            }
            sleeper.join().unwrap();
            if mutate::is_active("canary.panic_twice") {
                let _guard = PanicsInDrop;
                panic!("the first");
            }
            if mutate::is_active("canary.leak") {
                std::mem::forget(Arc::new(1));
            }
        })
        .expect("a model that passes");
    for (killed, reason) in report
        .mutants
        .iter()
        .zip(["deadlock", "after: the first", "leaked"])
    {
        assert!(killed.contains(reason), "{killed}");
    }
    assert_eq!(report.mutants.len(), 3);
}

#[test]
fn a_mutant_that_ends_by_itself_is_a_mistake() {
    let complaints = rejected(
        publication_model("canaries::a_mutant_that_ends_by_itself_is_a_mistake")
            .mutation(Named("canary.exit")),
        |out| {
            publication(out);
            if mutate::is_active("canary.exit") {
                std::process::exit(3);
            }
        },
    );
    assert_eq!(
        mistakes(&complaints, "exit status: 3"),
        1,
        "{complaints:#?}"
    );
}

#[test]
fn a_model_keeps_to_what_it_states() {
    let name = "canaries::a_model_keeps_to_what_it_states";
    let model = || publication_model(name).unmutated("it is to be rejected");
    let missing = rejected(model().outcomes(&["read", "nothing", "never"]), publication);
    assert_eq!(missing, [Complaint::Missing("never")]);
    let few = rejected(model().least_executions(1_000_000), publication);
    assert!(
        matches!(few[..], [Complaint::TooFewExecutions(4..)]),
        "{few:?}"
    );
}

#[test]
fn an_outcome_that_is_not_declared_kills() {
    publication_model("canaries::an_outcome_that_is_not_declared_kills")
        .mutation(Named("canary.another_outcome"))
        .run(|out| {
            publication(out);
            if mutate::is_active("canary.another_outcome") {
                out.saw("another");
            }
        });
}

#[test]
fn a_model_states_all_it_must() {
    let complaints = rejected(
        Model::new("canaries::a_model_states_all_it_must"),
        publication,
    );
    assert_eq!(complaints.len(), 4, "{complaints:#?}");
}

fn rejected(model: Model, body: fn(&Outcomes)) -> Vec<Complaint> {
    model.check(body).expect_err("a model to be rejected")
}

fn mistakes(complaints: &[Complaint], text: &str) -> usize {
    complaints
        .iter()
        .filter(|c| matches!(c, Complaint::Mistaken(why) if why.contains(text)))
        .count()
}

/// Every hook in the shipped code belongs to a model, or it would be trusted and never tried.
#[test]
fn every_hook_has_a_model() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let hooks = quoted_after(&root.join("../src"), "mutated!(");
    let models = quoted_after(&root.join("tests"), "Named(");
    let orphans: Vec<_> = hooks.difference(&models).collect();
    assert!(orphans.is_empty(), "hooks that no model names: {orphans:?}");
}

/// The strings that follow `opening` in the Rust files below `folder`.
fn quoted_after(folder: &std::path::Path, opening: &str) -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut quoted_after(&path, opening));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for (at, _) in source.match_indices(opening) {
                let mut rest = source[at + opening.len()..].trim_start().split('"');
                if let (Some(""), Some(name)) = (rest.next(), rest.next()) {
                    found.insert(name.to_string());
                }
            }
        }
    }
    found
}
