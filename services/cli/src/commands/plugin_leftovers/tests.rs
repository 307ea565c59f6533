//! Whom hosts look for in vain is told, and nobody else.

use super::*;
use serde_json::{Value, json};

fn layer(text: &str) -> Layer {
    match text.split_once(' ') {
        Some(("host", host)) => Layer::Host(host.parse().expect("a host id")),
        Some(("group", group)) => Layer::Group(group.parse().expect("a group")),
        _ => Layer::Fleet,
    }
}

fn held(value: Value) -> PluginLayer {
    serde_json::from_value(value).expect("a layer")
}

/// What is told where it was uninstalled at a level, which then says this of it, and others say that. Hosts that are
/// called after a group are in it.
fn told(at: &str, own: Value, others: &[(&str, Value)], requiring: &[&str]) -> Vec<String> {
    let plugin = "redis".parse().expect("a name");
    let others: Vec<_> = others
        .iter()
        .map(|(at, said)| (layer(at), held(said.clone())))
        .collect();
    let requiring: Vec<Layer> = requiring.iter().map(|at| layer(at)).collect();
    let leftovers = Leftovers {
        plugin: &plugin,
        layer: &layer(at),
        own: &held(own),
        others: &others,
        requiring: &requiring,
    };
    leftovers.told(|host| host.as_str().split_once('-')?.0.parse().ok())
}

fn installed() -> Value {
    json!({"installed": {"version": "1.0.0", "sha256": "d"}})
}

#[test]
fn who_is_awaited_by_a_narrower_level_is_told_with_what_clears_it() {
    let enabled = json!({"enabled": true});
    let by_itself = json!({"config": {"runtime": "nats"}});
    let lines = told(
        "fleet",
        json!({}),
        &[("host db-1", enabled), ("group web", by_itself)],
        &[],
    );
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, parts) in [
        (
            0,
            [
                "still enabled on the host db-1",
                "`snooze plugin uninstall redis --host db-1 --config`",
            ],
        ),
        (
            1,
            [
                "to run by itself on every host of the group web",
                "`snooze plugin uninstall redis --group web --config`",
            ],
        ),
        (
            2,
            [
                "`snooze plugin uninstall redis --fleet --everywhere --config`",
                "narrower levels",
            ],
        ),
    ] {
        for part in parts {
            assert!(lines[line].contains(part), "{part} in {lines:?}");
        }
    }
}

#[test]
fn who_is_installed_by_another_level_or_switched_off_is_not_awaited() {
    let enabled = || json!({"enabled": true});
    let mut both = installed();
    both["enabled"] = json!(true);
    for (at, own, others) in [
        (
            "fleet",
            json!({}),
            vec![("host db-1", json!({"enabled": false, "installed": null}))],
        ),
        ("host db-1", json!({"enabled": false}), vec![("fleet", enabled())]),
        (
            "host db-1",
            json!({}),
            vec![("group db", json!({"enabled": false})), ("fleet", enabled())],
        ),
        (
            "host db-1",
            json!({}),
            vec![("group db", enabled()), ("fleet", installed())],
        ),
        ("group db", json!({"enabled": false}), vec![("fleet", enabled())]),
        ("group db", json!({}), vec![("fleet", both)]),
    ] {
        assert!(told(at, own, &others, &[]).is_empty(), "{at}: {others:?}");
    }
    let lines = told(
        "fleet",
        json!({}),
        &[("host db-1", enabled()), ("group db", installed())],
        &[],
    );
    assert!(
        !lines.join("\n").contains("enabled"),
        "its group has it: {lines:?}"
    );
    let lines = told(
        "fleet",
        json!({}),
        &[("host db-1", enabled()), ("group web", installed())],
        &[],
    );
    assert!(lines[0].contains("still enabled on the host db-1"), "{lines:?}");
}

#[test]
fn on_one_host_the_narrowest_level_that_decides_is_told() {
    let enabled = || json!({"enabled": true});
    let lines = told(
        "host db-1",
        json!({}),
        &[("group db", enabled()), ("fleet", enabled())],
        &[],
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("on every host of the group db"), "{lines:?}");
}

#[test]
fn what_is_kept_and_what_a_policy_requires_are_told() {
    let kept = json!({"config": {"n": 1}});
    let lines = told("fleet", kept.clone(), &[("host db-1", kept)], &["group db"]);
    for (line, part) in [
        (0, "configured with on every host is kept"),
        (1, "configured with on the host db-1 is kept"),
        (2, "take `voters.redis` out of the policy in the key group.db"),
        (3, "--everywhere --config"),
    ] {
        assert!(lines[line].contains(part), "{part} in {lines:?}");
    }
    let many: Vec<_> = (0..30)
        .map(|number| (format!("host db-{number}"), json!({"enabled": true})))
        .collect();
    let many: Vec<_> = many
        .iter()
        .map(|(at, said)| (at.as_str(), said.clone()))
        .collect();
    let lines = told("fleet", json!({}), &many, &[]);
    assert_eq!(lines.len(), TOLD + 2, "{lines:?}");
    assert_eq!(lines[TOLD], "The same holds for 20 more levels.");
}
