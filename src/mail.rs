//! The ActiveSync gateway without sockets: a request head goes in, an [`Action`] comes out.
//!
//! This room owns what may be said to whom before a request is let through, the memory of accepted
//! credentials, and which headers pass. It knows nothing of connections or TLS. Bodies are streamed
//! by the shell and not looked at, but for those of devices that are or were in quarantine, for
//! Settings and Provision, in which a client tells of its device, and, where a policy asks about
//! attachments or SendMail, for ItemOperations or Sync (`draft.rs`).
//!
//! Order of a request, each step ending in a reply if it fails:
//!
//! 1. the head's form: version, method, host, path, query ([`Malformed`]: 400, 404, 405, 421, 505);
//! 2. a credential: Basic, Bearer, or a client certificate (401 with a challenge, whatever else is
//!    known of the client);
//! 3. **credentials first**: unless the upstream has accepted this credential lately, it is asked
//!    with an OPTIONS of our own (401, 403, 503). Before its word there is no decision, no record
//!    of a device and no answer that depends on one, nor on whose the certificate is. And its word
//!    counts only if it refuses an OPTIONS without credentials: that is asked first, once a minute.
//!    How long its word is remembered and how often it is asked is in [`Memory`]; whoever is refused
//!    too often has to wait (503);
//! 4. a certificate beside the password is valid and the same user's, and the query's user is the
//!    authenticated one (403);
//! 5. the decision, registered in the same step ([`Live::admit`](crate::access::Live::admit)): the
//!    request goes upstream only with the [`Permit`](crate::access::Permit) that comes of it. A
//!    block is 403 with the reason's code, or a status in WBXML, see [`crate::eas::Refusal`]; a device in quarantine is
//!    answered from a made-up mailbox ([`crate::eas::quarantine`]) once the shell has read the body
//!    ([`Action::Read`]), or has to wait ([`Next::Wait`]);
//! 6. the request upstream is written anew from parsed values; of the client's own octets only
//!    the values of listed headers and the body go there.
//!
//! A device that does not meet the rules any more may be let in for a while all the same, and its user
//! is told: what is remembered for that is the roll (`roll.rs`), which the shell judges again, saves,
//! and sends the mails of. What people read is of [`crate::message`].
//!
//! Beside ActiveSync there is one page for people, that of the check-again link (`check.rs`): it needs
//! no credential, because its signed address is one for that page, and reaches nothing upstream.
//!
//! OPTIONS names no device, so it is never forwarded: it is answered with what the upstream
//! answered us in step 3.
//!
//! Who the user is: Basic (`user`, `DOMAIN\user`, `user@domain`; UTF-8, or else ISO 8859-1), or, where
//! [`Config::certificate_user_header`] is set, the UPN or e-mail address of a client certificate,
//! with which no Authorization may be sent (MS-ASHTTP 2.2.1.1.2.2). Without that setting a
//! certificate proves the device only: a password is needed with it, of the same user if the
//! certificate names one. A Bearer token is taken where [`Config::bearer`] is set: the mail server
//! proves it, and the user is the one that it names. Not taken: Negotiate, NTLM; `authorization.rs`
//! says why.
//!
//! Which device it is: the DeviceId together with the user is claimed, a client certificate is
//! proof. When the upstream has answered a command of a proven device with success, its DeviceId
//! goes out as a [`Binding`], so that the inventory knows the pair from then on.
//!
//! Which clients there are is told as [`Sighting`](crate::access::Sighting)s, and only what is new. A
//! client that an administrator has ordered to be wiped is told so by its next Provision (`wipe`).
//!
//! Start at [`Gateway`].

mod action;
mod alias;
mod answer;
mod authorization;
mod autodiscover;
mod challenge;
mod check;
mod config;
mod cookie;
mod credential;
mod draft;
mod error;
mod follow;
mod forwarded;
mod gateway;
mod head;
mod header;
mod hearing;
mod host;
mod link;
mod login;
mod message;
mod name;
mod quarantine;
mod reply;
mod roll;
mod route;
mod sighting;
mod sign_in;
mod strip;
mod token;
mod web;
mod who;
mod wipe;
mod words;

pub use action::Action;
pub use action::Aside;
pub use action::Ask;
pub use action::Attest;
pub use action::Binding;
pub use action::Event;
pub use action::Exchange;
pub use action::Forward;
pub use action::Next;
pub use action::Outgoing;
pub use action::Promise;
pub use action::Read;
pub use action::Step;
pub use action::Ticket;
pub use action::Told;
pub use action::Wait;
pub use action::WipeNews;
pub use autodiscover::Answer as Discovered;
pub use autodiscover::Discover;
pub use autodiscover::Discovery;
pub use autodiscover::Unreadable;
pub use autodiscover::read_answer;
pub use autodiscover::read_request;
pub use check::LookUp;
pub use config::Bearer;
pub use config::Config;
pub use config::ConfigError;
pub use config::Origin;
pub use config::UserHeader;
pub use credential::Memory;
pub use error::Malformed;
pub use gateway::Gateway;
pub use head::Head;
pub use head::Peer;
pub use head::network;
pub use link::CHECK_PATH;
pub use message::platform_of;
pub use name::Names;
pub use reply::Cause;
pub use reply::Outcome;
pub use reply::Reply;
pub use roll::Care;
pub use roll::Mail;
pub use roll::MailState;
pub use roll::Phase;
pub use roll::Post;
pub use roll::PostCounts;
pub use roll::Posted;
pub use roll::Restored;
pub use roll::Standing;
pub use route::Affinity;
pub use route::Resource;
pub use route::Route;
pub use route::Routes;
pub use route::Rule;
pub use route::UpstreamId;
pub use route::Whose;
pub use strip::Fetch;
pub use web::Application;
pub use web::Publish;
pub use web::SignIn;
pub use web::Visit;
pub use web::is_passed_on;
pub use web::known_application;
pub use words::Quarantine;
pub use words::Words;
