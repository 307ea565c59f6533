//! Azure's Scheduled Events: what will happen to this machine, and until when something can be done.
//!
//! The list is asked for once a second, as its documents advise ("Azure Metadata Service: Scheduled Events for
//! Linux VMs"). It goes to all machines of an availability set or a scale set, so only events that name this one
//! count; its name is read once, from `/metadata/instance/compute`. What an entry means stands in [`list`].
//!
//! **First answer.** The first question switches Scheduled Events on and may take two minutes, and again when
//! nobody has asked for a day; every other answer is expected within seconds.
//! **Identity.** An event is its `EventId`; another `NotBefore` is another happening, and so is its end. What was
//! told is kept in a file: one that ends while this process does not run is told to have ended after its start.
//! **Approval** (`StartRequests`) lets an event begin before its time, for *all* machines that it names, and there
//! is no way to take it back. So nothing is approved unless `approve_after` is set, and then so long after it was
//! noticed here: no source can know when handlers are done, so who sets it says how long they take. It is sent
//! once for an event; a time later than `NotBefore` never comes.

mod list;
mod reported;
mod settings;

pub use settings::Settings;

use super::{
    Notices,
    http::{Answer, HttpError, Question, Service},
    kept::Keeper,
    trouble::Trouble,
};
use crate::happening::Happening;
use http::Method;
use list::{List, Remembered, Unreadable};
use serde_json::{Value, json};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";
const MACHINE: &str = "/metadata/instance/compute?api-version=2021-02-01";
/// Without it the service answers 400.
const HEADERS: &[(&str, &str)] = &[("Metadata", "true")];
/// Azure switches Scheduled Events off for a machine that has not asked for so long.
const SWITCHED_OFF_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks until shutdown. What is cut off by it is noticed again after the next start.
///
/// # Errors
/// Never: what cannot be read is said, and asked again.
pub async fn watch(
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    match Service::at(&settings.endpoint) {
        Ok(service) => {
            let source = Source {
                settings,
                clocks,
                notices,
                service,
                machine: None,
                answered_ms: None,
                list: List::default(),
                reading: Trouble::with("Azure's Scheduled Events"),
                approving: Trouble::now_and_then_with("approving Azure's Scheduled Events"),
            };
            shutdown.run_until_cancelled(source.poll()).await;
        }
        Err(error) => {
            let error = one_line(&error);
            tracing::error!(
                error,
                "set event_sources.azure.endpoint; nothing is noticed until then"
            );
            shutdown.cancelled().await;
        }
    }
    Ok(())
}

/// Why it is not known what is scheduled, or an event was not approved.
#[derive(Debug, thiserror::Error)]
enum AzureError {
    #[error("the metadata service did not answer")]
    Unanswered(#[from] HttpError),
    #[error("the metadata service answered {path} with status {status}")]
    Status { path: &'static str, status: u16 },
    #[error("the answer to {MACHINE} does not name this machine, so no event is known to concern it")]
    Nameless,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// This machine, and the file of what was told of it.
struct Machine {
    name: String,
    keeper: Keeper<Remembered>,
}

struct Source {
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    service: Service,
    machine: Option<Machine>,
    answered_ms: Option<u64>,
    list: List,
    reading: Trouble,
    approving: Trouble,
}

impl Source {
    async fn poll(mut self) -> Infallible {
        loop {
            let asked_at = Instant::now();
            match self.read().await {
                Ok(()) => drop(self.reading.over()),
                Err(error) => drop(self.reading.met(&error)),
            }
            if let Some(after) = self.settings.approve_after {
                self.approve(after).await;
            }
            sleep_until(asked_at + self.settings.poll_interval).await;
        }
    }

    async fn read(&mut self) -> Result<(), AzureError> {
        let mut machine = match self.machine.take() {
            Some(machine) => machine,
            None => self.read_machine().await?,
        };
        let read = self.read_list(&mut machine).await;
        self.machine = Some(machine);
        read
    }

    async fn read_list(&mut self, machine: &mut Machine) -> Result<(), AzureError> {
        let answer = self
            .service
            .ask(Question::get(EVENTS, HEADERS), self.limit())
            .await?;
        let body = good(EVENTS, &answer)?;
        let now = self.clocks.look();
        self.answered_ms = Some(now.boottime_ms);
        let read = self.list.read(body, &machine.name, now)?;
        self.keep(machine, read.happenings).await;
        // What could be read was told all the same.
        read.unreadable.map_or(Ok(()), |why| Err(why.into()))
    }

    async fn keep(&self, machine: &mut Machine, noticed: Vec<Happening>) {
        let remembered = self.list.remembered(&machine.name);
        machine.keeper.keep(&remembered, noticed, &self.notices).await;
    }

    /// Reads which machine this is, and takes up what was told of it before.
    async fn read_machine(&mut self) -> Result<Machine, AzureError> {
        let question = Question::get(MACHINE, HEADERS);
        let answer = self.service.ask(question, self.settings.answer_within).await?;
        let compute: Value = serde_json::from_slice(good(MACHINE, &answer)?).unwrap_or_default();
        let name = compute["name"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or(AzureError::Nameless)?.to_owned();
        let kept = self.settings.kept.clone();
        let (keeper, before) = Keeper::open(reported::SOURCE, kept, |it: &Remembered| it.is_of(&name)).await;
        if let Some(before) = before {
            self.list = List::resumed(before, self.clocks.boottime_ms());
        }
        let mut machine = Machine { name, keeper };
        // What the desk may not have yet waits for no list.
        self.keep(&mut machine, Vec::new()).await;
        Ok(machine)
    }

    fn limit(&self) -> Duration {
        let now = self.clocks.boottime_ms();
        let since = |then: u64| Duration::from_millis(now.saturating_sub(then));
        match self.answered_ms {
            Some(then) if since(then) < SWITCHED_OFF_AFTER => self.settings.answer_within,
            _ => self.settings.first_answer_within,
        }
    }

    /// Approves one event that is due; the next one's turn is at the next question.
    async fn approve(&mut self, after: Duration) {
        let Some(id) = self.list.due(self.clocks.boottime_ms(), after) else {
            return;
        };
        let body = json!({ "StartRequests": [{ "EventId": id }] }).to_string();
        let question = Question {
            method: &Method::POST,
            path: EVENTS,
            headers: &[HEADERS[0], ("Content-Type", "application/json")],
            body: &body,
        };
        let asked = self.service.ask(question, self.settings.answer_within).await;
        let done = match asked {
            Ok(answer) => good(EVENTS, &answer).map(drop),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => {
                tracing::info!(event = id, "approved a scheduled event: Azure may begin it now");
                self.list.approved(&id);
                self.approving.over();
            }
            Err(error) => {
                // A refusal would be the same again; anything else is tried at the next question, as is what is
                // refused for now: late, gone for a moment, or asked too often.
                let is_final =
                    |status: u16| matches!(status, 400..=499) && ![408, 410, 429].contains(&status);
                if matches!(error, AzureError::Status { status, .. } if is_final(status)) {
                    self.list.approved(&id);
                }
                self.approving.met(&error);
            }
        }
    }
}

fn good<'a>(path: &'static str, answer: &'a Answer) -> Result<&'a [u8], AzureError> {
    match answer.status {
        200 => Ok(&answer.body),
        status => Err(AzureError::Status { path, status }),
    }
}
