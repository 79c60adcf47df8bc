//! How problems are collected and said.

use std::fmt;

use crate::model::Problem;
use crate::model::Severity;

/// A configuration that cannot be used: every problem found, warnings included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In the order of the files and, within a file, of the lines.
    pub problems: Vec<Problem>,
}

/// One problem a line.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Whether any of `problems` stops the configuration from being used.
pub(super) fn any_error(problems: &[Problem]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}
