//! The rules: what there is of them, and the way from there to what there should be.

use super::{
    Effect, Setup, SetupError,
    error::{Call, Failing},
    queues::Queue,
    steps::{Outcome, Step},
    targets::{TARGET, is_whole, target_name},
    wanted::{self, Rule, TAG},
};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    error::ProvideErrorMetadata,
    types::{RuleState, Tag, Target},
};

const KIND: &str = "rule";
/// What EventBridge says where there is none.
const NOT_FOUND: &str = "ResourceNotFoundException";

const LOOK: Call = Call {
    name: "DescribeRule",
    permission: "events:DescribeRule",
};
const TAGS: Call = Call {
    name: "ListTagsForResource",
    permission: "events:ListTagsForResource",
};
const PUT: Call = Call {
    name: "PutRule",
    permission: "events:PutRule with events:TagResource",
};
const DELETE: Call = Call {
    name: "DeleteRule",
    permission: "events:DeleteRule",
};
const LOOK_AT_BUS: Call = Call {
    name: "DescribeEventBus",
    permission: "events:DescribeEventBus",
};

/// The rules of one event bus.
pub(super) struct Rules {
    pub(super) client: Client,
    name: String,
    pub(super) event_bus: String,
    effect: Effect,
    pub(super) failing: Failing,
}

/// What there is under a name.
enum Found {
    Nothing,
    /// Somebody else's.
    Foreign,
    Ours {
        is_right: bool,
    },
}

impl Rules {
    pub(super) fn new(config: &SdkConfig, setup: &Setup, failing: Failing) -> Rules {
        Rules {
            client: Client::new(config),
            name: setup.name.as_str().to_owned(),
            event_bus: setup.event_bus.clone(),
            effect: setup.effect,
            failing,
        }
    }

    /// That the event bus is there; every account has the default one.
    pub(super) async fn expect_event_bus(&self) -> Result<(), SetupError> {
        let name = &self.event_bus;
        if name == "default" {
            return Ok(());
        }
        match self.client.describe_event_bus().name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(NOT_FOUND) => Err(SetupError::NoEventBus {
                name: name.clone(),
                region: self.failing.region.clone(),
            }),
            Err(error) => Err(self
                .failing
                .at(LOOK_AT_BUS, &format!("the event bus {name}"), &error)),
        }
    }

    /// Sees to a rule and its target. There is no queue where a dry run finds none.
    pub(super) async fn make(
        &self,
        rule: &Rule,
        queue: Option<&Queue>,
        steps: &mut Vec<Step>,
    ) -> Result<(), SetupError> {
        let found = self.look(rule).await?;
        let outcome = match found {
            Found::Foreign => return Err(self.failing.foreign(KIND, &rule.name, self.tag())),
            Found::Ours { is_right: true } => Outcome::WasThere,
            Found::Ours { is_right: false } => Outcome::Changed,
            Found::Nothing => Outcome::Made,
        };
        match (outcome, self.effect) {
            (Outcome::Made, Effect::Real) => self.put(rule, Some(vec![self.tag_of(rule)?])).await?,
            // Tags of a rule that is there would be passed over.
            (Outcome::Changed, Effect::Real) => self.put(rule, None).await?,
            _ => {}
        }
        steps.push(Step::new(KIND, &rule.name, outcome, self.effect));

        let targets = match (outcome, self.effect) {
            (Outcome::Made, Effect::DryRun) => Vec::new(),
            _ => self.targets(rule).await?,
        };
        let there = targets.iter().find(|target| target.id() == rule.queue);
        let outcome = match there {
            None => Outcome::Made,
            Some(target) if is_whole(target, rule, queue) => Outcome::WasThere,
            Some(_) => Outcome::Changed,
        };
        if let Some(queue) = queue
            && outcome != Outcome::WasThere
            && self.effect == Effect::Real
        {
            self.put_target(rule, queue).await?;
        }
        steps.push(Step::new(TARGET, target_name(rule), outcome, self.effect));
        Ok(())
    }

    /// Removes a rule and its target where they are ours; a rule that somebody gave another target stays.
    pub(super) async fn remove(&self, rule: &Rule, steps: &mut Vec<Step>) -> Result<(), SetupError> {
        let step = |outcome| Step::new(KIND, &rule.name, outcome, self.effect);
        match self.look(rule).await? {
            Found::Nothing => {
                steps.push(step(Outcome::WasNotThere));
                return Ok(());
            }
            Found::Foreign => {
                steps.push(step(Outcome::Kept).with_note(format!("it has no tag {}", self.tag())));
                return Ok(());
            }
            Found::Ours { .. } => {}
        }
        let targets = self.targets(rule).await?;
        let (ours, others): (Vec<Target>, Vec<Target>) =
            targets.into_iter().partition(|target| target.id() == rule.queue);
        if !ours.is_empty() {
            if self.effect == Effect::Real {
                self.remove_target(rule).await?;
            }
            steps.push(Step::new(
                TARGET,
                target_name(rule),
                Outcome::Removed,
                self.effect,
            ));
        }
        if let Some(other) = others.first() {
            let note = format!("it has a target that is not ours, {}", other.arn());
            steps.push(step(Outcome::Kept).with_note(note));
            return Ok(());
        }
        if self.effect == Effect::Real {
            let asked = self
                .client
                .delete_rule()
                .name(&rule.name)
                .event_bus_name(&self.event_bus);
            let deleted = asked.send().await;
            deleted.map_err(|error| self.failing.at(DELETE, &thing(rule), &error))?;
        }
        steps.push(step(Outcome::Removed));
        Ok(())
    }

    async fn look(&self, rule: &Rule) -> Result<Found, SetupError> {
        let asked = self
            .client
            .describe_rule()
            .name(&rule.name)
            .event_bus_name(&self.event_bus);
        let there = match asked.send().await {
            Ok(there) => there,
            Err(error) if error.code() == Some(NOT_FOUND) => return Ok(Found::Nothing),
            Err(error) => return Err(self.failing.at(LOOK, &thing(rule), &error)),
        };
        let arn = there.arn().unwrap_or_default();
        let asked = self.client.list_tags_for_resource().resource_arn(arn);
        let tags = match asked.send().await {
            Ok(tags) => tags,
            Err(error) if error.code() == Some(NOT_FOUND) => return Ok(Found::Nothing),
            Err(error) => return Err(self.failing.at(TAGS, &thing(rule), &error)),
        };
        let is_ours = tags
            .tags()
            .iter()
            .any(|tag| tag.key() == TAG && tag.value() == self.name);
        if !is_ours {
            return Ok(Found::Foreign);
        }
        Ok(Found::Ours {
            is_right: wanted::is_same(&rule.pattern.to_string(), there.event_pattern())
                && there.state() == Some(&RuleState::Enabled)
                && there.description() == Some(rule.description),
        })
    }

    fn tag_of(&self, rule: &Rule) -> Result<Tag, SetupError> {
        let tag = Tag::builder().key(TAG).value(&self.name).build();
        tag.map_err(|error| self.failing.call(PUT, &thing(rule), error.to_string()))
    }

    async fn put(&self, rule: &Rule, tags: Option<Vec<Tag>>) -> Result<(), SetupError> {
        let asked = self
            .client
            .put_rule()
            .name(&rule.name)
            .event_bus_name(&self.event_bus)
            .event_pattern(rule.pattern.to_string())
            .description(rule.description)
            .state(RuleState::Enabled)
            .set_tags(tags);
        let put = asked.send().await;
        put.map(drop)
            .map_err(|error| self.failing.at(PUT, &thing(rule), &error))
    }

    fn tag(&self) -> String {
        format!("{TAG}={}", self.name)
    }
}

pub(super) fn thing(rule: &Rule) -> String {
    format!("the rule {}", rule.name)
}
