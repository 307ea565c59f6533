//! Makes what brings AWS's events to the gateways, and takes it away again: a queue with its dead-letter queue, and
//! the rules of an event bus that fill it.
//!
//! Run twice it changes nothing; a run that broke off is finished by the next one. Everything is tagged as it is
//! made, and what has no such tag is somebody else's: it is never changed and never removed. It reads no message
//! and tries no call twice.
//!
//! - `wanted`, `policy`: what there should be, as data.
//! - `queues`, `queue_found`, `rules`, `targets`: what there is, and the way from one to the other.
//! - `steps`: what is told of it.
//! - `error`: which call on what failed, and which permission it takes.

mod error;
mod policy;
mod queue_found;
mod queues;
mod rules;
mod steps;
mod targets;
mod wanted;

pub use error::SetupError;
pub use steps::{Outcome, Step};

use super::client::Connection;
use error::Failing;
use queues::Queues;
use rules::Rules;
use serde::Serialize;
use std::str::FromStr;
use wanted::Wanted;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where AWS is, and who asks.
    pub connection: Connection,
    /// What all names begin with.
    pub name: SetupName,
    /// The event bus whose rules they are, by its name.
    pub event_bus: String,
    /// Whether anything is changed.
    pub effect: Effect,
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is.
    Real,
    /// Only what would be is told.
    DryRun,
}

/// What the names of one set-up begin with; the value of its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupName(String);

/// Why that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 40 of A-Z a-z 0-9 _ -")]
pub struct InvalidName;

impl SetupName {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SetupName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // With the longest ending a rule's name has 64 characters at most, which is what EventBridge takes.
        let fits = (1..=40).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        fits.then(|| SetupName(text.to_owned())).ok_or(InvalidName)
    }
}

/// What was done, as far as it came.
#[derive(Debug, Default, Serialize)]
pub struct Done {
    /// One for each thing, in the order in which they were looked at.
    pub steps: Vec<Step>,
    /// What the gateways take from, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_url: Option<String>,
}

impl Setup {
    /// Makes what is missing and mends what differs.
    ///
    /// # Errors
    /// What kept it from going on; what was done before stands in `done`, and the next run goes on from there.
    pub async fn set_up(&self, done: &mut Done) -> Result<(), SetupError> {
        let (queues, rules) = self.connect().await?;
        rules.expect_event_bus().await?;
        let wanted = Wanted::named(&self.name);
        let steps = &mut done.steps;
        let dead = queues.dead_letters(&wanted, steps).await?;
        let queue = queues.events(&wanted, dead, steps).await?;
        for rule in &wanted.rules {
            rules.make(rule, queue.as_ref(), steps).await?;
        }
        done.queue_url = queue.map(|queue| queue.url);
        Ok(())
    }

    /// Removes what was made under this name, and nothing else. In the opposite order, so that nothing is sent
    /// to what is not there any more.
    ///
    /// # Errors
    /// What kept it from going on; what was done before stands in `done`, and the next run goes on from there.
    pub async fn remove(&self, done: &mut Done) -> Result<(), SetupError> {
        let (queues, rules) = self.connect().await?;
        let wanted = Wanted::named(&self.name);
        for rule in &wanted.rules {
            rules.remove(rule, &mut done.steps).await?;
        }
        queues.remove(&wanted.queue, &mut done.steps).await?;
        queues.remove(&wanted.dead_letters, &mut done.steps).await
    }

    async fn connect(&self) -> Result<(Queues, Rules), SetupError> {
        // Boxed: what finds an access key is large.
        let config = Box::pin(self.connection.sdk_config()).await;
        let region = config.region().ok_or(SetupError::NoRegion)?.to_string();
        let failing = Failing { region };
        let queues = Queues::new(&config, self, failing.clone());
        Ok((queues, Rules::new(&config, self, failing)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_service_takes_with_every_ending() {
        for name in ["a", "cloudsnooze", "Team_7-x", &"x".repeat(40)] {
            let name: SetupName = name.parse().expect("a name");
            let wanted = Wanted::named(&name);
            assert!(wanted.rules.iter().all(|rule| rule.name.len() <= 64));
            assert!(wanted.queue.len() <= 80 && wanted.dead_letters.len() <= 80);
        }
        for text in ["", "a b", "a.b", "ä", &"x".repeat(41)] {
            assert_eq!(text.parse::<SetupName>(), Err(InvalidName), "{text}");
        }
    }
}
