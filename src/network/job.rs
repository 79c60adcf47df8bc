//! Work that leaves the packet loop: it owns what it works on and comes back with the result.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use crate::eap::Conversation;
use crate::eap::Step;
use crate::model::Now;
use crate::network::check::Answer;
use crate::network::check::Inquiry;
use crate::network::proxy::Home;
use crate::network::proxy::Nobody;
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
    /// A question to a server for a conversation, which goes on with its answer.
    InsideInquiry(Box<Conversation>, Inquiry),
    /// A question to a directory about the groups of a conversation's peer; the step that waits for it.
    LookUp(Box<Conversation>, Box<Step>, Inquiry),
    /// An OCSP responder that is asked for a conversation, which goes on when it has answered.
    Responder(Box<Conversation>, Pin<Box<dyn Future<Output = ()> + Send>>),
    /// A slow hash.
    Password(Box<dyn FnOnce() -> Answer + Send>),
    /// A question to a server: no work, but time.
    Inquiry(Inquiry),
}

impl Work {
    /// Whether it waits for somebody else and so takes no worker.
    pub(super) const fn is_elsewhere(&self) -> bool {
        match self {
            Self::Handshake(_) | Self::Inside(..) | Self::Password(_) => false,
            Self::InsideInquiry(..) | Self::LookUp(..) | Self::Responder(..) | Self::Inquiry(_) => {
                true
            }
        }
    }
}

impl Work {
    /// The conversation that it belongs to, if it does.
    pub(super) fn into_conversation(self) -> Option<Box<Conversation>> {
        match self {
            Self::Handshake(conversation)
            | Self::Inside(conversation, _)
            | Self::InsideInquiry(conversation, _)
            | Self::Responder(conversation, _) => Some(conversation),
            // One that waits for a look-up has gone on, and cannot be asked again.
            Self::LookUp(..) | Self::Password(_) | Self::Inquiry(_) => None,
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake(_) => "Handshake",
            Self::Inside(..) => "Inside",
            Self::InsideInquiry(..) => "InsideInquiry",
            Self::LookUp(..) => "LookUp",
            Self::Responder(..) => "Responder",
            Self::Password(_) => "Password",
            Self::Inquiry(_) => "Inquiry",
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
    /// What a home server has answered, or why none did.
    Home(Result<(Arc<Home>, Box<Returned>), Nobody>),
    /// What a conversation wanted to know; it has not gone on with it yet.
    Inside(Box<Conversation>, Answer),
    /// What came of looking up a conversation's peer, and the step that has waited for it.
    LookedUp(Box<Conversation>, Box<Step>, Answer),
    /// A responder has answered, or will not; the conversation has not gone on yet.
    Settled(Box<Conversation>),
    /// What came of a password.
    Password(Answer),
    /// It came to nothing.
    Lost,
}

impl Job {
    /// Where it queues.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether it only waits for a server and needs no worker.
    #[must_use]
    pub const fn is_inquiry(&self) -> bool {
        self.work.is_elsewhere()
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

    /// What a runtime is to drive instead of a worker thread, if it is an inquiry.
    ///
    /// # Errors
    ///
    /// The job itself, if it is for a worker.
    pub fn into_inquiry(self) -> Result<Inquiring, Box<Self>> {
        match self.work {
            Work::Inquiry(inquiry) => Ok(Inquiring {
                ticket: self.ticket,
                asking: Asking::Password(inquiry.into_inner()),
            }),
            Work::InsideInquiry(conversation, inquiry) => Ok(Inquiring {
                ticket: self.ticket,
                asking: Asking::Inside(Some(conversation), inquiry.into_inner()),
            }),
            Work::LookUp(conversation, step, inquiry) => Ok(Inquiring {
                ticket: self.ticket,
                asking: Asking::LookUp(Some((conversation, step)), inquiry.into_inner()),
            }),
            Work::Responder(conversation, settled) => Ok(Inquiring {
                ticket: self.ticket,
                asking: Asking::Responder(Some(conversation), settled),
            }),
            work @ (Work::Handshake(_) | Work::Inside(..) | Work::Password(_)) => {
                Err(Box::new(Self { work, ..self }))
            }
        }
    }

    /// Does it. `clock` is read once, when the work begins. An inquiry that is not answered at once
    /// comes to nothing here: see [`Job::into_inquiry`].
    pub fn run(self, clock: impl FnOnce() -> Now) -> Done {
        if self.is_inquiry() {
            let lost = self.loss();
            let Ok(mut inquiring) = self.into_inquiry() else {
                return lost;
            };
            let mut nobody = Context::from_waker(Waker::noop());
            return match Pin::new(&mut inquiring).poll(&mut nobody) {
                Poll::Ready(done) => done,
                Poll::Pending => lost,
            };
        }
        let result = match self.work {
            Work::Handshake(mut conversation) => {
                let step = conversation.work(clock());
                Worked::Handshake(conversation, step)
            }
            Work::Inside(conversation, check) => Worked::Inside(conversation, check()),
            Work::Password(check) => Worked::Password(check()),
            // Dealt with above.
            Work::InsideInquiry(..) | Work::LookUp(..) | Work::Responder(..) | Work::Inquiry(_) => {
                Worked::Lost
            }
        };
        Done {
            ticket: self.ticket,
            result,
        }
    }
}

/// A job that waits for a server.
pub struct Inquiring {
    ticket: Ticket,
    asking: Asking,
}

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What is asked, and the conversation that waits with it.
enum Asking {
    Password(Answering),
    Inside(Option<Box<Conversation>>, Answering),
    LookUp(Option<(Box<Conversation>, Box<Step>)>, Answering),
    Responder(
        Option<Box<Conversation>>,
        Pin<Box<dyn Future<Output = ()> + Send>>,
    ),
}

impl fmt::Debug for Inquiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inquiring").field(&self.ticket).finish()
    }
}

impl Future for Inquiring {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done> {
        let result = match &mut self.asking {
            Asking::Password(asking) => {
                Worked::Password(std::task::ready!(asking.as_mut().poll(context)))
            }
            Asking::Inside(conversation, asking) => {
                let answer = std::task::ready!(asking.as_mut().poll(context));
                match conversation.take() {
                    Some(conversation) => Worked::Inside(conversation, answer),
                    None => Worked::Lost,
                }
            }
            Asking::LookUp(waiting, asking) => {
                let answer = std::task::ready!(asking.as_mut().poll(context));
                match waiting.take() {
                    Some((conversation, step)) => Worked::LookedUp(conversation, step, answer),
                    None => Worked::Lost,
                }
            }
            Asking::Responder(conversation, settled) => {
                std::task::ready!(settled.as_mut().poll(context));
                conversation.take().map_or(Worked::Lost, Worked::Settled)
            }
        };
        Poll::Ready(Done {
            ticket: self.ticket,
            result,
        })
    }
}
