//! Work that leaves the packet loop: it owns what it works on and comes back with the result.

use std::fmt;
use std::sync::Arc;

use crate::eap::Answer;
use crate::eap::Conversation;
use crate::eap::Step;
use crate::model::Now;
use crate::network::proxy::Home;
use crate::radius::Returned;

/// Something slow to be done on another thread.
#[derive(Debug)]
pub struct Job {
    pub(super) ticket: Ticket,
    pub(super) lane: Lane,
    pub(super) work: Work,
}

/// What is lost if a job is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A flight of a conversation that was worked on before: that work too.
    Begun,
    /// The first flight of a conversation: nothing yet.
    First,
    /// A slow hash, a hundred times as long as a flight: nothing yet.
    Slow,
}

/// Which request waits for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

pub(super) enum Work {
    /// A flight of TLS.
    Handshake(Box<Conversation>),
    /// A slow hash for a conversation, which goes on with it.
    Inside(Box<Conversation>, Box<dyn FnOnce() -> Answer + Send>),
    /// A slow hash.
    Password(Box<dyn FnOnce() -> bool + Send>),
}

impl Work {
    /// The conversation that it belongs to, if it does.
    pub(super) fn into_conversation(self) -> Option<Box<Conversation>> {
        match self {
            Self::Handshake(conversation) | Self::Inside(conversation, _) => Some(conversation),
            Self::Password(_) => None,
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake(_) => "Handshake",
            Self::Inside(..) => "Inside",
            Self::Password(_) => "Password",
        })
    }
}

/// A job that has been done.
#[derive(Debug)]
pub struct Done {
    pub(super) ticket: Ticket,
    pub(super) result: Worked,
}

#[derive(Debug)]
pub(super) enum Worked {
    Handshake(Box<Conversation>, Step),
    /// Whether the password is the user's.
    Password(bool),
    /// What a home server has answered; `None` if none did.
    Home(Option<(Arc<Home>, Box<Returned>)>),
    /// It came to nothing.
    Lost,
}

impl Job {
    /// Where it queues.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// What to hand back instead if running the job fails by a panic, so that nobody waits for
    /// it. To be asked for before.
    #[must_use]
    pub const fn loss(&self) -> Done {
        Done {
            ticket: self.ticket,
            result: Worked::Lost,
        }
    }

    /// Does it. `clock` is read once, when the work on a conversation begins.
    pub fn run(self, clock: impl FnOnce() -> Now) -> Done {
        let result = match self.work {
            Work::Handshake(mut conversation) => {
                let step = conversation.work(clock());
                Worked::Handshake(conversation, step)
            }
            Work::Inside(mut conversation, check) => {
                let answer = check();
                let step = conversation.answer(clock(), answer);
                Worked::Handshake(conversation, step)
            }
            Work::Password(check) => Worked::Password(check()),
        };
        Done {
            ticket: self.ticket,
            result,
        }
    }
}
