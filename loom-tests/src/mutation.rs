//! Mutations of the shipped code, as models name them.

use std::ops::RangeInclusive;
use std::path::Path;

use gorust::units::mutate;
use std::sync::atomic::Ordering;

/// Gives the atomic operation or fence in `snippet` the ordering `to`.
#[derive(Clone, Copy, Debug)]
pub struct Weaken {
    /// The path from the repository's root.
    pub file: &'static str,
    /// Source text that occurs once in the file, white space aside, and holds the operation's name.
    pub snippet: &'static str,
    /// The weaker ordering; `Relaxed` leaves a fence out.
    pub to: Ordering,
}

/// Gives the failure ordering of the `compare_exchange` in `snippet` the ordering `to`.
#[derive(Clone, Copy, Debug)]
pub struct WeakenFailure {
    /// As [`Weaken::file`].
    pub file: &'static str,
    /// As [`Weaken::snippet`].
    pub snippet: &'static str,
    /// The weaker ordering.
    pub to: Ordering,
}

/// Makes the `mutated!` hook of this name answer `true`.
#[derive(Clone, Copy, Debug)]
pub struct Named(pub &'static str);

/// One change of the shipped code under which a model must fail.
#[derive(Clone, Copy, Debug)]
pub enum Mutation {
    /// See [`Weaken`].
    Weaken(Weaken),
    /// See [`WeakenFailure`].
    WeakenFailure(WeakenFailure),
    /// See [`Named`].
    Named(Named),
}

impl From<Weaken> for Mutation {
    fn from(weaken: Weaken) -> Self {
        Mutation::Weaken(weaken)
    }
}

impl From<WeakenFailure> for Mutation {
    fn from(weaken: WeakenFailure) -> Self {
        Mutation::WeakenFailure(weaken)
    }
}

impl From<Named> for Mutation {
    fn from(named: Named) -> Self {
        Mutation::Named(named)
    }
}

impl Mutation {
    /// Finds the snippet and says what to tell the atomics.
    pub(crate) fn resolve(self) -> Result<mutate::Mutation, String> {
        let (file, snippet, to, of_failure) = match self {
            Mutation::Named(Named(name)) => return Ok(mutate::Mutation::Named(name)),
            Mutation::Weaken(w) => (w.file, w.snippet, w.to, false),
            Mutation::WeakenFailure(w) => (w.file, w.snippet, w.to, true),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = std::fs::read_to_string(root.join(file))
            .map_err(|error| format!("cannot read {file}: {error}"))?;
        let lines = lines_of(&source, snippet).map_err(|error| format!("{error} in {file}"))?;
        Ok(mutate::Mutation::Weaken {
            file,
            lines,
            to,
            of_failure,
        })
    }
}

impl std::fmt::Display for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mutation::Named(Named(name)) => write!(f, "hook {name:?}"),
            Mutation::Weaken(w) => write!(f, "{}: `{}` to {:?}", w.file, w.snippet, w.to),
            Mutation::WeakenFailure(w) => {
                write!(f, "{}: `{}`, failure to {:?}", w.file, w.snippet, w.to)
            }
        }
    }
}

/// The lines, counted from 1, of the only place where `source` holds `snippet`, white space aside.
fn lines_of(source: &str, snippet: &str) -> Result<RangeInclusive<u32>, String> {
    let text: Vec<(char, u32)> = (1..)
        .zip(source.lines())
        .flat_map(|(number, line)| line.chars().map(move |c| (c, number)))
        .filter(|(c, _)| !c.is_whitespace())
        .collect();
    let wanted: Vec<char> = snippet.chars().filter(|c| !c.is_whitespace()).collect();
    if wanted.is_empty() {
        return Err("an empty snippet".to_string());
    }
    let mut places = text
        .windows(wanted.len())
        .filter(|window| window.iter().map(|(c, _)| c).eq(&wanted))
        .map(|window| window[0].1..=window[window.len() - 1].1);
    match (places.next(), places.count()) {
        (Some(lines), 0) => Ok(lines),
        (None, _) => Err(format!("`{snippet}` does not occur")),
        (Some(_), others) => Err(format!("`{snippet}` occurs {} times", others + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::lines_of;

    const SOURCE: &str = "let a = x.load(Acquire); // first\nlet b = y\n    .load(Acquire);\n";

    #[test]
    fn a_snippet_is_found_across_lines() {
        assert_eq!(lines_of(SOURCE, "x.load(Acquire)"), Ok(1..=1));
        assert_eq!(lines_of(SOURCE, "y.load( Acquire )"), Ok(2..=3));
    }

    #[test]
    fn a_snippet_must_be_there_once() {
        assert!(
            lines_of(SOURCE, ".load(Acquire)")
                .unwrap_err()
                .contains("2 times")
        );
        assert!(
            lines_of(SOURCE, "z.load")
                .unwrap_err()
                .contains("not occur")
        );
        assert!(lines_of(SOURCE, " ").is_err());
    }
}
