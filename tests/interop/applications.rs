//! Applications and Autodiscover with nginx behind the front, and xmllint as the reader of XML.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::mail::Got;
use crate::mail::curl;
use crate::nginx::Nginx;
use crate::nginx::around;
use crate::ports;

const PASSWORD: &str = "alice@example.com:alice-mail";

/// nginx with a wiki, OWA, EWS and Autodiscover behind passwords; its log has what reached it.
fn nginx(autodiscover: &str) -> Nginx {
    let nginx = Nginx::with(ports::tcp(), |root, port| {
        fs::create_dir_all(root.join("www/pages/deep")).unwrap();
        fs::write(root.join("www/pages/one.txt"), "0123456789").unwrap();
        fs::write(root.join("www/pages/deep/index.html"), "<p>deep</p>").unwrap();
        let large = vec![b'x'; 3 << 20];
        fs::write(root.join("www/pages/large.bin"), large).unwrap();
        fs::write(root.join("answer.xml"), autodiscover).unwrap();
        servers(root, port)
    });
    until("nginx listens", || {
        std::net::TcpStream::connect(("127.0.0.1", nginx.port)).ok()
    });
    nginx
}

fn servers(root: &Path, port: u16) -> String {
    let folder = root.display();
    let text = format!(
        r#"
    log_format seen '$request_method $request_uri $status user=$remote_user host=$http_host '
                    'device=$http_x_device upgrade=$http_upgrade cookie=$http_cookie len=$content_length';
    access_log {folder}/access.log seen;
    server {{
        listen 127.0.0.1:{port};
        location = /Microsoft-Server-ActiveSync {{
            auth_basic "mail";
            auth_basic_user_file {folder}/users;
            proxy_pass http://unix:{folder}/inner:;
        }}
        location = /autodiscover/autodiscover.xml {{
            auth_basic "mail";
            auth_basic_user_file {folder}/users;
            proxy_pass http://unix:{folder}/inner:;
        }}
        location /pages/ {{
            root {folder}/www;
            index index.html;
            gzip on;
            gzip_types *;
            gzip_min_length 1;
        }}
        location /pages/away {{ return 302 https://elsewhere.example/; }}
        location /pages/home {{ return 302 http://127.0.0.1:{port}/pages/one.txt; }}
        location = /pages/enter {{
            add_header Set-Cookie "session=1; Path=/pages; Domain=apps.internal; HttpOnly";
            add_header Set-Cookie "deep=2; path=/pages/deep/";
            add_header Set-Cookie "all=3; Path=/; Domain=.internal";
            return 204;
        }}
        location /pages/who {{ return 200 "$http_cookie"; }}
        location /pages/deep/who {{ return 200 "$http_cookie"; }}
        location /owa {{ return 200 "owa of $request_uri"; }}
        location /ews/ {{
            client_max_body_size 8m;
            client_body_buffer_size 8m;
            proxy_pass http://unix:{folder}/inner:/ews/;
        }}
    }}
    server {{
        listen unix:{folder}/inner;
        access_log off;
        client_max_body_size 8m;
        location = /Microsoft-Server-ActiveSync {{
            add_header MS-ASProtocolVersions "14.0,14.1,16.1" always;
            return 200 "served";
        }}
        location = /autodiscover/autodiscover.xml {{
            default_type text/xml;
            error_page 405 =200 /answer.xml;
            root {folder};
            try_files /answer.xml =404;
        }}
        location = /answer.xml {{ root {folder}; default_type text/xml; }}
        location /ews/ {{ return 200 "ews"; }}
    }}
"#
    );
    around(root, &text)
}

fn gateway(nginx: &Nginx) -> Gateway {
    let url = format!("http://127.0.0.1:{}", nginx.port);
    Gateway::start(|conf| {
        conf.replace("gateway.toml", "http://127.0.0.1:18080", &url);
        conf.replace(
            "gateway.toml",
            "autodiscover = false",
            "autodiscover = true",
        );
        conf.append(
            "gateway.toml",
            &format!(
                "\n[mail.upstreams.apps]\nurls = [\"{url}\"]\n\
                 [mail.applications.wiki]\npath = \"/wiki\"\nupstream = \"apps\"\n\
                 upstream_path = \"/pages\"\nsign_in = \"password\"\npass_headers = [\"X-Device\"]\n\
                 [mail.applications.owa]\n[mail.applications.ews]\n"
            ),
        );
    })
}

/// What curl got that shows a device's certificate.
fn with_certificate(gateway: &Gateway, target: &str, more: &[&str]) -> Got {
    let (chain, key) = (
        gateway.path("certs/devices/alice-desktop.pem"),
        gateway.path("certs/keys/devices/alice-desktop.key"),
    );
    let own = [
        "--cert",
        chain.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    curl(gateway, PASSWORD, target, &[&own, more].concat())
}

#[test]
fn nginx_as_an_application_answers_through_the_front_r86() {
    let nginx = nginx("");
    let gateway = gateway(&nginx);
    let wiki = |target: &str, more: &[&str]| with_certificate(&gateway, target, more);
    let got = wiki("/wiki/one.txt", &["-H", "X-Device: 7", "-H", "X-Other: 7"]);
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, "0123456789"),
        "{}",
        got.head
    );
    let line = until("it is logged", || {
        nginx
            .requests()
            .into_iter()
            .find(|line| line.starts_with("GET /pages/one.txt"))
    });
    assert!(line.contains("device=7 "), "{line}");
    // What a cache has, a piece of a file, and what is only asked about.
    let head = got.head.to_lowercase();
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    let etag = etag.unwrap();
    let fresh = format!("If-None-Match: {}", etag.trim());
    assert_eq!(wiki("/wiki/one.txt", &["-H", &fresh]).status, 304);
    let piece = wiki("/wiki/one.txt", &["-H", "Range: bytes=2-4"]);
    assert_eq!((piece.status, piece.body.as_str()), (206, "234"));
    let head = wiki("/wiki/one.txt", &["--head"]);
    assert_eq!(head.status, 200);
    let lines = head.head.to_lowercase();
    assert!(lines.contains("content-length: 10"), "{lines}");
    let large = wiki("/wiki/large.bin", &["--compressed"]);
    assert_eq!((large.status, large.body.len()), (200, 3 << 20));
    assert!(large.head.to_lowercase().contains("content-encoding: gzip"));
    // nginx sends whoever leaves a slash out to itself; people are sent to the front.
    for (target, leads_to) in [
        ("/wiki/deep", "/wiki/deep/"),
        ("/wiki/home", "/wiki/one.txt"),
    ] {
        let got = wiki(target, &[]);
        assert!(
            matches!(got.status, 301 | 302),
            "row {target}: {}",
            got.head
        );
        let location = got.head.to_lowercase();
        let location = location
            .split("location: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        assert!(
            location.starts_with("https://mail.portreeve.test"),
            "{location}"
        );
        assert!(location.ends_with(leads_to), "row {target}: {location}");
        assert!(!location.contains(&nginx.port.to_string()), "{location}");
    }
    let away = wiki("/wiki/away", &[]);
    assert_eq!(away.status, 503, "{}", away.head);
    // Nothing beside the path, however it is spelled.
    for target in [
        "/wikipedia",
        "/wiki/../owa",
        "/wiki/%2e%2e/owa",
        "/pages/one.txt",
    ] {
        let got = wiki(target, &[]);
        assert!(
            (400..500).contains(&got.status),
            "row {target}: {}",
            got.head
        );
    }
    let record = until("the decisions are on record", || {
        let journal = gateway.journal();
        let mut lines = journal.lines().map(str::to_owned);
        lines.find(|line| line.contains("wiki mail.portreeve.test/wiki"))
    });
    let upstream = format!("apps http://127.0.0.1:{}/pages", nginx.port);
    assert!(record.contains(&upstream), "{record}");
}

/// A browser keeps a cookie for the path that it is of, which was the application's own: nobody stayed
/// signed in at one that is published under another path.
#[test]
fn a_browser_sends_an_applications_cookies_back_rfc6265() {
    let nginx = nginx("");
    let gateway = gateway(&nginx);
    let jar = gateway.path("jar");
    let jar = jar.to_str().unwrap();
    let wiki = |target: &str| with_certificate(&gateway, target, &["-c", jar, "-b", jar]);
    let entered = wiki("/wiki/enter");
    assert_eq!(entered.status, 204, "{}", entered.head);
    let head = entered.head.to_lowercase();
    assert!(
        !head.contains("internal") && !head.contains("/pages"),
        "{head}"
    );
    for (target, expected) in [
        ("/wiki/who", &["session=1", "all=3"][..]),
        ("/wiki/deep/who", &["session=1", "deep=2", "all=3"]),
    ] {
        let got = wiki(target);
        assert_eq!(got.status, 200, "row {target}: {}", got.head);
        let mut sent: Vec<&str> = got.body.split("; ").collect();
        sent.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(sent, expected, "row {target}");
    }
    assert_eq!(wiki("/owa/").status, 200);
    let line = until("it is logged", || {
        let mut lines = nginx.requests().into_iter();
        lines.find(|line| line.starts_with("GET /owa/"))
    });
    assert!(line.contains("cookie=all=3 "), "{line}");
}

#[test]
fn owa_and_ews_open_to_a_certificate_and_to_nothing_else() {
    let nginx = nginx("");
    let gateway = gateway(&nginx);
    for target in ["/owa/", "/ews/exchange.asmx"] {
        let got = curl(&gateway, PASSWORD, target, &[]);
        assert!(
            matches!(got.status, 401 | 403),
            "row {target}: {}",
            got.head
        );
    }
    let reached = nginx.requests();
    assert!(
        reached.iter().all(|line| line.starts_with("OPTIONS")),
        "{reached:?}"
    );
    let cookies = ["-H", "Cookie: cadata=1; X-BEResource=evil"];
    let owa = with_certificate(&gateway, "/owa/?ae=Folder", &cookies);
    assert_eq!(
        (owa.status, owa.body.as_str()),
        (200, "owa of /owa/?ae=Folder")
    );
    let line = until("it is logged", || {
        nginx
            .requests()
            .into_iter()
            .find(|line| line.contains("/owa/"))
    });
    assert!(line.contains("cookie=cadata=1 "), "{line}");
    // A document of Exchange Web Services, larger than any buffer, without a length.
    let file = gateway.path("ews.xml");
    fs::write(&file, vec![b' '; 5 << 20]).unwrap();
    let body = format!("@{}", file.display());
    let more = [
        "--data-binary",
        &body,
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Expect:",
    ];
    let ews = with_certificate(&gateway, "/EWS/Exchange.asmx", &more);
    assert_eq!(
        (ews.status, ews.body.as_str()),
        (200, "ews"),
        "{}",
        ews.head
    );
    for target in [
        "/ecp/",
        "/powershell",
        "/mapi/emsmdb",
        "/rpc/rpcproxy.dll",
        "/oab/oab.xml",
    ] {
        assert_eq!(
            with_certificate(&gateway, target, &[]).status,
            404,
            "row {target}"
        );
    }
}

#[test]
fn a_websocket_is_refused_in_plain_words_before_the_application_hears_of_it() {
    let nginx = nginx("");
    let gateway = gateway(&nginx);
    let upgrade = [
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let got = with_certificate(&gateway, "/wiki/one.txt", &upgrade);
    assert_eq!(got.status, 501, "{}", got.head);
    assert_eq!(with_certificate(&gateway, "/owa/", &upgrade).status, 501);
    assert!(
        nginx
            .requests()
            .iter()
            .all(|line| line.contains("upgrade=- "))
    );
    // An offer that a server may pass over (RFC 9110 section 7.8) is no demand where HTTP goes on.
    let plain = with_certificate(&gateway, "/wiki/one.txt", &[]);
    assert_eq!(plain.status, 200);
}

#[test]
fn an_application_that_is_gone_is_503_with_the_time_to_come_again() {
    let mut nginx = nginx("");
    let gateway = gateway(&nginx);
    assert_eq!(with_certificate(&gateway, "/wiki/one.txt", &[]).status, 200);
    nginx.stop();
    for got in [
        with_certificate(&gateway, "/wiki/one.txt", &[]),
        with_certificate(&gateway, "/owa/", &[]),
    ] {
        assert_eq!(got.status, 503, "{}", got.head);
        assert!(
            got.head.to_lowercase().contains("retry-after: "),
            "{}",
            got.head
        );
    }
    nginx.resume();
    assert_eq!(with_certificate(&gateway, "/wiki/one.txt", &[]).status, 200);
}

/// What Exchange says, with its own name.
fn exchange(url: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Autodiscover \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\r\n\
         <Response xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006\">\
         <Culture>en:us</Culture><User><DisplayName>Alice &amp; &lt;Co&gt; \u{c4}\u{1f4e7}</DisplayName>\
         <EMailAddress>alice@example.com</EMailAddress></User><Action><Settings><Server>\
         <Type>MobileSync</Type><Url>{url}</Url><Name>{url}</Name></Server></Settings></Action>\
         </Response></Autodiscover>"
    )
}

const QUESTION: &str = "<?xml version=\"1.0\"?><Autodiscover \
    xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006\"><Request>\
    <EMailAddress>alice@example.com</EMailAddress><AcceptableResponseSchema>\
    http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006\
    </AcceptableResponseSchema></Request></Autodiscover>";

/// What xmllint finds in an answer, which must be a document that it reads.
fn found(gateway: &Gateway, document: &str, path: &str) -> String {
    let file = gateway.path("answer.xml");
    fs::write(&file, document).unwrap();
    let output = Command::new("xmllint")
        .args(["--nonet", "--xpath", path])
        .arg(&file)
        .output()
        .expect("xmllint is installed by tests/run");
    assert!(output.status.success(), "{path}: {output:?}\n{document}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn autodiscover_of_nginx_leads_to_the_front_and_is_a_document_to_xmllint() {
    let nginx = nginx("");
    let gateway = gateway(&nginx);
    let path = "/Microsoft-Server-ActiveSync";
    let own = format!("http://127.0.0.1:{}{path}", nginx.port);
    let ask = |question: &str| {
        let target = "/Autodiscover/Autodiscover.xml";
        let more = ["--data-binary", question, "-H", "Content-Type: text/xml"];
        curl(&gateway, PASSWORD, target, &more)
    };
    fs::write(
        nginx.path("answer.xml"),
        exchange(&own.replace("http:", "https:")),
    )
    .unwrap();
    let got = ask(QUESTION);
    assert_eq!(got.status, 200, "{}\n{}", got.head, got.body);
    let text = |name: &str| {
        let path = format!("string(//*[local-name()='{name}'])");
        found(&gateway, &got.body, &path)
    };
    let ours = format!("https://mail.portreeve.test{path}");
    assert_eq!((text("Url"), text("Name")), (ours.clone(), ours));
    assert_eq!(text("EMailAddress"), "alice@example.com");
    assert_eq!(text("DisplayName"), "Alice & <Co> \u{c4}\u{1f4e7}");
    let schema =
        "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
    let space = "namespace-uri(//*[local-name()='Url'])";
    assert_eq!(found(&gateway, &got.body, space), schema);
    assert!(!got.body.contains("127.0.0.1"), "{}", got.body);
    // Another place, one that is no ActiveSync, and what is no document.
    for (row, answer) in [
        (
            "elsewhere",
            exchange("https://evil.example/Microsoft-Server-ActiveSync"),
        ),
        (
            "other path",
            exchange(&own.replace("Microsoft-Server-ActiveSync", "owa")),
        ),
        (
            "entities",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
        ),
        ("page", "<html><body>Sign in".to_owned()),
    ] {
        fs::write(nginx.path("answer.xml"), answer).unwrap();
        let got = ask(QUESTION);
        assert_eq!(got.status, 503, "row {row}: {}", got.body);
        assert!(
            got.head.to_lowercase().contains("retry-after: "),
            "row {row}"
        );
    }
    // Outlook's settings are nobody's to give, which is a document too.
    let outlook = ask(&QUESTION.replace("mobilesync/responseschema", "outlook/responseschema"));
    let code = "string(//*[local-name()='ErrorCode'])";
    assert_eq!(found(&gateway, &outlook.body, code), "601");
    let json = curl(
        &gateway,
        PASSWORD,
        "/autodiscover/autodiscover.json?Protocol=ActiveSync",
        &[],
    );
    assert!(
        json.body
            .contains(&format!("https://mail.portreeve.test{path}")),
        "{}",
        json.body
    );
}
