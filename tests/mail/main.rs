//! The mail plane: heads, the gateway core in virtual time, and the front on loopback.
//!
//! What a reverse proxy before a mail server is attacked with, and where it is tried here:
//!
//! | attack | test, or the reason why there is none |
//! | --- | --- |
//! | CL.TE, TE.CL, TE.TE, obs-fold, bare CR or LF, chunk tricks, both lengths | `smuggling::no_spelling_of_a_request_becomes_two_or_another_one`, `smuggling::a_body_that_is_none_is_a_bad_request` |
//! | header names with `_`, unlisted headers, spoofed forwarding headers | `header` in the library, `front::hop_by_hop_headers_stay_on_their_hop` |
//! | `Connection` that names a header | `header` in the library, `gateway::malformed_heads_are_answered_before_anything_is_asked` |
//! | Negotiate and NTLM, which authenticate connections | `persistent` |
//! | Bearer tokens that two readers read differently, forged, of others, ended | `token` in the library, `identity` |
//! | h2c, WebSocket upgrade, CONNECT, TRACE | the first two tests of `smuggling` above; the front never takes an upgrade up |
//! | H2.CL, H2.TE, CR LF in names and values, `:path` twice | `http2::no_spelling_of_a_head_…`, `http2::a_length_that_lies_…` |
//! | path spellings, side doors (OWA, EWS, PowerShell, Autodiscover, …) | `head` in the library, fragments (`#`) in `smuggling::no_spelling_of_a_…`; over HTTP/2 the library has cut the fragment off a `:path` before anybody sees it (the head comes packed by HPACK, so nothing before it can read one), and the target is written anew without it: no two readers see two targets |
//! | DeviceId twice, other case, encoded, `;`, `[]`, both forms, cut base64 | `query` in the library, `fuzz eas_query` |
//! | User and Authorization differ | `name` in the library, `gateway::the_query_names_the_user_who_signed_in` |
//! | DeviceId of a compliant device on another phone | `gateway::somebody_elses_device_id_opens_nothing` for another user; for the same user it is a claim and no proof, which policies can demand (`proven`) |
//! | long Ping and streaming answers outlive a verdict | `front::a_waiting_ping_…`, `front::a_streaming_answer_…`, over HTTP/2 too |
//! | slow head, slow body, many connections | `patience::slow_clients_are_cut_off`, `patience::connections_of_one_address_are_limited` |
//! | rapid reset, CONTINUATION flood, HPACK bomb | `front::a_flood_of_reset_streams_…`, `http2::a_head_without_end_…`, `http2::a_head_that_unpacks_…` |
//! | floods of SETTINGS, PING, PRIORITY, WINDOW_UPDATE, unknown frames | `http2::frames_that_belong_to_no_request_…`, `net::http2` in the library, `fuzz frames` |
//! | zero window | at most 64 KiB wait for a client; octets that it does not acknowledge for a minute end the connection (TCP_USER_TIMEOUT); a stream of HTTP/2 of which it takes nothing is cut after a minute or two, `stalling` |
//! | WBXML depth and lengths | `wbxml` in the library, `fuzz wbxml`; bodies are read in quarantine, of Settings and Provision, and of ItemOperations, Search and Sync where a policy asks about attachments or SendMail; `quarantine::a_body_over_the_limit_…`, `quarantine::a_body_that_does_not_come_…` |
//! | two answers to one request | `upstream::a_second_answer_is_never_taken_for_the_next_requests` |
//! | answers without a clear end, cut answers, what is no HTTP/1.1 | `upstream::answers_end_where_the_mail_server_ends_them`, `upstream::nonsense_of_the_mail_server_is_503` |
//! | the next request hidden behind a body, or sent early | `front::requests_that_come_at_once_are_answered_in_turn`; bodies and heads octet by octet in `net::http1` of the library |
//! | TLS below 1.2, renegotiation | the TLS library has neither |
//! | Host against published names and handshake | `head` in the library, `front::the_host_is_the_one_of_the_handshake` |
//! | guessing, upstream that accepts everybody | `gateway::guessing_…`, `credentials`, `gateway::the_upstream_is_asked_first_…` |
//! | whose a certificate is, told to whoever has it | `credentials::nothing_is_said_of_a_certificate_…` |
//! | names of servers in answers, forged headers of the gateway | `header` in the library |
//! | check-again links guessed, changed, expired, followed by scanners | `users::without_a_link_of_ours_…`, `users::the_link_of_a_message_…`, `mail::link` in the library |
//! | credentials in output | `gateway::secrets_appear_in_no_debug_output` |
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

mod alias;
mod attachments;
mod beside;
mod checks;
mod clients;
mod credentials;
mod crowd;
mod early;
mod front;
mod gateway;
mod handshake;
mod hearing;
mod http2;
mod identity;
mod inbox;
mod learned;
mod line;
mod notes;
mod passing;
mod patience;
mod persistent;
mod places;
mod published;
mod quarantine;
mod query;
mod release;
mod replies;
mod rollout;
mod sending;
mod site;
mod smuggling;
mod stalling;
mod stripping;
mod upstream;
mod upstreams;
mod users;
mod waits;
mod world;
