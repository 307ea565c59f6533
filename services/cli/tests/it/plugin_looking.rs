//! `list`, `info`, `stats` and `logs` on one host, a group's hosts and the fleet, and whose the credentials are that
//! name no host, against a real broker.

use crate::{
    Done,
    place::{Place, rights, status},
    snooze,
};
use serde_json::{Value, json};
use snooze_bus::{Keys, Role};

fn redis() -> Value {
    json!([status("redis", &rights())])
}

/// Of the hosts web, db and cache, cache alone in a group of its own; the runner of cache is away.
async fn place() -> Place {
    let place = Place::new().await;
    place.executor(&["web", "db", "cache/batch"]).await;
    place.host("web", redis()).await;
    place.host("db", json!([])).await;
    place
}

/// The first two words of each line.
fn beginnings(done: &Done) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    done.out.lines().map(words).collect()
}

#[tokio::test]
async fn plugins_are_listed_on_a_group_and_the_fleet_with_the_host_first() {
    let place = place().await;
    for verb in ["list", "stats"] {
        let done = place.plugin(Role::Operator, &[verb, "--group", "default"]).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
        assert_eq!(beginnings(&done), ["HOST NAME", "db -", "web redis"], "{done:?}");
        assert!(done.out.contains("it has no plugins"), "{done:?}");
        let done = place.plugin(Role::Operator, &[verb, "--host", "web"]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.starts_with("NAME"), "one host is not named: {done:?}");
    }
    let done = place
        .plugin(Role::Operator, &["stats", "redis", "--group", "default"])
        .await;
    assert_eq!(
        (done.code, done.err.as_str()),
        (Some(0), ""),
        "one has it: {done:?}"
    );
    assert!(done.out.contains("no plugin redis"), "{done:?}");
}

#[tokio::test]
async fn whoever_could_not_be_asked_is_named_and_is_a_failure() {
    let place = place().await;
    for words in [&["list"][..], &["stats"], &["info", "redis"]] {
        let words = [words, &["--fleet"]].concat();
        let done = place.plugin(Role::Operator, &words).await;
        assert_eq!(done.code, Some(1), "{words:?}: {done:?}");
        assert!(
            done.err
                .contains(&format!("{} is lacking on 1 of 3 hosts", words[0]))
                && done.err.contains("no answer from cache"),
            "{words:?}: {done:?}"
        );
        assert!(
            done.out.contains("no runner answers for host cache") && done.out.contains("redis"),
            "the others are told: {done:?}"
        );
        let words = [&words[..], &["--json"]].concat();
        let done = place.plugin(Role::Operator, &words).await;
        let said: Value = serde_json::from_str(&done.out).expect("JSON");
        assert_eq!(
            said["hosts"][0],
            json!({"host": "cache", "said": "away",
            "error": "no runner answers for host cache: is it on? (`snooze hosts`)"})
        );
        assert_eq!(said["hosts"][2]["said"], "answered", "{said}");
    }
}

#[tokio::test]
async fn one_plugin_is_shown_on_many_hosts_each_line_behind_its_host() {
    let place = place().await;
    place.host("cache", redis()).await;
    let done = place.plugin(Role::Operator, &["info", "redis", "--fleet"]).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    for line in [
        "cache  redis",
        "cache    version     1.2.3",
        "db     no plugin redis",
        "web    redis",
    ] {
        assert!(done.out.lines().any(|told| told == line), "{line:?}: {done:?}");
    }
    let done = place
        .plugin(Role::Operator, &["info", "redis", "--group", "batch"])
        .await;
    assert!(
        done.out.starts_with("redis\n  version"),
        "one host is not named: {done:?}"
    );
    let done = place.plugin(Role::Operator, &["info", "door", "--fleet"]).await;
    assert_eq!(done.code, Some(4), "nobody has it: {done:?}");
}

#[tokio::test]
async fn the_log_of_one_host_is_read_and_of_several_one_has_to_be_named() {
    let place = place().await;
    let done = place.plugin(Role::Operator, &["logs", "redis"]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(done.err.contains("name one of them: cache, db, web"), "{done:?}");
    let help = snooze(&["plugin", "logs", "--help"]).await.out;
    assert!(help.contains("a log is read on one at a time"), "{help}");
    for level in [&["--fleet"][..], &["--group", "default"]] {
        let words = [&["logs", "redis"], level].concat();
        let done = place.plugin(Role::Operator, &words).await;
        assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
        assert!(!help.contains(level[0]), "what is refused is not offered: {help}");
    }
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", redis()).await;
    for level in [&[][..], &["--host", "web"]] {
        let words = [&["logs", "redis"], level].concat();
        let done = place.plugin(Role::Operator, &words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.ends_with("no door\n"), "{done:?}");
    }
}

#[tokio::test]
async fn what_went_wrong_is_counted_alike_wherever_it_is_shown() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let mut counted = status("redis", &rights());
    counted["stats"] = json!({"calls": 70, "errors": 3, "time_outs": 20, "restarts": 0});
    place.host("web", json!([counted])).await;
    let shown = async |words: &[&str]| {
        let done = place.plugin(Role::Operator, words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let mut lines = done
            .out
            .lines()
            .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let (titles, counts) = (lines.next().expect("titles"), lines.next().expect("a plugin"));
        let of = |title: &str| {
            titles
                .iter()
                .position(|other| other == title)
                .map(|at| counts[at].clone())
        };
        ["CALLS", "ERRORS", "TIME-OUTS"].map(|title| of(title).expect("it has such a column"))
    };
    let (list, stats) = (shown(&["list"]).await, shown(&["stats"]).await);
    assert_eq!(list, ["70", "3", "20"]);
    assert_eq!(list, stats);
    let info = place.plugin(Role::Operator, &["info", "redis"]).await.out;
    for line in ["  calls       70", "  errors      3", "  time-outs   20"] {
        assert!(info.lines().any(|told| told == line), "{line:?} in {info}");
    }
}

/// Makes credentials of a plugin for which no host is named, and says whose they are.
async fn credentials(place: &Place, words: &[&str]) -> Done {
    let state = tempfile::tempdir().expect("a folder");
    Keys::open(&state.path().join("keys")).expect("keys are made");
    let connection = place.connection(Role::Administrator);
    let mut all: Vec<&str> = connection.iter().map(String::as_str).collect();
    all.extend(["--state", state.path().to_str().expect("a plain name")]);
    all.extend(words);
    snooze(&all).await
}

#[tokio::test]
async fn credentials_that_name_no_host_are_for_the_only_one_and_of_several_one_has_to_be_named() {
    let commands = [
        ["plugin", "credentials", "redis", "--json"],
        ["credentials", "plugin", "redis", "--json"],
    ];
    let place = Place::new().await;
    place.executor(&["web"]).await;
    for words in commands {
        let done = credentials(&place, &words).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let made: Value = serde_json::from_str(&done.out).expect("JSON");
        assert_eq!(
            (&made["role"], &made["name"]),
            (&json!("plugin"), &json!("web_redis"))
        );
    }
    let several = Place::new().await;
    several.executor(&["web", "db"]).await;
    for words in commands {
        let done = credentials(&several, &words).await;
        assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
        assert!(
            done.err.contains("name one of them: db, web (--host)"),
            "{done:?}"
        );
    }
}

#[tokio::test]
async fn credentials_for_a_host_that_is_named_need_no_bus() {
    let state = tempfile::tempdir().expect("a folder");
    Keys::open(&state.path().join("keys")).expect("keys are made");
    let folder = state.path().to_str().expect("a plain name");
    let words = ["--state", folder, "plugin", "credentials", "redis"];
    let done = snooze(&words).await;
    assert_eq!((done.code, done.out.as_str()), (Some(3), ""), "{done:?}");
    assert!(
        done.err
            .contains("name the host that the plugin serves with --host"),
        "{done:?}"
    );
    let done = snooze(&[&words[..], &["--host", "web"]].concat()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}
