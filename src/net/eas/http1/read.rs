//! A request whose body is read first, and one that waits in quarantine.

use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use crate::mail::Discovery;
use crate::mail::Next;
use crate::mail::Read;
use crate::net::eas::Lane;
use crate::net::eas::aside::Over;
use crate::net::eas::aside::Waiting;
use crate::net::eas::aside::attest;
use crate::net::eas::aside::fetch;
use crate::net::eas::aside::go_on;
use crate::net::eas::discover;
use crate::net::eas::gather::gather;
use crate::net::http1::Length;

use super::Client;
use super::Turn;
use super::carry::Forwarded;

/// A request whose body is to be read.
pub(super) struct Reading {
    pub(super) read: Read,
    pub(super) length: Length,
    pub(super) keeps: bool,
}

/// A request for Autodiscover whose credentials are good.
pub(super) struct Discovering {
    pub(super) discovery: Discovery,
    pub(super) keeps: bool,
}

impl Client {
    /// Reads the body, and answers with what the mail server says.
    pub(super) async fn discover(&mut self, lane: &Lane, discovering: Box<Discovering>) -> Turn {
        let Discovering { discovery, keeps } = *discovering;
        let gathered = match gather(&lane.front, self, Discovery::MAX_REQUEST).await {
            Ok(gathered) => gathered,
            Err(reply) => return self.reply(lane, reply, false),
        };
        let reply = discover(lane, self.ends, discovery, gathered.whole()).await;
        self.reply(lane, reply, keeps)
    }

    /// Reads the body, and begins what is to be done then.
    pub(super) async fn read(&mut self, lane: &Lane, reading: Box<Reading>) -> Turn {
        let front = &lane.front;
        let Reading {
            read,
            length,
            keeps,
        } = *reading;
        let gathered = match gather(front, self, read.limit).await {
            Ok(gathered) => gathered,
            Err(reply) => return self.reply(lane, reply, false),
        };
        match go_on(front, read.aside, &gathered) {
            Next::Answer(reply) => self.reply(lane, reply, keeps),
            Next::Forward(forward) => {
                let going = forward.into();
                let mut forwarded = Forwarded::new(lane, going, self.ends, length, keeps);
                forwarded.begin_with(gathered.octets());
                Turn::Carry(forwarded)
            }
            Next::Fetch(wanted) => {
                drop(gathered);
                let reply = Box::pin(fetch(lane, self.ends, wanted)).await;
                self.reply(lane, reply, keeps)
            }
            Next::Attest(wanted) => {
                drop(gathered);
                let reply = Box::pin(attest(lane, wanted)).await;
                self.reply(lane, reply, keeps)
            }
            Next::Wait(wait) => {
                let waiting = Box::new(Waiting::new(wait));
                Turn::Wait { waiting, keeps }
            }
        }
    }

    /// Waits as long as the client asked for, or until its verdict has changed.
    pub(super) async fn wait(
        &mut self,
        lane: &Lane,
        mut waiting: Box<Waiting>,
        keeps: bool,
    ) -> Turn {
        let over = poll_fn(|context| self.poll_wait(context, &mut waiting)).await;
        match over {
            None => Turn::Over { keeps: false },
            Some(over) => {
                let reply = waiting.conclude(&lane.front, over);
                self.reply(lane, reply, keeps)
            }
        }
    }

    /// `None` when the client has gone.
    fn poll_wait(
        &mut self,
        context: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Option<Over>> {
        if self.is_gone(context) {
            return Poll::Ready(None);
        }
        self.input.park();
        waiting
            .poll(context, &mut self.stop, &mut self.alarm)
            .map(Some)
    }
}
