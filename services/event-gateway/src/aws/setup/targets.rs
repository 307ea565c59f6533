//! The one target of each rule, which is the queue; others of a rule are somebody else's.

use super::{
    SetupError,
    error::Call,
    queues::Queue,
    rules::{Rules, thing},
    wanted::Rule,
};
use aws_sdk_eventbridge::types::Target;

pub(super) const TARGET: &str = "target";
/// A rule has five targets at most, unless an account asked for more; one answer holds a hundred.
const PAGES: usize = 10;

const TARGETS: Call = Call {
    name: "ListTargetsByRule",
    permission: "events:ListTargetsByRule",
};
const PUT_TARGETS: Call = Call {
    name: "PutTargets",
    permission: "events:PutTargets",
};
const REMOVE_TARGETS: Call = Call {
    name: "RemoveTargets",
    permission: "events:RemoveTargets",
};

impl Rules {
    pub(super) async fn targets(&self, rule: &Rule) -> Result<Vec<Target>, SetupError> {
        let mut targets = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let asked = self
                .client
                .list_targets_by_rule()
                .rule(&rule.name)
                .event_bus_name(&self.event_bus)
                .set_next_token(next);
            let answer = asked.send().await;
            let answer = answer.map_err(|error| self.failing.at(TARGETS, &thing(rule), &error))?;
            targets.extend_from_slice(answer.targets());
            next = answer.next_token;
            if next.is_none() {
                return Ok(targets);
            }
        }
        let said = format!("it has more than {} targets", targets.len());
        Err(self.failing.call(TARGETS, &thing(rule), said))
    }

    pub(super) async fn put_target(&self, rule: &Rule, queue: &Queue) -> Result<(), SetupError> {
        let target = Target::builder().id(&rule.queue).arn(&queue.arn).build();
        let target =
            target.map_err(|error| self.failing.call(PUT_TARGETS, &thing(rule), error.to_string()))?;
        let asked = self
            .client
            .put_targets()
            .rule(&rule.name)
            .event_bus_name(&self.event_bus)
            .targets(target);
        let put = asked.send().await;
        let put = put.map_err(|error| self.failing.at(PUT_TARGETS, &thing(rule), &error))?;
        // The call as a whole may succeed all the same.
        let failed = put.failed_entries().first();
        self.taken(
            PUT_TARGETS,
            rule,
            failed.map(|entry| (entry.error_code(), entry.error_message())),
        )
    }

    pub(super) async fn remove_target(&self, rule: &Rule) -> Result<(), SetupError> {
        let asked = self
            .client
            .remove_targets()
            .rule(&rule.name)
            .event_bus_name(&self.event_bus)
            .ids(&rule.queue);
        let removed = asked.send().await;
        let removed = removed.map_err(|error| self.failing.at(REMOVE_TARGETS, &thing(rule), &error))?;
        let failed = removed.failed_entries().first();
        self.taken(
            REMOVE_TARGETS,
            rule,
            failed.map(|entry| (entry.error_code(), entry.error_message())),
        )
    }

    fn taken(
        &self,
        call: Call,
        rule: &Rule,
        failed: Option<(Option<&str>, Option<&str>)>,
    ) -> Result<(), SetupError> {
        let Some((code, message)) = failed else {
            return Ok(());
        };
        let said = format!("{}: {}", code.unwrap_or("no code"), message.unwrap_or_default());
        Err(self.failing.call(call, &thing(rule), said))
    }
}

/// Whether a target sends all of an event, as it is, to this queue; a queue that a dry run does not find will have
/// the ARN that it always has.
pub(super) fn is_whole(target: &Target, rule: &Rule, queue: Option<&Queue>) -> bool {
    let leads_there = match queue {
        Some(queue) => target.arn() == queue.arn,
        None => target.arn().rsplit(':').next() == Some(&rule.queue),
    };
    leads_there
        && target.input().is_none()
        && target.input_path().is_none()
        && target.input_transformer().is_none()
}

/// What a target is called: its rule, and where it leads.
pub(super) fn target_name(rule: &Rule) -> String {
    format!("{} -> {}", rule.name, rule.queue)
}
