//! The NATS services protocol (ADR-32, "Service API"): what `nats micro ls`, `info` and `stats` show of a
//! service whose endpoints come and go and are heard by whoever serves them.
//!
//! It answers only into inboxes (rule I3) and changes nothing. The client's own implementation is not used:
//! it answers wherever a reply is wanted, and it never forgets an endpoint.

mod counts;
mod wire;

pub use counts::RequestCounts;

use crate::{Bus, connect::Inner, error::BusError, headers, subject::SubjectFilter};
use async_nats::{Message as NatsMessage, Subscriber};
use futures_util::{StreamExt, stream::SelectAll};
use snooze_schemas::{HostId, PluginName, Timestamp};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The service that a host's plugin-runner is. The role table lets a host hear what is asked of it, and no
/// plugin, which hears what is asked of its own name: no plugin's name has an underscore.
pub const RUNNER_SERVICE: &str = "snooze_plugin_runner";

/// How long the server may take to confirm the subscriptions.
const READY_WITHIN: Duration = Duration::from_secs(5);

const VERBS: [Verb; 3] = [Verb::Ping, Verb::Info, Verb::Stats];

/// A service: one instance a host.
#[derive(Debug, Clone)]
pub struct Service {
    /// What it is called, on every host alike.
    pub name: &'static str,
    /// Where it runs. It is the instance's id too, and not made up: so the server can fence it, and no other
    /// host hears what is asked of this one.
    pub host: HostId,
    /// Its semantic version.
    pub version: &'static str,
    /// What it is, for people.
    pub description: &'static str,
    /// Since when it has counted, on the wall clock.
    pub started: Timestamp,
}

/// A part of a service that can be asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Whom it asks.
    pub name: PluginName,
    /// What is subscribed to for it.
    pub filter: SubjectFilter,
    /// What there is to say of it.
    pub metadata: BTreeMap<String, String>,
    /// How often it was asked.
    pub counts: Arc<RequestCounts>,
}

/// What is asked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Ping,
    Info,
    Stats,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Info => "INFO",
            Self::Stats => "STATS",
        }
    }
}

impl Service {
    /// Where a question reaches it: with those to every service, to every instance, and to it alone.
    fn subjects(&self, verb: Verb) -> [String; 3] {
        let (verb, name, id) = (verb.as_str(), self.name, &self.host);
        [
            format!("$SRV.{verb}"),
            format!("$SRV.{verb}.{name}"),
            format!("$SRV.{verb}.{name}.{id}"),
        ]
    }

    /// What a subject asks; nothing where it asks somebody else, as that of a message does which a server was
    /// made to deliver here.
    fn asked(&self, subject: &str) -> Option<Verb> {
        VERBS
            .into_iter()
            .find(|verb| self.subjects(*verb).iter().any(|mine| mine == subject))
    }
}

impl Bus {
    /// Subscribes to what is asked of a service. When this returns the server knows of it.
    ///
    /// A denied subscription never shows here, but is what [`BusConfig::on_denial`](crate::BusConfig::on_denial) says; where
    /// that is no end, it hears once it is allowed.
    ///
    /// # Errors
    /// When the server does not confirm within five seconds, or the connection is closed.
    pub async fn announce(&self, service: &Service) -> Result<Announcement, BusError> {
        let mut questions = SelectAll::new();
        for subject in VERBS.into_iter().flat_map(|verb| service.subjects(verb)) {
            let subscriber = self.inner.client.subscribe(subject).await;
            questions.push(subscriber.map_err(|cause| BusError::Subscribe {
                template: "$SRV.<verb>",
                source: cause.into(),
            })?);
        }
        self.flush(READY_WITHIN).await?;
        Ok(Announcement {
            service: service.clone(),
            questions,
            bus: self.clone(),
        })
    }
}

/// A service that can be asked. Dropping it ends that.
pub struct Announcement {
    service: Service,
    questions: SelectAll<Subscriber>,
    bus: Bus,
}

impl Announcement {
    /// Answers until the connection is closed, with the endpoints that there are when it is asked. Cancelling
    /// it loses a question at most, as the bus does where it is cut.
    pub async fn answer(mut self, endpoints: impl Fn() -> Vec<Endpoint>) {
        while let Some(question) = self.questions.next().await {
            if let Some((reply, verb)) = self.accept(&question) {
                let answer = wire::answer(&self.service, verb, endpoints());
                self.send(reply, answer).await;
            }
        }
    }

    /// Where an answer is wanted, and to what; nothing, counted, where a server was made to ask or the answer
    /// would be a message that the asker may not send itself (rule I3).
    fn accept<'a>(&self, question: &'a NatsMessage) -> Option<(&'a str, Verb)> {
        let reply = question.reply.as_deref()?;
        let verb = self.service.asked(question.subject.as_str());
        let is_ours = question.status.is_none()
            && headers::check_no_server_headers(question.headers.as_ref(), headers::Filed::Nowhere).is_ok();
        match verb {
            Some(verb) if is_ours && headers::is_inbox(reply) => Some((reply, verb)),
            _ => {
                self.inner().counters.add_refused();
                tracing::warn!(
                    template = "$SRV.<verb>",
                    "a question was refused: it was not sent here, or its answer is wanted where no inbox is"
                );
                None
            }
        }
    }

    async fn send(&self, reply: &str, answer: Result<Vec<u8>, serde_json::Error>) {
        // What the client keeps while there is no server would be sent when nobody waits for it.
        if self.bus.is_cut_off() {
            return;
        }
        match answer {
            Ok(body) => {
                let sent = self.inner().client.publish(reply.to_owned(), body.into()).await;
                if let Err(cause) = sent {
                    tracing::debug!(%cause, "a service's answer was not sent");
                }
            }
            Err(cause) => tracing::error!(%cause, "a service's answer cannot be written"),
        }
    }

    fn inner(&self) -> &Inner {
        &self.bus.inner
    }
}

impl std::fmt::Debug for Announcement {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Announcement")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn service() -> Service {
        Service {
            name: RUNNER_SERVICE,
            host: "web".parse().expect("a host id"),
            version: "1.2.3",
            description: "for tests",
            started: "2026-01-02T03:04:05Z".parse().expect("a time"),
        }
    }

    #[test]
    fn i5_no_plugin_can_be_called_what_the_runners_service_is() {
        assert!(RUNNER_SERVICE.parse::<PluginName>().is_err());
    }

    #[test]
    fn i3_only_what_is_asked_of_this_instance_is_a_question() {
        let service = service();
        for (subject, verb) in [
            ("$SRV.PING", Some(Verb::Ping)),
            ("$SRV.INFO.snooze_plugin_runner", Some(Verb::Info)),
            ("$SRV.STATS.snooze_plugin_runner.web", Some(Verb::Stats)),
            ("$SRV.STATS.snooze_plugin_runner.db", None),
            ("$SRV.STATS.snooze_plugin_runner.web.x", None),
            ("$SRV.STATS.other", None),
            ("$SRV.SCHEMA", None),
            ("$SRV", None),
            ("snooze.v1.ops.query", None),
        ] {
            assert_eq!(service.asked(subject), verb, "{subject}");
        }
    }
}
