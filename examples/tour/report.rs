//! Progress bars on the way, one table at the end.

use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub value: String,
    pub remark: String,
}

impl Row {
    pub fn new(
        what: impl Into<String>,
        value: impl Into<String>,
        remark: impl Into<String>,
    ) -> Self {
        Row {
            what: what.into(),
            value: value.into(),
            remark: remark.into(),
        }
    }
}

/// A bar on the terminal; nothing where standard error is none.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Counting every step of a million would cost more than the steps.
    const STRIDE: u64 = 4096;

    pub fn new(what: &'static str, length: u64) -> Self {
        let style = ProgressStyle::with_template("{msg:28} {bar:40} {human_pos:>9}/{human_len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(length).with_style(style);
        bar.set_message(what);
        Progress(bar)
    }

    /// Tells that `done` steps are done, if that is worth telling.
    pub fn at(&self, done: u64) {
        if done % Self::STRIDE == 0 {
            self.0.set_position(done);
        }
    }

    /// Tells that one long step is done.
    pub fn step(&self) {
        self.0.inc(1);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Collects what the stages found.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    errors: Vec<String>,
}

impl Report {
    pub fn add(&mut self, outcome: super::Outcome) {
        match outcome {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => {
                eprintln!("wrong: {error}");
                self.errors.push(error);
            }
        }
    }

    /// Prints the table; what was wrong decides about the exit code.
    pub fn finish(self, elapsed: Duration) -> ExitCode {
        let mut table = Table::new();
        table
            .load_preset(presets::UTF8_BORDERS_ONLY)
            .set_header(["what", "measured", ""]);
        for row in self.rows {
            table.add_row([row.what, row.value, row.remark]);
        }
        if let Some(values) = table.column_mut(1) {
            values.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        println!(
            "{} workers, {:.1} s in all",
            gorust::runtime::gomaxprocs(),
            elapsed.as_secs_f64()
        );
        if self.errors.is_empty() {
            return ExitCode::SUCCESS;
        }
        for error in &self.errors {
            println!("wrong: {error}");
        }
        ExitCode::FAILURE
    }
}

/// `elapsed` for each of `count`, in nanoseconds.
pub fn nanoseconds_each(elapsed: Duration, count: u64) -> String {
    format!("{:.0} ns", elapsed.as_nanos() as f64 / count.max(1) as f64)
}

/// A duration for people.
pub fn human(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 1_000.0 {
        format!("{micros:.0} µs")
    } else if micros < 1_000_000.0 {
        format!("{:.2} ms", micros / 1e3)
    } else {
        format!("{:.2} s", micros / 1e6)
    }
}

/// 1234567 as 1,234,567.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
