//! A user who shows a password, or answers a challenge with it: checked, and admitted or refused.

use crate::eap::MsChapV2;
use crate::model::Credential;
use crate::model::Now;
use crate::model::Proof;
use crate::network::Answer;
use crate::network::Method;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::away::Waiting;
use crate::network::challenge::Extra;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::discard::Discarded;
use crate::network::password::Asker;
use crate::network::server::Server;
use crate::radius::Verified;

/// Who it is and what the reply will need.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) context: &'a Context,
    pub(super) method: Method,
    pub(super) user: &'a str,
    pub(super) extra: Extra<'a>,
}

/// The same while the answer is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    context: Context,
    method: Method,
    pub(super) user: Box<str>,
    extra: PendingExtra,
}

#[derive(Debug)]
enum PendingExtra {
    None,
    MsChap { identifier: u8 },
    MsChapV2 { identifier: u8, login: Box<Login> },
}

/// [`MsChapV2`] that owns what it is made of.
#[derive(Debug)]
struct Login {
    challenge: [u8; 16],
    peer_challenge: [u8; 16],
    response: [u8; 24],
    name: Box<[u8]>,
}

impl Attempt<'_> {
    fn keep(&self) -> Pending {
        Pending {
            context: self.context.clone(),
            method: self.method,
            user: self.user.into(),
            extra: match self.extra {
                Extra::None => PendingExtra::None,
                Extra::MsChap {
                    identifier,
                    login: None,
                    ..
                } => PendingExtra::MsChap { identifier },
                Extra::MsChap {
                    identifier,
                    login: Some(login),
                    ..
                } => PendingExtra::MsChapV2 {
                    identifier,
                    login: Box::new(Login {
                        challenge: *login.challenge,
                        peer_challenge: *login.peer_challenge,
                        response: *login.response,
                        name: login.name.into(),
                    }),
                },
            },
        }
    }
}

impl Pending {
    /// Lends it in its borrowed form.
    fn with(&self, go_on: impl FnOnce(&Attempt<'_>)) {
        let attempt = |extra| Attempt {
            context: &self.context,
            method: self.method,
            user: &self.user,
            extra,
        };
        match &self.extra {
            PendingExtra::None => go_on(&attempt(Extra::None)),
            PendingExtra::MsChap { identifier } => go_on(&attempt(Extra::MsChap {
                identifier: *identifier,
                login: None,
                key: None,
            })),
            PendingExtra::MsChapV2 { identifier, login } => {
                let lent = MsChapV2 {
                    challenge: &login.challenge,
                    peer_challenge: &login.peer_challenge,
                    response: &login.response,
                    name: &login.name,
                };
                go_on(&attempt(Extra::MsChap {
                    identifier: *identifier,
                    login: Some(&lent),
                    key: None,
                }));
            }
        }
    }
}

impl Server {
    /// Asks whether `proof` is of the user's password, and answers, at once or when that is known.
    pub(super) fn attempt(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        verified: &Verified<'_>,
        (attempt, proof): (&Attempt<'_>, &Proof<'_>),
    ) -> Result<(), Discarded> {
        let (config, user) = (&settings.config, attempt.user);
        match self.halts_guess(now, config, asked, user) {
            None => {}
            Some(Err(busy)) => {
                self.forget(asked);
                return Err(busy);
            }
            Some(Ok(why)) => {
                let refused = Refused {
                    method: attempt.method.name(),
                    user,
                    why: why.as_str(),
                };
                let told = (attempt.context, &refused, Some(BRAKE));
                self.refuse_password_with(now, settings, asked, told, &attempt.extra);
                return Ok(());
            }
        }
        match settings.passwords.check(user, proof).begin() {
            Ok(answer) => self.conclude(now, settings, asked, attempt, answer),
            Err(work) if !self.away.has_room(work.is_elsewhere()) => {
                self.forget(asked);
                return Err(Discarded::Overloaded);
            }
            Err(work) => {
                self.guess_began(now.monotonic, asked.from.ip(), user);
                let waiting = Waiting::Password(Box::new(attempt.keep()));
                let deadline = now.monotonic + settings.config.patience;
                self.send_away(deadline, asked, verified.hold(), waiting, work);
            }
        }
        Ok(())
    }

    /// Goes on when the work has brought its answer.
    pub(super) fn resume_password(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        pending: &Pending,
        answer: Answer,
    ) {
        pending.with(|attempt| self.conclude(now, settings, asked, attempt, answer));
    }

    fn conclude(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        attempt: &Attempt<'_>,
        answer: Answer,
    ) {
        let Attempt {
            context,
            method,
            user,
            extra,
        } = attempt;
        self.note_guess(now, &settings.config, asked, user, &answer);
        let why = match &answer {
            Answer::Accepted(key) => {
                let asker = Asker {
                    context,
                    method: method.name(),
                    user: Some(user),
                    credential: Credential::Password,
                    extra: extra.with(key.as_ref()),
                };
                return self.decide_and_answer(now, settings, asked, &asker);
            }
            Answer::Unavailable(why) if !settings.config.reject_when_unavailable => {
                self.counters.discard(Discarded::Unavailable);
                self.forget(asked);
                let refused = Refused {
                    method: method.name(),
                    user,
                    why: why.as_str(),
                };
                return self.record_refusal_with(now, asked, context, &refused, Some(DOWN));
            }
            Answer::Refused(why) | Answer::Unavailable(why) => why.as_str(),
            Answer::Unsuited => UNSUITED,
        };
        let refused = Refused {
            method: method.name(),
            user,
            why,
        };
        let advice = match answer {
            Answer::Unavailable(_) => Some(DOWN),
            Answer::Accepted(_) | Answer::Refused(_) | Answer::Unsuited => None,
        };
        let told = (*context, &refused, advice);
        self.refuse_password_with(now, settings, asked, told, extra);
    }
}

/// What records say.
pub(super) const DOWN: &str =
    "`portreeve status` says how its servers are; see when_unavailable in [passwords]";
const BRAKE: &str =
    "set the right password wherever the device remembers it, or see free_guesses in [passwords]";
const UNSUITED: &str = "what is known of this user's password cannot answer a challenge: CHAP needs it in clear, MSCHAP \
     that or the NT hash (users.toml), or Active Directory by winbind; an LDAP server can check PAP only";
