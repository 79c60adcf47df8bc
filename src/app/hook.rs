//! Checks of other rooms' files, run with every load of the configuration and by `check`.

use crate::config;
use crate::config::Config;
use crate::config::Hook;
use crate::model::Problem;
use crate::policy;

/// Every check.
pub const HOOKS: &[Hook] = &[policies];

/// `policy.toml`: what cannot be read, and what is well-formed and dangerous (R76).
fn policies(config: &Config) -> Vec<Problem> {
    let (file, text) = match config::open(&config.folder, "policy.toml") {
        Ok(found) => found,
        Err(problem) => return vec![problem],
    };
    match policy::parse(&file, &text) {
        Ok((policy, mut problems)) => {
            problems.extend(policy::lint(&policy));
            problems
        }
        Err(problems) => problems,
    }
}
