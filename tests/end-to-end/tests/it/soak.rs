//! What a SIGKILL costs: one part of the path is killed again and again under a load of events of all severities, and
//! at the end nothing that was acknowledged is missing, and nothing that succeeded was done again.
//!
//! Each kill comes a few acknowledgements, or begins or ends of handlers, after the one before: drawn from a seed that is
//! printed. `make soak-events` kills each part a hundred times, `make test` ten times; `SNOOZE_SOAK_KILLS` and
//! `SNOOZE_SOAK_SEED` say otherwise.

mod account;
mod away;
mod load;
mod looks;
mod moment;
mod notices;
mod records;
mod stage;

use account::Account;
use load::Load;
use moment::Plan;
use stage::{Part, Stage};
use std::time::Duration;

/// A killed gateway's events come again after half a minute; the rest is for a machine that compiles meanwhile.
const LIMIT: Duration = Duration::from_secs(120);

/// Kills one part as often as the plan says, and judges what became of all that was sent.
async fn soak(part: Part) {
    let mut plan = Plan::drawn(part.name());
    let mut stage = Stage::start(&serde_json::json!({})).await;
    let mut account = Account::default();
    let load = Load::start(&stage).await;
    for _ in 0..plan.kills {
        let moment = plan.moment();
        moment.comes(&stage, &load).await;
        stage.kill(part, &mut plan).await;
        stage.mend(part).await;
        if part == Part::Broker {
            account.note_losses(&stage, &load).await;
        }
        account.read_trail(&stage).await;
    }
    load.end().await;
    account.settle(&stage, &load).await;
    let open = account.close(&stage).await;
    if plan.is_whole() {
        account.until_swept(&stage).await;
    }
    let told = account.judge(&stage, &load);
    println!(
        "{part:?}: {} kills, seed {}\n{told}  {open} notes are left to the sweeper",
        plan.kills, plan.seed
    );
}

#[tokio::test]
async fn e4_a_killed_gateway_at_the_centre_loses_no_acknowledged_event() {
    soak(Part::Centre).await;
}

#[tokio::test]
async fn e6_a_killed_runner_loses_no_event_and_repeats_none_that_succeeded() {
    soak(Part::Runner).await;
}

#[tokio::test]
async fn e6_a_killed_handler_is_asked_again_where_that_does_no_harm() {
    soak(Part::Handler).await;
}

#[tokio::test]
async fn e2_a_killed_broker_loses_of_its_last_acknowledged_routine_events_alone() {
    soak(Part::Broker).await;
}
