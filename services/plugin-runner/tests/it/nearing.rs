//! A plugin that nears a limit for some time: shown while it lasts, and in the runner's own log once each time that it
//! begins.

use crate::{
    alone::{ask_to_end, command, start},
    stage::{SOON, Stage, python_plugin},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    plugin::inspection::{Limit, PluginReport, ReadStats, StatsReport},
    verdict::VoteState,
};
use snooze_test_harness::{wait_for, wait_until};
use std::{collections::BTreeSet, fs, path::Path, time::Duration};

/// Five of the six threads that it may have, for as long as there is this file.
fn crowd(file: &Path) -> String {
    let gather = format!(
        r#"crowd = []
def gather():
    wanted = 4 if os.path.exists({file:?}) else 0
    while len(crowd) < wanted:
        enough = threading.Event()
        crowd.append((threading.Thread(target=enough.wait, daemon=True), enough))
        crowd[-1][0].start()
    while len(crowd) > wanted:
        thread, enough = crowd.pop()
        enough.set()
        thread.join()
    return {{"is_idle": True}}
config = {{}}"#
    );
    python_plugin("crowd", "gather()").replace("config = {}", &gather)
}

/// What is told of this plugin.
async fn report(stage: &Stage, plugin: &str) -> PluginReport {
    wait_for(SOON, "it is told of", async || {
        let subject = stage.verb(RunnerVerb::Stats);
        let question = ReadStats::default();
        let asked = stage
            .administrator
            .request(&subject, &question, Duration::from_secs(15));
        let report: StatsReport = asked.await.ok()?;
        report
            .plugins
            .into_iter()
            .find(|one| one.plugin.as_str() == plugin)
    })
    .await
}

async fn over(stage: &Stage) -> BTreeSet<Limit> {
    let report = report(stage, "crowd").await;
    report.usage.map(|usage| usage.over).unwrap_or_default()
}

#[tokio::test]
async fn most_of_a_limit_is_a_warning_once_each_time_that_it_begins_and_not_at_each_look() {
    let mut stage = Stage::set().await;
    let file = stage.file("crowd");
    fs::write(&file, "").expect("writes");
    stage.plugin("crowd.py", &crowd(&file));
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = start(&stage, &command(&stage, &["crowd"], &json!({"processes": 6})));
    stage.vote("crowd", VoteState::Idle).await;
    let warnings = || {
        let said = runner.said_all();
        let warnings = said.lines().filter(|line| line.contains("most of a limit"));
        warnings.map(str::to_owned).collect::<Vec<_>>()
    };
    for begun in 1..=2 {
        wait_until(SOON, "it is said and shown", async || {
            warnings().len() == begun && over(&stage).await == [Limit::Processes].into()
        })
        .await;
        // It is looked at with every third question.
        let asked = report(&stage, "crowd").await.stats.calls;
        wait_until(SOON, "it has been looked at again and again", async || {
            report(&stage, "crowd").await.stats.calls >= asked + 20
        })
        .await;
        let said = warnings();
        assert_eq!(said.len(), begun, "{said:#?}");
        let words = ["WARN", "crowd", "Processes"];
        assert!(
            said.iter()
                .all(|line| words.iter().all(|word| line.contains(word))),
            "{said:#?}"
        );
        fs::remove_file(&file).expect("removes");
        wait_until(SOON, "it is shown no more", async || {
            over(&stage).await.is_empty()
        })
        .await;
        fs::write(&file, "").expect("writes");
    }
    ask_to_end(&runner);
}
