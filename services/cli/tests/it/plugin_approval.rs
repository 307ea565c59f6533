//! `snooze plugin approve`, against a real broker and with real credentials.

use crate::place::{Place, rights, status};
use serde_json::{Value, json};
use snooze_bus::{Role, keys};
use snooze_schemas::plugin::{approval::Approval, permissions::Permissions};
use std::{fs, path::Path};

pub(crate) async fn approved(place: &Place, host: &str) -> Option<Approval> {
    let mut layer = place.layer_of(host).await;
    layer.plugins.remove("redis")?.approved
}

fn permissions(written: Value) -> Permissions {
    serde_json::from_value(written).expect("permissions")
}

#[tokio::test]
async fn what_is_approved_is_what_was_asked_for_by_whom_for_which_files() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let mut known = status("redis", &rights());
    known["odd"] = json!(["line 3, column 5: permissions.MemoryMB: unknown key"]);
    place.host("web", json!([known])).await;
    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--yes"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, "redis is approved on the host web.\n");
    for told in [
        "redis 1.2.3, on web",
        "calls itself official",
        "odd: line 3, column 5: permissions.MemoryMB: unknown key",
        "connect over TCP to port 6379 of any host\n",
        "read /etc/redis  (new)",
        "not enforced on web: memory: there is no control group",
        &"b".repeat(64),
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    let approval = approved(&place, "web").await.expect("is written");
    assert_eq!(
        (approval.by.as_str(), approval.version.as_deref()),
        ("ada", Some("1.2.3"))
    );
    assert_eq!(approval.permissions, permissions(rights()["asked"].clone()));
    assert_eq!(approval.manifest_sha256, Some("a".repeat(64)));
    assert_eq!(approval.entry_sha256, "b".repeat(64));

    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--revoke"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        place.layer_of("web").await.plugins.is_empty(),
        "nothing is left of it"
    );
    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--revoke"])
        .await;
    assert_eq!((done.code, done.err.lines().count()), (Some(4), 1), "{done:?}");
}

#[tokio::test]
async fn what_is_native_is_told_and_approved_as_that() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let plugins = place.host("web", json!([status("redis", &rights())])).await;
    let approve = async |more: &[&str]| {
        let words = [&["approve", "redis"], more].concat();
        place.plugin(Role::Administrator, &words).await
    };
    let done = approve(&["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("native"), "{done:?}");
    let process = approved(&place, "web").await.expect("is written");
    assert!(!process.native);

    let mut native = rights();
    native["native"] = true.into();
    *plugins.lock().expect("nothing panics") = json!([status("redis", &native)]);
    let told = "it is native: it becomes a part of the runner, nothing fences it, and what it breaks is the runner's\n";
    let done = approve(&[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains(told) && done.err.contains("was not native; this one is native"),
        "{done:?}"
    );
    assert_eq!(
        approved(&place, "web").await,
        Some(process),
        "nothing was changed"
    );
    let done = approve(&["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains(told), "{done:?}");
    assert!(approved(&place, "web").await.expect("is written").native);
    let done = approve(&["--yes"]).await;
    assert!(
        done.err.contains(told) && !done.err.contains("was not native"),
        "{done:?}"
    );
}

#[tokio::test]
async fn without_a_yes_nothing_is_approved() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Administrator, &["approve", "redis"]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("read /etc/redis") && done.err.contains("--yes"),
        "{done:?}"
    );
    assert_eq!(approved(&place, "web").await, None);
}

#[tokio::test]
async fn hosts_with_other_files_are_told_and_nothing_is_approved() {
    let place = Place::new().await;
    place.executor(&["db", "mail", "web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    place.host("db", json!([])).await;
    let mut others = rights();
    others["entry_sha256"] = "c".repeat(64).into();
    let mail = place.host("mail", json!([status("redis", &others)])).await;
    let approve = ["approve", "redis", "--fleet", "--yes"];
    let done = place.plugin(Role::Administrator, &approve).await;
    assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{done:?}");
    for told in [
        "not the same",
        "web: plugin.json aaaaaaaaaaaa, started bbbbbbbbbbbb",
        "mail: plugin.json",
        "--host",
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    assert!(place.layer(keys::FLEET).await.plugins.is_empty());

    *mail.lock().expect("nothing panics") = json!([status("redis", &rights())]);
    let done = place.plugin(Role::Administrator, &approve).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("on mail, web"), "{done:?}");
    let layer = place.layer(keys::FLEET).await;
    assert!(layer.plugins["redis"].approved.is_some());
}

#[tokio::test]
async fn what_no_host_has_what_runs_elsewhere_and_what_has_no_files_cannot_be_approved() {
    let place = Place::new().await;
    place.executor(&["away", "web"]).await;
    let mut elsewhere = status("nats", &json!(null));
    elsewhere["runtime"] = "nats".into();
    let mut lost = status("lost", &json!(null));
    lost["runtime"] = "-".into();
    lost["stats"]["last_error"] = "it was here before".into();
    let old = status("old", &json!(null));
    let mut missing = status("gone", &json!({}));
    missing["stats"]["last_error"] = "its file is not there".into();
    place.host("web", json!([elsewhere, missing, lost, old])).await;
    for (plugin, host, told) in [
        ("other", "web", "there is no plugin other on web"),
        ("nats", "web", "runs by itself on the bus"),
        ("old", "web", "its runner is too old"),
        (
            "lost",
            "web",
            "cannot be approved on the host web: it was here before",
        ),
        (
            "gone",
            "web",
            "cannot be approved on the host web: its file is not there",
        ),
        ("redis", "away", "no host answered"),
    ] {
        let approve = ["approve", plugin, "--host", host, "--yes"];
        let done = place.plugin(Role::Administrator, &approve).await;
        assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{done:?}");
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
        assert!(place.layer_of(host).await.plugins.is_empty());
    }
}

#[tokio::test]
async fn a_file_grants_less_or_more_than_is_asked_and_both_are_told() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("grant.json");
    let approve = async |text: &str| {
        fs::write(&file, text).expect("written");
        let file = file.to_str().expect("a plain name");
        let words = ["approve", "redis", "--permissions", file, "--yes"];
        place.plugin(Role::Administrator, &words).await
    };
    let done = approve(r#"{"tcp": [{"port": 6379}], "udp": true}"#).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("over UDP") && done.err.contains("more than it asks for"),
        "{done:?}"
    );
    assert!(
        done.err.contains("does not get it\n  read /etc/redis"),
        "{done:?}"
    );
    let granted = approved(&place, "web").await.expect("is written").permissions;
    assert_eq!(
        granted,
        permissions(json!({"tcp": [{"port": 6379}], "udp": true}))
    );

    for (text, told) in [
        (r#"{"tpc": [{"port": 6379}]}"#, "there is no permission tpc"),
        (
            r#"{"read": ["etc"]}"#,
            "grant.json: read: etc is no absolute path",
        ),
        (
            r#"{"listen": "all"}"#,
            "grant.json: listen: expected a list of ports, as [8080], found \"all\"",
        ),
        (
            r#"{"udp": true, "memory_mb": -1}"#,
            "grant.json: memory_mb: expected a whole number of at least 1, found -1",
        ),
        (
            r#"{"listen": [80, -1]}"#,
            "grant.json: listen[1]: expected a port from 1 to 65535, found -1",
        ),
        ("[1]", "not a JSON object"),
        ("{", "not a JSON object"),
    ] {
        let done = approve(text).await;
        assert_eq!((done.code, done.err.lines().count()), (Some(64), 1), "{done:?}");
        assert!(
            done.err.contains(told) && done.err.contains("grant.json"),
            "{told:?} in {}",
            done.err
        );
    }
    let still = approved(&place, "web").await.expect("is written").permissions;
    assert_eq!(still, granted);
}

#[tokio::test]
async fn other_files_than_were_approved_are_told_and_what_has_no_manifest_is_granted_what_a_file_says() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let plugins = place.host("web", json!([status("redis", &rights())])).await;
    let approve = async |more: &[&str]| {
        let mut words = vec!["approve", "redis", "--yes"];
        words.extend(more);
        let done = place.plugin(Role::Administrator, &words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        done.err
    };
    let told = "these are other files than ada approved at";
    for said in [approve(&[]).await, approve(&[]).await] {
        assert!(!said.contains(told), "{said}");
    }
    let bare = json!({"entry_sha256": "c".repeat(64)});
    *plugins.lock().expect("nothing panics") = json!([status("redis", &bare)]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("grant.json");
    fs::write(&file, r#"{"udp": true}"#).expect("written");
    let said = approve(&["--permissions", &text(&file)]).await;
    assert!(
        said.contains(told) && said.contains("it has no manifest"),
        "{said}"
    );
    assert!(!said.contains("more than it asks for"), "{said}");
    let approval = approved(&place, "web").await.expect("is written");
    assert_eq!((approval.version, approval.manifest_sha256), (None, None));
    assert_eq!(approval.permissions, permissions(json!({"udp": true})));
}

#[tokio::test]
async fn i5_who_is_no_administrator_approves_nothing() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Operator, &["approve", "redis", "--yes"]).await;
    assert_eq!(done.code, Some(4), "{done:?}");
    assert_eq!(approved(&place, "web").await, None);
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a plain name").to_owned()
}
