//! What a process has cost: its processor time and its memory, from `/proc`.

use std::fs;
use std::io;
use std::time::Duration;

use super::unusable;

/// A process whose cost is measured.
#[derive(Clone, Debug)]
pub(super) struct Process(String);

impl Process {
    /// The process with this number.
    pub(super) fn of(pid: u32) -> Self {
        Self(pid.to_string())
    }

    /// This one.
    pub(super) fn own() -> Self {
        Self("self".to_owned())
    }

    /// User and system time of all its threads, in steps of 10 ms.
    pub(super) fn processor_time(&self) -> io::Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let text = self.read(&path)?;
        processor_time(&text).ok_or_else(|| unusable(format!("{path} makes no sense")))
    }

    /// Octets of memory it holds (resident set).
    pub(super) fn memory(&self) -> io::Result<u64> {
        let path = format!("/proc/{}/status", self.0);
        let text = self.read(&path)?;
        memory(&text).ok_or_else(|| unusable(format!("{path} has no VmRSS")))
    }

    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), format!("process {}: {error}", self.0)))
    }
}

/// Fields 14 and 15 of proc(5) stat. The second field is the program's name in brackets, which may
/// contain anything, so counting begins after the last bracket.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(TICK * u32::try_from(user + system).ok()?)
}

fn memory(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Linux reports 100 ticks a second to programs whatever its own clock is (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_program_name() {
        let stat = "4711 (a) 1 2 (b) S 1 4711 4711 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 99";
        assert_eq!(processor_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(processor_time("4711 (x) S 1 2"), None);
        assert_eq!(processor_time(""), None);
    }

    #[test]
    fn memory_is_the_resident_set() {
        let status = "Name:\tportreeve\nVmPeak:\t  9 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(memory(status), Some(2 << 20));
        assert_eq!(memory("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn this_process_has_a_cost() {
        assert!(Process::own().memory().unwrap() > 0);
        assert!(Process::own().processor_time().is_ok());
        assert!(Process::of(u32::MAX).processor_time().is_err());
    }
}
