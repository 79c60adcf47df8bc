//! What a process has cost: its processor time and its memory, from `/proc`. A server that gives
//! its work to children of its own is measured together with them.

use std::fs;
use std::io;
use std::time::Duration;

use super::unusable;

/// A process whose cost is measured, with all that descend from it.
#[derive(Clone, Debug)]
pub(crate) struct Process(Option<u32>);

impl Process {
    /// The process with this number.
    pub(crate) const fn of(pid: u32) -> Self {
        Self(Some(pid))
    }

    /// This one.
    pub(super) const fn own() -> Self {
        Self(None)
    }

    /// User and system time of all threads, in steps of 10 ms, children that have ended included.
    pub(super) fn processor_time(&self) -> io::Result<Duration> {
        self.sum("stat", processor_time, |sum, one| sum + one)
    }

    /// Octets of memory held (resident set).
    pub(super) fn memory(&self) -> io::Result<u64> {
        self.sum(
            "status",
            |text| octets(text, "VmRSS:"),
            |sum, one| sum + one,
        )
    }

    /// The most octets of memory that one of the processes has ever held. What a child shares with
    /// its parent counts once that way, where each has a worker that holds everything.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        self.sum("status", |text| octets(text, "VmHWM:"), u64::max)
    }

    /// Adds up what `parse` finds in a file of each process.
    fn sum<T: Copy>(
        &self,
        file: &str,
        parse: impl Fn(&str) -> Option<T>,
        add: impl Fn(T, T) -> T,
    ) -> io::Result<T> {
        let name = self
            .0
            .map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let path = format!("/proc/{name}/{file}");
        let text = Self::read(&path)?;
        let own = parse(&text).ok_or_else(|| unusable(format!("{path} makes no sense")))?;
        let others = self.0.map_or_else(Vec::new, descendants);
        Ok(others
            .into_iter()
            // Whoever has ended meanwhile is counted with its parent.
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/{file}")).ok())
            .filter_map(|text| parse(&text))
            .fold(own, add))
    }

    fn read(path: &str) -> io::Result<String> {
        fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
    }
}

/// All processes that `ancestor` has begun, and those that they have.
fn descendants(ancestor: u32) -> Vec<u32> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pairs = folder.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((parent(&stat)?, pid))
    });
    below(ancestor, &pairs.collect::<Vec<_>>())
}

/// Who descends from `ancestor`, by pairs of parent and child.
fn below(ancestor: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
    let mut family = vec![ancestor];
    let mut place = 0;
    while let Some(&parent) = family.get(place) {
        let children = pairs.iter().filter(|(of, _)| *of == parent);
        let new: Vec<u32> = children
            .map(|(_, child)| *child)
            .filter(|child| !family.contains(child))
            .collect();
        family.extend(new);
        place += 1;
    }
    family.remove(0);
    family
}

/// The fields of proc(5) stat from the third one on. The second is the program's name in brackets,
/// which may contain anything, so counting begins after the last bracket.
fn fields(stat: &str) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace())
}

/// Field 4.
fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// Fields 14 to 17: user and system time, of the process and of children that it has waited for.
fn processor_time(stat: &str) -> Option<Duration> {
    let times: Vec<u64> = fields(stat)?
        .skip(11)
        .take(4)
        .map_while(|field| field.parse().ok())
        .collect();
    let ticks: u64 = (times.len() == 4).then(|| times.iter().sum())?;
    Some(TICK * u32::try_from(ticks).ok()?)
}

/// A size in proc(5) status.
fn octets(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
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
        let stat = "4711 (a) 1 2 (b) S 1 4711 4711 0 -1 4194560 100 0 0 0 250 50 7 3 20 0 5 0 99";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(3_100)));
        assert_eq!(parent(stat), Some(1));
        assert_eq!(processor_time("4711 (x) S 1 2"), None);
        assert_eq!(processor_time(""), None);
    }

    #[test]
    fn children_of_children_belong_to_a_server() {
        let pairs = [(1, 10), (10, 11), (11, 13), (1, 20), (10, 12), (0, 0)];
        let mut family = below(10, &pairs);
        family.sort_unstable();
        assert_eq!(family, [11, 12, 13]);
        assert!(below(13, &pairs).is_empty());
        assert!(below(0, &pairs).is_empty(), "nobody is its own child");
    }

    #[test]
    fn memory_is_the_resident_set() {
        let status = "Name:\tportreeve\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(octets(status, "VmRSS:"), Some(2 << 20));
        assert_eq!(octets(status, "VmHWM:"), Some(9 << 10));
        assert_eq!(octets("Name:\tkthreadd\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_has_a_cost() {
        assert!(Process::own().memory().unwrap() > 0);
        assert!(Process::own().processor_time().is_ok());
        assert!(Process::of(u32::MAX).processor_time().is_err());
    }
}
