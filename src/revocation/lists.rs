//! One list: fetched, put in, saved, and fetched again when the next one is due.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use tracing::info;
use tracing::warn;

use super::Shared;
use super::disk;
use super::disk::Saved;
use super::http::Answer;
use super::http::Limits;
use crate::model::Timestamp;
use crate::model::causes;
use crate::trust::RevocationList;

/// How a list stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReport {
    /// Where it is fetched from.
    pub address: String,
    /// Whose it is.
    pub issuer: Option<String>,
    /// Whether it counts; else it waits for a certificate that shows its issuer, or there is none.
    pub used: bool,
    /// How many certificates it revokes.
    pub entries: usize,
    /// When it was issued.
    pub this_update: Option<Timestamp>,
    /// When its issuer promises the next one.
    pub next_update: Option<Timestamp>,
    /// When the server said last that this is the newest.
    pub confirmed: Option<Timestamp>,
    /// What went wrong the last time, if it did.
    pub error: Option<String>,
}

impl ListReport {
    fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            ..Self::default()
        }
    }

    fn take(&mut self, list: &RevocationList) {
        self.issuer = Some(list.issuer_name().to_owned());
        self.entries = list.len();
        self.this_update = Some(list.this_update());
        self.next_update = Some(list.next_update());
        self.error = None;
    }
}

/// Keeps the list of one address.
pub(super) async fn keep(shared: Arc<Shared>, address: String) {
    let mut failures = 0;
    loop {
        let config = shared.config.load_full();
        let marks = shared.marks().get(&address).cloned();
        let marks = marks.as_ref();
        let limits = Limits {
            octets: config.max_list,
            deadline: config.deadline,
        };
        let answer = shared
            .http
            .get(
                &address,
                marks.and_then(|saved| saved.etag.as_deref()),
                marks.and_then(|saved| saved.last_modified.as_deref()),
                limits,
            )
            .await;
        let taken = match answer {
            Ok(answer) => take(&shared, &address, answer).await,
            Err(error) => Err(error.to_string()),
        };
        let now = shared.now();
        let next_update = match taken {
            Ok(()) => {
                failures = 0;
                let mut reports = shared.reports();
                let report = reports
                    .entry(address.clone())
                    .or_insert_with(|| ListReport::new(&address));
                report.confirmed = Some(now);
                report.error = None;
                report.next_update
            }
            Err(why) => {
                // Said once, and again by `status` as long as it lasts.
                if failures == 0 {
                    warn!(address, why, "a revocation list cannot be fetched");
                }
                failures += 1;
                let mut reports = shared.reports();
                let report = reports
                    .entry(address.clone())
                    .or_insert_with(|| ListReport::new(&address));
                report.error = Some(why);
                None
            }
        };
        let wait = if failures == 0 {
            pause(now, next_update, config.refresh)
        } else {
            after_failure(failures, config.refresh)
        };
        tokio::time::sleep(wait).await;
    }
}

/// Until the next look at a list that was fetched: the configured time, or sooner if the next list is
/// promised for sooner.
fn pause(now: Timestamp, next_update: Option<Timestamp>, refresh: Duration) -> Duration {
    let promised = next_update.map_or(refresh, |next| next.since(now));
    promised.clamp(SHORTEST.min(refresh), refresh)
}

/// The same after so many failures, one at least.
fn after_failure(failures: u32, refresh: Duration) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LAST_RETRY).min(refresh)
}

/// Puts in what came, unless the server says that nothing has changed.
async fn take(shared: &Arc<Shared>, address: &str, answer: Answer) -> Result<(), String> {
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => return Ok(()),
        other => return Err(format!("the server answers {other}")),
    }
    let saved = Saved {
        address: address.to_owned(),
        etag: answer.etag,
        last_modified: answer.last_modified,
        der: der(answer.body)?,
    };
    // A list of a million takes a while to read.
    let (shared, address) = (Arc::clone(shared), address.to_owned());
    let install = move || {
        let list = shared.install(&saved)?;
        let folder = shared.config.load().folder.clone();
        if let Err(error) = saved.write(&folder, shared.now()) {
            let why = causes(&error);
            warn!(address, why, "a revocation list cannot be saved");
        }
        info!(
            address,
            issuer = list.issuer_name(),
            revoked = list.len(),
            "a revocation list has come"
        );
        shared.put_marks(saved);
        Ok(())
    };
    tokio::task::spawn_blocking(install)
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// Lists come in DER (RFC 5280 section 4.2.1.13); some servers have them in PEM.
fn der(body: Vec<u8>) -> Result<Vec<u8>, String> {
    if !body.starts_with(b"-----BEGIN") {
        return Ok(body);
    }
    CertificateRevocationListDer::from_pem_slice(&body)
        .map(|list| list.to_vec())
        .map_err(|error| format!("the PEM text cannot be read: {error}"))
}

impl Shared {
    /// Puts in a list.
    fn install(&self, saved: &Saved) -> Result<Arc<RevocationList>, String> {
        let address = &saved.address;
        let list = RevocationList::read(&saved.der, address)
            .map_err(|error| format!("the list {error}"))?;
        let list = Arc::new(list);
        self.watch
            .install(address, Arc::clone(&list))
            .map_err(|error| error.to_string())?;
        let mut reports = self.reports();
        reports
            .entry(address.clone())
            .or_insert_with(|| ListReport::new(address))
            .take(&list);
        Ok(list)
    }

    /// Puts in the lists that are on disk and wanted.
    pub(super) fn restore(&self) {
        let config = self.config.load();
        let (found, broken) = disk::load(&config.folder);
        for (path, why) in broken {
            warn!(path = %path.display(), why, "a saved revocation list is not used");
        }
        for (saved, at) in found {
            let wanted = config.lists.contains(&saved.address)
                || (config.follow_points && self.watch.remember_point(&saved.address));
            if !wanted {
                if let Err(error) = disk::remove(&config.folder, &saved.address) {
                    let why = causes(&error);
                    warn!(address = saved.address, why, "an old list stays on disk");
                }
                continue;
            }
            match self.install(&saved) {
                Ok(_) => {
                    let mut reports = self.reports();
                    if let Some(report) = reports.get_mut(&saved.address) {
                        report.confirmed = Some(at);
                    }
                    drop(reports);
                    self.put_marks(saved);
                }
                Err(why) => {
                    warn!(
                        address = saved.address,
                        why, "a saved revocation list is not used"
                    );
                }
            }
        }
    }

    /// Remembers the marks of a list; its octets are not needed any more.
    fn put_marks(&self, saved: Saved) {
        let marks = Saved {
            der: Vec::new(),
            ..saved
        };
        self.marks().insert(marks.address.clone(), marks);
    }
}

/// The shortest time between two looks at a list whose next one is due.
const SHORTEST: Duration = Duration::from_mins(1);

/// The wait after a failure; it doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(15);

/// The longest wait after failures.
const LAST_RETRY: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_list_is_looked_at_when_the_next_one_is_promised_and_at_least_each_refresh() {
        let now = Timestamp::from_unix_seconds(1_795_253_400);
        for (next, expected) in [
            (None, HOUR),
            (Some(Duration::from_hours(9)), HOUR),
            (Some(Duration::from_mins(9)), Duration::from_mins(9)),
            (Some(Duration::ZERO), SHORTEST),
        ] {
            let next = next.map(|next| now + next);
            assert_eq!(pause(now, next, HOUR), expected, "row {next:?}");
        }
        let late = pause(now + HOUR, Some(now), HOUR);
        assert_eq!(late, SHORTEST, "one whose time has passed");
        let quick = Duration::from_secs(10);
        assert_eq!(pause(now, Some(now), quick), quick);
    }

    #[test]
    fn failures_make_the_pauses_longer_up_to_a_bound() {
        let secs = |failures| after_failure(failures, HOUR).as_secs();
        assert_eq!([secs(1), secs(2), secs(3)], [15, 30, 60]);
        assert_eq!(after_failure(u32::MAX, HOUR), LAST_RETRY);
        assert_eq!(after_failure(9, Duration::from_secs(10)).as_secs(), 10);
    }
}
