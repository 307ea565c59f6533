//! A plugin that runs by itself: started on a bus of its own, asked there as a runner asks it, and then the cases of the
//! contract in both forms of the bus.
//!
//! It is not fenced, which is said: no host fences it either.

mod there;

use super::{
    Findings, Scratch, configuration, events, form_of, readings,
    trial::{Trial, introduction},
};
use crate::{
    arguments::PluginTest,
    commands::plugin_dev::by_itself::{ByItself, END_LIMIT, NOT_FENCED},
    home::Home,
    up::alone::Alone,
};
use serde_json::{Map, Value};
use snooze_conformance::{Form, Limits, Selection, run_telling};
use snooze_plugin_runner::PluginManifest;
use snooze_service_runtime::{CancellationToken, Exit, Failure};
use std::sync::Arc;
use there::OnBus;
use tokio::time::Instant;

/// Starts it on a bus of its own and finds out all that can be, until the token is cancelled; then it is ended, and its
/// bus with it.
pub(super) async fn look_into(
    manifest: Arc<PluginManifest>,
    config: &Map<String, Value>,
    (arguments, home): (&PluginTest, &Home),
    stop: &CancellationToken,
    findings: &mut Findings,
) -> Result<(), Failure> {
    findings.form = form_of(&manifest);
    findings.note(NOT_FENCED);
    let scratch = Scratch::make()?;
    let state = scratch.path().join("state");
    let laid = Box::pin(Alone::lay(&state, arguments.nats_server.clone(), home));
    let Some(alone) = stop.run_until_cancelled(laid).await else {
        return Ok(());
    };
    let mut alone = alone?;
    let (asking, monitoring) = (alone.as_host().clone(), alone.administrator().clone());
    let looked = {
        let (around, broker) = alone.parts();
        let looked = async {
            let admission = around.admit(manifest.name())?;
            let begun = findings.begin("bus", "it-comes");
            let started = ByItself::start(&manifest, &admission, home);
            match started {
                Ok(process) => {
                    let there = OnBus::new(manifest, config, (asking, monitoring), &admission, process);
                    ask(there, config, arguments, findings).await
                }
                Err(why) => {
                    came(
                        begun,
                        Err(("a plugin that can be started".to_owned(), why)),
                        findings,
                        Vec::new,
                    );
                    Ok(())
                }
            }
        };
        tokio::select! {
            // What is cancelled ends with the plugin, which is killed with it.
            looked = looked => looked,
            () = stop.cancelled() => Ok(()),
            failure = broker => Err(failure),
        }
    };
    looked.and(alone.end().await)
}

/// Whether it came onto the bus.
fn came(
    begun: Instant,
    kept: Result<(), (String, String)>,
    findings: &mut Findings,
    log: impl FnOnce() -> Vec<String>,
) {
    let law =
        "Started with SNOOZE_NATS_URL, SNOOZE_NATS_CREDENTIALS and SNOOZE_HOST, it answers on its subjects.";
    findings.add_with_log(("bus", "it-comes", law), begun, kept, log);
}

/// Asks all that can be asked of one that was started.
async fn ask(
    mut there: OnBus,
    config: &Map<String, Value>,
    arguments: &PluginTest,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let begun = findings.begin("bus", "it-comes");
    let comes = there.comes().await;
    let is_there = comes.is_ok();
    came(begun, comes, findings, || there.last_words());
    if !is_there {
        return Ok(());
    }
    let begun = findings.begin("bus", "it-takes-its-configuration");
    let settled = there.settled().await;
    let is_settled = settled.is_ok();
    let kept = settled.map_err(|why| ("success".to_owned(), why));
    let law = "It takes its configuration and makes ready.";
    let named = ("bus", "it-takes-its-configuration", law);
    findings.add_with_log(named, begun, kept, || there.last_words());
    if !is_settled {
        return Ok(());
    }
    if let Some(manifest) = there.plugin().manifest() {
        introduction(manifest, &there.info().await, findings);
    }
    readings::ask(&there, findings).await;
    if arguments.without_events {
        findings.note("it was sent no events, as you wished");
    } else {
        events::send(&there, findings).await;
    }
    configuration::try_out(&there, config, findings).await;
    let limits = Limits::default();
    let forms = Selection::contract([Form::NatsJson, Form::NatsMessagepack]);
    let asked = run_telling(&there.target(), &forms, &limits, |moment| findings.take(moment)).await;
    asked.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    end(there, findings).await;
    Ok(())
}

/// Whether it was one process from the first question to the last, and ends in order.
async fn end(there: OnBus, findings: &mut Findings) {
    let begun = findings.begin("bus", "it-goes-on");
    let answers = match there.answers().await {
        true => Ok(()),
        false => Err((
            "a plugin that goes on".to_owned(),
            "nobody answers for it".to_owned(),
        )),
    };
    let law = "Nothing that it was asked ended it.";
    findings.add_with_log(("bus", "it-goes-on", law), begun, answers, || there.last_words());
    let begun = findings.begin("bus", "it-ends");
    let ended = there.end().await;
    let kept = ended.map_err(|came| (format!("its end within {} s", END_LIMIT.as_secs()), came));
    findings.add("bus", "it-ends", "It ends at SIGTERM.", begun, kept);
}
