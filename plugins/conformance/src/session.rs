//! One case, step by step, with a process of its own.
//!
//! Every wait has a deadline. What goes wrong is a [`Failure`], never an error of the suite's own.

use crate::{
    case::{Ask, Case, Form, Step},
    nats::NatsPlugin,
    pattern::{Seen, hold},
    process::{Program, Running, Starter},
    report::Failure,
    run::Limits,
    wire,
};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// So many characters of an answer are shown; the rest says little.
const SHOWN: usize = 400;

/// So many lines may come before the one that is awaited, where a case allows any.
const PAST: usize = 8;

/// Who is asked.
pub(crate) enum Channel<'a> {
    Process(Box<Running>),
    Nats(&'a NatsPlugin),
}

/// A case under way.
pub(crate) struct Session<'a> {
    channel: Channel<'a>,
    form: Form,
    limits: &'a Limits,
    /// Until the first answer there is more patience: an interpreter has to start.
    answered: bool,
    next_id: u64,
    seen: Seen,
}

impl<'a> Session<'a> {
    /// Starts a process for a case.
    pub(crate) fn with_process(
        program: &Program,
        form: Form,
        limits: &'a Limits,
    ) -> Result<Session<'a>, Failure> {
        match Running::start(program) {
            Ok(running) => Ok(Session::new(Channel::Process(Box::new(running)), form, limits)),
            Err(cause) => {
                let why =
                    std::error::Error::source(&cause).map_or_else(String::new, |why| format!(": {why}"));
                Err(Failure::new(
                    "a plugin that can be started",
                    format!("{cause}{why}"),
                ))
            }
        }
    }

    /// Lets a process be started for a case.
    pub(crate) async fn with_started(
        starter: &Starter,
        form: Form,
        limits: &'a Limits,
    ) -> Result<Session<'a>, Failure> {
        let started = starter.start().await.and_then(|adopted| {
            Running::adopt(adopted).map_err(|cause| format!("watch for its end: {cause}"))
        });
        match started {
            Ok(running) => Ok(Session::new(Channel::Process(Box::new(running)), form, limits)),
            Err(why) => Err(Failure::new("a plugin that can be started", why)),
        }
    }

    /// Asks a plugin on the bus.
    pub(crate) fn with_nats(plugin: &'a NatsPlugin, form: Form, limits: &'a Limits) -> Session<'a> {
        let mut session = Session::new(Channel::Nats(plugin), form, limits);
        // It is there already.
        session.answered = true;
        session
            .seen
            .insert("plugin".to_owned(), plugin.plugin.as_str().into());
        session
    }

    fn new(channel: Channel<'a>, form: Form, limits: &'a Limits) -> Session<'a> {
        Session {
            channel,
            form,
            limits,
            answered: false,
            next_id: 1,
            seen: Seen::new(),
        }
    }

    /// Takes every step of a case.
    pub(crate) async fn play(&mut self, case: &Case) -> Result<(), Failure> {
        for (index, step) in case.steps.iter().enumerate() {
            if let Err(failure) = self.step(step).await {
                let log = match &mut self.channel {
                    Channel::Process(running) => running.last_words().await,
                    Channel::Nats(_) => String::new(),
                };
                return Err(Failure {
                    step: index + 1,
                    log,
                    ..failure
                });
            }
        }
        Ok(())
    }

    /// Leaves nothing of it behind.
    pub(crate) async fn finish(&mut self) {
        if let Channel::Process(running) = &mut self.channel {
            running.finish().await;
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Ask(ask) => self.ask(ask).await,
            Step::Either { ways } => {
                let mut failed = Failure::new("a way", "none".to_owned());
                for way in ways {
                    match self.ask(way).await {
                        Ok(()) => return Ok(()),
                        Err(failure) => failed = failure,
                    }
                }
                Err(failed)
            }
            Step::Write { what, cut } => self.write(&wire::bytes(self.form, what), cut).await,
            Step::Read { expect, past } => {
                let mut answer = self.read("").await?;
                for _ in 0..PAST {
                    let before = past
                        .as_ref()
                        .is_some_and(|past| hold(past, Some(&answer), &mut self.seen.clone()).is_ok());
                    if !before {
                        break;
                    }
                    answer = self.read("").await?;
                }
                self.check("", expect, &answer)
            }
            Step::Close => {
                self.process()?.close();
                Ok(())
            }
            Step::Terminate => {
                self.process()?.terminate();
                Ok(())
            }
            Step::End { code } => self.end(*code).await,
            Step::Silence => self.silence().await,
            Step::Body { method, what, expect } => {
                let body = wire::bytes(self.form, what);
                let patience = self.patience();
                let answer = self.nats()?.send(method, None, &body, patience).await?;
                self.check(method, expect, &answer)
            }
            Step::Service { subject, expect } => {
                let patience = self.patience();
                let answer = self.nats()?.service(subject, patience).await?;
                self.check(subject, expect, &answer)
            }
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<(), Failure> {
        let patience = self.patience();
        let answer = match &self.channel {
            Channel::Nats(plugin) => plugin.ask(self.form, ask, patience).await?,
            Channel::Process(_) => {
                let id = ask.id.unwrap_or(self.next_id);
                self.next_id += 1;
                let question = wire::question(self.form, &ask.method, &ask.params, id);
                self.write(&question, &[]).await?;
                let answer = self.read(&ask.method).await?;
                if answer.get("id").and_then(Value::as_u64) != Some(id) {
                    let expected = format!("an answer to {} with the id {id}", ask.method);
                    return Err(Failure::new(expected, shown(&answer.to_string())));
                }
                answer
            }
        };
        self.check(&ask.method, &ask.expect, &answer)
    }

    fn check(&mut self, asked: &str, expect: &Value, answer: &Value) -> Result<(), Failure> {
        hold(expect, Some(answer), &mut self.seen).map_err(|mismatch| {
            let place = if mismatch.at.is_empty() {
                "its answer"
            } else {
                &mismatch.at
            };
            let to = if asked.is_empty() {
                String::new()
            } else {
                format!(" to {asked}")
            };
            let expected = format!("{place}{to}: {}", shown(&mismatch.expected));
            Failure::new(expected, shown(&answer.to_string()))
        })
    }

    async fn write(&mut self, bytes: &[u8], cut: &[usize]) -> Result<(), Failure> {
        let limit = self.limits.answer.max(self.patience());
        let running = self.process()?;
        let written = async {
            let mut from = 0;
            for end in cut.iter().copied().chain([bytes.len()]) {
                let end = end.clamp(from, bytes.len());
                running.write(&bytes[from..end]).await?;
                if end < bytes.len() {
                    running.has_read().await?;
                }
                from = end;
            }
            Ok::<(), std::io::Error>(())
        };
        match timeout(limit, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => {
                let came = format!("it does not read its standard input any more ({cause})");
                Err(Failure::new("a plugin that reads what it is asked", came))
            }
            Err(_) => Err(Failure::new(
                "a plugin that reads what it is asked",
                nothing(limit),
            )),
        }
    }

    async fn read(&mut self, method: &str) -> Result<Value, Failure> {
        let limit = self.patience();
        let form = self.form;
        let running = self.process()?;
        let line = match timeout(limit, running.line()).await {
            Ok(Ok(line)) => line,
            Ok(Err(why)) => return Err(Failure::new("an answer", why.to_string())),
            Err(_) => return Err(Failure::new("an answer", nothing(limit))),
        };
        self.answered = true;
        wire::answer(form, &line, method)
            .map_err(|expected| Failure::new(expected, shown(&String::from_utf8_lossy(&line))))
    }

    async fn end(&mut self, code: Option<i32>) -> Result<(), Failure> {
        let limit = self.limits.end;
        let running = self.process()?;
        let ending = timeout(limit, running.ended()).await.map_err(|_| {
            let expected = format!("its end within {} ms", limit.as_millis());
            Failure::new(expected, "it goes on running".to_owned())
        })?;
        match code {
            Some(code) if ending != crate::process::Ending::Exited(code) => {
                let expected = format!("its end with exit code {code}");
                Err(Failure::new(expected, ending.to_string()))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn silence(&mut self) -> Result<(), Failure> {
        let limit = self.limits.end;
        let running = self.process()?;
        let expected = "the end of its standard output and nothing before";
        match timeout(limit, running.line()).await {
            Ok(Ok(line)) => Err(Failure::new(expected, shown(&String::from_utf8_lossy(&line)))),
            Ok(Err(crate::process::NoLine::Closed)) => Ok(()),
            Ok(Err(why)) => Err(Failure::new(expected, why.to_string())),
            Err(_) => Err(Failure::new(expected, nothing(limit))),
        }
    }

    fn patience(&self) -> Duration {
        if self.answered {
            self.limits.answer
        } else {
            self.limits.start
        }
    }

    fn process(&mut self) -> Result<&mut Running, Failure> {
        match &mut self.channel {
            Channel::Process(running) => Ok(running),
            Channel::Nats(_) => Err(Failure::new(
                "a case for the bus",
                "a step for a process".to_owned(),
            )),
        }
    }

    fn nats(&self) -> Result<&'a NatsPlugin, Failure> {
        match &self.channel {
            Channel::Nats(plugin) => Ok(plugin),
            Channel::Process(_) => Err(Failure::new(
                "a case for a process",
                "a step for the bus".to_owned(),
            )),
        }
    }
}

fn nothing(limit: Duration) -> String {
    format!("nothing within {} ms", limit.as_millis())
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
