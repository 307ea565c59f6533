//! Whatever is asked of a runner is answered, and in time: with a plugin that hangs, a disk that does not answer, and
//! when very many ask at once.

use crate::{
    preparing::claim,
    stage::{Stage, of, python_plugin},
};
use futures_util::future::join_all;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use serde_json::{Value, json};
use snooze_bus::{Bus, RequestError, RunnerVerb};
use snooze_schemas::{
    ErrorCode, Message,
    event::{HandleEvent, ReadProgress},
    host::{Cancel, ListPlugins, Validate, Verify},
    plugin::{
        inspection::{CheckPlugins, ReadLog, ReadStats},
        management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
    },
    verdict::VoteState,
};
use std::{fs, path::PathBuf, time::Duration};

/// By the protocol every verb answers within this.
const WITHIN: Duration = Duration::from_secs(15);

/// So long it may take here: a test has no time for the usual limit.
const LIMIT: Duration = Duration::from_secs(2);

/// A file in whose place whoever writes it hangs, as on a disk that does not answer.
struct Hanging(PathBuf);

impl Hanging {
    fn at(path: PathBuf) -> Hanging {
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("makes it");
        Hanging(path)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Whoever hangs there goes on and fails, and whoever comes later finds nothing in the way.
        let reader = open(&self.0, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty());
        fs::remove_file(&self.0).ok();
        drop(reader);
    }
}

async fn ask<M: Message>(
    stage: &Stage,
    asker: &Bus,
    verb: RunnerVerb,
    message: M,
) -> Result<Value, RequestError> {
    asker.request(&stage.verb(verb), &message, WITHIN).await
}

/// Asks what everybody asks who asks this.
async fn ask_for(stage: &Stage, verb: RunnerVerb) -> Result<Value, RequestError> {
    let (claim, plugin) = (claim(7), "well".parse().expect("a name"));
    let by = &stage.administrator;
    match verb {
        RunnerVerb::Prepare => ask(stage, &stage.executor, verb, claim).await,
        RunnerVerb::Verify => {
            let question = Verify {
                claim: claim.claim,
                nonce: "once".to_owned(),
                prolong_ms: 1_000,
            };
            ask(stage, &stage.executor, verb, question).await
        }
        RunnerVerb::Cancel => {
            let cancel = Cancel {
                claim: claim.claim,
                reason: "a lease".to_owned(),
            };
            ask(stage, &stage.executor, verb, cancel).await
        }
        RunnerVerb::HandleEvent => {
            let event = serde_json::from_value(json!({
                "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
                "noticed_at": "2026-01-01T00:00:00Z", "data": {},
            }));
            let event = event.expect("an event");
            ask(stage, &stage.gateway, verb, HandleEvent { event, left_ms: None }).await
        }
        RunnerVerb::Plugins => ask(stage, by, verb, ListPlugins::default()).await,
        RunnerVerb::Check => ask(stage, by, verb, CheckPlugins::default()).await,
        RunnerVerb::Logs => ask(stage, by, verb, ReadLog { plugin, lines: 9 }).await,
        RunnerVerb::Stats => ask(stage, by, verb, ReadStats::default()).await,
        RunnerVerb::Progress => {
            let id = "e1".parse().expect("an id");
            ask(stage, by, verb, ReadProgress { id }).await
        }
        RunnerVerb::Validate => {
            let question = Validate {
                plugin,
                config: serde_json::Map::new(),
                unset: Vec::new(),
                level: None,
            };
            ask(stage, by, verb, question).await
        }
        RunnerVerb::Reload => ask(stage, by, verb, ReloadPlugins::default()).await,
        RunnerVerb::Load => ask(stage, by, verb, LoadPlugin { plugin }).await,
        RunnerVerb::Unload => ask(stage, by, verb, UnloadPlugin { plugin }).await,
    }
}

/// Whether it is done with what hangs in the test.
fn waits_for_the_disk(verb: RunnerVerb) -> bool {
    match verb {
        RunnerVerb::Prepare
        | RunnerVerb::Cancel
        | RunnerVerb::Verify
        | RunnerVerb::Load
        | RunnerVerb::Unload
        | RunnerVerb::Reload => true,
        RunnerVerb::HandleEvent
        | RunnerVerb::Plugins
        | RunnerVerb::Check
        | RunnerVerb::Logs
        | RunnerVerb::Stats
        | RunnerVerb::Progress
        | RunnerVerb::Validate => false,
    }
}

/// What a plugin was found to say.
fn said<'a>(checks: &'a Value, plugin: &str) -> (&'a str, &'a str) {
    let results = checks["results"].as_array().expect("a list");
    let found = results.iter().find(|check| check["plugin"] == plugin);
    let found = found.unwrap_or_else(|| panic!("{plugin} was asked: {checks}"));
    let text = |key: &str| found[key].as_str().expect("a text");
    (text("state"), text("reason"))
}

/// A stage with a plugin that is idle and one that hangs for longer than any answer may take.
async fn stage() -> Stage {
    let stage = Stage::set().await;
    stage.policy(json!({"plugin_timeout_seconds": 12})).await;
    stage.plugin("hung.py", &python_plugin("hung", "linger(3600)"));
    stage.plugin("well.py", &python_plugin("well", r#"{"is_idle": True}"#));
    stage
}

#[tokio::test]
async fn m6_every_verb_answers_within_15_s_while_a_plugin_and_the_disk_hang() {
    let mut stage = stage().await;
    let config = snooze_plugin_runner::Config {
        verb_limit: LIMIT,
        ..stage.config()
    };
    let runner = stage.runner_with(config).await;
    stage.vote("well", VoteState::Idle).await;
    let journal = Hanging::at(stage.state().join("prepare.new"));
    let known = Hanging::at(stage.state().join("known-plugins.new"));
    // What is new has to be noted.
    stage.plugin("new.py", &python_plugin("new", r#"{"is_idle": True}"#));
    let refused = |asked: Result<Value, RequestError>| {
        let refused = asked.expect_err("it hangs, or is over");
        refused.refusal().map(|refusal| refusal.code)
    };
    // The first of them waits for the disk, and the others for it.
    assert_eq!(
        refused(ask_for(&stage, RunnerVerb::Prepare).await),
        Some(ErrorCode::Timeout)
    );
    let (waiting, others): (Vec<RunnerVerb>, Vec<RunnerVerb>) = RunnerVerb::ALL
        .iter()
        .partition(|verb| waits_for_the_disk(**verb));
    let asked = waiting.iter().map(|verb| ask_for(&stage, *verb));
    for (verb, answer) in waiting.iter().zip(join_all(asked).await) {
        assert_eq!(refused(answer), Some(ErrorCode::Timeout), "{verb}");
    }
    for verb in others {
        let answer = ask_for(&stage, verb).await;
        if verb == RunnerVerb::Progress {
            // Nobody handles that event, so it was over before it was asked for.
            assert_eq!(refused(answer), Some(ErrorCode::NotFound));
            continue;
        }
        let answer = answer.unwrap_or_else(|error| panic!("{verb}: {error:?}"));
        if verb == RunnerVerb::Check {
            assert_eq!(said(&answer, "well").0, "idle");
            let (state, why) = said(&answer, "hung");
            assert!(state == "unknown" && why.contains("not answered yet"), "{answer}");
        }
    }
    stage
        .verdict("it goes on to vote", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.state == VoteState::Idle)
        })
        .await;
    drop((journal, known));
    runner.stop().await;
}

#[tokio::test]
async fn of_very_many_who_ask_at_once_each_is_answered() {
    const EACH: usize = 40;
    let mut stage = stage().await;
    let config = snooze_plugin_runner::Config {
        verb_limit: LIMIT,
        ..stage.config()
    };
    let runner = stage.runner_with(config).await;
    stage.vote("well", VoteState::Idle).await;
    let asked = RunnerVerb::ALL
        .iter()
        .flat_map(|verb| std::iter::repeat_n(verb, EACH))
        .map(|verb| async { (*verb, ask_for(&stage, *verb).await) });
    let mut turned_away = 0;
    for (verb, answer) in join_all(asked).await {
        match answer {
            Ok(_) => {}
            Err(RequestError::Refused { source, .. }) => {
                turned_away += usize::from(source.code == ErrorCode::RateLimited);
            }
            Err(unanswered) => panic!("{verb} was not answered: {unanswered:?}"),
        }
    }
    assert!(turned_away > EACH, "more are asked than have a place");
    assert!(
        ask_for(&stage, RunnerVerb::Plugins).await.is_ok(),
        "the places are free again"
    );
    runner.stop().await;
}
