//! What there should be, as data: names, the patterns of the rules, the attributes of the queues.
//!
//! Pure: it asks nobody and knows no client.

use super::{
    SetupName,
    policy::{self, Owner},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The key of the tag by which a later run knows its own.
pub(super) const TAG: &str = "cloudsnooze";

/// For how long an event waits for a gateway: SQS's own default. A weekend without one loses no maintenance.
const KEEP_SECONDS: u32 = 4 * 24 * 60 * 60;
/// The longest that SQS keeps anything: what nobody could read is looked at by a person.
const KEEP_DEAD_SECONDS: u32 = 14 * 24 * 60 * 60;
/// The longest that a question waits for an answer, so that most are not asked in vain.
const WAIT_SECONDS: u32 = 20;
/// For how long one gateway has an event to itself before another may take it.
const VISIBILITY_SECONDS: u32 = 60;
/// A gateway that can file nothing prolongs what it holds; one that is restarted over and over takes an event anew
/// each time. So often it takes none that could be filed.
const RECEIVES: u32 = 100;

/// Everything that one set-up has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub(super) queue: String,
    pub(super) dead_letters: String,
    pub(super) rules: Vec<Rule>,
}

/// A rule, which has one target: the queue.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) description: &'static str,
    pub(super) pattern: Value,
    /// The queue's name, which is the id of the target too.
    pub(super) queue: String,
}

/// The attributes of a queue that are ours to say.
pub(super) type Attributes = BTreeMap<&'static str, String>;

impl Wanted {
    pub(super) fn named(name: &SetupName) -> Wanted {
        let name = name.as_str();
        let queue = format!("{name}-events");
        let rules = patterns().map(|(ending, description, pattern)| Rule {
            name: format!("{name}-{ending}"),
            description,
            pattern,
            queue: queue.clone(),
        });
        Wanted {
            dead_letters: format!("{name}-events-dead"),
            rules: rules.to_vec(),
            queue,
        }
    }
}

/// What concerns a fleet, by the bodies that the sources send (EventBridge event reference: "Amazon EC2", "AWS
/// Health", "Amazon EC2 Auto Scaling").
fn patterns() -> [(&'static str, &'static str, Value); 5] {
    [
        (
            "spot-interruption",
            "Spot instances that are interrupted in two minutes, for CloudSnooze",
            json!({
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Spot Instance Interruption Warning"],
            }),
        ),
        (
            "rebalance",
            "Spot instances that are likely to be interrupted, for CloudSnooze",
            json!({
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Instance Rebalance Recommendation"],
            }),
        ),
        (
            "instance-state",
            "Instances that are terminated, for CloudSnooze",
            json!({
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Instance State-change Notification"],
                "detail": {"state": ["shutting-down", "terminated"]},
            }),
        ),
        (
            "scheduled-change",
            "Maintenance of instances that AWS Health announces, for CloudSnooze",
            json!({
                "source": ["aws.health"],
                "detail-type": ["AWS Health Event"],
                "detail": {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]},
            }),
        ),
        (
            "lifecycle",
            "Lifecycle hooks of Auto Scaling groups, for CloudSnooze",
            json!({
                "source": ["aws.autoscaling"],
                "detail-type": [
                    "EC2 Instance-launch Lifecycle Action",
                    "EC2 Instance-terminate Lifecycle Action",
                ],
            }),
        ),
    ]
}

/// Of the queue of dead letters.
pub(super) fn dead_letters() -> Attributes {
    Attributes::from([("MessageRetentionPeriod", KEEP_DEAD_SECONDS.to_string())])
}

/// Of the queue; `policy` is the one that it has so far.
pub(super) fn events(wanted: &Wanted, event_bus: &str, owner: &Owner, policy: Option<&str>) -> Attributes {
    let redrive = json!({
        "deadLetterTargetArn": owner.queue(&wanted.dead_letters),
        "maxReceiveCount": RECEIVES,
    });
    let rules = wanted.rules.iter().map(|rule| owner.rule(event_bus, &rule.name));
    let rules: Vec<String> = rules.collect();
    let policy = policy::letting(policy, owner, &owner.queue(&wanted.queue), &rules);
    Attributes::from([
        ("ReceiveMessageWaitTimeSeconds", WAIT_SECONDS.to_string()),
        ("VisibilityTimeout", VISIBILITY_SECONDS.to_string()),
        ("MessageRetentionPeriod", KEEP_SECONDS.to_string()),
        ("RedrivePolicy", redrive.to_string()),
        ("Policy", policy.to_string()),
    ])
}

/// Whether what is there says the same; numbers and policies as what they mean, not as they are written.
pub(super) fn is_same(wanted: &str, there: Option<&str>) -> bool {
    let Some(there) = there else { return false };
    let parsed = |text| serde_json::from_str::<Value>(text).ok();
    match (parsed(wanted), parsed(there)) {
        (Some(wanted), Some(there)) => plain(wanted) == plain(there),
        _ => wanted == there,
    }
}

/// AWS gives the number of a redrive policy back as a text or as a number, as it was set.
fn plain(mut value: Value) -> Value {
    if let Some(number) = value.get_mut("maxReceiveCount")
        && let Some(text) = number.as_str()
    {
        *number = text.parse::<u64>().map_or(Value::Null, Value::from);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_no_difference() {
        assert!(is_same("20", Some("20")) && !is_same("20", Some("0")) && !is_same("20", None));
        assert!(is_same(r#"{"a":1,"b":[2]}"#, Some(r#"{ "b": [2], "a": 1 }"#)));
        let redrive =
            |count: Value| json!({"deadLetterTargetArn": "x", "maxReceiveCount": count}).to_string();
        assert!(is_same(&redrive(json!(100)), Some(&redrive(json!("100")))));
        assert!(!is_same(&redrive(json!(100)), Some(&redrive(json!(99)))));
    }
}
