//! What a replay found.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// Differences that are kept in full; more are counted.
const KEPT: usize = 10_000;

/// A place where an answer is another than the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which request, by the number that the trace gives it.
    pub request: u64,
    /// Which of its commands, from 0; none when it is the request as a whole.
    pub command: Option<usize>,
    /// The command's name; empty for the request as a whole.
    pub name: String,
    /// The field of the answer, such as `status` or `entities[].age`.
    pub field: String,
    /// What was recorded.
    pub recorded: String,
    /// What the replay gave.
    pub replayed: String,
}

/// What a replay found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Conformity {
    /// Requests that were replayed.
    pub requests: u64,
    /// Their commands.
    pub commands: u64,
    /// Requests that were not, by the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// What was not compared, by the reason.
    pub uncompared: BTreeMap<&'static str, u64>,
    /// Whether the trace's last line was cut.
    pub cut: bool,
    /// Differences, in the order in which they were met; the first ten thousand.
    pub differences: Vec<Difference>,
    /// All of them.
    pub found: u64,
}

impl Conformity {
    /// Whether there is no difference.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.found == 0
    }

    pub(super) fn skip(&mut self, why: &'static str) {
        *self.skipped.entry(why).or_default() += 1;
    }

    pub(super) fn uncompared(&mut self, why: &'static str) {
        *self.uncompared.entry(why).or_default() += 1;
    }

    pub(super) fn differ(&mut self, difference: Difference) {
        self.found += 1;
        if self.differences.len() < KEPT {
            self.differences.push(difference);
        }
    }
}

/// Differences by command and field: how many, and the first of each kind.
impl fmt::Display for Conformity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, commands) = (self.requests, self.commands);
        writeln!(f, "{requests} requests with {commands} commands replayed")?;
        for (why, count) in &self.skipped {
            writeln!(f, "{count} left out: such a request {why}")?;
        }
        for (what, count) in &self.uncompared {
            writeln!(f, "{count} not compared: {what}")?;
        }
        if self.cut {
            writeln!(f, "the trace's last line was cut")?;
        }
        if self.conforms() {
            return write!(f, "no difference");
        }
        writeln!(f, "{} differences:", self.found)?;
        let mut kinds: Vec<((&str, &str), Vec<&Difference>)> = Vec::new();
        for difference in &self.differences {
            let kind = (difference.name.as_str(), difference.field.as_str());
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, all)) => all.push(difference),
                None => kinds.push((kind, vec![difference])),
            }
        }
        let many = kinds.len();
        for (at, ((name, field), all)) in kinds.into_iter().enumerate() {
            let name = if name.is_empty() { "the request" } else { name };
            let Some(first) = all.first() else { continue };
            write!(
                f,
                "  {name}, {field}: {} times; first in request {}",
                all.len(),
                first.request
            )?;
            if let Some(command) = first.command {
                write!(f, ", command {command}")?;
            }
            write!(f, "\n    recorded: {}\n    replayed: {}", first.recorded, first.replayed)?;
            if at + 1 < many {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
