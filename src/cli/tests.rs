use std::path::Path;

use clap::CommandFactory;
use clap::Parser;

use super::*;

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_option_says_what_it_is() {
    fn visit(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} says nothing");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "{name} {id} says nothing");
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}

#[test]
fn the_conf_folder_is_an_argument_or_an_option() {
    for (line, folder, given) in [
        (&["portreeve", "run"][..], "conf", false),
        (&["portreeve", "run", "etc"], "etc", true),
        (&["portreeve", "run", "--conf", "etc"], "etc", true),
    ] {
        let Some(Command::Run(arguments)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("row {line:?}: not run");
        };
        assert_eq!(arguments.conf.folder(), Path::new(folder), "row {line:?}");
        assert_eq!(arguments.conf.given().is_some(), given, "row {line:?}");
    }
}

#[test]
fn without_a_command_the_gateway_runs() {
    let cli = Cli::try_parse_from(["portreeve"]).unwrap();
    assert!(cli.command.is_none());
}

#[test]
fn command_lines_table() {
    for (line, good) in [
        ("run a --conf b", false),
        ("status --json", true),
        ("sync", true),
        ("sync contoso --json", true),
        ("sync contoso --quick", true),
        ("sync --full --quick", false),
        ("sync contoso --accept-shrink", true),
        ("sync --accept-shrink", false),
        ("sync contoso --quick --accept-shrink", false),
        ("explain 0f8fad5b --json", true),
        ("explain", false),
        ("device 00:11:22:aa:bb:cc", true),
        ("device", false),
        ("probe radius", true),
        ("probe eap-tls --device alice-phone --tls 1.2", true),
        ("probe eap-tls --tls 1.1", false),
        ("probe eap-tls --certificate a.pem", false),
        ("probe eap-tls --certificate a.pem --key a.key", true),
        (
            "probe eap-tls --device x --certificate a.pem --key a.key",
            false,
        ),
        ("probe mab 00:11:22:aa:bb:cc --server [::1]:11812", true),
        ("probe pap alice --timeout 0", false),
        ("probe pap alice --timeout 5", true),
        ("probe chap alice", true),
        ("probe mschap alice --password-file p", true),
        ("probe mschapv2 alice", true),
        ("probe mschapv2", false),
        ("probe eap-ttls alice --inside chap", true),
        ("probe peap alice --inside pap", false),
        ("probe peap alice --inside mschapv2", true),
        ("probe teap alice --inside chap", false),
        ("probe teap alice --inside pap", true),
        ("probe eas alice ABC123 --base64", true),
        ("probe", false),
        ("check", true),
        ("check conf --json", true),
        ("certs make", true),
        ("certs make --user alice", false),
        ("certs make --device 12", false),
        (
            "certs make --device 0f8fad5b-d9cb-469f-a165-70867728950e --user alice",
            true,
        ),
        ("certs expiry --warn-days -1", false),
        ("certs show --dir x", true),
        ("hash-password", true),
        ("hash-password secret", false),
    ] {
        let words = std::iter::once("portreeve").chain(line.split(' '));
        assert_eq!(Cli::try_parse_from(words).is_ok(), good, "row {line}");
    }
}

#[test]
fn a_method_that_does_not_fit_a_tunnel_is_an_error_of_usage_that_lists_what_fits() {
    for (line, fits) in [
        (
            "probe peap alice --inside pap",
            "[possible values: mschapv2, mschapv2-eap, gtc, eap-tls]",
        ),
        (
            "probe teap alice --inside chap",
            "[possible values: pap, mschapv2, mschapv2-eap, gtc, eap-tls]",
        ),
    ] {
        let words = std::iter::once("portreeve").chain(line.split(' '));
        let error = Cli::try_parse_from(words).unwrap_err();
        assert_eq!(error.exit_code(), 2, "row {line}");
        let text = error.to_string();
        assert!(text.contains(fits), "row {line}: {text}");
    }
}
