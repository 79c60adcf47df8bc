//! Requests that are set aside: their bodies are read here, and some of them wait here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::access::Decided;
use crate::mail::Aside;
use crate::mail::Attest;
use crate::mail::Fetch;
use crate::mail::Next;
use crate::mail::Reply;
use crate::mail::Wait;
use crate::net::body::Alarm;
use crate::net::proxy_header::Ends;
use crate::net::upstream::Ended;

use super::Front;
use super::Lane;
use super::Stop;
use super::conclude;
use super::gather::Gathered;
use super::note;
use super::way::Way;

/// What to do with a request now that its body has come.
pub(super) fn go_on(front: &Front, aside: Aside, gathered: &Gathered) -> Next {
    let (now, octets) = (front.clock.now(), gathered.octets());
    let (next, event) = if gathered.whole().is_some() {
        front.gateway.handle_body(now, aside, Some(octets))
    } else {
        front.gateway.handle_beginning_of_body(now, aside, octets)
    };
    if let Some(event) = event {
        (front.events)(event);
    }
    note(front);
    next
}

/// Lets a request through whose answer the core wants whole.
pub(super) async fn fetch(lane: &Lane, ends: Ends, fetch: Box<Fetch>) -> Reply {
    let front = &lane.front;
    let Fetch {
        to,
        mut permit,
        request,
        body,
        exchange,
    } = *fetch;
    let most = Fetch::MAX_ANSWER;
    let answer = tokio::select! {
        biased;
        decided = &mut permit => {
            let revoked = Ended::Revoked {
                decided: Box::new(decided),
                only_waited: false,
            };
            return conclude(front, &Way::Mail(exchange), revoked);
        }
        answer = Box::pin(lane.upstream.fetch(to, &request, &body, Some(ends), most)) => answer,
    };
    front.counters.upstream(answer.as_ref().err());
    let now = front.clock.now();
    let (reply, event) = front.gateway.handle_fetched(now, &exchange, answer.ok());
    if let Some(event) = event {
        (front.events)(event);
    }
    reply
}

/// Has it written down how far a wipe is, off the loop, and answers then.
pub(super) async fn attest(lane: &Lane, attest: Box<Attest>) -> Reply {
    let front = Arc::clone(&lane.front);
    let news = attest.news.clone();
    let kept = tokio::task::spawn_blocking(move || (front.wipes)(&news)).await;
    let is_kept = kept.unwrap_or(false);
    lane.front.gateway.handle_attested(*attest, is_kept)
}

/// A wait in quarantine.
pub(super) struct Waiting {
    wait: Wait,
    until: Instant,
}

/// What ended a wait.
pub(super) enum Over {
    /// Its time.
    Expired,
    /// A change of the verdict, or of the reason for it.
    Released(Box<Decided>),
    /// The front stops; the client is sent home.
    Stopped,
}

impl Waiting {
    pub(super) fn new(wait: Wait) -> Self {
        let until = Instant::now() + Duration::from_secs(u64::from(wait.seconds));
        Self { wait, until }
    }

    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        stop: &mut Stop,
        alarm: &mut Alarm,
    ) -> Poll<Over> {
        if let Poll::Ready(decided) = Pin::new(&mut self.wait.permit).poll(context) {
            return Poll::Ready(Over::Released(Box::new(decided)));
        }
        if stop.is_said(context) {
            return Poll::Ready(Over::Stopped);
        }
        alarm.poll(context, self.until).map(|()| Over::Expired)
    }

    /// What the client is told.
    pub(super) fn conclude(self, front: &Front, over: Over) -> Reply {
        match over {
            Over::Expired => self.wait.expired,
            Over::Stopped => front.gateway.come_again(),
            Over::Released(decided) => {
                let now = front.clock.now();
                let (reply, event) = front.gateway.handle_released(now, self.wait, &decided);
                if let Some(event) = event {
                    (front.events)(event);
                }
                note(front);
                reply
            }
        }
    }
}
