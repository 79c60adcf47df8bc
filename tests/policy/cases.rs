//! Cases as files: rules, facts, the expected decision and its explanation.
//!
//! A file `cases/<name>.toml` holds `about`, `rules` (behind the defaults of the tests, or a whole
//! file with `whole = true`) and a list of `[[case]]`. An `explanation` is compared line by line.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::support::Connection;
use crate::support::policy;
use crate::support::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    rules: String,
    #[serde(default)]
    whole: bool,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    given: Connection,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: String,
    reason: String,
    #[serde(default)]
    decided_by: Vec<String>,
    revisit: Option<String>,
    explanation: Option<String>,
}

#[test]
fn every_case_file_is_decided_and_explained_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/cases");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 8, "the case files are there");
    let mut failures = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(!file.about.is_empty(), "{path:?}");
        let policy = if file.whole {
            read(&file.rules)
        } else {
            policy(&file.rules)
        };
        for case in file.case {
            let failure = case.check(&policy);
            if !failure.is_empty() {
                failures.push_str(&format!("\n{}, {}:\n{failure}", path.display(), case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

impl Case {
    fn check(&self, policy: &portreeve::policy::Policy) -> String {
        let decision = self.given.decide(policy);
        let explanation = self.given.explain(policy);
        let mut failure = String::new();
        let mut compare = |what: &str, found: String, expected: String| {
            if found != expected {
                failure.push_str(&format!("{what}: expected\n{expected}\nfound\n{found}\n"));
            }
        };
        compare(
            "verdict",
            decision.verdict.to_string(),
            self.expect.verdict.clone(),
        );
        compare(
            "reason",
            decision.reason.to_string(),
            self.expect.reason.clone(),
        );
        let decided_by = explanation.decided_by.join(", ");
        compare("decided by", decided_by, self.expect.decided_by.join(", "));
        if let Some(revisit) = &self.expect.revisit {
            let found = decision
                .revisit
                .map_or_else(String::new, |at| at.to_string());
            compare("revisit", found, revisit.clone());
        }
        if let Some(expected) = &self.expect.explanation {
            compare("explanation", explanation.to_string(), expected.clone());
        }
        failure
    }
}
