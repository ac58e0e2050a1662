//! What the attribute macros must reject, and what the user is told (`tests/ui/*.stderr`).
//!
//! The messages contain rustc's own words, which change from release to release; so they are
//! compared under one release only, or when `GORUST_UI=1` asks for it. `TRYBUILD=overwrite` writes
//! them anew.

use std::process::Command;

/// The release that wrote the messages.
const PINNED: &str = "rustc 1.95.";

#[test]
fn messages() {
    let asked = std::env::var_os("GORUST_UI").is_some_and(|value| value == "1");
    let compiler = compiler_version();
    if !asked && !compiler.starts_with(PINNED) {
        eprintln!("not compared: the messages are those of {PINNED}x, this is {compiler}");
        eprintln!("GORUST_UI=1 compares them all the same");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

fn compiler_version() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    match Command::new(compiler).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("unknown ({error})"),
    }
}
