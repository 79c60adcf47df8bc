//! The one message of a device in quarantine: which it has, which it should have, and how it learns of
//! that.

use portreeve::model::ComplianceState;
use portreeve::wbxml::sync::air_sync;
use tokio::time::timeout;

use crate::quarantine::Client;
use crate::quarantine::SOON;
use crate::quarantine::folder_sync;
use crate::quarantine::ping;
use crate::quarantine::sync;
use crate::quarantine::written;
use crate::site::Site;

/// Keeps a device that is compliant in quarantine until it proves itself: another reason than that of a
/// device that is being evaluated.
const PROOF: &str = r#"
[[conditional]]
name = "Proof"
planes = ["mail"]
targets = ["staff"]
require = ["proven"]
otherwise = "quarantine"
"#;

const EVALUATED: &str = "54006";
const UNPROVEN: &str = "54009";

/// A device that was given the message of the first reason.
async fn informed(version: &str) -> (Site, Client) {
    let site = Site::start().await;
    site.world.with_policies(PROOF);
    let mut client = Client::of(&site, version).await;
    drop(client.ask("FolderSync", folder_sync("0")).await);
    drop(client.ask("Sync", sync("portreeve.2", "0")).await);
    let message = client
        .ask("Sync", sync("portreeve.2", "portreeve.empty"))
        .await;
    assert!(message.contains(&key(EVALUATED)), "{message}");
    (site, client)
}

fn key(reason: &str) -> String {
    format!("portreeve.message.{reason}")
}

/// The other message comes in the place of the first.
fn assert_replaced(answer: &str) {
    for expected in [
        &format!("SyncKey({})", key(UNPROVEN)),
        &format!("Commands(Delete(ServerId(portreeve.2:{EVALUATED}))"),
        &format!("Add(ServerId(portreeve.2:{UNPROVEN})"),
        &format!("reason {UNPROVEN}."),
    ] {
        assert!(answer.contains(expected), "{expected:?} is not in {answer}");
    }
}

const NEWS: &str = "Ping(Status(2)Folders(Folder(portreeve.2)))";

/// It was held, and the user read of a reason that was none any more.
#[tokio::test]
async fn a_ping_ends_when_the_reason_changes_and_the_message_is_replaced_r32() {
    for version in ["1.1", "2"] {
        let (site, mut client) = informed(version).await;
        let waiting = tokio::spawn(async move {
            let answer = client.ask("Ping", ping("3540", "portreeve.2")).await;
            (client, answer)
        });
        while site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
        site.world.set("new", ComplianceState::Compliant);
        let (mut client, answer) = timeout(SOON, waiting).await.unwrap().unwrap();
        assert_eq!(answer, NEWS, "{version}");
        // A phone that was away learns of it as well.
        let again = client.ask("Ping", ping("3540", "portreeve.2")).await;
        assert_eq!(again, NEWS, "{version}");
        let replaced = sync("portreeve.2", &key(EVALUATED));
        assert_replaced(&client.ask("Sync", replaced).await);
        let none = client
            .ask("Sync", sync("portreeve.2", &key(UNPROVEN)))
            .await;
        assert_eq!(none, "", "{version}");
        let held = client.ask("Ping", ping("1", "portreeve.2")).await;
        assert_eq!(held, "Ping(Status(1))", "{version}");
        assert_eq!(site.origin.waiting(), 0);
        drop(client);
        site.drain().await;
    }
}

#[tokio::test]
async fn a_sync_that_waits_gets_the_other_message_when_the_reason_changes_r32() {
    for version in ["1.1", "2"] {
        let (site, mut client) = informed(version).await;
        let waits = written(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, &key(EVALUATED));
                    writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                });
            });
            writer.leaf(air_sync::HEARTBEAT_INTERVAL, "3540");
        });
        let waiting = tokio::spawn(async move { client.ask("Sync", waits).await });
        while site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
        site.world.set("new", ComplianceState::Compliant);
        assert_replaced(&timeout(SOON, waiting).await.unwrap().unwrap());
        site.drain().await;
    }
}

#[tokio::test]
async fn a_wait_for_real_folders_ends_as_if_its_time_were_over_when_the_reason_changes() {
    let site = Site::start().await;
    site.world.with_policies(PROOF);
    let mut client = Client::of(&site, "1.1").await;
    let waiting = tokio::spawn(async move { client.ask("Ping", ping("600", "5")).await });
    while site.world.live.is_empty() {
        tokio::task::yield_now().await;
    }
    site.world.set("new", ComplianceState::Compliant);
    let answer = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(answer, "Ping(Status(1))");
    site.drain().await;
}

#[tokio::test]
async fn a_ping_before_the_message_was_fetched_says_that_it_waits() {
    let site = Site::start().await;
    let mut client = Client::of(&site, "1.1").await;
    drop(client.ask("FolderSync", folder_sync("0")).await);
    drop(client.ask("Sync", sync("portreeve.2", "0")).await);
    let answer = client.ask("Ping", ping("3540", "portreeve.2")).await;
    assert_eq!(answer, NEWS);
    // Whoever has it says so by the key, even if that was forgotten here.
    let has_it = sync("portreeve.2", &key(EVALUATED));
    assert_eq!(client.ask("Sync", has_it).await, "");
    let held = client.ask("Ping", ping("1", "portreeve.2")).await;
    assert_eq!(held, "Ping(Status(1))");
    // An account that is set up anew has nothing again.
    drop(client.ask("FolderSync", folder_sync("0")).await);
    let answer = client.ask("Ping", ping("3540", "portreeve.2")).await;
    assert_eq!(answer, NEWS);
    site.drain().await;
}
