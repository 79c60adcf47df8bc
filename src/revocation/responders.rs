//! OCSP responders: asked about one certificate at a time, given up when they are dead.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use rustls::pki_types::UnixTime;
use tokio::sync::Semaphore;
use tracing::warn;

use super::Shared;
use super::http::Limits;
use crate::model::Timestamp;
use crate::trust::OcspAnswer;
use crate::trust::Question;
use crate::trust::Told;
use crate::trust::Watch;

/// What has come of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Questions that were sent.
    pub asked: u64,
    /// Answers that could be believed.
    pub answered: u64,
    /// Questions without one.
    pub failed: u64,
    /// Questions that were not sent, because the responder had failed several times just before.
    pub spared: u64,
}

/// The responders, by address.
pub(super) struct Responders {
    talking: Semaphore,
    failing: Mutex<HashMap<Box<str>, Failing>>,
    asked: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    spared: AtomicU64,
}

#[derive(Clone, Copy)]
struct Failing {
    times: u32,
    last: Timestamp,
}

impl Default for Responders {
    fn default() -> Self {
        Self {
            talking: Semaphore::new(MAX_ASKED),
            failing: Mutex::default(),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            spared: AtomicU64::new(0),
        }
    }
}

impl Responders {
    pub(super) fn counted(&self) -> Counted {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Counted {
            asked: count(&self.asked),
            answered: count(&self.answered),
            failed: count(&self.failed),
            spared: count(&self.spared),
        }
    }

    fn failing(&self) -> MutexGuard<'_, HashMap<Box<str>, Failing>> {
        // Every change is one call, so a panic elsewhere leaves it whole.
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a responder has failed so often that it is left alone for a while.
    fn is_dead(&self, address: &str, now: Timestamp) -> bool {
        let failing = self.failing();
        failing
            .get(address)
            .is_some_and(|one| one.times >= FEW && now.since(one.last) < REST)
    }

    fn note(&self, address: &str, now: Timestamp, answered: bool) {
        let mut failing = self.failing();
        if answered {
            failing.remove(address);
            return;
        }
        if failing.len() >= MAX_ADDRESSES && !failing.contains_key(address) {
            failing.clear();
        }
        let one = failing.entry(address.into()).or_insert(Failing {
            times: 0,
            last: now,
        });
        one.times = one.times.saturating_add(1);
        one.last = now;
        if one.times == FEW {
            warn!(address, "an OCSP responder does not answer");
        }
    }
}

/// Tells those who wait, whatever becomes of the question.
struct Promise {
    watch: Arc<Watch>,
    question: Arc<Question>,
    now: UnixTime,
    kept: bool,
}

impl Promise {
    fn keep(mut self, answer: OcspAnswer) {
        self.watch.told(&self.question, answer.told, answer.until);
        self.kept = true;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.kept {
            let told = Told::Nothing("the gateway has stopped asking".into());
            self.watch.told(&self.question, told, self.now);
        }
    }
}

/// Asks about one certificate.
pub(super) async fn ask(shared: Arc<Shared>, question: Arc<Question>) {
    let promise = Promise {
        watch: Arc::clone(&shared.watch),
        question: Arc::clone(&question),
        now: unix(shared.now()),
        kept: false,
    };
    let responders = &shared.responders;
    // Never closed.
    let Ok(_talking) = responders.talking.acquire().await else {
        return;
    };
    let nothing = |why: String, now: Timestamp| OcspAnswer {
        told: Told::Nothing(why.into()),
        until: unix(now + RETRY),
    };
    let config = shared.config.load_full();
    let now = shared.now();
    let address = config.responder.as_deref().or_else(|| question.responder());
    let Some(address) = address else {
        return promise.keep(nothing("there is none to ask".to_owned(), now));
    };
    if responders.is_dead(address, now) {
        responders.spared.fetch_add(1, Ordering::Relaxed);
        let why = format!("{address} has failed several times just now");
        return promise.keep(nothing(why, now));
    }
    responders.asked.fetch_add(1, Ordering::Relaxed);
    let limits = Limits {
        octets: MAX_ANSWER,
        deadline: config.responder_deadline,
    };
    let answer = talk(&shared, &question, address, config.nonce, limits).await;
    let now = shared.now();
    let answer = match answer {
        Ok(mut answer) => {
            responders.note(address, now, true);
            responders.answered.fetch_add(1, Ordering::Relaxed);
            if let Told::Nothing(why) = &answer.told {
                // The CA may be about to tell its responder of a new certificate.
                answer = nothing(format!("{address}: {why}"), now);
            }
            answer.until = answer.until.min(unix(now + config.longest));
            answer
        }
        Err((why, reached)) => {
            responders.note(address, now, reached);
            responders.failed.fetch_add(1, Ordering::Relaxed);
            nothing(format!("{address}: {why}"), now)
        }
    };
    promise.keep(answer);
}

/// One question and its answer; without one why, and whether the responder has answered at all.
async fn talk(
    shared: &Shared,
    question: &Question,
    address: &str,
    with_nonce: bool,
    limits: Limits,
) -> Result<OcspAnswer, (String, bool)> {
    let mut nonce = [0; NONCE];
    (shared.fill_random)(&mut nonce);
    let nonce = with_nonce.then_some(nonce.as_slice());
    let request = question
        .request(nonce)
        .ok_or_else(|| ("no request can name the certificate".to_owned(), true))?;
    let answer = shared.http.ask(address, request, limits).await;
    let answer = answer.map_err(|error| (error.to_string(), false))?;
    if answer.status != StatusCode::OK {
        return Err((format!("the responder answers {}", answer.status), false));
    }
    let longest = shared.config.load().longest;
    question
        .answer(
            &answer.body,
            nonce,
            &shared.algorithms,
            unix(shared.now()),
            longest,
        )
        .map_err(|error| (format!("its answer does not count: {error}"), true))
}

fn unix(at: Timestamp) -> UnixTime {
    let seconds = u64::try_from(at.unix_seconds()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Questions that are under way at a time: with answers after 50 ms, 320 a second. A responder that
/// hangs holds each place for one deadline, and then it is left alone.
pub(super) const MAX_ASKED: usize = 16;

/// Octets of an answer: one with a chain of certificates has some 5,000.
const MAX_ANSWER: usize = 64 * 1024;

/// Octets of a nonce (RFC 9654 section 2.1: 32).
const NONCE: usize = 32;

/// How long nobody is asked again about a certificate that nobody has told of: longer than the packets
/// of one login, shorter than until a device tries again. What spares a responder that fails is [`REST`].
const RETRY: Duration = Duration::from_secs(2);

/// Failures in a row after which a responder is left alone.
const FEW: u32 = 3;

/// For how long.
const REST: Duration = Duration::from_secs(30);

/// Addresses whose failures are remembered; beyond them they are forgotten.
const MAX_ADDRESSES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_responder_that_fails_three_times_is_left_alone_for_a_while() {
        let responders = Responders::default();
        let now = Timestamp::from_unix_seconds(1_795_253_400);
        for _ in 0..FEW {
            assert!(!responders.is_dead("http://a/", now));
            responders.note("http://a/", now, false);
        }
        assert!(responders.is_dead("http://a/", now));
        assert!(!responders.is_dead("http://b/", now));
        assert!(!responders.is_dead("http://a/", now + REST));
        responders.note("http://a/", now, true);
        assert!(!responders.is_dead("http://a/", now));
    }

    #[test]
    fn the_failures_of_so_many_addresses_are_remembered() {
        let responders = Responders::default();
        let now = Timestamp::from_unix_seconds(1_795_253_400);
        for number in 0..10 * MAX_ADDRESSES {
            responders.note(&format!("http://{number}/"), now, false);
        }
        assert!(responders.failing().len() <= MAX_ADDRESSES);
    }
}
