//! The tour, in short.

use std::process::{Command, Stdio};

use super::{assert_refuses, example};

#[test]
fn a_short_tour_ends_well_and_shows_every_stage() {
    let output = Command::new(example("tour"))
        .args(["--goroutines", "1000"])
        .stdin(Stdio::null())
        .output()
        .expect("the example starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    for stage in [
        "park 1,000 goroutines",
        "start and join",
        "prime sieve",
        "4 producers, 4 consumers",
        "echo server",
        "100,000 sleepers",
        "timeout of",
    ] {
        assert!(stdout.contains(stage), "no {stage:?} in\n{stdout}");
    }
}

#[test]
fn bad_arguments_are_refused() {
    assert_refuses("tour", &["--goroutines", "0"], "invalid value '0'");
    assert_refuses("tour", &["--goroutines", "many"], "invalid value 'many'");
    assert_refuses("tour", &["--gorutines", "5"], "unexpected argument");
    assert_refuses("tour", &["5"], "unexpected argument");
}
