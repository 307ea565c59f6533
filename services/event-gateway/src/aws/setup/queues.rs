//! The two queues: what there is of them, and the way from there to what there should be.

use super::{
    Effect, Setup, SetupError,
    error::{Call, Failing},
    policy::Owner,
    queue_found::{FIND, Found, READ},
    steps::{Outcome, Step},
    wanted::{self, Attributes, TAG, Wanted},
};
use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, error::ProvideErrorMetadata, types::QueueAttributeName};
use std::{collections::HashMap, time::Duration};

const KIND: &str = "queue";
/// A queue that was just made may not be found for a second or so (API reference, `CreateQueue`).
const FOUND_AFTER: Duration = Duration::from_secs(1);
/// So often it is looked for.
const LOOKS: usize = 10;

const DELETED_RECENTLY: [&str; 2] = [
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "QueueDeletedRecently",
];

const MAKE: Call = Call {
    name: "CreateQueue",
    permission: "sqs:CreateQueue with sqs:TagQueue",
};
const CHANGE: Call = Call {
    name: "SetQueueAttributes",
    permission: "sqs:SetQueueAttributes",
};
const DELETE: Call = Call {
    name: "DeleteQueue",
    permission: "sqs:DeleteQueue",
};

/// SQS in one region.
pub(super) struct Queues {
    pub(super) client: Client,
    pub(super) name: String,
    event_bus: String,
    effect: Effect,
    pub(super) failing: Failing,
}

/// A queue that is there.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) url: String,
    pub(super) arn: String,
}

impl Queues {
    pub(super) fn new(config: &SdkConfig, setup: &Setup, failing: Failing) -> Queues {
        Queues {
            client: Client::new(config),
            name: setup.name.as_str().to_owned(),
            event_bus: setup.event_bus.clone(),
            effect: setup.effect,
            failing,
        }
    }

    /// Sees to the queue of dead letters. Whose it is; nothing where a dry run finds none.
    pub(super) async fn dead_letters(
        &self,
        wanted: &Wanted,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Owner>, SetupError> {
        let name = &wanted.dead_letters;
        let found = self.look(name).await?;
        let attributes = wanted::dead_letters();
        let Some(queue) = self.see_to(name, found, attributes, steps).await? else {
            return Ok(None);
        };
        self.owner(&queue, name).map(Some)
    }

    /// Sees to the queue that events go to, once the one of its dead letters is there.
    pub(super) async fn events(
        &self,
        wanted: &Wanted,
        dead_letters: Option<Owner>,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Queue>, SetupError> {
        let name = &wanted.queue;
        let found = self.look(name).await?;
        let (there, policy) = match &found {
            Found::Ours { attributes, .. } => (
                attributes.get(&QueueAttributeName::QueueArn).cloned(),
                attributes.get(&QueueAttributeName::Policy).map(String::as_str),
            ),
            Found::Nothing | Found::Foreign => (None, None),
        };
        let owner = dead_letters.or_else(|| Owner::of_queue(&there?));
        let attributes = match &owner {
            Some(owner) => wanted::events(wanted, &self.event_bus, owner, policy),
            // Only a dry run without either queue comes here; nothing is made of it.
            None => Attributes::new(),
        };
        self.see_to(name, found, attributes, steps).await
    }

    /// Removes it where it is ours.
    pub(super) async fn remove(&self, name: &str, steps: &mut Vec<Step>) -> Result<(), SetupError> {
        let step = |outcome| Step::new(KIND, name, outcome, self.effect);
        let (url, attributes) = match self.look(name).await? {
            Found::Nothing => {
                steps.push(step(Outcome::WasNotThere));
                return Ok(());
            }
            Found::Foreign => {
                steps.push(step(Outcome::Kept).with_note(format!("it has no tag {}", self.tag())));
                return Ok(());
            }
            Found::Ours { url, attributes } => (url, attributes),
        };
        if self.effect == Effect::Real {
            let deleted = self.client.delete_queue().queue_url(url).send().await;
            deleted.map_err(|error| self.failing.at(DELETE, &thing(name), &error))?;
        }
        let held = attributes.get(&QueueAttributeName::ApproximateNumberOfMessages);
        steps.push(match held.map(String::as_str) {
            None | Some("0") => step(Outcome::Removed),
            Some(number) => step(Outcome::Removed).with_note(format!("with about {number} messages in it")),
        });
        Ok(())
    }

    async fn see_to(
        &self,
        name: &str,
        found: Found,
        attributes: Attributes,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Queue>, SetupError> {
        let step = |outcome| Step::new(KIND, name, outcome, self.effect);
        let (url, there) = match found {
            Found::Foreign => return Err(self.failing.foreign(KIND, name, self.tag())),
            Found::Nothing if self.effect == Effect::DryRun => {
                steps.push(step(Outcome::Made));
                return Ok(None);
            }
            Found::Nothing => {
                self.make(name, attributes).await?;
                steps.push(step(Outcome::Made));
                return self.made(name).await.map(Some);
            }
            Found::Ours { url, attributes } => (url, attributes),
        };
        let differs: Vec<&str> = attributes
            .iter()
            .filter(|(key, value)| {
                let there = there.get(&QueueAttributeName::from(**key));
                !wanted::is_same(value, there.map(String::as_str))
            })
            .map(|(key, _)| *key)
            .collect();
        if differs.is_empty() {
            steps.push(step(Outcome::WasThere));
        } else {
            let note = differs.join(", ");
            if self.effect == Effect::Real {
                self.change(name, &url, attributes).await?;
            }
            steps.push(step(Outcome::Changed).with_note(note));
        }
        self.queue(name, url, &there).map(Some)
    }

    async fn make(&self, name: &str, attributes: Attributes) -> Result<(), SetupError> {
        let asked = self
            .client
            .create_queue()
            .queue_name(name)
            .set_attributes(Some(in_words_of_sqs(attributes)))
            .tags(TAG, &self.name);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_one_of(error.code(), &DELETED_RECENTLY) => Err(SetupError::DeletedRecently {
                name: name.to_owned(),
                region: self.failing.region.clone(),
            }),
            Err(error) => Err(self.failing.at(MAKE, &thing(name), &error)),
        }
    }

    /// All of ours at once, so that no moment has half of them.
    async fn change(&self, name: &str, url: &str, attributes: Attributes) -> Result<(), SetupError> {
        let asked = self
            .client
            .set_queue_attributes()
            .queue_url(url)
            .set_attributes(Some(in_words_of_sqs(attributes)));
        let changed = asked.send().await;
        changed
            .map(drop)
            .map_err(|error| self.failing.at(CHANGE, &thing(name), &error))
    }

    /// A queue that was just made, once it is found.
    async fn made(&self, name: &str) -> Result<Queue, SetupError> {
        for look in 1..=LOOKS {
            if let Found::Ours { url, attributes } = self.look(name).await? {
                return self.queue(name, url, &attributes);
            }
            if look < LOOKS {
                tokio::time::sleep(FOUND_AFTER).await;
            }
        }
        let said = format!("it was made, and is not found {LOOKS} seconds later");
        Err(self.failing.call(FIND, &thing(name), said))
    }

    fn queue(
        &self,
        name: &str,
        url: String,
        attributes: &HashMap<QueueAttributeName, String>,
    ) -> Result<Queue, SetupError> {
        match attributes.get(&QueueAttributeName::QueueArn) {
            Some(arn) => Ok(Queue {
                url,
                arn: arn.clone(),
            }),
            None => {
                let said = "the answer has no QueueArn".to_owned();
                Err(self.failing.call(READ, &thing(name), said))
            }
        }
    }

    fn owner(&self, queue: &Queue, name: &str) -> Result<Owner, SetupError> {
        Owner::of_queue(&queue.arn).ok_or_else(|| {
            let said = format!("{} is no ARN of a queue", queue.arn);
            self.failing.call(READ, &thing(name), said)
        })
    }
}

pub(super) fn is_one_of(code: Option<&str>, codes: &[&str]) -> bool {
    code.is_some_and(|code| codes.contains(&code))
}

pub(super) fn thing(name: &str) -> String {
    format!("the queue {name}")
}

fn in_words_of_sqs(attributes: Attributes) -> HashMap<QueueAttributeName, String> {
    attributes
        .into_iter()
        .map(|(key, value)| (QueueAttributeName::from(key), value))
        .collect()
}
