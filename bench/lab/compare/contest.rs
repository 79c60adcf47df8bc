//! Who takes part in a case, and its rounds in turn.

use std::io;
use std::process::Command;
use std::time::Duration;

use portreeve::model::Monotonic;

use super::Setting;
use super::figures::Figures;
use super::figures::count;
use super::program;
use super::program::GENERATOR_CORE;
use super::program::Program;
use super::program::SERVER_CORE;
use super::say;

/// Somebody who takes part.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) about: About,
    /// How a generator finds it; none for a floor, which is a command of our own.
    pub(super) door: Vec<String>,
    /// What serves, or why nothing does; none for a floor.
    pub(super) program: Option<Result<Program, String>>,
    /// For those that keep what is over for a while.
    pub(super) limit: Option<Limit>,
}

/// What may be asked of somebody in a turn, and how long the next one has to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Operations, as an argument.
    pub(super) most: &'static str,
    pub(super) rest: Duration,
    /// When the last turn ended.
    pub(super) rests_since: Option<Monotonic>,
}

impl Limit {
    pub(super) const fn new(most: &'static str, rest: Duration) -> Self {
        Self {
            most,
            rest,
            rests_since: None,
        }
    }

    /// What is left of the rest.
    fn left(&self, now: Monotonic) -> Duration {
        let rested = self.rests_since.map(|since| now.since(since));
        rested.map_or(Duration::ZERO, |rested| self.rest.saturating_sub(rested))
    }
}

/// What its rows say of it.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) version: String,
    /// What it writes down meanwhile.
    pub(super) logs: &'static str,
    pub(super) devices: u32,
}

/// What came of its rounds.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) about: About,
    pub(super) figures: Result<Figures, String>,
}

/// What is asked in a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Arguments of a generator.
    pub(super) server: Vec<String>,
    /// The command that is the floor.
    pub(super) floor: Vec<String>,
}

impl Load {
    /// For servers only.
    pub(super) fn of(arguments: &[&str]) -> Self {
        Self {
            server: words(arguments),
            floor: Vec::new(),
        }
    }
}

pub(super) fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

impl Contender {
    /// A server that was started, or not.
    pub(super) fn server(about: About, started: io::Result<(Program, Vec<String>)>) -> Self {
        let (program, door) = match started {
            Ok((program, door)) => (Ok(program), door),
            Err(error) => (Err(error.to_string()), Vec::new()),
        };
        Self {
            about,
            door,
            program: Some(program),
            limit: None,
        }
    }

    /// Waits until `load`, which is short, goes well.
    pub(super) fn await_first_answer(&mut self, setting: &Setting, load: &[&str]) {
        let door = self.door.clone();
        let Some(Ok(program)) = &mut self.program else {
            return;
        };
        let mut command = vec![setting.folder.lab().display().to_string()];
        command.extend(words(load));
        command.extend(door);
        let mut last = String::new();
        for _ in 0..TRIES {
            if let Some(end) = program.ended() {
                self.program = Some(Err(end));
                return;
            }
            match program::on(GENERATOR_CORE, &command).and_then(|mut command| command.output()) {
                Ok(output) if output.status.success() => return,
                Ok(output) => last = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => last = error.to_string(),
            }
            program::pause(BETWEEN_TRIES);
        }
        let words = program.last_words();
        self.program = Some(Err(format!("does not answer: {last}; it said: {words}")));
    }

    /// One round.
    fn round(&mut self, setting: &Setting, load: &Load) -> Result<Figures, String> {
        let mut command = vec![setting.folder.lab().display().to_string()];
        let core = match &mut self.program {
            None => {
                command.extend(load.floor.iter().cloned());
                SERVER_CORE
            }
            Some(Err(why)) => return Err(why.clone()),
            Some(Ok(program)) => {
                if let Some(end) = program.ended() {
                    return Err(end);
                }
                command.extend(load.server.iter().cloned());
                command.extend(["--server-pid".to_owned(), program.pid().to_string()]);
                command.extend(self.door.iter().cloned());
                GENERATOR_CORE
            }
        };
        if let Some(limit) = &self.limit {
            command.extend(["--count".to_owned(), limit.most.to_owned()]);
            program::pause(limit.left(setting.clock.now().monotonic));
        }
        let spoken = program::on(core, &command).and_then(|mut command| speak(&mut command));
        if let Some(limit) = &mut self.limit {
            limit.rests_since = Some(setting.clock.now().monotonic);
        }
        let mut figures = Figures::parse(&spoken.map_err(|error| error.to_string())?)?;
        // Where something is held, the figure is what each costs.
        if let (Some(Ok(program)), false) = (&self.program, figures.memory > 0.0) {
            figures.memory = program.peak_memory().map_or(0.0, count);
        }
        Ok(figures)
    }
}

/// Runs a generator and gives its line. It ends with an error, too, when operations went wrong:
/// the line tells how many.
fn speak(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().rev().find(|line| line.starts_with('{'));
    line.map(str::to_owned)
        .ok_or_else(|| io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// All rounds of a case. Contenders take turns; whoever fails once is out.
pub(super) fn run(
    setting: &Setting,
    case: &str,
    contenders: &mut [Contender],
    load: &Load,
) -> io::Result<Vec<Outcome>> {
    run_rounds(setting, setting.rounds, case, contenders, load)
}

/// So many rounds of a case.
pub(super) fn run_rounds(
    setting: &Setting,
    count: u32,
    case: &str,
    contenders: &mut [Contender],
    load: &Load,
) -> io::Result<Vec<Outcome>> {
    say(&format!("  {case}"))?;
    let mut rounds: Vec<Result<Vec<Figures>, String>> =
        contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..count {
        for (contender, so_far) in contenders.iter_mut().zip(&mut rounds) {
            let Ok(figures) = so_far else {
                continue;
            };
            match contender.round(setting, load) {
                Ok(round) => figures.push(round),
                Err(why) => *so_far = Err(why),
            }
        }
    }
    let outcomes = contenders
        .iter()
        .zip(rounds)
        .map(|(contender, rounds)| Outcome {
            about: contender.about.clone(),
            figures: rounds.and_then(|rounds| {
                Figures::median(&rounds).ok_or_else(|| "not one round".to_owned())
            }),
        });
    Ok(outcomes.collect())
}

/// A million devices take a while to load.
const TRIES: u32 = 120;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use portreeve::net::Clock;

    use super::*;

    #[test]
    fn rest_counts_from_the_end_of_the_last_turn() {
        let (start, second) = (Clock::start().now().monotonic, Duration::from_secs(1));
        let mut limit = Limit::new("700", 7 * second);
        assert_eq!(limit.left(start), Duration::ZERO, "there was no turn");
        limit.rests_since = Some(start);
        assert_eq!(limit.left(start + 5 * second), 2 * second);
        assert_eq!(limit.left(start + 9 * second), Duration::ZERO);
    }
}
