//! Which test holds which promise: each sentence with a MUST of the RFCs that counts here, and each
//! known attack, against the names of tests that would fail without it, or the reason why there is
//! none. The tests are looked up in the sources, so that a name which is gone is noticed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

mod mail;

/// What stands behind a row.
enum By {
    /// These tests.
    Tests(&'static [&'static str]),
    /// Nothing to test, because of this.
    Reason(&'static str),
}

use By::Reason;
use By::Tests;

/// RFC and section, what it says, and what holds it.
const SENTENCES: &[(&str, &str, By)] = &[
    (
        "2865 3",
        "a client without a secret is discarded",
        Tests(&[
            "a_stranger_is_not_even_read_rfc2865_3",
            "an_unknown_source_is_not_even_read_rfc2865_3",
        ]),
    ),
    (
        "2865 3",
        "shorter than Length is discarded, octets beyond are ignored, 20 to 4096",
        Tests(&[
            "lengths_that_lie_rfc2865_3",
            "packet_lengths_rfc2865_3",
            "octets_beyond_the_length_are_not_attributes_rfc2865_3",
        ]),
    ),
    (
        "2865 3",
        "an invalid code is discarded",
        Tests(&[
            "codes_that_no_nas_sends_rfc2865_3_rfc5080_2",
            "replies_and_unknown_codes_are_dropped_rfc2865_3",
        ]),
    ),
    (
        "2865 3",
        "replies go to the source port, with the same Identifier, signed",
        Tests(&[
            "replies_leave_from_the_address_that_was_asked_rfc2865_3",
            "a_client_believes_only_the_answer_rfc2865_3",
        ]),
    ),
    (
        "2865 4.1",
        "not both User-Password and CHAP-Password",
        Tests(&[
            "credentials_that_contradict_each_other_rfc2865_4_1_rfc3579_3_3",
            "two_kinds_of_credential_are_dropped_rfc2865_4_1",
        ]),
    ),
    (
        "2865 4.1",
        "NAS-IP-Address or NAS-Identifier, which is a SHOULD here",
        Tests(&["a_request_without_any_name_of_its_nas_is_taken_rfc2865_4_1"]),
    ),
    (
        "2865 4.2",
        "only answers to valid requests",
        Tests(&["replies_answer_their_kind_of_request_rfc2865_4"]),
    ),
    (
        "2865 5",
        "a bad attribute length is a reject or a drop",
        Tests(&[
            "attributes_that_do_not_add_up_rfc2865_5",
            "attribute_lengths_rfc2865_5",
        ]),
    ),
    (
        "2865 5",
        "the order of attributes is kept, unknown ones are ignored",
        Tests(&[
            "order_is_kept_and_unknown_attributes_pass_rfc2865_5",
            "attributes_that_we_do_not_know_are_ignored_rfc2865_5",
        ]),
    ),
    (
        "2865 5.2",
        "User-Password of 16 to 128 octets",
        Tests(&[
            "credentials_that_contradict_each_other_rfc2865_4_1_rfc3579_3_3",
            "hidden_passwords_of_other_lengths_are_refused_rfc2865_5_2",
        ]),
    ),
    (
        "2865 5.40",
        "the challenge of CHAP from its attribute, else the authenticator",
        Tests(&["rfc2865_5_40"]),
    ),
    (
        "2865 5.24",
        "State is opaque, and comes back unchanged",
        Tests(&[
            "a_challenge_has_a_request_and_a_state_rfc3579_3_3",
            "states_that_nobody_gave_are_refused_rfc3579_2_6_1_rfc5080_2_1_1",
        ]),
    ),
    (
        "2865 5.26",
        "vendors that are unknown, or in another form, are ignored",
        Tests(&[
            "vendor_data_in_a_foreign_form_is_not_fatal_rfc2865_5_26",
            "attributes_that_do_not_add_up_rfc2865_5",
        ]),
    ),
    (
        "2865 5.33",
        "Proxy-State is copied unmodified, in order",
        Tests(&[
            "proxy_states_come_back_as_they_are_and_a_flood_of_them_costs_only_its_sender_rfc2865_5_33",
            "proxy_states_come_last_unmodified_and_in_order_rfc2865_5_33",
        ]),
    ),
    (
        "2865 5.44",
        "what may stand once stands once",
        Tests(&["what_may_stand_once_stands_once_rfc2865_5_44"]),
    ),
    (
        "2866 3",
        "a wrong Request Authenticator is discarded",
        Tests(&[
            "accounting_that_is_forged_or_says_nothing_rfc2866_3_and_4",
            "a_wrong_request_authenticator_keeps_no_session_rfc2866_3",
        ]),
    ),
    (
        "2866 4.1",
        "answered only when recorded",
        Tests(&["no_report_that_was_answered_is_lost_by_sigkill_rfc2866_4_1"]),
    ),
    (
        "2866 5.13",
        "Acct-Status-Type and Acct-Session-Id are there",
        Tests(&["accounting_without_its_required_attributes_is_dropped_rfc2866_5_13"]),
    ),
    (
        "3579 3.2",
        "Message-Authenticator over the whole packet, a wrong one is discarded",
        Tests(&[
            "signatures_that_are_missing_or_wrong_rfc3579_3_2_and_blastradius",
            "no_flipped_bit_passes_rfc3579_3_2",
        ]),
    ),
    (
        "3579 3.1",
        "EAP-Message without Message-Authenticator is discarded",
        Tests(&["eap_without_message_authenticator_is_dropped_rfc3579_3_1"]),
    ),
    (
        "3579 3.2",
        "answers with EAP-Message have a Message-Authenticator",
        Tests(&["message_authenticator_comes_first_blastradius"]),
    ),
    (
        "3579 3.1",
        "EAP-Message in consecutive pieces, joined in order",
        Tests(&["eap_pieces_are_adjacent_and_joined_in_order_rfc3579_3_1"]),
    ),
    (
        "3579 3.3",
        "an Accept holds EAP-Success, a Reject EAP-Failure",
        Tests(&[
            "an_accept_of_eap_has_exactly_these_attributes_rfc3579_3_3",
            "a_reject_authorises_nothing_rfc5080_2_6",
        ]),
    ),
    (
        "3579 2.6.1",
        "a response that comes again gets the same answer, a wrong Identifier none",
        Tests(&[
            "a_round_that_comes_again_gets_its_challenge_again_rfc3579_2_6_1",
            "what_is_no_response_to_the_request_is_dropped_rfc3748_4_1",
        ]),
    ),
    (
        "3579 2.1",
        "EAP-Start is answered by an Identity request",
        Tests(&["eap_start_is_answered_with_an_identity_request_rfc3579_2_1"]),
    ),
    (
        "3579 2.2",
        "an invalid EAP packet gets Error-Cause 202 and costs no session",
        Tests(&[
            "invalid_packets_repeat_the_request_with_error_cause_202_rfc3579_2_2",
            "a_conversation_survives_invalid_packets_rfc3579_2_2",
        ]),
    ),
    (
        "3580 3.31",
        "Tunnel attributes name a VLAN",
        Tests(&["vlans_rfc3580_3_31"]),
    ),
    (
        "4372 2",
        "Chargeable-User-Identity only for who asks, the same for a user",
        Tests(&["an_identity_for_charging_is_given_to_who_asks_for_it_rfc4372_2"]),
    ),
    (
        "5080 2.2.2",
        "duplicates by address, port, Identifier and authenticator",
        Tests(&[
            "a_retransmission_gets_the_same_octets_rfc5080_2_2_2",
            "a_new_authenticator_replaces_the_old_request_rfc5080_2_2_2",
        ]),
    ),
    (
        "5080 2.1.1",
        "an unknown State is a reject",
        Tests(&["a_state_that_nobody_has_is_rejected_with_eap_failure_rfc5080_2_1_1"]),
    ),
    (
        "5080 2.6",
        "a reject authorises nothing",
        Tests(&["a_reject_authorises_nothing_rfc5080_2_6"]),
    ),
    (
        "5176 3",
        "signed as accounting is, Message-Authenticator checked where it stands",
        Tests(&[
            "a_device_that_turns_bad_is_put_out_by_a_signed_request_rfc5176_2_1",
            "answers_that_are_none_change_nothing_and_the_right_one_counts_rfc5176_2_3",
        ]),
    ),
    (
        "5176 3.5",
        "each Error-Cause is understood",
        Tests(&["refusals_table_rfc5176_3_5"]),
    ),
    (
        "5176 2.3",
        "a repetition is unchanged, other contents have another Identifier",
        Tests(&[
            "an_unanswered_request_is_repeated_unchanged_and_given_up_rfc5080_2_2_1",
            "a_nas_without_resources_is_asked_again_later_and_not_for_ever_rfc5176_3_5",
        ]),
    ),
    (
        "5216 2.1.1",
        "without a client certificate there is no success",
        Tests(&["who_has_no_certificate_or_a_bad_one_fails_rfc5216_2_1_1"]),
    ),
    (
        "5216 2.1.5",
        "flags, acknowledgements and total length of fragments",
        Tests(&[
            "flags_and_length_at_their_boundaries_rfc5216_3_1",
            "fragments_add_up_or_are_refused_rfc5216_3_1",
        ]),
    ),
    (
        "5216 2.1.2",
        "a resumed session is authorised again",
        Tests(&["an_allowed_device_resumes_and_is_judged_again_rfc9190_5_7"]),
    ),
    (
        "5216 2.3",
        "MSK and EMSK, and the keys in the Accept",
        Tests(&[
            "rfc5216_2_3",
            "both_versions_give_both_sides_the_same_keys_rfc5216_2_3",
        ]),
    ),
    (
        "5216 5.3",
        "chain, purpose, time and revocation",
        Tests(&[
            "each_bad_certificate_is_refused_with_its_alert_rfc5216_5_3",
            "a_revoked_certificate_is_refused_rfc5216_5_3",
        ]),
    ),
    (
        "5281 10.1",
        "lengths and padding of AVPs, a mandatory unknown one fails",
        Tests(&[
            "lengths_at_their_boundaries_rfc5281_10_1",
            "peers_that_lie_inside_of_ttls_are_refused_rfc5281_11_2",
        ]),
    ),
    (
        "5281 11.2",
        "the implicit challenge of CHAP and MSCHAP",
        Tests(&["every_method_ends_with_the_same_keys_on_both_sides_rfc9427_2"]),
    ),
    (
        "5281 14",
        "no success before phase 2",
        Tests(&["a_result_before_the_method_is_no_success_rfc5281_14"]),
    ),
    (
        "5997 3",
        "a Status-Server is signed, and answered at both doors",
        Tests(&[
            "status_server_is_answered_at_both_doors_rfc5997_3",
            "status_server_without_message_authenticator_is_dropped_rfc5997_3",
        ]),
    ),
    (
        "6613 2.6.4",
        "what is malformed closes its connection",
        Tests(&["garbage_closes_its_connection_and_no_other_rfc6613_2_6_4"]),
    ),
    (
        "6613 2.6.1",
        "256 in flight, nothing is repeated",
        Tests(&[
            "packets_are_found_however_the_stream_is_cut_and_answered_by_identifier_rfc6613_2_6_1",
            "a_request_to_leave_is_written_once_to_a_connection_rfc6613_2_6_1",
        ]),
    ),
    (
        "6614 2.3",
        "certificates on both sides, secret radsec",
        Tests(&["only_a_certificate_of_our_authority_with_a_known_name_gets_in_rfc6614_2_3"]),
    ),
    (
        "6614 3.4",
        "the certificate says who it is, not the address",
        Tests(&["a_fingerprint_and_a_wildcard_bind_a_nas_too_rfc6614_3_4"]),
    ),
    (
        "6929 2",
        "a malformed extended attribute is not fatal",
        Tests(&["attributes_that_do_not_add_up_rfc2865_5"]),
    ),
    (
        "9930",
        "Crypto-Binding and Result of TEAP",
        Tests(&[
            "a_crypto_binding_that_is_missing_or_wrong_ends_it_rfc9930_4_2_13",
            "a_peer_that_binds_other_keys_is_refused_rfc9930_4_2_13",
            "one_method_gives_the_keys_of_the_vectors_rfc9930_6",
        ]),
    ),
    (
        "7360",
        "RADIUS over DTLS",
        Reason("the TLS library has no DTLS, and none is offered"),
    ),
    (
        "7542 2",
        "realms are compared without case",
        Tests(&["a_name_goes_to_the_nearest_realm_rfc7542"]),
    ),
    (
        "7585",
        "discovery checks the certificate's realm",
        Tests(&[
            "a_certificate_covers_its_realm_and_one_label_for_a_star_rfc7585_2_2",
            "dns_leads_to_freeradius_whose_certificate_bears_the_realm_rfc7585",
        ]),
    ),
    (
        "8044 3",
        "a value of the wrong size is no value",
        Tests(&["a_value_of_the_wrong_size_counts_as_absent_rfc8044_3"]),
    ),
    (
        "9190 2.5",
        "0x00 before EAP-Success in TLS 1.3",
        Tests(&["tls_1_3_success_is_indicated_and_1_2_needs_no_indication_rfc9190_2_5"]),
    ),
    (
        "9190 2.1.2",
        "checks are made again when a session is resumed",
        Tests(&["a_device_blocked_since_gets_a_full_handshake_and_its_alert_rfc9190_2_1_2"]),
    ),
    (
        "9190 2.1.7",
        "anonymous identities",
        Tests(&["identities_may_be_anonymous_empty_or_long_rfc9190_2_1_7"]),
    ),
    (
        "9190 5.4",
        "revocation is checked",
        Tests(&["a_revoked_certificate_is_refused_with_its_alert_rfc9190_5_4"]),
    ),
    (
        "9427 2",
        "keys by method type in TLS 1.3",
        Tests(&["every_method_ends_with_the_same_keys_on_both_sides_rfc9427_2"]),
    ),
    (
        "9765 3",
        "ALPN, no MD5, the Token comes back",
        Tests(&[
            "radius_1_1_is_spoken_with_those_that_ask_for_it_rfc9765_3",
            "our_requests_are_told_by_their_token_and_answered_once_rfc9765_4",
        ]),
    ),
    (
        "3748 4.1",
        "only responses, with right lengths",
        Tests(&["packets_that_are_no_eap_are_dropped_rfc3748_4_1"]),
    ),
    (
        "3748 5.3",
        "Naks, and none after a method has answered",
        Tests(&[
            "types_that_are_confused_end_nothing_but_their_own_conversation_rfc3748_5_3",
            "a_nak_ends_the_conversation_and_one_too_late_is_invalid_rfc3748_5_3",
        ]),
    ),
    (
        "8996",
        "no TLS below 1.2, no weak suites",
        Tests(&["old_versions_and_weak_suites_are_refused_rfc8996_rfc9325"]),
    ),
];

/// Attacks, and what holds against them.
const ATTACKS: &[(&str, By)] = &[
    (
        "BlastRADIUS",
        Tests(&[
            "signatures_that_are_missing_or_wrong_rfc3579_3_2_and_blastradius",
            "message_authenticator_policies_rfc3579_3_2_and_blastradius",
            "message_authenticator_comes_first_blastradius",
        ]),
    ),
    (
        "a source that is forged or unknown",
        Tests(&["a_stranger_is_not_even_read_rfc2865_3"]),
    ),
    (
        "Identifiers used again",
        Tests(&["a_new_authenticator_replaces_the_entry_rfc5080_2_2_2"]),
    ),
    (
        "Proxy-State floods",
        Tests(&[
            "proxy_states_come_back_as_they_are_and_a_flood_of_them_costs_only_its_sender_rfc2865_5_33",
        ]),
    ),
    (
        "games with lengths",
        Tests(&[
            "lengths_that_lie_rfc2865_3",
            "attributes_that_do_not_add_up_rfc2865_5",
        ]),
    ),
    (
        "amplification",
        Tests(&["no_reply_is_longer_than_a_packet_nor_sent_to_who_did_not_ask"]),
    ),
    (
        "guessing a shared secret",
        Reason("check refuses short and known secrets (config::opened), RadSec needs none"),
    ),
    (
        "a password recovered from its xor",
        Reason(
            "a signature is demanded by default, so that no request can be changed; RadSec hides all of it",
        ),
    ),
    (
        "a flood of Access-Requests",
        Tests(&["a_flood_behind_some_nases_leaves_others_a_way_in"]),
    ),
    (
        "a table of conversations that is full",
        Tests(&[
            "half_open_conversations_do_not_keep_others_out_rfc3748_7_16",
            "the_oldest_without_progress_gives_way_to_a_new_one",
        ]),
    ),
    (
        "a State that is guessed or mixed up",
        Tests(&[
            "a_state_is_bound_to_nas_user_and_station_rfc3579_2_6_1",
            "two_requests_with_one_state_and_different_responses_do_no_harm",
        ]),
    ),
    (
        "fragments that are slow, empty or without end",
        Tests(&["fragments_without_end_come_to_one_rfc5216_2_1_5"]),
    ),
    (
        "a TLS length that lies",
        Tests(&[
            "tls_lengths_that_lie_allocate_nothing_and_end_it_rfc5216_3_1",
            "an_announced_length_allocates_nothing_rfc5216_3_1",
        ]),
    ),
    (
        "chains over the limit",
        Tests(&["a_chain_of_more_than_64_kib_is_refused_rfc5216_2_1_5"]),
    ),
    (
        "certificates that are compressed bombs",
        Tests(&["tls_that_is_none_gets_an_alert_and_a_failure_rfc8446"]),
    ),
    (
        "resumption that skips a revocation",
        Tests(&["a_certificate_revoked_since_is_not_resumed_rfc9190_5_4"]),
    ),
    (
        "resumption of a tunnel that never finished",
        Tests(&["a_wrong_password_is_judged_by_nobody_and_leaves_nothing_behind"]),
    ),
    (
        "another name inside than outside",
        Tests(&["names_inside_fit_those_outside"]),
    ),
    (
        "a tunnel that is relayed",
        Tests(&["a_crypto_binding_that_does_not_hold_is_refused_and_one_may_be_demanded"]),
    ),
    (
        "phase 2 skipped",
        Tests(&["a_result_before_the_method_is_no_success_rfc5281_14"]),
    ),
    (
        "MSCHAPv2 in the open",
        Tests(&["types_that_are_confused_end_nothing_but_their_own_conversation_rfc3748_5_3"]),
    ),
    (
        "a MAC address that is claimed",
        Tests(&["a_claimed_device_never_gets_the_profile_of_a_proven_one"]),
    ),
    (
        "EAP-pwd, LEAP, EAP-MD5",
        Reason("not spoken: a Nak for them ends the conversation"),
    ),
    (
        "accounting that is forged",
        Tests(&["accounting_that_is_forged_or_says_nothing_rfc2866_3_and_4"]),
    ),
    (
        "answers to Disconnect-Requests that are forged or come again",
        Tests(&[
            "answers_that_are_none_change_nothing_and_the_right_one_counts_rfc5176_2_3",
            "answers_that_are_forged_or_from_elsewhere_change_nothing_rfc5176_6",
        ]),
    ),
    (
        "RadSec peers that are strangers",
        Tests(&[
            "only_a_certificate_of_our_authority_with_a_known_name_gets_in_rfc6614_2_3",
            "beyond_their_number_connections_are_turned_away",
        ]),
    ),
    (
        "RADIUS/1.1 talked down",
        Tests(&["radius_1_1_is_spoken_with_those_that_ask_for_it_rfc9765_3"]),
    ),
    (
        "dynamic discovery",
        Tests(&[
            "dns_leads_to_freeradius_whose_certificate_bears_the_realm_rfc7585",
            "what_was_found_counts_as_long_as_dns_says_within_a_floor_and_a_ceiling_rfc7585_3_4_4",
        ]),
    ),
];

#[test]
fn every_row_has_tests_that_are_there_or_a_reason() {
    let known = names_of_functions();
    let sentences = SENTENCES
        .iter()
        .map(|(rfc, what, by)| (format!("{rfc}: {what}"), by));
    let attacks = ATTACKS
        .iter()
        .chain(mail::ROWS)
        .map(|(what, by)| ((*what).to_owned(), by));
    let mut missing = Vec::new();
    for (row, by) in sentences.chain(attacks) {
        match by {
            Tests(names) => {
                assert!(!names.is_empty(), "row {row}");
                let gone = names.iter().filter(|name| !known.contains(**name));
                missing.extend(gone.map(|name| format!("{row}: {name}")));
            }
            Reason(reason) => assert!(reason.len() > 10, "row {row}"),
        }
    }
    assert!(
        missing.is_empty(),
        "tests that are gone:\n{}",
        missing.join("\n")
    );
}

fn names_of_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["src", "tests"] {
        collect(Path::new(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, names);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(str::trim_start);
            let bare = lines.map(|line| line.strip_prefix("async ").unwrap_or(line));
            let functions = bare.filter_map(|line| line.strip_prefix("fn "));
            names.extend(functions.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
        }
    }
}
