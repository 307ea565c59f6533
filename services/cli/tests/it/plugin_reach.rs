//! `load`, `unload`, `reload` and `check` on a group's hosts and on the fleet, against a real broker.

use crate::place::{Place, rights, status};
use serde_json::{Value, json};
use snooze_bus::Role;

/// Of the hosts web, db and cache, cache alone in a group of its own, each with this.
async fn place(with: &[(&str, Value)]) -> Place {
    let place = Place::new().await;
    place.executor(&["web", "db", "cache/batch"]).await;
    for (host, plugins) in with {
        place.host(host, plugins.clone()).await;
    }
    place
}

fn redis() -> Value {
    json!([status("redis", &rights())])
}

#[tokio::test]
async fn a_plugin_is_loaded_unloaded_and_reloaded_on_a_group_and_on_the_fleet() {
    let place = place(&[("web", redis()), ("db", redis()), ("cache", redis())]).await;
    for (words, told) in [
        (
            &["unload", "redis", "--fleet"][..],
            "HOST   STATE\ncache  unloaded\ndb     unloaded\nweb    unloaded\n",
        ),
        (
            &["load", "redis", "--group", "default"],
            "HOST  STATE\ndb    running\nweb   running\n",
        ),
        (
            &["load", "redis", "--group", "batch"],
            "HOST   STATE\ncache  running\n",
        ),
        (
            &["reload", "--group", "batch"],
            "HOST   STATE\ncache  1 running\n",
        ),
        (&["reload", "redis", "--host", "db"], "running"),
    ] {
        let done = place.plugin(Role::Administrator, words).await;
        assert_eq!(
            (done.code, done.err.as_str()),
            (Some(0), ""),
            "{words:?}: {done:?}"
        );
        assert!(done.out.contains(told), "{words:?}: {done:?}");
    }
    let done = place
        .plugin(Role::Administrator, &["unload", "redis", "--fleet", "--json"])
        .await;
    let said: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(said["hosts"].as_array().map(Vec::len), Some(3), "{said}");
    assert_eq!(
        (
            &said["hosts"][0]["host"],
            &said["hosts"][0]["answer"]["plugins"][0]["state"]
        ),
        (&json!("cache"), &json!("unloaded"))
    );
}

#[tokio::test]
async fn a_host_that_is_away_is_told_and_is_a_failure_and_the_others_are_done() {
    let place = place(&[("web", redis()), ("db", redis())]).await;
    let done = place
        .plugin(Role::Administrator, &["unload", "redis", "--fleet"])
        .await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.out.contains("cache  no runner answers for host cache") && done.out.contains("web    unloaded"),
        "{done:?}"
    );
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    assert!(
        done.err.contains("1 of 3 hosts")
            && done.err.contains("no answer from cache")
            && done.err.contains("not kept"),
        "{done:?}"
    );
    let done = place
        .plugin(Role::Operator, &["check", "--fleet", "--json"])
        .await;
    let said: Value = serde_json::from_str(&done.out).expect("JSON");
    let states = [0, 1, 2].map(|at| said["hosts"][at]["said"].as_str());
    let wanted = ["away", "answered", "answered"].map(Some);
    assert_eq!((done.code, states), (Some(1), wanted), "{said}");
}

#[tokio::test]
async fn a_host_without_the_plugin_is_told_and_no_failure_unless_nobody_has_it() {
    let place = place(&[("web", redis()), ("db", json!([])), ("cache", json!([]))]).await;
    let done = place
        .plugin(Role::Administrator, &["load", "redis", "--fleet"])
        .await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    assert!(
        done.out.contains("db     no plugin redis") && done.out.contains("web    running"),
        "{done:?}"
    );
    let done = place
        .plugin(Role::Administrator, &["load", "redis", "--group", "batch"])
        .await;
    assert_eq!(done.code, Some(4), "{done:?}");
    let done = place
        .plugin(Role::Administrator, &["load", "redis", "--group", "nobody"])
        .await;
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(
        done.err
            .contains("no host is in the group nobody; the hosts are in batch, default"),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_check_names_the_host_where_more_than_one_was_asked() {
    let both = json!([status("redis", &rights()), status("door", &rights())]);
    let place = place(&[("web", both), ("db", redis()), ("cache", redis())]).await;
    let done = place.plugin(Role::Operator, &["check", "--fleet"]).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let lines: Vec<Vec<&str>> = done
        .out
        .lines()
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    assert_eq!(
        lines,
        [
            ["HOST", "NAME", "VOTE"],
            ["cache", "redis", "idle"],
            ["db", "redis", "idle"],
            ["web", "redis", "idle"],
            ["web", "door", "idle"],
        ]
    );
    for level in [&["--group", "batch"][..], &["--host", "cache"]] {
        let words = [&["check", "redis"], level].concat();
        let done = place.plugin(Role::Operator, &words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.starts_with("NAME   VOTE"), "{done:?}");
    }
}

#[tokio::test]
async fn i5_who_is_no_administrator_unloads_nothing_on_any_host() {
    let place = place(&[("web", redis()), ("db", redis()), ("cache", redis())]).await;
    let done = place
        .plugin(Role::Operator, &["unload", "redis", "--fleet"])
        .await;
    assert_eq!(
        (done.code, done.out.as_str(), done.err.lines().count()),
        (Some(4), "", 1),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_fleet_that_takes_many_answers_to_name_is_reached_whole() {
    let place = Place::new().await;
    let names: Vec<String> = (0..7).map(|n| format!("h{n}")).collect();
    let hosts: Vec<&str> = names.iter().map(String::as_str).chain(["web/last"]).collect();
    place.executor_telling(&hosts, 3).await;
    for host in names.iter().map(String::as_str).chain(["web"]) {
        place.host(host, redis()).await;
    }
    let done = place
        .plugin(Role::Administrator, &["unload", "redis", "--fleet"])
        .await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    assert_eq!(done.out.matches("unloaded").count(), hosts.len(), "{done:?}");
    let done = place
        .plugin(Role::Operator, &["check", "redis", "--group", "last"])
        .await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    // What is configured is shown to the host on the last page first, and it says that it does not take it.
    let words = ["configure", "redis", "connection_threshold=3", "--group", "last"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(64), "{done:?}");
    assert!(done.err.contains("said by the host web"), "{done:?}");
}
