//! Spellings by which one request could become two or another one.

use crate::site::Site;
use crate::site::basic;
use crate::site::target;
use crate::world::HOST;

/// Rows of octets, the status that answers them first, and how many requests the mail server may
/// see of them.
#[tokio::test]
async fn no_spelling_of_a_request_becomes_two_or_another_one() {
    let site = Site::start().await;
    let good = target("good", "Sync", "length");
    let credential = basic("right");
    let lines =
        format!("Host: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nAuthorization: {credential}\r\n");
    let post = |more: &str, body: &str| format!("POST {good} HTTP/1.1\r\n{lines}{more}\r\n{body}");
    let hidden = format!(
        "POST {} HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n",
        target("good", "SendMail", "length")
    );
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let turned = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    let chunk = "0\r\n\r\n";
    for (row, octets, status, requests) in [
        (
            "plain",
            post("Content-Length: 4\r\nConnection: close\r\n", "mail"),
            "200",
            1,
        ),
        ("CL.TE", post(both, &format!("{chunk}{hidden}")), "400", 0),
        ("TE.CL", post(turned, &format!("{chunk}{hidden}")), "400", 0),
        (
            "bare LF",
            post("Content-Length: 4\r\n", "mail").replace('\r', ""),
            "400",
            0,
        ),
        (
            "one bare LF",
            post("User-Agent: a\nContent-Length: 0\r\n", &hidden),
            "400",
            0,
        ),
        (
            "bare LF before the request",
            format!("\n{}", post("Content-Length: 4\r\n", "mail")),
            "400",
            0,
        ),
        (
            "bare LF after an empty line",
            format!("\r\n\n{}", post("Content-Length: 4\r\n", "mail")),
            "400",
            0,
        ),
        (
            "sign before the port",
            post("", "").replace(HOST, &format!("{HOST}:+443")),
            "400",
            0,
        ),
        (
            "blank after a chunk's size",
            post("Transfer-Encoding: chunked\r\n", "0 \r\n\r\n"),
            "400",
            0,
        ),
        (
            "fragment",
            format!("POST {good}#x HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
        (
            "user of a host",
            format!("POST https://a@{HOST}{good} HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
        (
            "port that is none",
            post("", "").replace(HOST, &format!("{HOST}:x")),
            "400",
            0,
        ),
        (
            "port too large",
            post("", "").replace(HOST, &format!("{HOST}:99999")),
            "400",
            0,
        ),
        (
            "no port after a colon",
            post("", "").replace(HOST, &format!("{HOST}:")),
            "400",
            0,
        ),
        (
            "TE.TE",
            post("Transfer-Encoding: chunked, identity\r\n", chunk),
            "400",
            0,
        ),
        (
            "TE gzip",
            post(
                "Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n",
                chunk,
            ),
            "501",
            0,
        ),
        (
            "TE x",
            post("Transfer-Encoding: xchunked\r\n", chunk),
            "400",
            0,
        ),
        (
            "TE twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                chunk,
            ),
            "400",
            0,
        ),
        (
            "CL.CL",
            post("Content-Length: 4\r\nContent-Length: 0\r\n", "mail"),
            "400",
            0,
        ),
        (
            "CL list",
            post("Content-Length: 4, 4\r\n", "mail"),
            "400",
            0,
        ),
        ("CL sign", post("Content-Length: +4\r\n", "mail"), "400", 0),
        ("CL minus", post("Content-Length: -1\r\n", "mail"), "400", 0),
        (
            "blank before colon",
            post("Content-Length : 4\r\n", "mail"),
            "400",
            0,
        ),
        (
            "obs-fold",
            post("User-Agent: a\r\n b\r\nContent-Length: 0\r\n", ""),
            "400",
            0,
        ),
        (
            "bare CR",
            post("User-Agent: a\rX: b\r\nContent-Length: 0\r\n", ""),
            "400",
            0,
        ),
        (
            "NUL",
            post("User-Agent: a\0b\r\nContent-Length: 0\r\n", ""),
            "400",
            0,
        ),
        (
            "name with blank",
            post("User Agent: a\r\nContent-Length: 0\r\n", ""),
            "400",
            0,
        ),
        (
            "two hosts",
            post("Host: other\r\nContent-Length: 0\r\n", ""),
            "400",
            0,
        ),
        (
            "no host",
            format!("POST {good} HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
            "400",
            0,
        ),
        (
            "HTTP/1.0",
            format!("POST {good} HTTP/1.0\r\n{lines}\r\n"),
            "505",
            0,
        ),
        ("HTTP/0.9", format!("POST {good}\r\n\r\n"), "400", 0),
        (
            "other absolute",
            format!("POST https://other{good} HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
        (
            "CONNECT",
            format!("CONNECT {HOST}:443 HTTP/1.1\r\n{lines}\r\n"),
            "405",
            0,
        ),
        (
            "TRACE",
            format!("TRACE {good} HTTP/1.1\r\n{lines}\r\n"),
            "405",
            0,
        ),
        (
            "HEAD",
            format!("HEAD {good} HTTP/1.1\r\n{lines}\r\n"),
            "405",
            0,
        ),
        (
            "blank in target",
            format!("POST {good} x HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
        (
            "NUL in target",
            format!("POST {good}\0 HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
        (
            "backslash",
            format!("POST \\{good} HTTP/1.1\r\n{lines}\r\n"),
            "400",
            0,
        ),
    ] {
        let received = site.raw(&octets, "").await;
        assert_eq!(received.get(9..12), Some(status), "row {row}: {received}");
        if row == "HEAD" {
            assert!(received.ends_with("\r\n\r\n"), "a body: {received}");
        }
        // A connection that carried an unclear request carries no second one.
        assert_eq!(
            received.matches("HTTP/1.").count(),
            1,
            "row {row}: {received}"
        );
        let mut seen = 0;
        while site.origin.waiting() > 0 {
            let request = site.origin.next().await;
            assert_eq!(request.target, good, "row {row}");
            let both = request.headers.contains_key("content-length")
                && request.headers.contains_key("transfer-encoding");
            assert!(!both, "row {row}");
            seen += 1;
        }
        assert_eq!(seen, requests, "row {row}");
    }
    site.drain().await;
}

/// The answer was 408, as if the client had been slow.
#[tokio::test]
async fn a_body_that_is_none_is_a_bad_request() {
    let site = Site::start().await;
    let lines = format!(
        "Host: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nAuthorization: {}\r\n",
        basic("right")
    );
    let head = format!(
        "POST {} HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n",
        target("good", "Sync", "length")
    );
    for body in [
        "mail\r\n",
        "-4\r\nmail\r\n0\r\n\r\n",
        "0x4\r\nmail\r\n0\r\n\r\n",
        "4 4\r\nmail\r\n0\r\n\r\n",
        "4\r\nmailX\r\n0\r\n\r\n",
        "4\nmail\n0\n\n",
        "10000000000000004\r\nmail\r\n0\r\n\r\n",
        "4\r\nmail\r\nPOST /owa HTTP/1.1\r\n\r\n",
    ] {
        let received = site.raw(&format!("{head}{body}"), "").await;
        assert!(
            received.starts_with("HTTP/1.1 400 "),
            "row {body:?}: {received}"
        );
        assert_eq!(received.matches("HTTP/1.").count(), 1, "row {body:?}");
    }
    assert!(site.front.upstream_is_up());
    site.drain().await;
}

#[tokio::test]
async fn requests_that_may_be_lenient_are_still_one_request_upstream() {
    let site = Site::start().await;
    let good = target("good", "Sync", "length");
    let lines = format!(
        "Host: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nAuthorization: {}\r\nConnection: close\r\n",
        basic("right")
    );
    for (row, octets) in [
        (
            "port",
            format!(
                "POST {good} HTTP/1.1\r\n{}Content-Length: 4\r\n\r\nmail",
                lines.replace(HOST, &format!("{HOST}:443"))
            ),
        ),
        (
            "empty lines before it",
            format!("\r\n\r\nPOST {good} HTTP/1.1\r\n{lines}Content-Length: 4\r\n\r\nmail"),
        ),
        (
            "absolute",
            format!("POST https://{HOST}{good} HTTP/1.1\r\n{lines}Content-Length: 4\r\n\r\nmail"),
        ),
        (
            "h2c",
            format!(
                "POST {good} HTTP/1.1\r\n{}Connection: Upgrade, HTTP2-Settings, close\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 4\r\n\r\nmail",
                lines.replace("Connection: close\r\n", "")
            ),
        ),
        (
            "chunks",
            format!(
                "POST {good} HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n\
                 2;x=y\r\nma\r\n2\r\nil\r\n0\r\nX-Original-URL: /owa\r\n\r\n"
            ),
        ),
    ] {
        let received = site.raw(&octets, "").await;
        assert!(
            received.starts_with("HTTP/1.1 200 "),
            "row {row}: {received}"
        );
        assert!(received.contains("4 octets"), "row {row}: {received}");
        let seen = site.origin.next().await;
        assert_eq!(seen.target, good, "row {row}");
        for name in ["upgrade", "http2-settings", "x-original-url", "connection"] {
            assert!(!seen.headers.contains_key(name), "row {row} {name}");
        }
        assert_eq!(site.origin.waiting(), 0, "row {row}");
    }
    site.drain().await;
}
