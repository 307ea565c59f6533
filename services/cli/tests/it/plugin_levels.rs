//! What still holds of a plugin by another level than the one that is taken back, against a real broker.

use crate::place::{Place, rights, status};
use serde_json::json;
use snooze_bus::{Bucket, Role, keys};

const LEVELS: [&[&str]; 3] = [&["--host", "web"], &["--group", "default"], &["--fleet"]];

async fn said(place: &Place, words: &[&str], level: &[&str]) -> String {
    let words = [words, level].concat();
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    done.out
}

#[tokio::test]
async fn a_revocation_says_which_level_still_approves_and_no_more_than_is_true() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let plugins = place.host("web", json!([status("redis", &rights())])).await;
    for level in LEVELS {
        said(&place, &["approve", "redis", "--yes"], level).await;
    }
    let revoke = ["approve", "redis", "--revoke"];
    let of_host = said(&place, &revoke, LEVELS[0]).await;
    let taken = "What was approved for redis on the host web is taken back.\n";
    let group = "It is still approved on every host of the group default: by ada at ";
    assert!(
        of_host.starts_with(taken) && of_host.contains(group) && !of_host.contains("no longer"),
        "{of_host}"
    );
    assert_eq!(of_host.lines().count(), 2, "the narrowest alone holds: {of_host}");
    said(&place, &["approve", "redis", "--yes"], LEVELS[0]).await;
    let of_fleet = said(&place, &revoke, LEVELS[2]).await;
    assert!(
        of_fleet.contains("still approved on the host web: by ada") && of_fleet.contains(group),
        "{of_fleet}"
    );
    let of_group = said(&place, &revoke, LEVELS[1]).await;
    assert!(
        of_group.contains("still approved on the host web: by ada") && !of_group.contains("on every host:"),
        "{of_group}"
    );
    let none = said(&place, &revoke, LEVELS[0]).await;
    assert_eq!(none, "redis is no longer approved on the host web.\n");

    said(&place, &["approve", "redis", "--yes"], LEVELS[0]).await;
    let mut own = rights();
    own["granted_by"] = json!({"kind": "host_file"});
    *plugins.lock().expect("nothing panics") = json!([status("redis", &own)]);
    let by_file = said(&place, &revoke, LEVELS[0]).await;
    assert!(
        by_file.starts_with(taken) && by_file.contains("The own file of web says"),
        "{by_file}"
    );
}

#[tokio::test]
async fn an_uninstallation_says_which_level_still_installs_and_switches_nothing_on() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let installed = json!({"version": "1.0.0", "sha256": "d".repeat(64)});
    let bucket = place.administrator.bucket(Bucket::Config);
    let host = keys::host_key(&"web".parse().expect("a host id"));
    let fleet = json!({"plugins": {"redis": {"installed": installed}}});
    bucket.put(keys::FLEET, &fleet).await.expect("written");
    for enabled in [false, true] {
        let layer = json!({"plugins": {"redis": {"installed": installed, "enabled": enabled}}});
        bucket.put(&host, &layer).await.expect("written");
        let of_host = said(&place, &["uninstall", "redis"], LEVELS[0]).await;
        assert_eq!(
            of_host,
            "The installation of redis on the host web is taken back.\nIt is still installed on every host: version 1.0.0.\n"
        );
        let left = place.layer_of("web").await.plugins.remove("redis");
        let left = left.and_then(|left| left.enabled);
        assert_eq!(left, (!enabled).then_some(false), "what was off stays off");
    }
    let of_fleet = said(&place, &["uninstall", "redis"], LEVELS[2]).await;
    assert_eq!(of_fleet, "redis is uninstalled on every host.\n");
}

/// What a narrower level is left with has its hosts look for a plugin that nobody answers for, and stay awake.
#[tokio::test]
async fn s2_an_uninstallation_leaves_nobody_to_be_looked_for_without_a_word() {
    let place = Place::new().await;
    place.executor(&["web", "db/batch"]).await;
    let installed = json!({"version": "1.0.0", "sha256": "d".repeat(64)});
    let bucket = place.administrator.bucket(Bucket::Config);
    let host = keys::host_key(&"web".parse().expect("a host id"));
    let group = keys::group_key(&"batch".parse().expect("a group"));
    let set = async || {
        let required = json!({"voters": {"redis": {"role": "required"}}});
        for (key, redis, policy) in [
            (keys::FLEET, json!({"installed": installed}), json!({})),
            (&host, json!({"enabled": true, "config": {"n": 1}}), json!({})),
            (&group, json!({"enabled": true}), required),
        ] {
            let layer = json!({"policy": policy, "plugins": {"redis": redis}});
            bucket.put(key, &layer).await.expect("written");
        }
    };
    let left = async |key: &str| place.layer(key).await.plugins.remove("redis");
    set().await;
    let told = said(&place, &["uninstall", "redis"], LEVELS[2]).await;
    for part in [
        "redis is uninstalled on every host.\n",
        "still enabled on the host web: ",
        "which keeps the host awake; `snooze plugin uninstall redis --host web --config` takes that back.",
        "still enabled on every host of the group batch: ",
        "`snooze plugin uninstall redis --group batch --config` takes that back.",
        "take `voters.redis` out of the policy in the key group.batch",
        "`snooze plugin uninstall redis --fleet --everywhere --config`",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    assert!(
        left(&host).await.is_some() && left(&group).await.is_some(),
        "others are only told"
    );
    // Each of the commands that were told clears its level.
    said(&place, &["uninstall", "redis", "--config"], &["--group", "batch"]).await;
    assert_eq!(left(&group).await, None);

    set().await;
    let told = said(&place, &["uninstall", "redis", "--everywhere"], LEVELS[2]).await;
    for part in [
        "What was set for redis on the host web is taken away.\n",
        "configured with on the host web is kept",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    assert!(!told.contains("still enabled"), "{told}");
    let kept = left(&host).await.expect("its configuration is kept");
    assert_eq!((kept.enabled, kept.config.is_some()), (None, true));
    assert_eq!(left(&group).await, None);
    let told = said(
        &place,
        &["uninstall", "redis", "--everywhere", "--config"],
        LEVELS[2],
    )
    .await;
    assert!(
        told.starts_with("What was set for redis on the host web is taken away.\n"),
        "{told}"
    );
    assert_eq!(left(&host).await, None);

    // With nothing left at any level it says so, and where one is installed it says that.
    let done = place
        .plugin(
            Role::Administrator,
            &["uninstall", "redis", "--fleet", "--everywhere"],
        )
        .await;
    assert_eq!(done.code, Some(4), "{done:?}");
    bucket
        .put(&host, &json!({"plugins": {"redis": {"installed": installed}}}))
        .await
        .expect("written");
    let done = place
        .plugin(Role::Administrator, &["uninstall", "redis", "--fleet"])
        .await;
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(done.err.contains("it is with --host web"), "{done:?}");
}
