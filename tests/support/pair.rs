//! A supplicant behind a NAS: one login, packet by packet, whoever carries the datagrams.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use std::sync::Arc;

use portreeve::eap::Keys;
use portreeve::model::Now;
use portreeve::probe::Answer;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::probe::Report;
use portreeve::probe::Supplicant;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::RequestBuilder;

use crate::nas::Nas;
use crate::nas::Reply;

/// One login. The link between supplicant and NAS loses nothing.
pub(crate) struct Pair {
    pub(crate) nas: Nas,
    supplicant: Supplicant,
    /// User-Name, the outer identity.
    pub(crate) user: Vec<u8>,
    /// Calling-Station-Id.
    pub(crate) station: String,
    /// What every request carries besides.
    pub(crate) extra: Vec<(AttributeType, Vec<u8>)>,
    /// State of the last challenge.
    pub(crate) state: Option<Vec<u8>>,
    /// The last response of the supplicant.
    pub(crate) response: Vec<u8>,
    /// Access-Challenges received.
    pub(crate) challenges: usize,
}

/// How a login ended.
#[derive(Debug)]
pub(crate) enum End {
    Accepted { reply: Reply, keys: Box<Keys> },
    Rejected { reply: Reply, failure: PeerFailure },
}

/// What comes next.
pub(crate) enum Next {
    /// Send this request.
    Request(Vec<u8>),
    End(End),
}

impl Pair {
    pub(crate) fn new(nas: Nas, profile: &Arc<Profile>, user: &str) -> Self {
        let supplicant = Supplicant::new(Arc::clone(profile));
        Self {
            response: supplicant.identity_response(1),
            nas,
            supplicant,
            user: user.as_bytes().to_vec(),
            station: "00-00-5E-00-53-07".into(),
            extra: Vec::new(),
            state: None,
            challenges: 0,
        }
    }

    /// The next request as it stands: the first one carries the identity.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        self.request_with(|_| {})
    }

    /// The same with more in it.
    pub(crate) fn request_with(
        &mut self,
        build: impl FnOnce(&mut RequestBuilder<'_, '_>),
    ) -> Vec<u8> {
        let Self {
            nas,
            user,
            station,
            extra,
            state,
            response,
            ..
        } = self;
        nas.access(|request| {
            if !user.is_empty() {
                request.octets(AttributeType::USER_NAME, user);
            }
            request
                .octets(AttributeType::CALLING_STATION_ID, station.as_bytes())
                .eap_message(response);
            if let Some(state) = state {
                request.octets(AttributeType::STATE, state);
            }
            for (kind, value) in extra {
                request.octets(*kind, value);
            }
            build(request);
        })
    }

    /// Gives a believed reply to the supplicant.
    #[track_caller]
    pub(crate) fn take(&mut self, now: Now, reply: Reply) -> Next {
        self.state = reply.find(AttributeType::STATE);
        let eap = reply.eap().unwrap_or_default();
        match (reply.code, self.supplicant.handle(now, &eap)) {
            (Code::AccessChallenge, Answer::Response(response)) => {
                self.challenges += 1;
                self.response = response;
                Next::Request(self.request())
            }
            (Code::AccessAccept, Answer::Success(keys)) => Next::End(End::Accepted { reply, keys }),
            (Code::AccessReject, Answer::Failure(failure)) => {
                Next::End(End::Rejected { reply, failure })
            }
            (code, answer) => panic!("{code} led the supplicant to {answer:?}"),
        }
    }

    /// What the supplicant has seen.
    pub(crate) const fn report(&self) -> &Report {
        self.supplicant.report()
    }
}

impl End {
    /// An Access-Accept with the keys that the supplicant has.
    #[track_caller]
    pub(crate) fn accepted(&self, nas: &Nas) -> &Reply {
        match self {
            Self::Accepted { reply, keys } => {
                let given = reply.keys(nas).expect("keys for the NAS");
                assert_eq!(given.receive().as_slice(), keys.msk.receive_key());
                assert_eq!(given.send().as_slice(), keys.msk.send_key());
                reply
            }
            Self::Rejected { failure, .. } => panic!("rejected: {failure}"),
        }
    }

    /// An Access-Reject.
    #[track_caller]
    pub(crate) fn rejected(&self) -> &Reply {
        match self {
            Self::Rejected { reply, .. } => reply,
            Self::Accepted { .. } => panic!("accepted"),
        }
    }
}
