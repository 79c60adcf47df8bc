//! Autodiscover.

use http::HeaderMap;
use http::Method;
use http::StatusCode;
use portreeve::access::Outcome as Recorded;
use portreeve::mail::Action;
use portreeve::mail::Cause;
use portreeve::mail::Discovery;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Reply;

use crate::gateway::record;
use crate::world::HOST;
use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::peer;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

const XML: &str = "/autodiscover/autodiscover.xml";

fn discovering(world: &World) -> Gateway {
    let mut config = config();
    config.routes.autodiscover = true;
    world.gateway_with(config)
}

pub(crate) fn request(method: Method, target: &str) -> Request {
    let mut request = Request::post("").basic("alice", "right");
    request.method = method;
    request.target = target.to_owned();
    request
}

fn question(address: &str) -> String {
    let schema =
        "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
    format!(
        "<Autodiscover><Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    )
}

fn leads_to(action: &str) -> String {
    format!(
        "<Autodiscover><Response><User><DisplayName>Alice</DisplayName>\
         <EMailAddress>alice@example.org</EMailAddress></User><Action>{action}</Action>\
         </Response></Autodiscover>"
    )
}

fn server(url: &str) -> String {
    format!("<Settings><Server><Type>MobileSync</Type><Url>{url}</Url></Server></Settings>")
}

fn discovery(gateway: &Gateway, request: &Request) -> Discovery {
    let action = request.settle(gateway, &peer()).action;
    let Action::Discover(discovery) = action else {
        panic!("{action:?}");
    };
    discovery
}

fn answered(gateway: &Gateway, status: u16, body: Option<&str>) -> (Reply, Option<Event>) {
    let discovery = discovery(gateway, &request(Method::POST, XML));
    let question = question("alice@example.org");
    let discover = gateway.handle_discovery(discovery, Some(question.as_bytes()));
    let discover = discover.unwrap();
    let headers = HeaderMap::new();
    let status = StatusCode::from_u16(status).unwrap();
    let answer = Some((status, &headers, body.map(str::as_bytes)));
    gateway.handle_discovered(start(), &discover.discovery, answer)
}

#[test]
fn autodiscover_is_off_until_it_is_switched_on_and_then_at_exact_paths() {
    let world = World::new();
    let off = world.gateway();
    let on = discovering(&world);
    for (method, target, expected) in [
        (Method::POST, XML, 200),
        (Method::POST, "/Autodiscover/Autodiscover.xml", 200),
        (Method::POST, "/AUTODISCOVER/AUTODISCOVER.XML", 200),
        (Method::GET, XML, 405),
        (Method::POST, "/autodiscover/autodiscover.xml/", 404),
        (Method::POST, "/autodiscover/%61utodiscover.xml", 404),
        (Method::POST, "/autodiscover//autodiscover.xml", 404),
        (Method::POST, "/autodiscover/autodiscover.svc", 404),
        (Method::POST, "/autodiscover", 404),
        (Method::POST, "/autodiscover/autodiscover.json", 405),
        (Method::GET, "/autodiscover/autodiscover.json/v1.0/a@b", 404),
    ] {
        let request = request(method.clone(), target);
        let refused = reply(request.settle(&off, &peer()));
        assert_eq!(
            refused.status,
            StatusCode::NOT_FOUND,
            "row {method} {target}"
        );
        let status = match request.settle(&on, &peer()).action {
            Action::Discover(_) => 200,
            Action::Answer(reply) => reply.status.as_u16(),
            Action::Ask(_) | Action::Forward(_) | Action::Publish(_) | Action::Read(_) => {
                panic!("row {method} {target}: for another plane")
            }
        };
        assert_eq!(status, expected, "row {method} {target}");
    }
}

#[test]
fn nobody_is_told_where_a_mailbox_is_before_the_upstream_accepts() {
    let world = World::new();
    let gateway = discovering(&world);
    let mut request = request(Method::POST, XML);
    request.headers.remove("authorization");
    assert_eq!(
        reply(request.settle(&gateway, &peer())).cause,
        Cause::NoCredential
    );
    let request = request.basic("alice", "wrong");
    assert_eq!(
        reply(request.settle(&gateway, &peer())).cause,
        Cause::Refused
    );
}

#[test]
fn nothing_of_the_clients_request_goes_to_the_upstream_as_it_is() {
    let world = World::new();
    let gateway = discovering(&world);
    let request = request(Method::POST, "/AutoDiscover/AutoDiscover.XML?@evil")
        .with("cookie", "Email=x")
        .with("accept-encoding", "gzip")
        .with("content-encoding", "gzip")
        .with("x-forwarded-for", "127.0.0.1")
        .with("x-original-url", "/powershell");
    let discovery = discovery(&gateway, &request);
    let sent = question("alice@example.org").replace("<Request>", "<Request><X>evil</X>");
    let discover = gateway.handle_discovery(discovery, Some(sent.as_bytes()));
    let discover = discover.unwrap();
    assert_eq!(
        discover.request.uri(),
        "http://upstream.internal/autodiscover/autodiscover.xml"
    );
    let headers = discover.request.headers();
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
    for name in ["cookie", "content-encoding", "x-original-url"] {
        assert!(!headers.contains_key(name), "row {name}");
    }
    let body = String::from_utf8(discover.body).unwrap();
    assert!(body.contains("<EMailAddress>alice@example.org</EMailAddress>"));
    assert!(!body.contains("evil"), "{body}");
}

#[test]
fn what_autodiscover_answers_is_our_url_or_nothing() {
    let world = World::new();
    let gateway = discovering(&world);
    let path = "/Microsoft-Server-ActiveSync";
    let good = leads_to(&server(&format!("https://upstream.internal{path}")));
    let (settings, event) = answered(&gateway, 200, Some(&good));
    assert!(event.is_none());
    assert_eq!(settings.status, StatusCode::OK);
    let text = said(&settings);
    let ours = format!("<Url>https://{HOST}{path}</Url><Name>https://{HOST}{path}</Name>");
    assert!(text.contains(&ours), "{text}");
    assert!(text.contains("<EMailAddress>alice@example.org</EMailAddress>"));
    assert!(!text.contains("upstream.internal"), "{text}");
    let packed = leads_to(&server(&format!("https://attacker.example{path}")));
    for (row, status, body, why) in [
        ("other host", 200, Some(packed), "attacker.example"),
        (
            "other path",
            200,
            Some(leads_to(&server("https://upstream.internal/owa"))),
            "no ActiveSync URL",
        ),
        (
            "other address",
            200,
            Some(leads_to("<Redirect>alice@cloud.example</Redirect>")),
            "alice@cloud.example",
        ),
        (
            "other URL",
            200,
            Some(leads_to(
                "<RedirectUrl>https://cloud.example/</RedirectUrl>",
            )),
            "cloud.example",
        ),
        ("no server", 200, Some(leads_to("")), "none of ActiveSync"),
        ("no XML", 200, Some("<html>".to_owned()), "no plain XML"),
        ("too long", 200, None, "too long"),
        ("redirect", 302, Some(String::new()), "302"),
        ("error", 500, Some(String::new()), "500"),
    ] {
        let (refused, event) = answered(&gateway, status, body.as_deref());
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "row {row}");
        assert!(refused.headers.contains_key("retry-after"), "row {row}");
        let told = said(&refused);
        assert!(!told.contains("cloud.example"), "row {row}: {told}");
        assert!(!told.contains("cannot be reached"), "row {row}: {told}");
        let Recorded::NotAuthenticated(text) = record(event.as_ref()).outcome else {
            panic!("row {row}: decided");
        };
        assert!(text.as_str().contains(why), "row {row}: {text}");
    }
    let (dropped, _) = answered(&gateway, 401, None);
    assert_eq!(dropped.status, StatusCode::UNAUTHORIZED);
    let discovery = discovery(&gateway, &request(Method::POST, XML));
    let outlook = question("a@b").replace("mobilesync", "outlook");
    let refused = gateway.handle_discovery(discovery, Some(outlook.as_bytes()));
    assert!(said(&refused.unwrap_err()).contains("<ErrorCode>601</ErrorCode>"));
}

/// CVE-2021-34473 came in by this path.
#[test]
fn autodiscover_in_json_says_the_same_to_everybody_and_asks_nobody() {
    let world = World::new();
    let gateway = discovering(&world);
    for (query, status, expected) in [
        (
            "Email=a@b&Protocol=ActiveSync&RedirectCount=1",
            200,
            r#""Url":"https://mail.example.org/Microsoft-Server-ActiveSync""#,
        ),
        (
            "Protocol=AutodiscoverV1",
            200,
            r#""Url":"https://mail.example.org/autodiscover/autodiscover.xml""#,
        ),
        ("Protocol=Ews&Email=a@b", 400, "InvalidProtocol"),
        ("@evil.example/mapi/nspi?&Email=x", 400, "InvalidProtocol"),
        ("", 400, "InvalidProtocol"),
    ] {
        let mut request = request(
            Method::GET,
            &format!("/autodiscover/autodiscover.json?{query}"),
        );
        request.headers.remove("authorization");
        let reply = reply(request.send(&gateway, &peer()));
        assert_eq!(reply.status.as_u16(), status, "row {query}");
        assert!(said(&reply).contains(expected), "row {query}");
        assert!(!said(&reply).contains("evil"), "row {query}");
    }
}
