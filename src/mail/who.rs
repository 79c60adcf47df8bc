//! The client of one request: as a subject for the decision, and as a line of the record.

use std::sync::Arc;

use crate::access::Called;
use crate::access::ClientEntry;
use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::access::Seen;
use crate::access::SeenDevice;
use crate::access::Text;
use crate::access::Told;
use crate::eas;
use crate::eas::Command;
use crate::model::Established;
use crate::model::Generation;
use crate::model::Identifier;
use crate::model::KnownClient;
use crate::model::MailContext;
use crate::model::Medium;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Subject;
use crate::model::Timestamp;

use super::head::Peer;
use super::login::Login;
use super::route::Placed;
use super::route::Route;

/// Who asks, apart from what is asked.
#[derive(Debug)]
pub(super) struct Who {
    /// The number of the request.
    pub(super) id: Correlation,
    pub(super) login: Login,
    pub(super) peer: Arc<Peer>,
    pub(super) user_agent: String,
    /// Whether the body of the command asks for an attachment.
    pub(super) attachment: bool,
    /// Whether it is a Sync that sends a message, which is judged as the SendMail that it stands for.
    pub(super) sends: bool,
    /// What the body says of the device, where it is judged with that before it is on record.
    pub(super) told: Option<Box<Told>>,
    /// Where the user's mailbox is.
    pub(super) route: Route,
    /// The name of that upstream, where it is not the usual one.
    upstream: Option<Arc<str>>,
}

/// What was just told, as a policy sees it.
fn said(told: &Told) -> KnownClient<'_> {
    KnownClient {
        model: &told.model,
        os_version: told.os_version(),
        ..KnownClient::default()
    }
}

impl Who {
    pub(super) fn new(
        id: Correlation,
        peer: Arc<Peer>,
        login: Login,
        user_agent: &str,
        Placed { route, name }: Placed,
    ) -> Self {
        let end = user_agent.floor_char_boundary(MAX_USER_AGENT);
        let user_agent = user_agent.get(..end).unwrap_or_default().to_owned();
        Self {
            id,
            login,
            peer,
            user_agent,
            attachment: false,
            sends: false,
            told: None,
            route,
            upstream: name,
        }
    }

    /// The user's mailbox is elsewhere than was thought.
    pub(super) fn move_to(&mut self, Placed { route, name }: Placed) {
        self.route = route;
        self.upstream = name;
    }

    /// As much of the User-Agent as policies and records see.
    pub(super) fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// The command as which a request is judged.
    const fn judged(&self, request: &eas::Request) -> Command {
        if self.sends {
            Command::SendMail
        } else {
            request.command
        }
    }

    /// What a record names beside the request: an upstream that is not the usual one.
    fn called(&self) -> Option<Box<Called>> {
        let upstream = self.upstream.as_deref()?;
        Some(Box::new(Called {
            application: Box::default(),
            upstream: upstream.into(),
        }))
    }

    /// Lends the subject: the device first as the certificate proves it, then as it is claimed.
    pub(super) fn with_subject<T>(
        &self,
        request: &eas::Request,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let certificate = self.peer.certificate.as_ref();
        let proven = |identifier| Presented {
            identifier,
            established: Established::Proven,
        };
        let device = certificate
            .and_then(|names| names.intune_device_id())
            .map(|device| proven(Identifier::Device(device)));
        let certificate = certificate.map(|names| proven(Identifier::Certificate(names.id)));
        let claimed = Presented {
            identifier: Identifier::Eas(request.device, &self.login.user),
            established: Established::Claimed,
        };
        // One that is fetched by another command is found by who reads its body.
        let attachment = self.attachment || request.command == Command::GetAttachment;
        let presented = match (device, certificate) {
            (Some(device), Some(certificate)) => &[device, certificate, claimed][..],
            (Some(proven), None) | (None, Some(proven)) => &[proven, claimed],
            (None, None) => &[claimed],
        };
        ask(&Subject {
            plane: Plane::Mail,
            user: Some(&self.login.user),
            credential: self.login.credential,
            device: presented,
            nas: None,
            mail: Some(MailContext {
                device_type: &request.device_type,
                user_agent: &self.user_agent,
                version: request.version.tenths(),
                command: self.judged(request).name(),
                attachment,
                known: self.told.as_deref().map(said).unwrap_or_default(),
            }),
        })
    }

    /// Turns `record`, whatever it holds, into that of a decision.
    pub(super) fn record(
        &self,
        mut record: Box<DecisionRecord>,
        request: &eas::Request,
        decided: &Decided,
    ) -> Box<DecisionRecord> {
        let (judged, command) = (self.judged(request), request.command);
        let method: Text<40> = if judged == command {
            Text::display(&format_args!("eas {judged}"))
        } else {
            Text::display(&format_args!("eas {judged}, by {command}"))
        };
        self.with_subject(request, |subject| {
            record.fill(self.id, method.as_str(), subject, decided);
        });
        record.from = Some(self.peer.address.to_canonical());
        record.presented.set(request.spelled());
        record.called = self.called();
        record
    }

    /// The record of a client whose password was accepted, and who is refused all the same.
    pub(super) fn mismatch_record(
        &self,
        now: Timestamp,
        device: Option<&str>,
        why: &str,
    ) -> DecisionRecord {
        let mut record = self.refusal_record(now, why);
        record.presented = device.map_or(Text::EMPTY, Text::new);
        record
    }

    /// The record of a client that was not authenticated: the device that it says it is does not
    /// count.
    pub(super) fn refusal_record(&self, now: Timestamp, why: &str) -> DecisionRecord {
        DecisionRecord {
            id: self.id,
            method: Text::new("eas"),
            user: Text::new(&self.login.user),
            nas: Text::EMPTY,
            nas_group: Text::EMPTY,
            medium: Medium::Unknown,
            ssid: Text::EMPTY,
            from: Some(self.peer.address.to_canonical()),
            station: None,
            claims: None,
            presented: Text::EMPTY,
            device_type: Text::EMPTY,
            user_agent: Text::new(&self.user_agent),
            mail_version: 0,
            attachment: false,
            is_of_client: false,
            known_client: ClientEntry::default(),
            seen: Seen {
                at: now,
                plane: Plane::Mail,
                credential: self.login.credential,
                established: Established::None,
                device: SeenDevice::Unknown,
                user: None,
            },
            outcome: Outcome::NotAuthenticated(Text::new(why)),
            advice: None,
            chain: None,
            called: self.called(),
            rounds: 0,
            generation: Generation::default(),
        }
    }
}

/// How much of a User-Agent policies and records see; clients send under 100 octets.
const MAX_USER_AGENT: usize = 256;
