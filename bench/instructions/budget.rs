//! The stored counts, and whether those of today are within them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::callgrind::Count;
use crate::callgrind::counts;
use crate::say;

/// `bench/budget.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    #[serde(default)]
    case: BTreeMap<String, Case>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Of one operation.
    instructions: u64,
    /// How much more a count may be, in hundredths of the budget.
    allowance: f64,
    /// Why it was raised last; empty for the first budget and after it was lowered.
    #[serde(default)]
    reason: String,
}

/// Prints the table; false if something is above its budget or has none.
pub(crate) fn check() -> Result<bool, String> {
    let (counts, budget) = (counts()?, read()?);
    let mut good = true;
    say(&format!("{:>11} {:>11}  {:>7}", "counted", "budget", ""));
    for count in &counts {
        let verdict = judge(count, budget.case.get(&count.case));
        good &= verdict.is_within;
        say(&verdict.line);
    }
    for gone in budget.case.keys() {
        if counts.iter().all(|count| count.case != *gone) {
            say(&format!("{gone}: it has a budget and is counted no more"));
            good = false;
        }
    }
    if !good {
        say("make it cheaper, or raise the budget: bench/budget --write 'REASON'");
    }
    Ok(good)
}

/// Stores the counts of today. What is above its budget needs a reason.
pub(crate) fn write(reason: Option<&str>) -> Result<bool, String> {
    let (counts, budget) = (counts()?, read()?);
    let text = stored(&counts, &budget, reason)?;
    fs::write(FILE, text).map_err(|error| format!("{FILE}: {error}"))?;
    say(&format!("{FILE} is written"));
    Ok(true)
}

struct Judged {
    is_within: bool,
    line: String,
}

fn judge(count: &Count, case: Option<&Case>) -> Judged {
    let Count {
        case: name,
        instructions,
    } = count;
    let Some(case) = case else {
        return Judged {
            is_within: false,
            line: format!("{instructions:>11} {:>11}  no budget {name}", "-"),
        };
    };
    let change = (float(*instructions) / float(case.instructions.max(1)) - 1.0) * 100.0;
    let few = case.instructions.saturating_add(FEW);
    let is_within = change <= case.allowance || *instructions <= few;
    let mark = if !is_within {
        format!("  TOO MUCH, {} % allowed", case.allowance)
    } else if change < -case.allowance {
        "  cheaper: bench/budget --write keeps it so".to_owned()
    } else {
        String::new()
    };
    Judged {
        is_within,
        line: format!(
            "{instructions:>11} {:>11}  {change:>+6.2} %  {name}{mark}",
            case.instructions
        ),
    }
}

/// The file with the counts of today; a case that stayed within its budget keeps it.
fn stored(counts: &[Count], budget: &Budget, reason: Option<&str>) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for count in counts {
        let name = &count.case;
        let allowance = budget
            .case
            .get(name)
            .map_or_else(|| allowance(name), |case| case.allowance);
        let old = budget.case.get(name);
        let (instructions, why) = match old {
            None => (count.instructions, String::new()),
            Some(case) if !judge(count, old).is_within => {
                let why = reason
                    .filter(|reason| !reason.trim().is_empty())
                    .ok_or_else(|| {
                        format!(
                            "{name} is above its budget: say why, bench/budget --write 'REASON'"
                        )
                    })?;
                (
                    count.instructions,
                    format!("{} -> {}: {why}", case.instructions, count.instructions),
                )
            }
            // Chance does not move a budget; only what is cheaper beyond it does.
            Some(case)
                if float(count.instructions)
                    < float(case.instructions) * (1.0 - case.allowance / 100.0) =>
            {
                (count.instructions, String::new())
            }
            Some(case) => (case.instructions, case.reason.clone()),
        };
        write!(
            text,
            "\n[case.{}]\ninstructions = {instructions}\nallowance = {allowance:?}\n",
            toml::Value::from(name.as_str())
        )
        .map_err(|error| error.to_string())?;
        if !why.is_empty() {
            writeln!(text, "reason = {}", toml::Value::from(why))
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(text)
}

/// What chance moves, with room. Paths and codecs come out the same to the instruction in two runs of one
/// program; but the compiler cuts the crate into units anew when any file of it changes, and with them
/// what it inlines, which moved counts by up to 0.8 % where nothing of the path had changed.
/// Signatures differ in what their verification costs.
fn allowance(case: &str) -> f64 {
    if case.contains(": TLS 1.") { 3.0 } else { 1.0 }
}

fn read() -> Result<Budget, String> {
    let text = match fs::read_to_string(FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{FILE}: {error}")),
    };
    toml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
}

/// Counts are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "there is no lossless way")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// So many more are never too much: of a path of 1,500 a tenth of a percent is one, and where a buffer
/// happens to lie costs as many.
const FEW: u64 = 20;

/// `bench/budget` runs this in the package's folder.
const FILE: &str = "bench/budget.toml";

const HEAD: &str = "\
# Instructions of one operation, as callgrind counts them; bench/budget compares and writes.
# A count above its budget by more than its allowance (in hundredths) fails. A raise needs a
# reason, which stands beside it.
";
