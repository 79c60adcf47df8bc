//! `portreeve-lab load inventory`: files that tell a gateway about the made-up devices and users.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use super::eas::mix::Verdict;
use super::world;

/// Write devices.csv, users.csv and users.toml of made-up devices and users into a folder.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// How many devices.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(world::MAX_DEVICES)))]
    devices: u32,
    /// How many users; device n belongs to user n, counted round and round.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// The group of the users, as policies name it.
    #[arg(long, value_name = "NAME", default_value = "staff")]
    group: String,
    /// What the sample policy makes of the devices, round and round: allow (compliant), quarantine
    /// (not enrolled), block (not compliant).
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "VERDICTS",
        default_value = "allow"
    )]
    verdicts: Vec<Verdict>,
    /// Folder to write into.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Writes the files.
pub(super) fn run(arguments: &Arguments) -> io::Result<()> {
    let out = &arguments.out;
    fs::create_dir_all(out)?;
    let users = arguments.users;
    write(&out.join("devices.csv"), |file| {
        writeln!(
            file,
            "device_id,name,owner,platform,os_version,macs,eas_id,managed,registered,compliance,\
             encrypted,jailbroken,passcode,eas_activated,join,ownership,management_state"
        )?;
        let verdicts = arguments.verdicts.iter().cycle();
        for (n, verdict) in (0..arguments.devices).zip(verdicts) {
            let state = match verdict {
                Verdict::Allow => "yes,yes,compliant",
                Verdict::Quarantine => "no,no,unknown",
                Verdict::Block => "yes,yes,noncompliant",
            };
            writeln!(
                file,
                "{},load-{n},{},ios,18.1,{},{},{state},yes,no,yes,yes,registered,company,managed",
                world::device_id(n),
                world::user(n % users),
                world::mac(n),
                world::eas_id(n),
            )?;
        }
        Ok(())
    })?;
    write(&out.join("users.csv"), |file| {
        writeln!(file, "user,enabled,groups")?;
        for n in 0..users {
            writeln!(file, "{},yes,{}", world::user(n), arguments.group)?;
        }
        Ok(())
    })?;
    write(&out.join("users.toml"), |file| {
        for n in 0..users {
            let (name, password) = (world::user(n), world::password(n));
            writeln!(
                file,
                "[[user]]\nname = \"{name}\"\nclear = \"{password}\"\n"
            )?;
        }
        Ok(())
    })?;
    let first = world::mac(0);
    let devices = arguments.devices;
    writeln!(
        io::stdout(),
        "{devices} devices and {users} users are in {}. Generators speak of them by\n  \
         --macs {first}+{devices}\n  --users '{}:{}+{users}'\n  --device '{}'",
        out.display(),
        PATTERN.0,
        PATTERN.1,
        PATTERN.2,
    )
}

/// `world`'s names with `{n}`.
const PATTERN: (&str, &str, &str) = ("load{n}@example.com", "password{n}", "load{n}");

fn write(
    path: &Path,
    lines: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    lines(&mut file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::number;

    #[test]
    fn the_patterns_make_the_names_of_the_world() {
        let made = [PATTERN.0, PATTERN.1, PATTERN.2].map(|pattern| number(pattern, 7).into_owned());
        assert_eq!(made, [world::user(7), world::password(7), world::eas_id(7)]);
    }
}
