//! Handlers that should be there and are not run: an event's story says of each that would have been asked why it was not.

use crate::{
    events::{event, outcomes, send},
    given::{approved, asking},
    manifests::listed,
    preparing::{claim, prepared},
    stage::{SOON, Stage},
};
use serde_json::json;
use snooze_schemas::{event::EventOutcome, host::PrepareState};
use snooze_test_harness::wait_for;
use std::fs;

/// Writes something else into a plugin's program.
fn change(stage: &Stage, name: &str) {
    let program = stage.plugin_folder().join(name).join("run");
    let mut script = fs::read_to_string(&program).expect("it is there");
    script.push_str("# changed\n");
    fs::write(&program, script).expect("writes");
}

async fn outcome_of(stage: &Stage, id: &str) -> EventOutcome {
    send(stage, event(id), None).await.expect("accepted");
    wait_for(SOON, "its outcome is in the trail", async || {
        let all = outcomes(stage).await;
        all.into_iter().find(|outcome| outcome.id.as_str() == id)
    })
    .await
}

/// Who was asked, and who would have been.
fn asked_and_not(outcome: &EventOutcome) -> (Vec<&str>, Vec<&str>) {
    let names = |was_asked: bool| {
        let handlers = outcome.handlers.iter();
        let those = handlers.filter(|handler| handler.started_at.is_some() == was_asked);
        let mut names: Vec<&str> = those.map(|handler| handler.plugin.as_str()).collect();
        names.sort_unstable();
        names
    };
    (names(true), names(false))
}

#[tokio::test]
async fn e4_a_handler_whose_files_are_others_than_were_approved_is_told_of_as_not_asked() {
    let stage = Stage::set().await;
    for name in ["saves", "stays", "other", "nobodys"] {
        asking(&stage, name);
    }
    let layers = json!({
        "saves": approved(&stage, "saves", &json!(["custom", "snooze.pending"])),
        "stays": approved(&stage, "stays", &json!(["custom"])),
        "other": approved(&stage, "other", &json!(["custom.other"])),
    });
    stage.layer(json!({}), layers).await;
    let runner = stage.runner_as(stage.config()).await;
    for name in ["saves", "stays", "other", "nobodys"] {
        listed(&stage, name, |status| status.state == "running").await;
    }
    assert_eq!(
        asked_and_not(&outcome_of(&stage, "e1").await),
        (vec!["saves", "stays"], vec![])
    );
    for name in ["saves", "other"] {
        change(&stage, name);
        listed(&stage, name, |status| status.state == "changed").await;
    }
    let outcome = outcome_of(&stage, "e2").await;
    assert_eq!(
        asked_and_not(&outcome),
        (vec!["stays"], vec!["saves"]),
        "who would not have been asked is not told of: {outcome:?}"
    );
    let saves = outcome.handlers.iter().find(|one| one.plugin.as_str() == "saves");
    let result = &saves.expect("it is told of").result;
    assert!(
        !result.handled
            && !result.succeeded
            && result
                .message
                .contains("its files are others than were approved by alice"),
        "{result:?}"
    );
    // The work before a stop that nobody does keeps the host up.
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Failed);
    runner.stop().await;
}
