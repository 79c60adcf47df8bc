//! The rows of the mail plane.

use super::By;
use super::By::Reason;
use super::By::Tests;

/// Attacks on the mail plane, and what holds against them.
pub(super) const ROWS: &[(&str, By)] = &[
    (
        "CL.TE, TE.CL, TE.TE, obs-fold, bare CR, chunk tricks",
        Tests(&[
            "no_spelling_of_a_request_becomes_two_or_another_one",
            "a_body_that_is_none_is_a_bad_request",
            "the_length_of_a_request_is_clear_or_it_is_none",
            "requests_that_come_at_once_are_answered_in_turn",
        ]),
    ),
    (
        "bare LF, chunk extensions, trailers, an absolute target",
        Tests(&["requests_that_may_be_lenient_are_still_one_request_upstream"]),
    ),
    (
        "header names with _",
        Tests(&[
            "only_listed_headers_pass_towards_the_mail_server",
            "hop_by_hop_headers_stay_on_their_hop",
        ]),
    ),
    (
        "H2.CL, H2.TE, CR LF in names, values and :path, :path twice",
        Tests(&[
            "no_spelling_of_a_head_is_another_request_in_http_1_1_rfc9113_8",
            "a_length_that_lies_makes_no_second_request_rfc9113_8_1_1",
            "http2_requests_take_the_same_path",
        ]),
    ),
    (
        "h2c, WebSocket upgrade, CONNECT, TRACE, HEAD",
        Tests(&[
            "requests_that_may_be_lenient_are_still_one_request_upstream",
            "no_spelling_of_a_request_becomes_two_or_another_one",
            "only_options_and_post_are_methods_here",
            "nonsense_of_the_mail_server_is_503",
        ]),
    ),
    (
        "Connection that names a header, hop-by-hop headers",
        Tests(&[
            "headers_that_count_stand_there_once_and_belong_to_no_connection",
            "hop_by_hop_headers_stay_on_their_hop",
            "answers_lose_what_belongs_to_the_connection_or_leads_away",
        ]),
    ),
    (
        "spoofed forwarding, URL, certificate and gateway headers",
        Tests(&[
            "only_listed_headers_pass_towards_the_mail_server",
            "what_goes_upstream_is_written_anew",
            "the_request_is_written_anew_for_the_mail_server",
            "a_certificate_signs_in_where_the_upstream_takes_our_word_r30",
        ]),
    ),
    (
        "path spellings: case, //, /./, ..;, %2f, double encoding, backslash, NUL, #",
        Tests(&[
            "one_path_in_one_spelling",
            "other_paths_and_spellings_do_not_reach_the_mail_server",
            "no_spelling_of_a_head_is_another_request_in_http_1_1_rfc9113_8",
        ]),
    ),
    (
        "side doors: OWA, EWS, ECP, PowerShell, MAPI, RPC, OAB, REST, Autodiscover",
        Tests(&[
            "one_path_in_one_spelling",
            "other_paths_and_spellings_do_not_reach_the_mail_server",
        ]),
    ),
    (
        "Cmd, User, DeviceId or DeviceType twice, in another case, encoded, in both forms, cut",
        Tests(&[
            "plain_queries_that_two_servers_could_read_differently_are_refused",
            "a_query_of_both_forms_is_refused",
            "every_cut_of_a_packed_query_is_refused",
            "text_around_base64_is_refused",
            "malformed_heads_are_answered_before_anything_is_asked",
        ]),
    ),
    (
        "User and Authorization differ",
        Tests(&[
            "the_query_names_the_user_who_signed_in",
            "a_token_opens_what_its_own_user_has_and_nothing_if_it_is_forged",
            "names_that_are_no_ascii_are_read_and_sent_on_as_they_came_r30",
        ]),
    ),
    (
        "User and a name in the body differ",
        Reason(
            "no body says whose mailbox is meant: UserName in Search and ItemOperations signs in to a \
             file server (MS-ASCMD 2.2.3.189), AccountId is one of the user's own accounts",
        ),
    ),
    (
        "a connection that carried Negotiate or NTLM is another user's",
        Tests(&[
            "two_users_of_a_server_that_authenticates_connections_are_never_each_other_rfc4559_6",
            "without_a_usable_credential_there_is_a_challenge",
        ]),
    ),
    (
        "a token that is forged, ended, another user's, or read in two ways",
        Tests(&[
            "a_token_is_believed_when_the_mail_server_takes_it_and_until_it_ends_rfc6750",
            "a_token_opens_what_its_own_user_has_and_nothing_if_it_is_forged",
            "what_two_readers_could_read_differently_is_no_token_rfc7519_4",
        ]),
    ),
    (
        "DeviceId of a compliant device claimed by another phone",
        Tests(&[
            "somebody_elses_device_id_opens_nothing",
            "a_device_id_is_bound_by_success_and_to_whom_it_succeeded_for",
            "a_certificate_lends_its_proof_to_no_other_device",
            "a_certificate_proves_the_device_and_binds_its_device_id_r36",
        ]),
    ),
    (
        "DeviceId of a compliant device claimed by another phone of the same user",
        Reason("a DeviceId is a claim: the README says so, and a policy can demand proof (proven)"),
    ),
    (
        "long Ping and Sync connections outlive a verdict",
        Tests(&[
            "a_waiting_ping_ends_within_a_second_of_the_change_r14",
            "a_streaming_answer_is_cut_by_the_change_r14",
            "a_waiting_ping_over_http2_is_cut_and_its_neighbours_are_not",
            "a_wait_ends_with_403_when_the_device_is_blocked_r14",
        ]),
    ),
    (
        "slow heads and bodies, no handshake, many connections",
        Tests(&[
            "slow_clients_are_cut_off",
            "connections_of_one_address_are_limited",
            "a_body_that_does_not_come_holds_nothing",
        ]),
    ),
    (
        "slow reading, zero window of a connection",
        Reason(
            "64 KiB wait for a client at most, and octets that it does not acknowledge for a minute \
             end its connection (TCP_USER_TIMEOUT), which a test would have to wait for",
        ),
    ),
    (
        "zero window of an HTTP/2 stream",
        Tests(&[
            "an_answer_of_which_nothing_is_taken_is_cut_and_its_neighbours_are_not",
            "an_answer_of_which_the_end_is_not_taken_ends_the_connection_beside_a_ping",
            "a_client_that_has_not_signed_in_holds_no_connection_by_taking_nothing",
        ]),
    ),
    (
        "rapid reset, CONTINUATION flood, HPACK bomb",
        Tests(&[
            "a_flood_of_reset_streams_ends_the_connection",
            "a_head_without_end_ends_the_connection",
            "a_head_that_unpacks_to_megabytes_is_refused",
        ]),
    ),
    (
        "PING and SETTINGS floods",
        Reason(
            "the HTTP/2 library owes one acknowledgement at a time and reads no further until it has \
             been sent",
        ),
    ),
    (
        "WBXML: depth, string tables, lengths that lie",
        Tests(&[
            "everything_but_the_profile_is_refused",
            "a_body_over_the_limit_is_refused_in_quarantine_and_passes_afterwards",
            "every_parser_survives_its_corpus_and_changes_of_it",
        ]),
    ),
    (
        "two answers to one request, an answer split, early or without end, interim answers",
        Tests(&[
            "a_second_answer_is_never_taken_for_the_next_requests",
            "answers_end_where_the_mail_server_ends_them",
            "nonsense_of_the_mail_server_is_503",
            "a_413_before_the_end_of_the_body_reaches_the_client",
            "a_refusal_reaches_a_client_that_is_still_sending",
        ]),
    ),
    (
        "Expect: 100-continue",
        Tests(&["a_refused_body_is_not_even_asked_for"]),
    ),
    (
        "a refusal that makes a phone erase itself",
        Tests(&["no_refusal_is_a_wipe"]),
    ),
    (
        "renegotiation, TLS below 1.2, weak suites",
        Reason("the TLS library has none of them"),
    ),
];
