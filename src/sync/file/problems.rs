//! What is wrong in one file.

use crate::model::Problem;
use crate::model::Severity;

/// The problems of one file, the first [`Problems::MAX`] of them kept.
pub(super) struct Problems {
    file: String,
    list: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    /// More than anyone mends in one go; the rest is counted.
    const MAX: usize = 100;

    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
            left_out: 0,
        }
    }

    pub(super) fn add(&mut self, line: usize, column: &str, message: String) {
        self.push(Some(line), column, message);
    }

    /// Worth knowing; the row is taken all the same.
    pub(super) fn hint(&mut self, line: usize, column: &str, message: String) {
        self.keep(Severity::Warning, Some(line), column, message);
    }

    pub(super) fn push(&mut self, line: Option<usize>, key: &str, message: String) {
        self.keep(Severity::Error, line, key, message);
    }

    fn keep(&mut self, severity: Severity, line: Option<usize>, key: &str, message: String) {
        if self.list.len() >= Self::MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.list.push(Problem {
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            message,
            severity,
        });
    }

    pub(super) fn into_list(mut self) -> Vec<Problem> {
        if self.left_out > 0 {
            self.list.push(Problem {
                file: self.file,
                line: None,
                key: String::new(),
                message: format!("{} more problems are not listed", self.left_out),
                severity: Severity::Warning,
            });
        }
        self.list
    }
}
