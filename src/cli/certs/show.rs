//! `certs show` and `certs expiry`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use serde_json::json;

use super::Folder;
use crate::cli::output::Answer;
use crate::cli::output::Done;
use crate::cli::output::Failed;
use crate::cli::output::now;
use crate::cli::output::print;
use crate::cli::output::print_json;
use crate::config;
use crate::config::Draft;
use crate::config::Inspected;
use crate::config::InspectedFile;
use crate::model::Timestamp;

/// Show every certificate: file, subject, names, issuer, end, use.
///
/// Looks at the .pem files of the certificates folder and at every certificate file that the
/// configuration names.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    folder: Folder,
    /// Print one JSON array instead.
    #[arg(long)]
    json: bool,
}

/// Show certificates that end soon, for monitoring.
///
/// Exit code 0: none ends soon. 1: some do, have ended, or cannot be read.
#[derive(Debug, Args)]
pub(super) struct Expiry {
    #[command(flatten)]
    folder: Folder,
    /// Days that count as soon [default: certificates.warn_before of the configuration, else 30].
    #[arg(long, value_name = "DAYS")]
    warn_days: Option<u32>,
    /// Print one JSON array instead.
    #[arg(long)]
    json: bool,
}

pub(super) fn show(arguments: &Show) -> Done {
    let draft = arguments.folder.draft()?;
    let now = now();
    let files = files(&arguments.folder, draft.as_ref())?;
    if arguments.json {
        let all = files.iter().flat_map(|file| file_json(file, now));
        print_json(&Value::Array(all.collect()))?;
    } else {
        for file in &files {
            print(&describe(file, now))?;
        }
        if files.is_empty() {
            print("no certificates; portreeve certs make makes some to try the gateway with")?;
        }
    }
    Ok(Answer::Yes)
}

pub(super) fn expiry(arguments: &Expiry) -> Done {
    let draft = arguments.folder.draft()?;
    let now = now();
    let configured = draft.as_ref().map(Draft::warn_before);
    let days = arguments.warn_days.map_or_else(
        || configured.map_or(DEFAULT_DAYS, |time| time.as_secs() / 86_400),
        u64::from,
    );
    let limit = i64::try_from(days).unwrap_or(i64::MAX);
    let mut soon: Vec<(Value, String)> = Vec::new();
    for file in files(&arguments.folder, draft.as_ref())? {
        let path = file.path.display();
        match &file.certificates {
            Err(error) => soon.push((
                json!({"file": path.to_string(), "error": error.to_string()}),
                format!("{path} {error}"),
            )),
            Ok(found) => {
                let ending = found.iter().filter(|one| one.days_left(now) < limit);
                soon.extend(ending.map(|one| {
                    let text = format!("{path}: {}, {}", one.identity.subject, end(one, now));
                    (certificate_json(&file, one, now), text)
                }));
            }
        }
    }
    if arguments.json {
        print_json(&Value::Array(
            soon.iter().map(|(value, _)| value.clone()).collect(),
        ))?;
    } else {
        for (_, text) in &soon {
            print(text)?;
        }
        if soon.is_empty() {
            print(&format!("no certificate ends within {days} days"))?;
        }
    }
    Ok(if soon.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// The files of the folder, then those that the configuration names elsewhere.
fn files(folder: &Folder, draft: Option<&Draft>) -> Result<Vec<InspectedFile>, Failed> {
    let layout = folder.layout(draft);
    let path = layout.folder();
    let mut files = match config::inspect_folder(path) {
        Ok(files) => files,
        // Without the folder there may still be files elsewhere.
        Err(config::ReadError::Missing) if draft.is_some() => Vec::new(),
        Err(error) => return Err(Failed::new(format!("{} {error}", path.display()))),
    };
    let elsewhere: Vec<PathBuf> = draft.map(Draft::certificate_files).unwrap_or_default();
    for path in elsewhere {
        if !files.iter().any(|file| file.path == path) {
            let certificates = config::inspect(&path);
            files.push(InspectedFile { path, certificates });
        }
    }
    Ok(files)
}

fn describe(file: &InspectedFile, now: Timestamp) -> String {
    let path = file.path.display();
    match &file.certificates {
        Err(error) => format!("{path} {error}"),
        Ok(found) => {
            let blocks: Vec<String> = found
                .iter()
                .map(|one| {
                    let mut text = format!("{path}\n  subject  {}\n", one.identity.subject);
                    let names = names(one);
                    if !names.is_empty() {
                        text.push_str(&format!("  names    {}\n", names.join(", ")));
                    }
                    text.push_str(&format!("  issuer   {}\n", one.identity.issuer));
                    text.push_str(&format!("  use      {}\n", uses(one).join(", ")));
                    text.push_str(&format!("  end      {}", end(one, now)));
                    text
                })
                .collect();
            blocks.join("\n")
        }
    }
}

fn end(one: &Inspected, now: Timestamp) -> String {
    let not_after = one.identity.not_after;
    match one.days_left(now) {
        days @ ..0 => format!("ended on {not_after}, {} days ago", days.unsigned_abs()),
        days => format!("ends on {not_after}, in {days} days"),
    }
}

fn names(one: &Inspected) -> Vec<String> {
    let identity = &one.identity;
    let mut names = identity.dns_names.clone();
    names.extend(one.addresses.iter().cloned());
    names.extend(identity.uris.iter().cloned());
    names.extend(identity.principal_names.iter().cloned());
    names.extend(identity.emails.iter().cloned());
    names
}

fn uses(one: &Inspected) -> Vec<&'static str> {
    let usage = one.usage;
    let uses = [
        (usage.authority, "authority"),
        (usage.server, "server"),
        (usage.client, "client"),
        (one.sample, "sample, on loopback only"),
    ];
    uses.into_iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, name)| name)
        .collect()
}

fn file_json(file: &InspectedFile, now: Timestamp) -> Vec<Value> {
    match &file.certificates {
        Err(error) => vec![json!({
            "file": file.path.display().to_string(),
            "error": error.to_string(),
        })],
        Ok(found) => found
            .iter()
            .map(|one| certificate_json(file, one, now))
            .collect(),
    }
}

fn certificate_json(file: &InspectedFile, one: &Inspected, now: Timestamp) -> Value {
    let identity = &one.identity;
    json!({
        "file": file.path.display().to_string(),
        "subject": identity.subject,
        "issuer": identity.issuer,
        "serial": identity.serial,
        "sha256": identity.fingerprint.to_string(),
        "names": names(one),
        "device": identity.intune_device_id().map(|id| id.to_string()),
        "user": identity.user(),
        "not_before": identity.not_before.to_string(),
        "not_after": identity.not_after.to_string(),
        "days_left": one.days_left(now),
        "authority": one.usage.authority,
        "server": one.usage.server,
        "client": one.usage.client,
        "sample": one.sample,
    })
}

/// Days that count as soon where nothing is configured.
const DEFAULT_DAYS: u64 = 30;
