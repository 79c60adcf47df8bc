//! The emulator itself: every way to misbehave comes out as it is meant.

use serde_json::Value;
use serde_json::json;

use crate::lab::SECRET;
use crate::lab::Tenant;

const LIST: &str = "/v1.0/deviceManagement/managedDevices";

/// An answer that ended in the middle panicked in the server, so that no octet of it came, and
/// what was to be in the answer of a single device or of the token endpoint was passed over.
#[tokio::test]
async fn every_fault_comes_out_as_it_is_meant() {
    let tenant = Tenant::new(8, 5).await;
    let token = body(&token(&tenant).await);
    let list = get(&tenant, &token, LIST).await;
    let id = body(&list)["value"][1]["id"].as_str().unwrap().to_owned();
    let one = format!("{LIST}/{id}");
    let away = "https://elsewhere.example/x";
    for (kind, path, status, shown) in [
        ("throttle", LIST, "429", "retry-after: 7"),
        ("unavailable", LIST, "503", "retry-after: 7"),
        ("gatewayTimeout", LIST, "504", "GatewayTimeout"),
        ("internalError", LIST, "500", "InternalError"),
        ("unauthorized", LIST, "401", "UnknownError"),
        ("forbidden", LIST, "403", "Authorization_RequestDenied"),
        ("gone", LIST, "410", "resyncRequired"),
        ("redirect", LIST, "302", "location: https://elsewhere"),
        ("html", LIST, "200", "<html>"),
        ("oversize", LIST, "200", "content-length: 17825792"),
        ("truncate", LIST, "200", "\"value\":[{"),
        ("disconnect", LIST, "200", "\"value\":[{"),
        ("noValue", LIST, "200", "@odata.context"),
        ("nullValue", LIST, "200", "\"value\":null"),
        ("errorInstead", LIST, "200", "\"error\":{"),
        ("empty", LIST, "200", "{\"value\":[]}"),
        ("shorten", LIST, "200", &id),
        ("repeatLink", LIST, "200", "nextLink\":\"http://127.0.0.1"),
        ("foreignLink", LIST, "200", away),
        ("duplicate", LIST, "200", &id),
        ("unknownEnum", LIST, "200", "almostCompliant"),
        ("badRows", LIST, "200", "\"id\":null"),
        ("truncate", &one, "200", "{\""),
        ("disconnect", &one, "200", "{\""),
        ("errorInstead", &one, "200", "\"error\":{"),
        ("badRows", &one, "200", &id),
        ("forbidden", &one, "403", "Authorization_RequestDenied"),
    ] {
        let fault = json!({"kind": kind, "link": away, "retryAfter": "7", "keep": 2});
        tenant.fault(fault).await;
        let answer = get(&tenant, &token, path).await;
        let row = format!("row {kind} {path}: {:.800}", answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{row}");
        assert!(answer.contains(shown), "{row}");
        let whole = serde_json::from_str::<Value>(tail(&answer)).is_ok();
        let broken = ["redirect", "html", "oversize", "truncate", "disconnect"];
        assert_eq!(whole, !broken.contains(&kind), "{row}");
        if path == LIST && whole {
            let rows = body(&answer)["value"].as_array().map_or(0, Vec::len);
            let expected = match kind {
                "shorten" => 2,
                "duplicate" => 16,
                "repeatLink" | "foreignLink" | "unknownEnum" | "badRows" | "errorInstead" => 8,
                _ => 0,
            };
            assert_eq!(rows, expected, "{row}");
        }
        let after = get(&tenant, &token, path).await;
        assert!(after.starts_with("HTTP/1.1 200 "), "once: {row}");
    }
}

/// As the one above: what was meant for the token endpoint was passed over.
#[tokio::test]
async fn the_token_endpoint_misbehaves_as_well() {
    let tenant = Tenant::new(1, 1).await;
    for (kind, length_is_kept) in [("truncate", true), ("disconnect", false)] {
        tenant.fault(json!({"kind": kind, "on": "token"})).await;
        let answer = token(&tenant).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "row {kind}: {answer}");
        let length = answer
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        assert_eq!(
            tail(&answer).len() == length,
            length_is_kept,
            "row {kind}: {answer}"
        );
    }
    assert!(body(&token(&tenant).await)["access_token"].is_string());
}

async fn token(tenant: &Tenant) -> String {
    let form = format!(
        "grant_type=client_credentials&scope=x/.default&client_id=lab-client&client_secret={SECRET}"
    );
    let head = "POST /lab.example/oauth2/v2.0/token HTTP/1.1";
    tenant.ask(head, &form).await
}

async fn get(tenant: &Tenant, token: &Value, path: &str) -> String {
    let token = token["access_token"].as_str().unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {token}");
    tenant.ask(&head, "").await
}

fn tail(answer: &str) -> &str {
    let parts = answer.split_once("\r\n\r\n");
    parts.unwrap_or_else(|| panic!("no head: {answer}")).1
}

fn body(answer: &str) -> Value {
    serde_json::from_str(tail(answer)).unwrap()
}
