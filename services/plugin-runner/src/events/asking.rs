//! One handler and one event: asked at most once, inside its share of the time.

use super::{
    Desk, Known,
    handlers::{Handler, Repeat},
    millis,
    sharing::Share,
};
use crate::plugin::{AskError, Plugin, Work};
use snooze_schemas::{
    PluginName,
    event::{Begun, Event, HandlerOutcome, HandlerResult, Severity},
};
use snooze_service_runtime::exit::one_line;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a handler may take for which nothing else was configured, where the deadline is further away:
/// all of a spot interruption's notice. While it is at work its plugin cannot vote.
const HANDLER_LIMIT: Duration = Duration::from_secs(120);

/// The same where nothing is critical and there is no deadline: what is more urgent waits until it is done.
const ROUTINE_LIMIT: Duration = Duration::from_secs(30);

/// Of less nothing comes but the end of its process.
const LEAST: Duration = Duration::from_millis(50);

/// How often one is asked whose process crashes over it: what crashes three times over one event does so because of it.
const TIMES: u32 = 3;

/// Before it is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// So many pauses may lie between the end of one that an operator starts anew and the one in its place.
const ABSENCES: u32 = 20;

/// When a handler was asked for the first time.
#[derive(Debug, Clone, Copy)]
struct Asked {
    when: Instant,
    begun: Begun,
    /// How often it was asked once more.
    again: u32,
}

/// What time one handler has.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Its own, from when it is first asked.
    limit: Duration,
    /// When its share of the event's time is over.
    latest: Instant,
    /// When the event's time is over.
    end: Instant,
}

impl Times {
    /// What is left until it has to be done: of its own time nothing is gone before it is asked.
    fn left(&self, asked: Option<&Asked>) -> Duration {
        let own = asked.map(|asked| asked.when + self.limit);
        let over = own.map_or(self.latest, |own| own.min(self.latest));
        over.saturating_duration_since(Instant::now())
    }
}

/// How long a handler may take for which nothing was configured. The work before a stop has its own limit in
/// the policy.
fn default_limit(event: &Event, work: Work) -> Duration {
    let is_routine = event.severity != Severity::Critical && event.deadline.is_none();
    match work {
        Work::Event if is_routine => ROUTINE_LIMIT,
        Work::Event | Work::Preparation => HANDLER_LIMIT,
    }
}

impl Desk {
    /// What earlier runners' handlers came to: ended ones as they ended, and those that were started
    /// and did not end as interrupted, unless they may be asked again.
    pub(super) async fn earlier(&self, known: &Known, again: &BTreeSet<PluginName>) -> Vec<HandlerOutcome> {
        let mut outcomes = Vec::new();
        for (plugin, ended) in &known.handlers {
            match ended {
                Some(outcome) => outcomes.push(outcome.clone()),
                None if again.contains(plugin) => {}
                None => {
                    let why = "interrupted: it was started before a restart and did not end";
                    let begun = known.begun.get(plugin);
                    let outcome = HandlerOutcome {
                        interrupted: true,
                        started_at: begun.map(|begun| begun.started_at),
                        left_ms: begun.map(|begun| begun.left_ms),
                        within_ms: begun.map(|begun| begun.within_ms),
                        ..failed(plugin, why, 0)
                    };
                    self.note_end(&known.event, outcome.clone()).await;
                    outcomes.push(outcome);
                }
            }
        }
        outcomes
    }

    pub(super) async fn ask(
        &self,
        event: &Event,
        work: Work,
        handler: Handler,
        time: Share,
    ) -> HandlerOutcome {
        let name = handler.plugin.name();
        let limit = handler.time_out.unwrap_or_else(|| default_limit(event, work));
        let share = time.within(Duration::MAX);
        let begun = Instant::now();
        if limit.is_zero() {
            return failed(&name, "its own time-out leaves it no time", 0);
        }
        // What it waits for its turn, and for its process to be back, is the event's time and not its own.
        let Ok(_turn) = timeout_at(begun + share, handler.plugin.turn(event.severity)).await else {
            return failed(&name, "it was busy with other events", millis(begun.elapsed()));
        };
        let within = limit.min(share.saturating_sub(begun.elapsed()));
        if within < LEAST.min(limit) {
            return failed(
                &name,
                "no time was left for it before the deadline",
                millis(begun.elapsed()),
            );
        }
        let mut asked = None;
        let times = Times {
            // A limit of years is no instant.
            limit: limit.min(share),
            latest: begun + share,
            end: begun + time.left,
        };
        let said = self.answer_of(&handler, event, work, times, &mut asked).await;
        // What it waited for its turn is none of its own.
        let took_ms = millis(asked.map_or(begun, |asked| asked.when).elapsed());
        let interrupted = matches!(&said, Err(error) if error.is_interruption());
        let result = match said {
            Ok(result) => result,
            // Not to know the method is a way to say that it is none of its business.
            Err(AskError::UnknownMethod) => HandlerResult {
                handled: false,
                succeeded: true,
                message: "it does not handle events".to_owned(),
                details: serde_json::Map::new(),
            },
            // It did not begin: it is asked after a restart, if there is one before the event has ended.
            Err(error @ AskError::NotBegun(_)) => return failed(&name, &error.to_string(), took_ms),
            Err(error) if interrupted => failure(&format!("interrupted: {error}")),
            Err(error) => failure(&error.to_string()),
        };
        let outcome = HandlerOutcome {
            plugin: name,
            result,
            took_ms,
            started_at: asked.map(|asked| asked.begun.started_at),
            left_ms: asked.map(|asked| asked.begun.left_ms),
            within_ms: asked.map(|asked| asked.begun.within_ms),
            interrupted,
            asked_again: asked.map_or(0, |asked| asked.again),
        };
        self.note_end(event, outcome.clone()).await;
        outcome
    }

    /// Asks it, notes when in `asked`, and asks it again where its process was not there to be asked, or crashed over it and may be asked twice (E6).
    async fn answer_of(
        &self,
        handler: &Handler,
        event: &Event,
        work: Work,
        times: Times,
        asked: &mut Option<Asked>,
    ) -> Result<HandlerResult, AskError> {
        let mut plugin = handler.plugin.clone();
        let (mut crashes, mut absences) = (0, 0);
        loop {
            // One that crashed not long ago may be back in time.
            plugin.ready(times.left(asked.as_ref()) / 2).await;
            let within = times.left(asked.as_ref()).min(times.limit);
            // Only when it is its turn: what waits and is not asked yet is asked after a restart (E6).
            let begins = async {
                if let Some(asked) = asked {
                    asked.again += 1;
                    return Ok(());
                }
                let (id, name) = (event.id.clone(), plugin.name());
                let begun = self.begun(times);
                let noted = self
                    .journal
                    .write(event.severity, move |journal| journal.start(&id, name, begun));
                noted.await.map_err(|error| one_line(&error))?;
                *asked = Some(Asked {
                    when: Instant::now(),
                    begun: self.begun(times),
                    again: 0,
                });
                Ok(())
            };
            let said = plugin.handle_event(event, work, within, begins).await;
            let again = match &said {
                // Of the work before a stop that may be off by now nothing begins anew.
                _ if work == Work::Preparation => false,
                Err(error) if error.is_unasked() => {
                    absences += u32::from(plugin.is_ended());
                    plugin.may_be_back() && absences < ABSENCES
                }
                Err(error) if error.is_crash() => {
                    crashes += 1;
                    handler.repeat == Repeat::Idempotent && crashes < TIMES
                }
                _ => false,
            };
            let left = times.left(asked.as_ref());
            if !again || left < LEAST {
                return said;
            }
            sleep(PAUSE.min(left)).await;
            plugin = self.now_in_place_of(plugin);
        }
    }

    /// As a handler would begin that is asked now.
    fn begun(&self, times: Times) -> Begun {
        let now = Instant::now();
        Begun {
            started_at: self.clocks.wall(),
            left_ms: millis(times.end.saturating_duration_since(now)),
            within_ms: millis(times.latest.saturating_duration_since(now).min(times.limit)),
        }
    }

    /// The plugin of that name, which may have been started anew by an operator meanwhile.
    fn now_in_place_of(&self, plugin: Arc<Plugin>) -> Arc<Plugin> {
        let name = plugin.name();
        let all = self.plugins.all();
        all.into_iter().find(|now| now.name() == name).unwrap_or(plugin)
    }

    async fn note_end(&self, event: &Event, outcome: HandlerOutcome) {
        let id = event.id.clone();
        let noted = self
            .journal
            .write(event.severity, move |journal| journal.end(&id, outcome));
        if let Err(error) = noted.await {
            tracing::error!(
                error = one_line(&error),
                "a handler's outcome cannot be journalled"
            );
        }
    }
}

/// One that was not asked, or of which it is not known how it ended.
pub(super) fn failed(plugin: &PluginName, message: &str, took_ms: u64) -> HandlerOutcome {
    HandlerOutcome {
        plugin: plugin.clone(),
        result: failure(message),
        took_ms,
        started_at: None,
        left_ms: None,
        within_ms: None,
        interrupted: false,
        asked_again: 0,
    }
}

fn failure(message: &str) -> HandlerResult {
    HandlerResult {
        handled: false,
        succeeded: false,
        message: message.to_owned(),
        details: serde_json::Map::new(),
    }
}
