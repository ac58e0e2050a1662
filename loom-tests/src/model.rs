//! A model, what it states about itself, and the verdict on both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::explore::{Outcomes, SchedulePoints, explore};
use crate::mutant::{self, Death, Mutant};
use crate::mutation::Mutation;

/// A loom model. See the crate's documentation for how to write one.
#[derive(Debug)]
#[must_use = "a model does nothing until it is run"]
pub struct Model {
    name: &'static str,
    promise: &'static str,
    least_executions: usize,
    outcomes: &'static [&'static str],
    mutations: Vec<Mutation>,
    unmutated: Option<&'static str>,
    preemptions: Option<usize>,
}

/// Why a model is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It leaves something out that a model must state.
    Incomplete(&'static str),
    /// It ran fewer executions than it states.
    TooFewExecutions(usize),
    /// No execution came to this outcome.
    Missing(&'static str),
    /// It passes under this mutation.
    Survived(String),
    /// The mutation is not one: it was not executed, not found, not weaker, or never judged.
    Mistaken(String),
}

/// What a model that passed has shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// Executions with schedule points.
    pub executions: usize,
    /// Executions of plain loom.
    pub plain_executions: usize,
    /// How often each outcome was seen.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// How each mutation ended.
    pub mutants: Vec<String>,
}

impl Model {
    /// A model of this name, which is `<file>::<test>`.
    pub fn new(name: &'static str) -> Self {
        Model {
            name,
            promise: "",
            least_executions: 0,
            outcomes: &[],
            mutations: Vec::new(),
            unmutated: None,
            preemptions: Some(2),
        }
    }

    /// What the model shows, in one line.
    pub fn promise(mut self, promise: &'static str) -> Self {
        self.promise = promise;
        self
    }

    /// How many executions there must be with schedule points, two at least.
    pub fn least_executions(mut self, least: usize) -> Self {
        self.least_executions = least;
        self
    }

    /// What executions may come to: each must be seen, and no other may.
    pub fn outcomes(mut self, outcomes: &'static [&'static str]) -> Self {
        self.outcomes = outcomes;
        self
    }

    /// A change of the shipped code under which the model must fail. There may be several.
    pub fn mutation(mut self, mutation: impl Into<Mutation>) -> Self {
        self.mutations.push(mutation.into());
        self
    }

    /// For a model that tests loom or this harness, and not our code: why it has no mutation.
    pub fn unmutated(mut self, reason: &'static str) -> Self {
        self.unmutated = Some(reason);
        self
    }

    /// How many preemptions an execution may have; two unless stated.
    pub fn preemptions(mut self, bound: usize) -> Self {
        self.preemptions = Some(bound);
        self
    }

    /// Explores without a bound on preemptions.
    pub fn unbounded(mut self) -> Self {
        self.preemptions = None;
        self
    }

    /// Checks the model.
    ///
    /// # Panics
    ///
    /// If an execution fails, or what the model states about itself is not so.
    pub fn run(self, body: impl Fn(&Outcomes) + Send + Sync + 'static) {
        let (name, promise) = (self.name, self.promise);
        let start = Instant::now();
        match self.check(body) {
            Ok(report) => println!("{name}: {promise}\n{report}  in {:.1?}", start.elapsed()),
            Err(complaints) => {
                let lines: Vec<String> = complaints.iter().map(|c| format!("- {c}")).collect();
                panic!("model {name} is rejected:\n{}", lines.join("\n"));
            }
        }
    }

    /// As [`run`](Model::run), with the complaints about the model as a value.
    ///
    /// # Panics
    ///
    /// If an execution fails.
    pub fn check(
        self,
        body: impl Fn(&Outcomes) + Send + Sync + 'static,
    ) -> Result<Report, Vec<Complaint>> {
        let test = self.test_name();
        let body = Arc::new(body);
        let out = Outcomes::new(self.outcomes);
        if let Some(index) = mutant::assigned(self.name) {
            mutant::live(self.mutations.get(index), self.preemptions, &out, &body);
        }
        self.validate()?;
        let start = Instant::now();
        let executions = explore(SchedulePoints::On, self.preemptions, &out, &body).executions;
        let plain_executions =
            explore(SchedulePoints::Off, self.preemptions, &out, &body).executions;
        let time = start.elapsed();

        let mut complaints: Vec<Complaint> =
            out.missing().into_iter().map(Complaint::Missing).collect();
        if executions < self.least_executions {
            complaints.push(Complaint::TooFewExecutions(executions));
        }
        let mut mutants = Vec::new();
        for (index, mutation) in self.mutations.iter().enumerate() {
            let mutant = Mutant {
                test: &test,
                model: self.name,
                index,
            };
            let why = |text| format!("{mutation}: {text}");
            match mutant.judge(mutation, time) {
                Death::Killed(text) => mutants.push(why(text)),
                Death::Survived => complaints.push(Complaint::Survived(mutation.to_string())),
                Death::Mistaken(text) => complaints.push(Complaint::Mistaken(why(text))),
            }
        }
        if !complaints.is_empty() {
            return Err(complaints);
        }
        Ok(Report {
            executions,
            plain_executions,
            outcomes: out.counts(),
            mutants,
        })
    }

    /// The name under which libtest knows the running test; a mutant is that test in a process of
    /// its own.
    fn test_name(&self) -> String {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("main").to_string();
        assert!(
            self.name.ends_with(&format!("::{test}")),
            "model {:?} runs in the test {test:?}; its name should end with `::{test}`",
            self.name
        );
        test
    }

    fn validate(&self) -> Result<(), Vec<Complaint>> {
        let states = [
            (!self.promise.is_empty(), "a promise"),
            (
                self.least_executions >= 2,
                "a least number of executions, of two or more",
            ),
            (!self.outcomes.is_empty(), "the outcomes it must see"),
            (
                self.unmutated.is_some() == self.mutations.is_empty(),
                "either a mutation or why it has none",
            ),
        ];
        let left_out: Vec<Complaint> = states
            .into_iter()
            .filter(|(stated, _)| !stated)
            .map(|(_, what)| Complaint::Incomplete(what))
            .collect();
        if left_out.is_empty() {
            Ok(())
        } else {
            Err(left_out)
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::Incomplete(what) => write!(f, "it does not state {what}"),
            Complaint::TooFewExecutions(were) => {
                write!(f, "it ran {were} executions, fewer than it states")
            }
            Complaint::Missing(outcome) => write!(f, "no execution came to {outcome:?}"),
            Complaint::Survived(mutation) => write!(f, "it passes under the mutation {mutation}"),
            Complaint::Mistaken(text) => write!(f, "mutation {text}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (on, off) = (self.executions, self.plain_executions);
        writeln!(f, "  {on} executions, {off} without schedule points")?;
        writeln!(f, "  outcomes {:?}", self.outcomes)?;
        for mutant in &self.mutants {
            writeln!(f, "  killed {mutant}")?;
        }
        Ok(())
    }
}
