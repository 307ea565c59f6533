//! `snooze plugin enable`, `disable` and `configure`, against a real broker.

use crate::place::{Place, rights, status};
use futures_util::future::join_all;
use serde_json::{Value, json};
use snooze_bus::{Bucket, Role, keys};
use snooze_schemas::policy::ConfigLayer;

async fn config(place: &Place, key: &str, plugin: &str) -> Option<Value> {
    let layer = place.layer(key).await;
    let config = layer.plugins.get(plugin)?.config.clone()?;
    Some(Value::Object(config))
}

#[tokio::test]
async fn what_is_set_is_a_key_and_leaves_the_rest_of_its_layer_alone() {
    let place = Place::new().await;
    let layer = ConfigLayer {
        policy: json!({"naptime_minutes": 7}).as_object().expect("a map").clone(),
        ..ConfigLayer::default()
    };
    let bucket = place.administrator.bucket(Bucket::Config);
    bucket.put(keys::FLEET, &layer).await.expect("written");

    let set = [
        "configure",
        "redis-monitor",
        "connection_threshold=3",
        "redis_url=redis://:hunter2@h",
        "--fleet",
    ];
    let done = place.plugin(Role::Administrator, &set).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    // Nobody says what of it is secret; what a file would be made of is whole.
    assert!(
        done.out.contains(r#"connection_threshold = "(not shown)""#) && !done.out.contains("hunter2"),
        "{done:?}"
    );
    assert!(
        done.err.contains("no host that has redis-monitor says") && !done.err.contains("hunter2"),
        "{done:?}"
    );
    let shown = place
        .plugin(
            Role::Administrator,
            &["configure", "redis-monitor", "--fleet", "--json"],
        )
        .await;
    let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!(
        shown,
        json!({"connection_threshold": 3, "redis_url": "redis://:hunter2@h"})
    );
    let unset = ["configure", "redis-monitor", "--unset", "redis_url", "--fleet"];
    let done = place.plugin(Role::Administrator, &unset).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let config = self::config(&place, keys::FLEET, "redis-monitor").await;
    assert_eq!(config, Some(json!({"connection_threshold": 3})));

    for (verb, enabled) in [("disable", false), ("enable", true)] {
        let done = place
            .plugin(Role::Administrator, &[verb, "redis-monitor", "--host", "web"])
            .await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let host = "web".parse().expect("a host id");
        let layer = place.layer(&keys::host_key(&host)).await;
        assert_eq!(layer.plugins["redis-monitor"].enabled, Some(enabled));
    }
    let fleet = place.layer(keys::FLEET).await;
    assert_eq!(fleet.policy, layer.policy);
    assert_eq!(fleet.plugins["redis-monitor"].enabled, None);
}

#[tokio::test]
async fn what_a_hosts_manifest_calls_secret_is_not_shown() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let mut plugin = status("door", &json!({}));
    plugin["secrets"] = json!(["pin"]);
    let plugins = place.host("web", json!([plugin])).await;
    let layer = json!({"plugins": {"door": {"config": {"pin": 4711, "floor": 3}}}});
    let layer: ConfigLayer = serde_json::from_value(layer).expect("a layer");
    let bucket = place.administrator.bucket(Bucket::Config);
    bucket.put(keys::FLEET, &layer).await.expect("written");
    let done = place
        .plugin(Role::Administrator, &["configure", "door", "--fleet"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("floor = 3") && !done.out.contains("4711"),
        "{done:?}"
    );
    assert_eq!(done.err, "");
    // Neither a host without it nor one that misses it knows its manifest.
    let mut missing = status("door", &json!({}));
    missing["origin"] = json!("");
    for without in [json!([]), json!([missing])] {
        *plugins.lock().expect("nothing panics") = without;
        let words = ["configure", "door", "--fleet"];
        let done = place.plugin(Role::Administrator, &words).await;
        assert!(
            done.out.contains("floor = \"(not shown)\"") && !done.out.contains("4711"),
            "{done:?}"
        );
        assert!(done.err.contains("no value is shown"), "{done:?}");
    }
}

#[tokio::test]
async fn a_secret_that_is_put_into_a_layer_is_warned_of_with_its_better_place_and_kept() {
    let place = Place::new().await;
    place.executor(&[]).await;
    for (words, is_warned_of) in [
        (&["redis_url=redis://:hunter2@h"][..], true),
        (&["redis_url=redis://h:6379", "connection_threshold=3"], false),
        (&["--unset", "redis_url"], false),
    ] {
        let words = [&["configure", "redis-monitor", "--fleet", "--json"], words].concat();
        let done = place.plugin(Role::Administrator, &words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let is_told = done.err.contains("redis_url may hold a secret")
            && done.err.contains("in a file on the host")
            && done.err.contains("plugins.plugin_configs.redis-monitor");
        assert_eq!(is_told, is_warned_of, "{done:?}");
        assert!(!done.err.contains("hunter2"), "{done:?}");
        if is_warned_of {
            let config = config(&place, keys::FLEET, "redis-monitor").await;
            assert_eq!(config, Some(json!({"redis_url": "redis://:hunter2@h"})));
        }
    }
}

#[tokio::test]
async fn people_who_change_plugins_at_once_lose_nothing() {
    let place = Place::new().await;
    let names = ["a1", "a2", "a3", "a4", "a5", "a6"];
    let changes = names.map(async |name| {
        let set = ["configure", name, "n=1", "--fleet"];
        place.plugin(Role::Administrator, &set).await
    });
    for done in join_all(changes).await {
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let layer = place.layer(keys::FLEET).await;
    assert_eq!(layer.plugins.keys().collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn i5_who_is_no_administrator_changes_no_plugin() {
    let place = Place::new().await;
    let done = place
        .plugin(Role::Operator, &["disable", "redis-monitor", "--fleet"])
        .await;
    assert_eq!((done.code, done.err.lines().count()), (Some(4), 1), "{done:?}");
    assert!(place.layer(keys::FLEET).await.plugins.is_empty());
}

#[tokio::test]
async fn a_plugin_or_group_that_nobody_has_is_warned_of_with_those_that_there_are() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let switch = async |words: &[&str]| {
        let done = place.plugin(Role::Administrator, words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        done.err
    };
    for verb in ["enable", "disable"] {
        let told = switch(&[verb, "nope", "--fleet"]).await;
        assert!(
            told.contains("there is no plugin nope on web") && told.contains("web has redis"),
            "{told}"
        );
        let told = switch(&[verb, "redis", "--fleet"]).await;
        assert!(!told.contains("there is no plugin"), "{told}");
    }
    let told = switch(&["disable", "redis", "--group", "nobody"]).await;
    assert!(
        told.contains("no host is in the group nobody") && told.contains("in default"),
        "{told}"
    );
    let told = switch(&["disable", "redis", "--group", "default"]).await;
    assert_eq!(told, "");
}

#[tokio::test]
async fn a_host_is_asked_about_a_configuration_at_the_level_that_is_changed() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([])).await;
    for (level, named) in [
        (&["--host", "web"][..], "host"),
        (&["--group", "default"], "group"),
        (&["--fleet"], "fleet"),
    ] {
        let words = [&["configure", "redis", "n=1"], level].concat();
        let done = place.plugin(Role::Administrator, &words).await;
        assert_eq!(done.code, Some(64), "{done:?}");
        let asked = format!("\"level\":\"{named}\"");
        assert!(done.err.contains(&asked), "{asked} in {}", done.err);
    }
    assert!(place.layer(keys::FLEET).await.plugins.is_empty());
}

#[tokio::test]
async fn a_configuration_that_is_no_object_is_refused_before_anything_is_written() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("config.json");
    std::fs::write(&file, "[1]").expect("written");
    let file = file.to_str().expect("a plain name");
    let done = place
        .plugin(
            Role::Administrator,
            &["configure", "p", "--file", file, "--fleet"],
        )
        .await;
    assert_eq!(done.code, Some(64), "{done:?}");
    std::fs::write(file, r#"{"a": [1]}"#).expect("written");
    let done = place
        .plugin(
            Role::Administrator,
            &["configure", "p", "--file", file, "--fleet"],
        )
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(config(&place, keys::FLEET, "p").await, Some(json!({"a": [1]})));
}
