//! Rounds, medians, ratios.

use std::fmt;
use std::time::{Duration, Instant};

/// One thing to measure, done by several peers; ours comes first.
pub struct Question {
    pub name: &'static str,
    /// Operations in one run.
    pub operations: u64,
    pub peers: Vec<(&'static str, fn(u64))>,
}

/// Nanoseconds per operation, by question, peer and round.
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    peers: Vec<(&'static str, Vec<f64>)>,
}

impl Table {
    pub fn new(questions: &[Question]) -> Table {
        let row = |question: &Question| Row {
            name: question.name,
            peers: question
                .peers
                .iter()
                .map(|(peer, _)| (*peer, Vec::new()))
                .collect(),
        };
        Table {
            rows: questions.iter().map(row).collect(),
        }
    }

    /// Asks all peers once, in turn.
    pub fn ask(&mut self, index: usize, question: &Question, counts: bool) {
        for (peer, (_, run)) in question.peers.iter().enumerate() {
            let time = measure(question.operations, *run);
            if counts {
                let each = time.as_nanos() as f64 / question.operations as f64;
                self.rows[index].peers[peer].1.push(each);
            }
        }
    }
}

fn measure(operations: u64, run: fn(u64)) -> Duration {
    let start = Instant::now();
    run(operations);
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header([
            "question",
            "peer",
            "ns each (median)",
            "gorust / peer (median)",
            "range",
        ]);
        for row in &self.rows {
            let ours = &row.peers[0].1;
            for (peer, theirs) in &row.peers {
                let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(o, t)| o / t).collect();
                ratios.sort_by(f64::total_cmp);
                let range = match (ratios.first(), ratios.last()) {
                    (Some(low), Some(high)) => format!("{low:.2} to {high:.2}"),
                    _ => String::new(),
                };
                table.add_row([
                    row.name.to_owned(),
                    (*peer).to_owned(),
                    format!("{:.1}", median(theirs.clone())),
                    format!("{:.2}", median(ratios)),
                    range,
                ]);
            }
        }
        write!(f, "{table}")
    }
}
