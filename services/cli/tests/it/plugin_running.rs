//! What `enable`, `info` and `list` say of who vouches for a plugin, and `load`, `unload` and `reload`, against a real
//! broker.

use crate::place::{Place, rights, status};
use serde_json::json;
use snooze_bus::Role;

#[tokio::test]
async fn enabling_what_nobody_vouches_for_is_warned_of_and_done() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let plugins = place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Administrator, &["enable", "redis"]).await;
    assert_eq!((done.code, done.err.lines().count()), (Some(0), 1), "{done:?}");
    assert!(done.err.contains("nobody vouches for redis on web"), "{done:?}");
    assert_eq!(place.layer_of("web").await.plugins["redis"].enabled, Some(true));

    let mut vouched = rights();
    vouched["granted_by"] = json!({"kind": "host_file"});
    *plugins.lock().expect("nothing panics") = json!([status("redis", &vouched)]);
    let done = place.plugin(Role::Administrator, &["enable", "redis"]).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
}

#[tokio::test]
async fn info_and_list_say_who_vouches_for_a_plugin() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Operator, &["list"]).await;
    assert!(
        done.out.contains("RIGHTS") && done.out.contains("unvouched, wants more"),
        "{done:?}"
    );
    let done = place.plugin(Role::Operator, &["info", "redis"]).await;
    for told in [
        "calls itself official",
        "asks for    connect",
        "lacks       read /etc/redis",
        "granted by  nobody",
    ] {
        assert!(done.out.contains(told), "{told:?} in {}", done.out);
    }
}

#[tokio::test]
async fn plugins_are_loaded_unloaded_and_reloaded_on_one_host() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    for (words, code, told) in [
        (&["unload", "redis"][..], 0, "unloaded"),
        (&["load", "redis", "--host", "web"], 0, "running"),
        (&["reload"], 0, "running"),
        (&["reload", "redis"], 0, "running"),
        (&["load", "other"], 4, "no plugin other"),
    ] {
        let done = place.plugin(Role::Administrator, words).await;
        assert_eq!(done.code, Some(code), "{words:?}: {done:?}");
        assert!(
            format!("{}{}", done.out, done.err).contains(told),
            "{words:?}: {done:?}"
        );
    }
    let done = place.plugin(Role::Operator, &["unload", "redis"]).await;
    assert_eq!(done.code, Some(4), "{done:?}");
}
