//! `snooze plugin approve --event`: the grant of events to what asks for none, and for more than is asked.

use crate::{
    place::{Place, rights, status},
    plugin_approval::{approved, text},
};
use serde_json::{Value, json};
use snooze_bus::Role;
use snooze_schemas::plugin::permissions::Permissions;
use std::fs;

fn permissions(of: Value) -> Permissions {
    serde_json::from_value(of).expect("permissions")
}

#[tokio::test]
async fn i4_events_are_granted_by_an_approval_that_names_them_with_a_manifest_and_without() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let bare = json!({"entry_sha256": "c".repeat(64)});
    let plugins = place.host("web", json!([status("redis", &bare)])).await;
    let approve = async |more: &[&str]| {
        let words = [&["approve", "redis", "--yes"], more].concat();
        place.plugin(Role::Administrator, &words).await
    };
    let granted = async || approved(&place, "web").await.expect("is written").permissions;
    let done = approve(&["--event", "custom", "--event", "snooze.pending"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("be given events of the type snooze.pending"),
        "{done:?}"
    );
    let both = json!(["custom", "snooze.pending"]);
    assert_eq!(granted().await, permissions(json!({"events": both})));
    let approval = approved(&place, "web").await.expect("is written");
    assert!(!approval.by.is_empty(), "who said so is recorded");

    // One more is one more: what was approved for the same file stays, and for another one it does not.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("grant.json");
    fs::write(&file, r#"{"udp": true}"#).expect("written");
    let done = approve(&["--permissions", &text(&file), "--event", "custom"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = approve(&["--event", "cloud.spot.interrupt"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let more = json!({"udp": true, "events": ["custom", "cloud.spot.interrupt"]});
    assert_eq!(granted().await, permissions(more));
    let other = json!({"entry_sha256": "d".repeat(64)});
    *plugins.lock().expect("nothing panics") = json!([status("redis", &other)]);
    let done = approve(&["--event", "custom"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(granted().await, permissions(json!({"events": ["custom"]})));

    // With a manifest it is more than it asks for, and is said to be.
    *plugins.lock().expect("nothing panics") = json!([status("redis", &rights())]);
    let done = approve(&["--event", "custom"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let more = done
        .err
        .lines()
        .find(|line| line.contains("events of the type custom"));
    assert!(
        more.is_some_and(|line| line.contains("more than it asks for")),
        "{done:?}"
    );
    let mut asked = permissions(rights()["asked"].clone());
    asked.events.insert("custom".parse().expect("a type"));
    assert_eq!(granted().await, asked);

    for wrong in [&["--event", "Backup"][..], &["--event", "custom", "--revoke"]] {
        let done = approve(wrong).await;
        assert_eq!(done.code, Some(64), "{done:?}");
    }
    assert_eq!(granted().await, asked, "nothing was changed");
}
