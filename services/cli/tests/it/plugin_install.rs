//! `snooze plugin install`, against a real broker, its store of packages and real credentials.

use crate::{
    place::{Place, status},
    snooze,
};
use serde_json::{Value, json};
use snooze_bus::{ArtifactError, Bus, Role, User, keys};
use snooze_package::{Package, unpack};
use snooze_plugin_runner::{PluginManifest, sha256_of};
use snooze_schemas::{plugin::permissions::Permissions, policy::PluginLayer};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const LIMIT: usize = 1024 * 1024;

/// A plugin's folder below this one, which asks for these permissions.
pub(crate) fn folder(parent: &Path, version: &str, permissions: &Value) -> PathBuf {
    let folder = parent.join(format!("redis-{version}"));
    fs::create_dir(&folder).expect("it is new");
    let manifest = json!({
        "name": "redis", "version": version, "entry_point": "run", "permissions": permissions, "official": true,
    });
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("written");
    let entry = folder.join("run");
    fs::write(&entry, format!("#!/bin/sh\n# {version}\n")).expect("written");
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// The package that its author would make of a folder, and what its manifest is in it.
pub(crate) async fn packed(folder: &Path) -> (Package, String) {
    let beside = tempfile::tempdir().expect("a folder");
    let (file, into) = (beside.path().join("package"), beside.path().join("unpacked"));
    let done = snooze(&["plugin", "package", text(folder), "--output", text(&file)]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let package = Package::read(fs::read(&file).expect("it was made")).expect("a package");
    unpack(&package.bytes, &into).expect("it unpacks");
    let manifest = PluginManifest::read(&into.join(package.name.as_str())).expect("it is one");
    (package, manifest.sha256().to_owned())
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

fn permissions(written: Value) -> Permissions {
    serde_json::from_value(written).expect("permissions")
}

pub(crate) async fn held(place: &Place) -> Option<PluginLayer> {
    place.layer(keys::FLEET).await.plugins.remove("redis")
}

/// What a host gets of the store.
pub(crate) async fn fetched(place: &Place, sha256: &str) -> Result<Vec<u8>, ArtifactError> {
    let host: Bus = place
        .server
        .bus(&User::host(&"web".parse().expect("a host id")))
        .await;
    host.artifacts().get(sha256, LIMIT).await
}

#[tokio::test]
async fn what_is_installed_is_in_the_store_and_is_approved_in_the_same_change() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let asked = json!({"tcp": [{"port": 6379}]});
    let folder = folder(parent.path(), "1.0.0", &asked);
    let manifest = PluginManifest::read(&folder).expect("it is one");
    let entry = sha256_of(manifest.entry_point()).expect("reads");
    let (package, manifest_sha256) = packed(&folder).await;
    let rights = json!({"manifest_sha256": manifest_sha256, "entry_sha256": entry});
    place.host("web", json!([status("redis", &rights)])).await;

    let words = ["install", text(&folder), "--fleet", "--yes"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.starts_with("redis 1.0.0 is installed on every host.\n"),
        "{done:?}"
    );
    assert!(done.out.contains("web   running"), "{done:?}");
    for told in [
        "redis 1.0.0, from ",
        "calls itself official",
        "to port 6379 of any host  (new)",
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    let held = held(&place).await.expect("is written");
    let installed = held.installed.expect("is written");
    assert_eq!(
        (installed.version.as_str(), &installed.sha256),
        ("1.0.0", &package.sha256)
    );
    let approval = held.approved.expect("is written");
    assert_eq!(
        (approval.by.as_str(), approval.version.as_deref()),
        ("ada", Some("1.0.0"))
    );
    assert_eq!(approval.permissions, permissions(asked));
    assert_eq!(approval.manifest_sha256.as_deref(), Some(&*manifest_sha256));
    assert_eq!(approval.entry_sha256, entry);
    assert!(
        fetched(&place, &package.sha256).await.expect("gets") == package.bytes,
        "the same bytes"
    );

    // The package by itself is the same as its folder.
    let file = parent.path().join("redis.tar.gz");
    fs::write(&file, &package.bytes).expect("written");
    let words = ["install", text(&file), "--fleet", "--json"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("which is installed already"), "{done:?}");
    let said: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(said["installed"]["sha256"], package.sha256);
    assert_eq!(
        said["hosts"],
        json!([{"host": "web", "has_it": true, "state": "running"}])
    );
}

#[tokio::test]
async fn a_version_that_asks_no_more_needs_no_new_yes_and_one_that_asks_more_does() {
    let place = Place::new().await;
    place.executor(&[]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let install = async |version: &str, asked: Value, more: &[&str]| {
        let folder = folder(parent.path(), version, &asked);
        let mut words = vec!["install", text(&folder), "--fleet"];
        words.extend(more);
        place.plugin(Role::Administrator, &words).await
    };
    let done = install("0.9.0", json!({}), &[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert_eq!(
        held(&place).await,
        None,
        "not even one that asks for nothing is installed without a yes"
    );

    let wide = parent.path().join("wide.json");
    fs::write(&wide, r#"{"read": ["/etc"], "udp": true}"#).expect("written");
    let granting = ["--permissions", text(&wide), "--yes"];
    let done = install("1.0.0", json!({"read": ["/etc/redis"]}), &granting).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = install("1.1.0", json!({"read": ["/etc/redis", "/etc/hosts"]}), &[]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("in the place of 1.0.0"), "{done:?}");
    let now = held(&place).await.expect("is written");
    let approval = now.approved.clone().expect("is written");
    assert_eq!(
        approval.permissions,
        permissions(json!({"read": ["/etc"], "udp": true})),
        "as granted"
    );
    assert_eq!(approval.version.as_deref(), Some("1.1.0"));

    let done = install("2.0.0", json!({"read": ["/etc/redis"], "run": ["sed"]}), &[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("run sed  (new)") && done.err.contains("--yes"),
        "{done:?}"
    );
    assert_eq!(held(&place).await.as_ref(), Some(&now), "nothing was changed");

    let older = async |more: &[&str]| install("1.0.9", json!({"read": ["/etc/redis"]}), more).await;
    let done = older(&[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    let told = "in the place of 1.1.0, which is newer";
    assert!(done.err.contains(told) && done.err.contains("--yes"), "{done:?}");
    assert_eq!(held(&place).await, Some(now), "nothing was changed");
    fs::remove_dir_all(parent.path().join("redis-1.0.9")).expect("removes");
    let done = older(&["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let now = held(&place).await.and_then(|held| held.installed);
    assert_eq!(now.expect("is written").version, "1.0.9");
}

#[tokio::test]
async fn a_version_that_turns_native_or_back_is_installed_only_with_a_yes() {
    let place = Place::new().await;
    place.executor(&[]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let asked = json!({"read": ["/etc/redis"]});
    let install = async |version: &str, kind: &str, more: &[&str]| {
        let folder = folder(parent.path(), version, &asked);
        let path = folder.join("plugin.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("JSON");
        manifest["type"] = kind.into();
        fs::write(&path, manifest.to_string()).expect("written");
        let words = [&["install", text(&folder), "--fleet"], more].concat();
        place.plugin(Role::Administrator, &words).await
    };
    let done = install("1.0.0", "external", &["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("native"), "{done:?}");
    let process = held(&place).await.expect("is written");
    assert!(!process.approved.as_ref().expect("is written").native);

    let told = "it is native: it becomes a part of the runner, nothing fences it, and what it breaks is the runner's\n";
    let done = install("2.0.0", "native", &[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    for line in [told, "was not native; this one is native", "--yes"] {
        assert!(done.err.contains(line), "{line:?} in {}", done.err);
    }
    assert_eq!(held(&place).await, Some(process), "nothing was changed");
    let done = install("2.0.1", "native", &["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains(told), "{done:?}");
    let native = held(&place)
        .await
        .expect("is written")
        .approved
        .expect("is written");
    assert!(native.native);
    assert_eq!(
        native.permissions,
        permissions(asked.clone()),
        "as granted before"
    );

    let done = install("2.1.0", "native", &[]).await;
    assert_eq!(done.code, Some(0), "the kind is the same: {done:?}");
    assert!(done.err.contains(told), "{done:?}");
    let done = install("3.0.0", "external", &[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("was native; this one is a process of its own"),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_host_that_has_others_files_or_is_away_is_told() {
    let place = Place::new().await;
    place.executor(&["away", "old", "web"]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = folder(parent.path(), "1.0.0", &json!({}));
    // Its program alone is another one.
    let (_, manifest_sha256) = packed(&folder).await;
    let other = json!({"manifest_sha256": manifest_sha256, "entry_sha256": "b"});
    place.host("old", json!([status("redis", &other)])).await;
    place.host("web", json!([])).await;
    let words = ["install", text(&folder), "--fleet", "--yes", "--wait", "2s"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("3 of 3 hosts do not have it yet"), "{done:?}");
    let warned = done
        .err
        .find("on old its own redis lies at /plugins and goes before a package");
    assert!(
        warned < done.err.find("do not have it yet") && warned.is_some(),
        "{done:?}"
    );
    for told in [
        "away  no answer",
        "old   running, still from /plugins",
        "web   does not have it yet",
    ] {
        assert!(done.out.contains(told), "{told:?} in {}", done.out);
    }
}

#[tokio::test]
async fn what_is_no_package_is_told_by_its_path_and_field_and_nothing_is_written() {
    let place = Place::new().await;
    place.executor(&[]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let path = |name: &str| parent.path().join(name);
    fs::write(path("text"), "no package").expect("written");
    fs::create_dir(path("empty")).expect("made");
    let mistaken = folder(parent.path(), "one", &json!({"read": ["etc"]}));
    for (given, told) in [
        (path("nothing"), "nothing: No such file"),
        (path("text"), "text: "),
        (path("empty"), "empty/plugin.json: No such file"),
        (mistaken, "redis-one/plugin.json: "),
        ("/dev/zero".into(), "/dev/zero: it is no regular file and no pipe"),
    ] {
        let words = ["install", text(&given), "--fleet", "--yes"];
        let done = place.plugin(Role::Administrator, &words).await;
        assert_eq!(
            (done.code, done.out.as_str(), done.err.lines().count()),
            (Some(64), "", 1),
            "{done:?}"
        );
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
        if told.contains("redis-one") {
            assert!(
                done.err.contains("version: ") && done.err.contains("permissions.read"),
                "{done:?}"
            );
        }
    }
    assert_eq!(held(&place).await, None);
}
