//! `portreeve check`: every problem of a configuration at once.

use clap::Args;
use serde_json::Value;
use serde_json::json;

use super::conf::Conf;
use super::output::Answer;
use super::output::Done;
use super::output::now;
use super::output::print;
use super::output::print_json;
use crate::app::CHECK_HOOKS;
use crate::config;
use crate::config::Purpose;
use crate::model::Problem;
use crate::model::Severity;

/// Find every problem of a configuration, without starting anything.
///
/// Prints one problem a line, with file, line, key and what was expected. Warnings are worth a
/// look; errors keep the gateway from starting, and a running gateway from taking the
/// configuration over.
///
/// Exit code 0: no errors, perhaps warnings. 1: errors.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    conf: Conf,
    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let folder = arguments.conf.folder();
    let problems = match config::read(folder).complete(Purpose::Check, now(), CHECK_HOOKS) {
        Ok(loaded) => loaded.warnings,
        Err(refused) => refused.problems,
    };
    let errors = count(&problems, Severity::Error);
    let warnings = count(&problems, Severity::Warning);
    if arguments.json {
        print_json(&json!({
            "conf": folder.display().to_string(),
            "errors": errors,
            "warnings": warnings,
            "problems": problems.iter().map(as_json).collect::<Vec<Value>>(),
        }))?;
    } else {
        for problem in &problems {
            print(&problem.to_string())?;
        }
        print(&format!(
            "{}: {}, {}",
            folder.display(),
            plural(errors, "error"),
            plural(warnings, "warning")
        ))?;
    }
    Ok(if errors == 0 { Answer::Yes } else { Answer::No })
}

fn as_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "severity": match problem.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        "message": problem.message,
    })
}

fn count(problems: &[Problem], severity: Severity) -> usize {
    problems
        .iter()
        .filter(|problem| problem.severity == severity)
        .count()
}

fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
