//! Applications that are published beside ActiveSync.

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Version;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Bytes;
use portreeve::access::Outcome as Recorded;
use portreeve::mail::Action;
use portreeve::mail::Application;
use portreeve::mail::Cause;
use portreeve::mail::Gateway;
use portreeve::mail::Head;
use portreeve::mail::Outgoing;
use portreeve::mail::Publish;
use portreeve::mail::Resource;
use portreeve::mail::Routes;
use portreeve::mail::SignIn;
use portreeve::mail::Step;
use portreeve::mail::UpstreamId;
use portreeve::model::ComplianceState;
use portreeve::model::Plane;
use portreeve::model::Verdict;

use crate::beside::request;
use crate::gateway::identity;
use crate::gateway::record;
use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::world::HOST;
use crate::world::World;
use crate::world::certified;
use crate::world::config;
use crate::world::peer;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

fn application(name: &str, path: &str, resource: &str, sign_in: SignIn) -> Arc<Application> {
    Arc::new(Application {
        name: name.to_owned(),
        hosts: Vec::new(),
        path: path.to_owned(),
        upstream: UpstreamId::of("apps"),
        resource: resource.to_owned(),
        sign_in,
        headers: Vec::new(),
        redirects: vec!["login.example.org".to_owned()],
    })
}

fn routes(sign_in: SignIn) -> Routes {
    let mut routes = Routes::only("http://upstream.internal".parse().unwrap());
    let apps = "https://apps.internal:8443".parse().unwrap();
    routes.resources.push(Resource::single("apps", apps));
    routes.applications = vec![
        application("wiki", "/intranet/wiki", "", sign_in),
        application("owa", "/owa", "/owa", sign_in),
    ];
    routes
}

fn publishing(world: &World, sign_in: SignIn) -> Gateway {
    let mut config = config();
    config.routes = routes(sign_in);
    world.gateway_with(config)
}

fn publish(step: Step) -> Publish {
    let Action::Publish(publish) = step.action else {
        panic!("{:?}", step.action);
    };
    publish
}

fn of_device(world: &World, device: &str) -> Arc<portreeve::mail::Peer> {
    certified(identity(Some("alice"), Some(&world.id(device).to_string())))
}

#[test]
fn an_application_is_opened_by_its_path_and_by_nothing_else_r27() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    let device = of_device(&world, "good");
    for (target, expected) in [
        ("/owa", Some("/owa")),
        ("/OWA/?bO=1", Some("/owa/?bO=1")),
        ("/owa/auth/a%20b.aspx", Some("/owa/auth/a%20b.aspx")),
        ("/intranet/wiki", Some("/")),
        ("/intranet/wiki/Page?x=%2f", Some("/Page?x=%2f")),
        ("/intranet", None),
        ("/intranet/wikipedia", None),
        ("/owa2", None),
        ("/owa/../ecp", None),
        ("/owa/%2e%2e/ecp", None),
        ("/owa%2f..%2fecp", None),
        ("/owa/;/../ecp", None),
        ("/owa\\..\\ecp", None),
        ("//owa", None),
        ("/ecp", None),
        ("/ews/exchange.asmx", None),
        ("/mapi/emsmdb", None),
        ("/oab/x", None),
        ("/rpc/rpcproxy.dll", None),
        ("/powershell", None),
    ] {
        if target.parse::<http::Uri>().is_err() {
            continue;
        }
        let mut request = request(Method::GET, target);
        request.headers.remove("authorization");
        let step = request.settle(&gateway, &device);
        match expected {
            None => {
                let reply = reply(step);
                assert_eq!(reply.status, StatusCode::NOT_FOUND, "row {target}");
            }
            Some(path) => {
                let publish = publish(step);
                let uri = publish.request.uri().to_string();
                assert_eq!(
                    uri,
                    format!("https://apps.internal:8443{path}"),
                    "row {target}"
                );
                assert_eq!(publish.to.upstream, UpstreamId::of("apps"));
            }
        }
    }
}

#[test]
fn the_record_names_the_application_and_the_resource_r86() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    for (device, verdict) in [("good", Verdict::Allow), ("bad", Verdict::Block)] {
        let mut request = request(Method::GET, "/intranet/wiki/Page");
        request.headers.remove("authorization");
        let step = request.settle(&gateway, &of_device(&world, device));
        let record = record(step.event.as_ref());
        let Recorded::Decided(decision) = record.outcome else {
            panic!("row {device}: not decided");
        };
        assert_eq!(record.seen.plane, Plane::Web, "row {device}");
        assert_eq!(decision.verdict, verdict, "row {device}: {decision:?}");
        assert_eq!(record.method.as_str(), "web GET");
        let called = record.called.as_ref().unwrap();
        assert_eq!(*called.application, *format!("wiki {HOST}/intranet/wiki"));
        assert_eq!(&*called.upstream, "apps https://apps.internal:8443");
        let passes = matches!(step.action, Action::Publish(_));
        assert_eq!(passes, verdict == Verdict::Allow, "row {device}");
    }
}

#[test]
fn who_signs_in_to_an_application_is_known_before_it_hears_anything() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    let without = reply(request(Method::GET, "/owa").settle(&gateway, &peer()));
    assert_eq!(without.cause, Cause::Certificate, "no certificate");
    // Its own sign-in goes on inside, but for what authenticates a connection.
    let device = of_device(&world, "good");
    let inside = publish(request(Method::GET, "/owa").settle(&gateway, &device));
    assert!(inside.request.headers()["authorization"].is_sensitive());
    let gateway = publishing(&world, SignIn::Password);
    let wrong = request(Method::GET, "/owa").basic("alice", "wrong");
    assert_eq!(reply(wrong.settle(&gateway, &peer())).cause, Cause::Refused);
    // Without a device the policy judges the user alone; this one demands a managed device.
    let step = request(Method::GET, "/owa").settle(&gateway, &peer());
    assert_eq!(record(step.event.as_ref()).seen.plane, Plane::Web);
    assert_eq!(reply(step).cause, Cause::Blocked);
    let upgrade = request(Method::GET, "/owa").with("upgrade", "websocket");
    let refused = reply(upgrade.settle(&gateway, &peer()));
    assert_eq!(refused.status, StatusCode::NOT_IMPLEMENTED);
}

#[test]
fn an_application_sends_users_only_to_where_they_may_go() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    let device = of_device(&world, "good");
    let visit = publish(request(Method::GET, "/intranet/wiki/x").settle(&gateway, &device)).visit;
    let here = format!("https://{HOST}/intranet/wiki");
    for (location, expected) in [
        ("/Main?x=1", Some("/intranet/wiki/Main?x=1".to_owned())),
        ("relative", Some("relative".to_owned())),
        ("https://apps.internal:8443/a", Some(format!("{here}/a"))),
        ("http://APPS.internal/a#b", Some(format!("{here}/a#b"))),
        ("//apps.internal/a", Some(format!("{here}/a"))),
        ("https://apps.internal?a", Some(format!("{here}/?a"))),
        ("https://apps.internal", Some(format!("{here}/"))),
        (
            "https://login.example.org/?x",
            Some("https://login.example.org/?x".to_owned()),
        ),
        ("https://evil.example/", None),
        ("//evil.example/", None),
        ("https://apps.internal@evil.example/", None),
        ("https:evil.example", None),
        ("\\\\evil.example", None),
        ("javascript:alert(1)", None),
    ] {
        let mut answer = HeaderMap::new();
        answer.insert("location", HeaderValue::from_str(location).unwrap());
        answer.insert("set-cookie", HeaderValue::from_static("a=1"));
        answer.insert("www-authenticate", HeaderValue::from_static("Negotiate"));
        let (outgoing, event) = gateway.handle_visited(start(), &visit, StatusCode::FOUND, answer);
        match (outgoing, expected) {
            (Outgoing::Pass(status, headers), Some(expected)) => {
                assert_eq!(status, StatusCode::FOUND);
                assert_eq!(headers["location"], expected, "row {location}");
                assert_eq!(headers["set-cookie"], "a=1");
                assert!(!headers.contains_key("www-authenticate"));
            }
            (Outgoing::Answer(reply), None) => {
                assert_eq!(reply.cause, Cause::SentElsewhere, "row {location}");
                let text = said(&reply);
                assert!(!text.contains("mail server"), "row {location}: {text}");
                let called = record(event.as_ref()).called.as_ref().unwrap();
                assert_eq!(&*called.upstream, "apps https://apps.internal:8443");
            }
            (outgoing, expected) => panic!("row {location}: {outgoing:?} for {expected:?}"),
        }
    }
}

/// What becomes of a Location by which the wiki answers a request that has come to this authority.
fn led(gateway: &Gateway, world: &World, authority: &str, location: &str) -> Option<String> {
    let mut sent = request(Method::GET, "/intranet/wiki/x");
    sent.headers
        .insert("host", HeaderValue::from_str(authority).unwrap());
    let visit = publish(sent.settle(gateway, &of_device(world, "good"))).visit;
    let mut answer = HeaderMap::new();
    answer.insert("location", HeaderValue::from_str(location).unwrap());
    match gateway.handle_visited(start(), &visit, StatusCode::FOUND, answer) {
        (Outgoing::Pass(_, headers), None) => {
            Some(headers["location"].to_str().unwrap().to_owned())
        }
        (_, _) => None,
    }
}

/// A browser that had come to another port than 443 was led to where nobody listens.
#[test]
fn a_redirection_keeps_the_port_by_which_the_client_has_come() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    for (authority, expected) in [
        (HOST, format!("https://{HOST}/intranet/wiki/a?b#c")),
        (
            "mail.example.org:24443",
            format!("https://{HOST}:24443/intranet/wiki/a?b#c"),
        ),
    ] {
        let location = "https://apps.internal:8443/a?b#c";
        let led = led(&gateway, &world, authority, location);
        assert_eq!(led, Some(expected), "row {authority}");
    }
    // Of a target that is absolute, as each is over HTTP/2.
    let mut sent = request(
        Method::GET,
        "https://mail.example.org:24443/intranet/wiki/x",
    );
    sent.headers.remove("host");
    let head = Head {
        method: &sent.method,
        uri: &sent.target.parse().unwrap(),
        version: Version::HTTP_2,
        headers: &sent.headers,
    };
    let step = gateway.handle_head(start(), &of_device(&world, "good"), &head);
    let visit = publish(step).visit;
    let mut answer = HeaderMap::new();
    let location = HeaderValue::from_static("//apps.internal/a");
    answer.insert("location", location);
    let (outgoing, _) = gateway.handle_visited(start(), &visit, StatusCode::FOUND, answer);
    let Outgoing::Pass(_, headers) = outgoing else {
        panic!("{outgoing:?}");
    };
    let expected = format!("https://{HOST}:24443/intranet/wiki/a");
    assert_eq!(headers["location"], expected);
}

/// The path under which it is published was put before itself.
#[test]
fn a_redirection_to_the_url_that_clients_know_passes_as_it_is() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    for (location, expected) in [
        ("https://mail.example.org/intranet/wiki/z", None),
        ("https://mail.example.org/intranet/wiki", None),
        ("https://MAIL.example.org:8443/Intranet/Wiki?a#b", None),
        ("//mail.example.org/intranet/wiki/z", None),
        // Another application's.
        ("https://mail.example.org/owa/z", None),
        // Never in clear.
        (
            "http://mail.example.org/intranet/wiki/z#b",
            Some("https://mail.example.org:24443/intranet/wiki/z#b"),
        ),
        // It was told the name and not the path.
        (
            "https://mail.example.org/intranet/wikipedia",
            Some("https://mail.example.org:24443/intranet/wiki/intranet/wikipedia"),
        ),
        (
            "https://mail.example.org/z",
            Some("https://mail.example.org:24443/intranet/wiki/z"),
        ),
    ] {
        let led = led(&gateway, &world, "mail.example.org:24443", location);
        assert_eq!(
            led.as_deref(),
            expected.or(Some(location)),
            "row {location}"
        );
    }
}

/// A mail server may have the gateway's name in its own network.
#[test]
fn a_server_with_a_name_of_ours_is_no_way_round_the_gateway() {
    let world = World::new();
    let mut config = config();
    config.routes = routes(SignIn::Certificate);
    config.routes.resources[1].also_known = vec![HOST.to_owned()];
    let gateway = world.gateway_with(config);
    let url = |port: &str| format!("https://{HOST}{port}/owa/z");
    for (location, expected) in [
        (url(":8443"), url("")),
        (url(""), url("")),
        (url(":443"), url(":443")),
    ] {
        let visit = request(Method::GET, "/owa").settle(&gateway, &of_device(&world, "good"));
        let mut answer = HeaderMap::new();
        answer.insert("location", HeaderValue::from_str(&location).unwrap());
        let visit = publish(visit).visit;
        let (outgoing, _) = gateway.handle_visited(start(), &visit, StatusCode::FOUND, answer);
        let Outgoing::Pass(_, headers) = outgoing else {
            panic!("row {location}: {outgoing:?}");
        };
        assert_eq!(headers["location"], expected, "row {location}");
    }
}

/// Who had asked for a wiki was told of a mail server.
#[test]
fn an_application_that_cannot_answer_is_no_mail_server() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    let device = of_device(&world, "good");
    let visit = publish(request(Method::GET, "/intranet/wiki").settle(&gateway, &device)).visit;
    let asks = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    let (outgoing, _) = gateway.handle_visited(start(), &visit, asks, HeaderMap::new());
    let Outgoing::Answer(refused) = outgoing else {
        panic!("{outgoing:?}");
    };
    for reply in [refused, gateway.come_again()] {
        assert_eq!(reply.cause, Cause::Unavailable);
        assert_eq!(said(&reply), "The server cannot be reached at the moment.");
    }
}

/// It named the host of the application behind the gateway.
#[test]
fn an_answer_says_of_itself_only_an_address_that_clients_know() {
    let world = World::new();
    let gateway = publishing(&world, SignIn::Certificate);
    let device = of_device(&world, "good");
    let visit = publish(request(Method::GET, "/intranet/wiki/x").settle(&gateway, &device)).visit;
    for (location, expected) in [
        (
            "https://apps.internal:8443/x",
            Some("https://mail.example.org/intranet/wiki/x"),
        ),
        ("/x?y", Some("/intranet/wiki/x?y")),
        ("x.en", Some("x.en")),
        ("http://127.0.0.1:28084/x", None),
        ("https:odd", None),
    ] {
        let mut answer = HeaderMap::new();
        let value = HeaderValue::from_str(location).unwrap();
        answer.insert("content-location", value);
        answer.insert("etag", HeaderValue::from_static("\"1\""));
        let (outgoing, event) = gateway.handle_visited(start(), &visit, StatusCode::OK, answer);
        let Outgoing::Pass(StatusCode::OK, headers) = outgoing else {
            panic!("row {location}: {outgoing:?}");
        };
        let told = headers.get("content-location");
        let told = told.map(|value| value.to_str().unwrap());
        assert_eq!(told, expected, "row {location}");
        assert_eq!(headers["etag"], "\"1\"");
        // It keeps nobody from anything.
        assert!(event.is_none(), "row {location}");
    }
}

#[tokio::test]
async fn an_application_is_streamed_and_cut_when_its_device_is_not_let_in_any_more_r14() {
    for http in ["HTTP/1.1", "HTTP/2"] {
        let site = Site::with(Plan {
            client_certificates: true,
            ..Plan::default()
        })
        .await;
        let mut routes = Routes::only(site.front.upstream.standing()[0].server.parse().unwrap());
        let mut echo = (*application("echo", "/echo", "", SignIn::Certificate)).clone();
        echo.upstream = UpstreamId::of(UpstreamId::DEFAULT);
        routes.applications = vec![Arc::new(echo)];
        site.front.gateway.replace_routes(routes);
        let device = site.world.id("good").to_string();
        let pem = site.pki.device_of("alice@corp.example", &device);
        let send = async |act: &str| {
            let request = hyper::Request::post(format!("https://{HOST}/echo?ItemId={act}"))
                .header("authorization", basic("right"))
                .body(Full::new(Bytes::from_static(b"body")))
                .unwrap();
            if http == "HTTP/2" {
                let stream = site.tls(b"h2", Some(&pem)).await;
                crate::site::over_http2(stream, request).await
            } else {
                let stream = site.tls(b"http/1.1", Some(&pem)).await;
                crate::site::over_http1(stream, request).await
            }
        };
        let answer = send("echo").await;
        assert_eq!(answer.status(), StatusCode::OK, "row {http}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "body", "row {http}");
        let mut trickle = send("trickle").await;
        let first = trickle.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first", "row {http}");
        site.world.set("good", ComplianceState::NonCompliant);
        let cut = trickle.into_body().collect().await;
        assert!(cut.is_err(), "row {http}: {cut:?}");
        assert_eq!(
            send("echo").await.status(),
            StatusCode::FORBIDDEN,
            "row {http}"
        );
        site.drain().await;
    }
}
