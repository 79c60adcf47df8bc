//! What is said of `[mail]`: each mistake with file, line, key and what was expected.

use std::fs;

use portreeve::model::Problem;
use portreeve::model::Severity;

use crate::home::Home;
use crate::home::only;
use crate::home::run;
use crate::home::text_of;

/// The problems of a `gateway.toml` in which `from` is `to`, or which ends with `to`.
fn problems(home: &Home, (from, to): (&str, &str)) -> Vec<Problem> {
    let path = home.conf().join("gateway.toml");
    let before = fs::read_to_string(&path).unwrap();
    if from.is_empty() {
        home.append("gateway.toml", to);
    } else {
        home.edit("gateway.toml", from, to);
    }
    let found = match home.complete() {
        Ok(loaded) => loaded.warnings,
        Err(refused) => refused.problems,
    };
    fs::write(path, before).unwrap();
    found
}

const NAMES: &str = "[\"mail.portreeve.test\", \"localhost\"]";
const UPSTREAM: &str = "upstream = \"http://127.0.0.1:18080\"";
const DOMAINS: &str = "domains = []";
const CLAIM: &str = "bearer_user_claim = \"upn\"";
const SUFFIX: &str = "# default_suffix = \"example.com\"";
const HOST: &str = "# host     = \"mail.example.org\"";
const PORT: &str = "# port     = 587";
const REASONS: &str = "reasons = [\"DeviceNotCompliant\"";
const FROM: &str = "# from          = \"mail-access@example.org\"";
const HOSTS: &str =
    "expected a host such as \"mail.example.org\", without scheme, port and path; found ";

#[test]
fn what_no_mail_plane_could_work_with_is_refused() {
    let home = Home::new();
    let port = "expected a port of 1 to 65535, found ";
    let pair = "expected DOMAIN=suffix, found ";
    let suffix = "expected a suffix such as \"example.com\", found ";
    let claim = "expected the claim that names the user";
    let of_users = "expected a claim that users cannot change themselves, such as ";
    let address = "expected a mail address such as ";
    let server = "expected the name of a mail server";
    let whose = "expected a user, or *@example.org for all of a suffix; found ";
    let cloud = "\n[mail.upstreams.cloud]\nurls = [\"https://cloud.test\"]\n";
    let clash = format!(
        "{cloud}also_known = [\"y.test\"]\n[mail.upstreams.third]\nurls = [\"https://z.test\"]\n\
         also_known = [\"Y.test\"]\n"
    );
    let known = |text: &str| format!("{cloud}also_known = [{text}]\n");
    let route = |text: &str| format!("\n[[mail.route]]\nupstream = \"default\"\n{text}\n");
    let wiki = |text: &str| format!("\n[mail.applications.wiki]\npath = \"/wiki\"\n{text}\n");
    for (from, to, key, expected) in [
        (
            UPSTREAM,
            "upstream = \"http://x.test:70000\"",
            "mail.upstream",
            port,
        ),
        (
            UPSTREAM,
            "upstream = \"https://x.test:0\"",
            "mail.upstream",
            port,
        ),
        (NAMES, "[\"https://x.test\"]", "mail.published_names", HOSTS),
        (NAMES, "[\"x.test:443\"]", "mail.published_names", HOSTS),
        (NAMES, "[\"\"]", "mail.published_names", HOSTS),
        (DOMAINS, "domains = [\"=x\"]", "mail.domains", pair),
        (DOMAINS, "domains = [\"X=\"]", "mail.domains", pair),
        (DOMAINS, "domains = [\"X=@a\"]", "mail.domains", pair),
        (DOMAINS, "domains = [\"X=a=b\"]", "mail.domains", pair),
        (DOMAINS, "domains = [\"X\"]", "mail.domains", pair),
        (
            DOMAINS,
            "domains = [\"X=a\", \"x=b\"]",
            "mail.domains",
            "x stands here twice",
        ),
        (
            SUFFIX,
            "default_suffix = \"@x\"",
            "mail.default_suffix",
            suffix,
        ),
        (
            SUFFIX,
            "default_suffix = \"\"",
            "mail.default_suffix",
            suffix,
        ),
        (
            CLAIM,
            "bearer_user_claim = \"\"",
            "mail.bearer_user_claim",
            claim,
        ),
        (
            CLAIM,
            "bearer_user_claim = \"email\"",
            "mail.bearer_user_claim",
            of_users,
        ),
        (
            CLAIM,
            "bearer_user_claim = \"preferred_username\"",
            "mail.bearer_user_claim",
            of_users,
        ),
        (
            FROM,
            "from = \"a@b.test\\r\\nBcc: x\"",
            "mail.notify.from",
            address,
        ),
        (FROM, "from = \"a@b.test\\n\"", "mail.notify.from", address),
        (
            FROM,
            "host = \"\"\nfrom = \"a@b.test\"",
            "mail.notify.host",
            server,
        ),
        (
            FROM,
            "host = \"http://x\"\nfrom = \"a@b.test\"",
            "mail.notify.host",
            server,
        ),
        (
            PORT,
            "port = 0",
            "mail.notify.port",
            "expected 1 to 65535, found 0",
        ),
        (
            REASONS,
            "reasons = [\"Quux\"",
            "mail.wait.reasons",
            "Quux is no reason, there are DeviceNotCompliant, DeviceNotDomainJoined, NotTargeted, ",
        ),
        (
            "",
            &known("\"https://x.test\""),
            "mail.upstreams.cloud.also_known",
            HOSTS,
        ),
        (
            "",
            &known("\"a b\""),
            "mail.upstreams.cloud.also_known",
            HOSTS,
        ),
        (
            "",
            &clash,
            "mail.upstreams.third.also_known",
            "Y.test is the upstream cloud already",
        ),
        ("", &route("users = [\"\"]"), "mail.route[0].users", whose),
        ("", &route("users = [\"*@\"]"), "mail.route[0].users", whose),
        ("", &route("users = [\"**\"]"), "mail.route[0].users", whose),
        (
            "",
            &route("groups = [\" \"]"),
            "mail.route[0].groups",
            "expected the name of a group at its source",
        ),
        (
            "",
            &wiki("hosts = [\"localhos\"]"),
            "mail.applications.wiki.hosts",
            "expected one of mail.published_names, found \"localhos\": did you mean localhost?",
        ),
        (
            "",
            &wiki("redirects = [\"https://x.test\"]"),
            "mail.applications.wiki.redirects",
            HOSTS,
        ),
    ] {
        let mut found = problems(&home, (from, to));
        // A name that no certificate has is warned of beside.
        found.retain(|problem| problem.severity == Severity::Error);
        let problem = only(found);
        assert_eq!(problem.key, key, "row {to}: {problem}");
        assert!(problem.message.starts_with(expected), "row {to}: {problem}");
        assert!(problem.line.is_some(), "row {to}: {problem}");
        assert_eq!(problem.to_string().lines().count(), 1, "row {to}");
    }
}

#[test]
fn what_is_as_it_should_be_is_not_spoken_of() {
    let home = Home::new();
    for (from, to) in [
        (DOMAINS, "domains = [\"X=a.test\", \"Y = a.test\"]"),
        (SUFFIX, "default_suffix = \"m\u{fc}ller.example\""),
        // A suffix may be spelled as its domain is.
        (
            DOMAINS,
            "domains = [\"X=x\", \"Y=y\"]\ndefault_suffix = \"X\"",
        ),
        // Two ports, or two schemes, are two servers.
        (
            UPSTREAM,
            "upstream = [\"http://127.0.0.1:18080\", \"http://127.0.0.1:18081\"]",
        ),
        (HOST, "host = \"192.0.2.25\"\nfrom = \"a@b.test\""),
        (
            "",
            "\n[mail.upstreams.cloud]\nurls = [\"https://[2001:db8::1]:444\"]\n\
             also_known = [\"outlook.office365.com\", \"[2001:db8::2]\"]\n\
             source_addresses = [\"127.0.0.11\"]\n\
             [[mail.route]]\nupstream = \"cloud\"\nusers = [\"*@x.test\", \"X\\\\alice\"]\n\
             groups = [\"Big Group\"]\n\
             [mail.applications.owa]\nhosts = [\"LOCALHOST\"]\nredirects = [\"login.test\"]\n\
             [mail.applications.ecp]\n",
        ),
    ] {
        assert_eq!(problems(&home, (from, to)), [], "row {to}");
    }
}

#[test]
fn what_may_be_a_mistake_of_the_mail_plane_is_warned_of() {
    let home = Home::new();
    let elsewhere = "is no address of this machine now: no connection can leave from it";
    let opens = "a password alone opens what administers Exchange";
    let twice = "stands here twice";
    let apart = "EXAMPLE is a domain whose users are those of example.com";
    for (from, to, key, expected) in [
        (
            "",
            "\n[mail.upstreams.default]\nsource_addresses = [\"192.0.2.99\"]\n",
            "mail.upstreams.default.source_addresses",
            elsewhere,
        ),
        (
            "",
            "\n[mail.applications.ecp]\nsign_in = \"password\"\n",
            "mail.applications.ecp.sign_in",
            opens,
        ),
        (
            "",
            "\n[mail.applications.powershell]\nsign_in = \"password\"\n",
            "mail.applications.powershell.sign_in",
            opens,
        ),
        (
            "",
            "\n[mail.applications.x]\npath = \"/x\"\nupstream_path = \"/ECP/x\"\nsign_in = \"password\"\n",
            "mail.applications.x.sign_in",
            opens,
        ),
        (
            UPSTREAM,
            "upstream = [\"http://127.0.0.1:18080\", \"http://127.0.0.1:18080/\"]",
            "mail.upstream",
            twice,
        ),
        (
            "",
            "\n[mail.upstreams.cloud]\nurls = [\"https://a.test\", \"https://b.test\", \"https://A.test:443\"]\n",
            "mail.upstreams.cloud.urls",
            twice,
        ),
        (
            DOMAINS,
            "domains = [\"EXAMPLE=example.com\"]\ndefault_suffix = \"EXAMPLE\"",
            "mail.default_suffix",
            apart,
        ),
    ] {
        let problem = only(problems(&home, (from, to)));
        assert_eq!(problem.severity, Severity::Warning, "{problem}");
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(expected), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
}

/// The lines of `portreeve check`, without the last one, which counts them.
fn checked(home: &Home) -> Vec<String> {
    let text = text_of(&run(home, &["check"]).stdout);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.pop();
    lines
}

#[test]
fn a_folder_of_messages_that_is_not_there_is_told_of_with_line_and_key() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "# folder = \"conf/messages\"",
        "folder = \"conf/nix\"",
    );
    let lines = checked(&home);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let number = lines[0].strip_prefix("conf/gateway.toml:").unwrap();
    let (number, rest) = number.split_once(": ").unwrap();
    assert!(number.parse::<usize>().is_ok(), "{lines:?}");
    assert!(rest.starts_with("mail.message.folder: "), "{lines:?}");
    assert!(rest.ends_with("conf/nix does not exist"), "{lines:?}");
}

/// It said that no policy names a group which a route does, and nothing of a group that nobody is in.
#[test]
fn groups_of_routes_are_groups_of_the_source() {
    let home = Home::new();
    home.edit(
        "policy.toml",
        "contractors = \"contractors\"",
        "contractors = \"contractors\"\ncloud-users = \"cloudies\"",
    );
    let users = fs::read_to_string(home.conf().join("users.csv")).unwrap();
    assert!(users.contains("staff"), "{users}");
    fs::write(
        home.conf().join("users.csv"),
        users.replace("staff", "staff;cloudies"),
    )
    .unwrap();
    let gateway = home.conf().join("gateway.toml");
    let before = fs::read_to_string(&gateway).unwrap();
    let unused = "groups.cloud-users: no policy names this group";
    for (group, expected) in [
        ("cloudies", &[][..]),
        ("CLOUDIES", &[]),
        ("staff", &[unused]),
        (
            "cloud-users",
            &[
                "mail.route[0].groups: cloud-users is a name of policy.toml: here the group's name at",
                unused,
            ],
        ),
        (
            "staf",
            &[
                "mail.route[0].groups: no source knows anybody in staf, so that nobody goes by it, \
                 did you mean staff?",
                unused,
            ],
        ),
    ] {
        home.append(
            "gateway.toml",
            &format!("\n[[mail.route]]\nupstream = \"default\"\ngroups = [\"{group}\"]\n"),
        );
        let lines = checked(&home);
        fs::write(&gateway, &before).unwrap();
        assert_eq!(lines.len(), expected.len(), "row {group}: {lines:?}");
        for (line, expected) in lines.iter().zip(expected) {
            let (place, rest) = line.split_once(": warning: ").unwrap();
            let number = place.rsplit(':').next().unwrap();
            assert!(number.parse::<usize>().is_ok(), "row {group}: {line}");
            assert!(rest.starts_with(expected), "row {group}: {line}");
        }
    }
}

/// Each file alone is as it should be.
#[test]
fn policies_that_let_nobody_in_by_what_gateway_toml_says_are_told_of() {
    let home = Home::new();
    let gateway = home.conf().join("gateway.toml");
    let before = fs::read_to_string(&gateway).unwrap();
    home.append(
        "policy.toml",
        "\n[[conditional]]\nname = \"proof\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         require = [\"proven\"]\notherwise = \"block\"\n\
         [[conditional]]\nname = \"old\"\nplanes = [\"mail\"]\n\
         targets = [\"staff\", \"contractors\"]\n\
         when = { protocol_versions = [\"16.0\", \"16.1\"] }\naction = \"block\"\n",
    );
    let ca = "client_ca = [\"certs/root.pem\"]\n# The suffix";
    for (from, to, expected) in [
        (ca, ca, None),
        (
            ca,
            "client_ca = []\n# The suffix",
            Some("conditional[5].require: W-NEVER: mail.client_ca of gateway.toml is empty"),
        ),
        (
            "oldest_version = \"2.5\"",
            "oldest_version = \"14.1\"",
            None,
        ),
        (
            "oldest_version = \"2.5\"",
            "oldest_version = \"16.0\"",
            Some("conditional[6].when.protocol_versions: W-LOCKOUT: with this no version"),
        ),
    ] {
        home.edit("gateway.toml", from, to);
        let lines = checked(&home);
        fs::write(&gateway, &before).unwrap();
        assert_eq!(lines.len(), expected.iter().count(), "row {to}: {lines:?}");
        for (line, expected) in lines.iter().zip(expected) {
            let (place, rest) = line.split_once(": warning: ").unwrap();
            assert!(place.contains("policy.toml:"), "row {to}: {line}");
            assert!(rest.starts_with(expected), "row {to}: {line}");
        }
    }
}
