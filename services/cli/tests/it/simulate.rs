//! `snooze event simulate`, as a person types it: every event is handled once and in time or the exit code says so, it is
//! played on no bus but its own, and nothing outlives it.

pub(crate) mod own;

use crate::{Done, snooze, snooze_seeing};
use own::{LONG, Own};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use snooze_test_harness::wait_for;
use std::{fs, os::unix::fs::PermissionsExt};

/// What a plugin says to an event.
const HANDLES: &str = r#"answer '{"handled":true,"succeeded":true,"message":"drained"}'"#;
const FAILS: &str = r#"answer '{"handled":true,"succeeded":false,"message":"the disk is full"}'"#;
const HANGS: &str = "sleeps=for-ever";

/// The report of a play in which every host was helped in time.
fn good(done: &Done) -> Value {
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.out).expect("--json is JSON");
    let hosts = report["hosts"].as_u64().expect("a number");
    for whole in ["handled_in_time", "dispatched"] {
        assert_eq!(report[whole].as_u64(), Some(hosts), "{whole}: {done:?}");
    }
    let events = report["events"].as_array().expect("a list");
    assert_eq!(events.len() as u64, hosts, "one event a host");
    for event in events {
        assert_eq!(event["event"]["type"], "cloud.spot.interrupt");
        assert_eq!(event["endings"].as_array().map(Vec::len), Some(1), "{event}");
    }
    report
}

fn handlers(event: &Value) -> &Vec<Value> {
    event["endings"][0]["reported"]["handlers"]
        .as_array()
        .expect("handlers")
}

#[tokio::test]
async fn each_clouds_notice_is_handled_once_by_ones_own_plugins_and_nothing_is_left() {
    let own = Own::new();
    own.plugin("drain", HANDLES);
    own.plugin("say-goodbye", HANDLES);
    let plugins = own.text("plugins");
    for (scenario, source) in [
        ("spot", "aws.ec2.metadata-service"),
        ("azure", "azure.scheduled-events"),
        ("gcp", "gcp.compute.metadata-server"),
    ] {
        fs::write(own.path("asked"), "").expect("ours");
        let done = own.simulate(&[scenario, "--json", "--plugins", &plugins]).await;
        let report = good(&done);
        let event = &report["events"][0];
        assert_eq!(event["event"]["source"], source, "{event}");
        let mut names: Vec<&str> = handlers(event)
            .iter()
            .filter_map(|handler| handler["plugin"].as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["drain", "say-goodbye"]);
        let mut asked = own.asked();
        asked.sort_unstable();
        assert_eq!(asked, names, "{scenario}: each is asked once");
        own.assert_nothing_is_left();
    }
}

#[tokio::test]
async fn whoever_brings_no_handler_sees_the_story_of_the_demonstrations() {
    let own = Own::new();
    let done = own.simulate(&["spot", "--notice", "60"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for part in [
        "  announced",
        "  noticed",
        "  filed: EVENTS_URGENT 1",
        "accepted, it is in the host's journal",
        "demonstration-handler was asked, it had 5",
        "demonstration-handler handled it in ",
        "reported, handled by 1 of 1 plugins",
        "dispatched 1 of 1 given to their hosts by the centre as well",
        "result     1 of 1 handled before the deadline, with 5",
        "made up    the notice",
    ] {
        assert!(done.out.contains(part), "{part}: {done:?}");
    }
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn a_handler_that_fails_is_named_and_makes_the_exit_code_1() {
    let own = Own::new();
    own.plugin("drain", FAILS);
    let done = own
        .simulate(&["gcp", "--plugins", &own.text("plugins/drain")])
        .await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("drain failed: the disk is full"), "{done:?}");
    assert!(
        done.err.contains("1 of 1 were not handled before the deadline"),
        "{done:?}"
    );
    assert_eq!(own.asked(), ["drain"]);
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn a_handler_that_takes_longer_than_there_is_makes_the_exit_code_1() {
    let own = Own::new();
    own.plugin("hang", HANGS);
    let done = own
        .simulate(&["spot", "--notice", "4", "--plugins", &own.text("plugins")])
        .await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.out.contains("result     0 of 1 handled before the deadline"),
        "{done:?}"
    );
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn the_word_of_a_hosts_own_file_is_the_only_one() {
    let own = Own::new();
    own.plugin("drain", HANDLES);
    let named = |events: Value| {
        let permissions = json!({"events": events, "write": [own.text("asked")]});
        json!({"plugins": {"directories": [own.text("plugins")],
            "plugin_configs": {"drain": {"permissions": permissions}}}})
    };
    let config = own.text("snooze.json");
    fs::write(&config, named(json!([])).to_string()).expect("ours");
    let withheld = own.simulate(&["azure", "--config", &config]).await;
    assert_eq!(
        withheld.code,
        Some(1),
        "its manifest asks, and the file does not grant: {withheld:?}"
    );
    assert_eq!(own.asked(), [""; 0]);
    fs::write(&config, named(json!(["cloud.spot.interrupt"])).to_string()).expect("ours");
    good(&own.simulate(&["azure", "--json", "--config", &config]).await);
    assert_eq!(own.asked(), ["drain"]);
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn every_host_of_a_storm_is_told_dispatched_and_handled_once() {
    let own = Own::new();
    let done = own.simulate(&["storm", "--hosts", "60", "--json"]).await;
    let report = good(&done);
    assert_eq!(report["hosts"], 60);
    let events = report["events"].as_array().expect("a list");
    for event in events {
        let [handler] = handlers(event).as_slice() else {
            panic!("one handler: {event}")
        };
        assert_eq!(
            (&handler["handled"], &handler["succeeded"]),
            (&json!(true), &json!(true))
        );
    }
    let steps = report["steps"].as_array().expect("a list");
    assert!(
        steps.len() == 6 && steps.iter().all(|step| step["hosts"] == 60),
        "{steps:?}"
    );
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn it_is_played_on_no_bus_but_its_own() {
    let own = Own::new();
    let state = own.text("state");
    for named in [
        &["--server", "nats://127.0.0.1:4222"][..],
        &["--credentials", "/etc/snooze/ada.creds"],
        &["--state", &state],
    ] {
        let done = snooze(&[named, &["event", "simulate", "spot"]].concat()).await;
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(4), ""),
            "{named:?}: {done:?}"
        );
        assert_eq!(done.err.lines().count(), 1, "{done:?}");
    }
    for variable in ["SNOOZE_NATS_URL", "SNOOZE_CREDENTIALS", "SNOOZE_STATE"] {
        let done = snooze_seeing(
            LONG,
            &[(variable, "nats://127.0.0.1:1")],
            &["event", "simulate", "gcp"],
        )
        .await;
        assert_eq!(done.code, Some(4), "{variable}: {done:?}");
    }
    assert!(!own.path("state").exists(), "nothing was begun there");
}

#[tokio::test]
async fn what_cannot_be_played_is_exit_code_64() {
    let own = Own::new();
    let none = own.text("none");
    for arguments in [
        &["spot", "--plugins", &none][..],
        &["spot", "--plugins", &own.text("home")],
        &["spot", "--config", &none],
        &["spot", "--notice", "0"],
        &["storm", "--hosts", "0"],
        &["storm", "--hosts", "2001"],
        &["storm", "--plugins", &none],
        &["gcp", "--notice", "60"],
        &["moon"],
        &[],
    ] {
        let done = own.simulate(arguments).await;
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(64), ""),
            "{arguments:?}: {done:?}"
        );
    }
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_at_once_with_its_path_and_what_it_lacks() {
    let own = Own::new();
    own.plugin("drain", HANDLES);
    let program = own.path("plugins/backup.sh");
    fs::write(&program, "#!/bin/sh\necho 'no disk' >&2\nexit 3\n").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    for scenario in ["spot", "azure", "gcp"] {
        let done = own.simulate(&[scenario, "--plugins", &own.text("plugins")]).await;
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(64), ""),
            "{scenario}: {done:?}"
        );
        for part in [
            "plugins/backup.sh: the plugin backup does not start",
            "exit code 3",
            "no disk",
        ] {
            assert!(done.err.contains(part), "{scenario}: {part:?}: {done:?}");
        }
        assert!(
            !done.err.contains("is not ready after"),
            "nothing is waited out: {done:?}"
        );
    }
    fs::remove_file(&program).expect("ours");
    fs::rename(own.path("plugins/drain"), own.path("plugins/other")).expect("ours");
    let done = own.simulate(&["gcp", "--plugins", &own.text("plugins")]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("plugins/other/plugin.json: name: it is drain"),
        "{done:?}"
    );
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn ctrl_c_ends_everything_that_it_started() {
    let own = Own::new();
    own.plugin("hang", HANGS);
    let mut playing = own.begin(&["spot", "--notice", "3600", "--plugins", &own.text("plugins")]);
    wait_for(LONG, "the handler is at work", async || {
        let said = fs::read_to_string(own.path("err")).unwrap_or_default();
        assert_eq!(playing.ended(), None, "{said}");
        (!own.asked().is_empty()).then_some(())
    })
    .await;
    // The program, its broker and the plugin.
    assert_eq!((own.processes().len(), own.files().len()), (3, 2), "{own:?}");
    let id = i32::try_from(playing.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has an id"), Signal::INT).expect("it is ours");
    let ended = wait_for(LONG, "it ends", async || playing.ended()).await;
    let said = fs::read_to_string(own.path("err")).expect("it was made");
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    own.assert_nothing_is_left();
}
