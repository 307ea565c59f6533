//! Azure's Scheduled Events: what will happen to this machine, and until when something can be done.
//!
//! The list is asked for once a second, as its documents advise ("Azure Metadata Service: Scheduled Events for
//! Linux VMs"). It goes to all machines of an availability set or a scale set, so only events that name this one
//! count; its name is read once, from `/metadata/instance/compute`. What an entry means stands in [`list`].
//!
//! **First answer.** The first question switches Scheduled Events on and may take two minutes, and again when
//! nobody has asked for a day; every other answer is expected within seconds.
//! **Identity.** An event is its `EventId`; another `NotBefore` is another happening, and so is its end. What was
//! told is remembered while this process runs: one that ends while it does not is not told to have ended.
//! **Approval** (`StartRequests`) lets an event begin before its time, for *all* machines that it names, and there
//! is no way to take it back. So nothing is approved unless `approve_after` is set, and then so long after it was
//! noticed here: no source can know when handlers are done, so who sets it says how long they take. It is sent
//! once for an event; a time later than `NotBefore` never comes.

mod list;
mod reported;

use super::{
    Notices,
    http::{Answer, HttpError, Question, Service},
    trouble::Trouble,
};
use http::Method;
use list::{List, Unreadable};
use serde_json::{Value, json};
use snooze_service_runtime::{Clocks, config::AzureSourceConfig, exit::one_line};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";
const MACHINE: &str = "/metadata/instance/compute?api-version=2021-02-01";
/// Without it the service answers 400.
const HEADERS: &[(&str, &str)] = &[("Metadata", "true")];
/// Azure switches Scheduled Events off for a machine that has not asked for so long.
const SWITCHED_OFF_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A preemption gives 30 seconds: whoever asks less often than this would miss most of them.
const LONGEST_POLL: Duration = Duration::from_secs(10);

/// How the service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: String,
    /// From one question to the next.
    pub poll_interval: Duration,
    /// How long the first answer may take.
    pub first_answer_within: Duration,
    /// How long every other answer may take.
    pub answer_within: Duration,
    /// How long after it was noticed an event is approved; never where absent.
    pub approve_after: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            endpoint: "http://169.254.169.254".to_owned(),
            // What the documents recommend: a preemption gives 30 seconds.
            poll_interval: Duration::from_secs(1),
            // The documents say two minutes.
            first_answer_within: Duration::from_secs(130),
            // A local service answers in milliseconds; a third of a preemption's notice is left for one that hangs
            // and the question after it.
            answer_within: Duration::from_secs(5),
            approve_after: None,
        }
    }
}

impl From<&AzureSourceConfig> for Settings {
    fn from(config: &AzureSourceConfig) -> Settings {
        Settings {
            endpoint: config.endpoint.clone(),
            poll_interval: config.poll_interval,
            approve_after: config.approve.then_some(config.approve_after),
            ..Settings::default()
        }
    }
}

impl Settings {
    /// The same, asking as often as is said of the types of its events. One answer has all of them, so that the most
    /// frequent counts, and that of the source is for those of which nothing is said.
    #[must_use]
    pub fn asking_for(mut self, poll_of: &BTreeMap<String, Duration>) -> Settings {
        let each = reported::TYPES.map(|event_type| poll_of.get(event_type).copied());
        let each = each.into_iter().map(|said| said.unwrap_or(self.poll_interval));
        self.poll_interval = each.fold(LONGEST_POLL, Duration::min);
        self
    }
}

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

struct Source {
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    service: Service,
    machine: Option<String>,
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
        let machine = match &self.machine {
            Some(name) => name.clone(),
            None => self.read_machine().await?,
        };
        let answer = self
            .service
            .ask(Question::get(EVENTS, HEADERS), self.limit())
            .await?;
        let body = good(EVENTS, &answer)?;
        let now = self.clocks.look();
        self.answered_ms = Some(now.boottime_ms);
        let read = self.list.read(body, &machine, now)?;
        for happening in read.happenings {
            self.notices.tell(happening).await;
        }
        // What could be read was told all the same.
        read.unreadable.map_or(Ok(()), |why| Err(why.into()))
    }

    async fn read_machine(&mut self) -> Result<String, AzureError> {
        let question = Question::get(MACHINE, HEADERS);
        let answer = self.service.ask(question, self.settings.answer_within).await?;
        let compute: Value = serde_json::from_slice(good(MACHINE, &answer)?).unwrap_or_default();
        let name = compute["name"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or(AzureError::Nameless)?.to_owned();
        self.machine = Some(name.clone());
        Ok(name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_approved_without_the_word_for_it() {
        let mut config = AzureSourceConfig::default();
        assert_eq!(Settings::from(&config), Settings::default());
        config.approve = true;
        let settings = Settings::from(&config);
        assert_eq!(settings.approve_after, Some(Duration::from_secs(60)));
    }

    #[test]
    fn one_answer_has_all_types_so_that_the_most_frequent_counts() {
        let settings = |said: &[(&str, u64)]| {
            let said = said
                .iter()
                .map(|(name, seconds)| ((*name).to_owned(), Duration::from_secs(*seconds)));
            Settings::default()
                .asking_for(&said.collect())
                .poll_interval
                .as_secs()
        };
        let (spot, end, upkeep) = (reported::TYPES[0], reported::TYPES[1], reported::TYPES[2]);
        assert_eq!(settings(&[]), 1);
        assert_eq!(settings(&[(spot, 5)]), 1, "of the others nothing is said");
        assert_eq!(settings(&[(spot, 5), (end, 7), (upkeep, 9)]), 5);
        assert_eq!(settings(&[(spot, 60), (end, 60), (upkeep, 60)]), 10);
        assert_eq!(settings(&[("custom", 9)]), 1);
    }
}
