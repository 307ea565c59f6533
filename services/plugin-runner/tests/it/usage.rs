//! What a plugin holds, all of its processes together, and what its working folder does.

use crate::{
    orphans::DAEMON,
    stage::{SOON, Stage, python_plugin},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_plugin_runner::fence::ControlGroupRoot;
use snooze_schemas::{
    plugin::inspection::{Limit, ReadStats, StatsReport, Usage},
    verdict::VoteState,
};
use snooze_test_harness::wait_for;
use std::time::Duration;

/// More than an interpreter holds by itself.
const HELD: u64 = 64 << 20;

/// What a plugin holds, once it is as the test wants it.
async fn usage(stage: &Stage, plugin: &str, wanted: impl Fn(&Usage) -> bool) -> Usage {
    wait_for(SOON, "it is told of", async || {
        let subject = stage.verb(RunnerVerb::Stats);
        let question = ReadStats::default();
        let asked = stage
            .administrator
            .request(&subject, &question, Duration::from_secs(15));
        let report: StatsReport = asked.await.ok()?;
        let mut reports = report.plugins.into_iter();
        let usage = reports.find(|one| one.plugin.as_str() == plugin)?.usage?;
        wanted(&usage).then_some(usage)
    })
    .await
}

#[tokio::test]
async fn what_leaves_its_process_group_and_its_parent_is_counted_all_the_same() {
    let mut stage = Stage::set().await;
    // One in a session of its own whose parent lives, and one whose parents have ended; nobody waits for the last of these.
    let holds = format!("held = b'x' * {HELD}");
    let begin = format!(
        "import signal\ndef hold(daemon):\n    {holds}\n    signal.pause()\n\
         if os.fork() == 0: os.setsid() or hold(False)\n{}\nconfig = {{}}",
        DAEMON.replace("signal.pause()", "hold(True)")
    );
    let script = python_plugin("parent", r#"{"is_idle": True}"#).replace("config = {}", &begin);
    stage.plugin("parent.py", &script);
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let mut config = stage.config();
    // Without control groups, wherever the test runs.
    config.fence.control_groups = ControlGroupRoot::At("/proc/self".into());
    let runner = stage.runner_with(config).await;
    stage.vote("parent", VoteState::Idle).await;
    usage(&stage, "parent", |usage| {
        usage.processes == 4 && usage.memory_bytes > 2 * HELD
    })
    .await;
    let quiet = usage(&stage, "quiet", |_| true).await;
    assert!(quiet.processes == 1 && quiet.memory_bytes < HELD, "{quiet:?}");
    runner.stop().await;
}

#[tokio::test]
async fn a_working_folder_that_is_nearly_full_is_shown_to_be() {
    let mut stage = Stage::set().await;
    let fills = |kib: u32| {
        format!(
            r#"open(os.environ["HOME"] + "/fill", "wb").write(b"x" * ({kib} << 10)) and {{"is_idle": True}}"#
        )
    };
    stage.plugin("full.py", &python_plugin("full", &fills(900)));
    stage.plugin("half.py", &python_plugin("half", &fills(500)));
    let mut config = stage.config();
    config.fence.disk_look = Duration::from_millis(50);
    for name in ["full", "half"] {
        let own = json!({"permissions": {"disk_mb": 1}});
        let own = own.as_object().expect("a map").clone();
        config.plugin_configs.insert(name.to_owned(), own);
    }
    let runner = stage.runner_with(config).await;
    stage.vote("half", VoteState::Idle).await;
    let near = usage(&stage, "full", |usage| !usage.over.is_empty()).await;
    assert_eq!(near.over, [Limit::DiskMb].into());
    let half = usage(&stage, "half", |_| true).await;
    assert!(half.over.is_empty(), "{half:?}");
    runner.stop().await;
}
