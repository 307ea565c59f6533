//! One question to a process, and its answer: whose turn it is, how long it may take, what a failure costs.

use super::{Errand, StdioPlugin, slot::Lent, turns::Urgency};
use crate::{
    line::{self, Line, Method, PluginSaid},
    pipes::{PipeError, Pipes},
};
use serde::Serialize;
use serde_json::Value;
use snooze_schemas::EventId;
use std::{ops::RangeInclusive, time::Duration};
use tokio::time::{Instant, timeout_at};

/// So many lines that answer something else are dropped in one call before it counts as a flood.
const STRAY_LIMIT: u32 = 64;

/// The ids of questions have at most 14 digits: so many survive every usual reader and writer of JSON numbers, those of
/// JavaScript and jq (53 bits) and of Lua (14 digits) among them.
const IDS: RangeInclusive<u64> = 1..=99_999_999_999_999;

/// The id of a question. Nobody can know it before the question is read: what was written earlier, by whomever,
/// answers nothing.
fn drawn() -> u64 {
    rand::random_range(IDS)
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It is being started for the first time; nothing is known of it yet, neither good nor bad.
    #[error("it is being started")]
    Starting,
    /// The process is not running now.
    #[error("it is not running: {0}")]
    NotRunning(String),
    /// That it is asked could not be noted first, so that it was not asked.
    #[error("it was not asked: {0}")]
    NotBegun(String),
    /// It was still busy with an earlier call when it should have been its turn. The process is left alone.
    #[error("it was busy with an earlier request for {} ms", .0.as_millis())]
    Occupied(Duration),
    /// It did not answer in time.
    #[error("it did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It did not answer in time, and wrote something else meanwhile.
    #[error(
        "it did not answer within {} ms; what it wrote bears another id than the question, or none, and was dropped (lines: {strays})",
        within.as_millis()
    )]
    AnsweredElse {
        /// The time.
        within: Duration,
        /// How many answers to something else came.
        strays: u64,
    },
    /// Something critical waited for too long.
    #[error("it was ended while it was at work, because the critical event {0} waited for it")]
    GaveWay(EventId),
    /// Its pipes failed: it crashed, closed them, or wrote a line without end.
    #[error("{0}")]
    Pipe(#[from] PipeError),
    /// It wrote something that is not of the protocol.
    #[error("it wrote something that is no JSON object of the protocol: {0}")]
    Garbage(String),
    /// It wrote answers to questions that were not asked.
    #[error("it floods its stdout with answers that nobody asked for")]
    Flood,
    /// It answered that it failed.
    #[error("{0}")]
    Said(#[from] PluginSaid),
    /// The question has no form in JSON.
    #[error("the question cannot be written as JSON")]
    Write(#[source] serde_json::Error),
}

impl CallError {
    /// Whether the plugin says that it does not know the method.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        matches!(self, Self::Said(said) if said.unknown_method)
    }

    /// Whether the process was never given the question: there was none, or it did not read any more.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(
            self,
            Self::Starting | Self::NotRunning(_) | Self::Pipe(PipeError::StdinClosed)
        )
    }

    /// Whether the process ended over the question, so that it is not known what it did.
    pub(crate) fn is_crash(&self) -> bool {
        matches!(self, Self::Pipe(PipeError::StdoutClosed | PipeError::Pipe(_)))
    }

    /// Whether its work was ended before it had answered, so that it is not known what it did.
    pub(crate) fn is_interruption(&self) -> bool {
        self.is_crash() || matches!(self, Self::GaveWay(_))
    }

    /// Whether the process may be asked again as it is.
    fn leaves_it_usable(&self) -> bool {
        matches!(
            self,
            Self::Said(_) | Self::Occupied(_) | Self::NotRunning(_) | Self::NotBegun(_) | Self::Write(_)
        )
    }
}

/// How long a question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until it is its turn.
    pub queue: Duration,
    /// From then on.
    pub own: Duration,
}

impl From<Duration> for Limits {
    /// The same for both.
    fn from(limit: Duration) -> Limits {
        Limits {
            queue: limit,
            own: limit,
        }
    }
}

impl StdioPlugin {
    /// Asks one question. It waits for others and for what is more urgent; the process has its own time from
    /// when it is its turn.
    ///
    /// # Errors
    /// Why there is no result. Cancelling it in the middle costs the process.
    pub async fn call(
        &self,
        method: Method,
        params: &impl Serialize,
        limits: impl Into<Limits>,
    ) -> Result<Value, CallError> {
        let limits = limits.into();
        let lent = self.borrow(method, Urgency::Question, limits.queue).await?;
        self.exchange(lent, method, params, limits.own).await
    }

    /// Asks one question that is of no use later: waiting for other questions counts towards the limit. What is critical
    /// waits for a part of it only, and then ends the work of what is less so.
    /// What is asked may depend on how much of it is left, and is made when it is its turn. Nothing is written before
    /// `begins` has come to its end, which begins only then: who never had a turn has not begun.
    ///
    /// # Errors
    /// Why there is no result. Cancelling it in the middle costs the process.
    pub async fn call_by<P: Serialize>(
        &self,
        method: Method,
        errand: Errand,
        within: Duration,
        begins: impl Future<Output = Result<(), String>>,
        params: impl FnOnce(Duration) -> P,
    ) -> Result<Value, CallError> {
        let deadline = Instant::now() + within;
        let lent = self.borrow_by(method, &errand, deadline).await?;
        let begun = begins.await;
        let left = deadline.saturating_duration_since(Instant::now());
        let begun = begun.and_then(|()| match left {
            // It would be killed for an answer that it had no time to give.
            Duration::ZERO => Err("its time was over when it was its turn".to_owned()),
            _ => Ok(()),
        });
        if let Err(why) = begun {
            lent.give_back();
            return Err(CallError::NotBegun(why));
        }
        self.exchange(lent, method, &params(left), left).await
    }

    async fn exchange(
        &self,
        mut lent: Lent<'_>,
        method: Method,
        params: &impl Serialize,
        within: Duration,
    ) -> Result<Value, CallError> {
        let (deadline, strays) = (Instant::now() + within, self.strays());
        let gives_way = lent.gives_way();
        let conversed = self.converse(&mut lent.wire().pipes, method, params);
        let outcome = tokio::select! {
            biased;
            outcome = timeout_at(deadline, conversed) => match outcome {
                Ok(outcome) => outcome,
                Err(_) => Err(self.late(within, strays)),
            },
            // What is cancelled then costs the process, as every answer does that is not waited for.
            event = gives_way.wait() => Err(CallError::GaveWay(event.clone())),
        };
        match &outcome {
            Err(error @ CallError::GaveWay(_)) => {
                self.note_down();
                lent.give_way(&error.to_string());
            }
            Err(error) if !error.leaves_it_usable() => {
                self.note_down();
                lent.discard(&error.to_string());
            }
            Ok(_) | Err(_) => lent.give_back(),
        }
        outcome
    }

    /// Why there is no answer in time. Whoever answers by another id looks silent, and is not.
    pub(super) fn late(&self, within: Duration, strays_before: u64) -> CallError {
        match self.strays().saturating_sub(strays_before) {
            0 => CallError::TimedOut(within),
            strays => CallError::AnsweredElse { within, strays },
        }
    }

    pub(super) async fn converse(
        &self,
        pipes: &mut Pipes,
        method: Method,
        params: &impl Serialize,
    ) -> Result<Value, CallError> {
        let id = self.pose(pipes, method, params).await?;
        self.answer_to(pipes, method, id).await
    }

    pub(super) async fn pose(
        &self,
        pipes: &mut Pipes,
        method: Method,
        params: &impl Serialize,
    ) -> Result<u64, CallError> {
        let id = drawn();
        let question = line::request(self.dialect(), method, params, id).map_err(CallError::Write)?;
        pipes.write_line(&question).await?;
        Ok(id)
    }

    /// Cancelling it loses the answer and nothing else: a late one is known by its id for what it is.
    pub(super) async fn answer_to(
        &self,
        pipes: &mut Pipes,
        method: Method,
        id: u64,
    ) -> Result<Value, CallError> {
        let mut strays = 0;
        loop {
            match line::read(&pipes.read_line().await?, method, id) {
                Line::Result(result) => return Ok(result),
                Line::Error(said) => return Err(CallError::Said(said)),
                Line::Garbage(why) => return Err(CallError::Garbage(why)),
                Line::Stray => {
                    self.note_stray();
                    strays += 1;
                    if strays > STRAY_LIMIT {
                        return Err(CallError::Flood);
                    }
                }
            }
        }
    }
}
