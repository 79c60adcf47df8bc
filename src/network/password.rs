//! Requests without EAP: a user's password (PAP), or a MAC address in its place.

use std::time::Duration;

use crate::access::Correlation;
use crate::access::Decided;
use crate::model::Credential;
use crate::model::MacAddress;
use crate::model::Now;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Proof;
use crate::model::Subject;
use crate::model::Verdict;
use crate::network::Method;
use crate::network::Settings;
use crate::network::attempt::Attempt;
use crate::network::away::Asked;
use crate::network::challenge::Extra;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::context::readable;
use crate::network::discard::Discarded;
use crate::network::enforce;
use crate::network::enforce::Accepted;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::AttributeType;
use crate::radius::DropReason;
use crate::radius::Reply;
use crate::radius::Verified;

/// Who asks without EAP, once that is settled.
pub(super) struct Asker<'a> {
    pub(super) context: &'a Context,
    pub(super) method: &'static str,
    pub(super) user: Option<&'a str>,
    pub(super) credential: Credential,
    pub(super) extra: Extra<'a>,
}

impl Server {
    /// Answers an Access-Request with a User-Password.
    pub(super) fn password(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let name = request.user_name().unwrap_or(&[]);
        let named = MacAddress::parse(name);
        if named.is_some() && request.service_type() == Some(CALL_CHECK) {
            // Whatever the password is, which costs a digest for each block to know.
            self.bypass(now, settings, asked, request);
            return Ok(());
        }
        let Some(password) = request.password(asked.nas.secret().secret()) else {
            self.forget(asked);
            return Err(DropReason::BadPasswordLength.into());
        };
        let repeated = MacAddress::parse(password.expose()) == named;
        // Devices that send none, or a word for none, are known by the station that they name.
        let none = NO_PASSWORD.contains(&password.expose()) && request.calling_mac() == named;
        if named.is_some() && (repeated || none) {
            self.bypass(now, settings, asked, request);
            return Ok(());
        }
        let context = Context::new(asked.from.ip(), request);
        let Some(name) = std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
        else {
            let refused = Refused {
                method: "pap",
                user: readable(name),
                why: NO_NAME,
            };
            let extra = &Extra::None;
            self.refuse_password(now, settings, asked, (&context, &refused), extra);
            return Ok(());
        };
        if !settings.methods.allow(asked.nas.group(), Method::Pap) {
            let refused = Refused {
                method: Method::Pap.name(),
                user: name,
                why: Method::Pap.is_off(),
            };
            let extra = &Extra::None;
            self.refuse_password(now, settings, asked, (&context, &refused), extra);
            return Ok(());
        }
        let attempt = Attempt {
            context: &context,
            method: Method::Pap,
            user: name,
            extra: Extra::None,
        };
        let proof = Proof::Password(password.expose());
        self.attempt(now, settings, asked, verified, (&attempt, &proof))
    }

    /// MAC authentication bypass: the address stands in User-Name and proves nothing.
    pub(super) fn bypass(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
    ) {
        let mut context = Context::new(asked.from.ip(), request);
        let name = request.user_name().unwrap_or(&[]);
        let why = match (MacAddress::parse(name), context.station) {
            (Some(named), Some(station)) if named != station => {
                "User-Name and Calling-Station-Id are different addresses"
            }
            (Some(_), None) if request.calling_station_id().is_some() => {
                "Calling-Station-Id is no MAC address"
            }
            _ if context.is_vpn() => "nobody enters a VPN by an address that anybody can type",
            _ if !settings.methods.allow(asked.nas.group(), Method::Mab) => Method::Mab.is_off(),
            (Some(named), Some(_) | None) => {
                context.station = Some(named);
                let asker = Asker {
                    context: &context,
                    method: "mab",
                    user: None,
                    credential: Credential::None,
                    extra: Extra::None,
                };
                return self.decide_and_answer(now, settings, asked, &asker);
            }
            (None, _) => "no password, no EAP, and no MAC address in User-Name",
        };
        let refused = Refused {
            method: "mab",
            user: readable(name),
            why,
        };
        self.refuse(now, settings, asked, &context, &refused);
    }

    pub(super) fn decide_and_answer(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        asker: &Asker<'_>,
    ) {
        let context = asker.context;
        context.with_claimed(|device| self.decide_about(now, settings, asked, asker, device));
    }

    fn decide_about(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        asker: &Asker<'_>,
        device: &[Presented<'_>],
    ) {
        let subject = Subject {
            plane: Plane::Network,
            user: asker.user,
            credential: asker.credential,
            device,
            nas: Some(asker.context.nas(asked.nas)),
            mail: None,
        };
        let decided = self.decide(now, &subject);
        let id = self.new_correlation();
        if !self.answer(now, settings, asked, (&decided, id), asker) {
            let user = asker.user.unwrap_or_default();
            return self.record_unsent(now, asked, asker.context, asker.method, user);
        }
        self.admitted(now, asked, id, &subject, &decided, None);
        let (context, method) = (asker.context, asker.method);
        let mut record = self.shared.records.lend();
        context.record(&mut record, id, method, &subject, &decided);
        if context.is_identified_by_claims() {
            record.presented = context.shown_claim();
        } else if let Some(station) = context.station {
            let spelled = station.spelled();
            record.presented.set(readable(&spelled));
        }
        self.shared.records.push(record);
    }

    /// Carries a decision out; `false` if the reply could not be written.
    fn answer(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (decided, id): (&Decided, Correlation),
        asker: &Asker<'_>,
    ) -> bool {
        let Decided { decision, seen, .. } = decided;
        let (verdict, established) = (decision.verdict, seen.established);
        let profile =
            settings
                .enforcement
                .profile(asked.nas.group(), verdict, established, seen.credential);
        let message = profile.reply_message.as_deref();
        let (random, extra) = (self.shared.random, &asker.extra);
        // At once, a block would tell that the password was right.
        let delay = match (verdict, seen.credential) {
            (Verdict::Block, Credential::Password) => settings.config.reject_delay,
            (Verdict::Block | Verdict::Allow | Verdict::Quarantine, _) => Duration::ZERO,
        };
        let charging = &asker.context.charging;
        let charged = charging.identity(&settings.charging, &self.shared.point, asker.user);
        let sent = self.reply_after(now, delay, asked, |buffer, origin, nas| {
            let mut reply = match verdict {
                Verdict::Allow | Verdict::Quarantine => {
                    let mut reply = Reply::access_accept(buffer, origin, nas.secret());
                    let accepted = Accepted {
                        decision,
                        id,
                        on_record: true,
                        user: asker.user,
                        context: asker.context,
                        nas,
                        charged,
                    };
                    enforce::write(&mut reply, profile, &accepted, now.wall, random);
                    extra.accept(&mut reply, random);
                    reply
                }
                Verdict::Block => {
                    let mut reply = Reply::access_reject(buffer, origin, nas.secret());
                    extra.reject(&mut reply);
                    reply
                }
            };
            if let Some(message) = message {
                reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
            }
            reply
        });
        if sent {
            self.count_decision(verdict);
        }
        sent
    }
}

/// What records say.
pub(super) const NO_NAME: &str = "the name is empty or no UTF-8 text";

/// Service-Type of MAC authentication bypass (RFC 2865 section 5.6). The other sign of it is a
/// password that repeats the MAC address of User-Name.
const CALL_CHECK: u32 = 10;

/// What stands for no password beside a MAC address: nothing (RouterOS with `as-username`), and the
/// default of Extreme's EOS.
const NO_PASSWORD: [&[u8]; 2] = [b"", b"NOPASSWORD"];
