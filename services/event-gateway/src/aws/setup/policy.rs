//! Who may send to the queue: these rules of this account, beside whom others have let in.
//!
//! Pure: it asks nobody and knows no client.

use serde_json::{Value, json};

/// The statement of the queue's policy that is ours.
const SID: &str = "CloudSnoozeRules";

/// Whose all of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
}

impl Owner {
    /// From the ARN of a queue: `arn:<partition>:sqs:<region>:<account>:<name>`.
    pub(super) fn of_queue(arn: &str) -> Option<Owner> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "sqs", region, account, _] = parts[..] else {
            return None;
        };
        Some(Owner {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
        })
    }

    pub(super) fn queue(&self, name: &str) -> String {
        let Owner {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:sqs:{region}:{account}:{name}")
    }

    pub(super) fn rule(&self, event_bus: &str, name: &str) -> String {
        let Owner {
            partition,
            region,
            account,
        } = self;
        // The default bus is not named in its rules' ARNs.
        let path = match event_bus {
            "default" => name.to_owned(),
            bus => format!("{bus}/{name}"),
        };
        format!("arn:{partition}:events:{region}:{account}:rule/{path}")
    }
}

/// A queue's policy that lets rules send to it, from the one that it has so far.
pub(super) fn letting(policy: Option<&str>, owner: &Owner, queue: &str, rules: &[String]) -> Value {
    let statement = json!({
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": rules},
            "StringEquals": {"aws:SourceAccount": owner.account},
        },
    });
    policy_with(policy, statement)
}

/// A policy with our statement in it, and every other as it was: somebody may let a topic send here too.
fn policy_with(policy: Option<&str>, statement: Value) -> Value {
    let mut policy = policy
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({"Version": "2012-10-17"}));
    let mut statements = match policy["Statement"].take() {
        Value::Array(statements) => statements,
        // One may stand there by itself.
        Value::Null => Vec::new(),
        one => vec![one],
    };
    match statements.iter_mut().find(|other| other["Sid"] == SID) {
        Some(ours) => *ours = statement,
        None => statements.push(statement),
    }
    policy["Statement"] = Value::Array(statements);
    policy
}

#[cfg(test)]
mod tests {
    use super::{
        super::wanted::{Attributes, Wanted, events},
        *,
    };

    fn wanted() -> Wanted {
        Wanted::named(&"cs".parse().expect("a name"))
    }

    fn owner() -> Owner {
        Owner::of_queue("arn:aws-cn:sqs:cn-north-1:123456789012:cs-events").expect("an ARN")
    }

    fn policy(attributes: &Attributes) -> Value {
        serde_json::from_str(&attributes["Policy"]).expect("JSON")
    }

    #[test]
    fn only_these_rules_of_this_account_may_send() {
        for (event_bus, path) in [("default", "rule/cs-"), ("own", "rule/own/cs-")] {
            let attributes = events(&wanted(), event_bus, &owner(), None);
            let policy = policy(&attributes);
            let [statement] = policy["Statement"].as_array().expect("a list").as_slice() else {
                panic!("{policy}");
            };
            assert_eq!(statement["Action"], "sqs:SendMessage");
            assert_eq!(
                statement["Resource"],
                "arn:aws-cn:sqs:cn-north-1:123456789012:cs-events"
            );
            let condition = &statement["Condition"];
            assert_eq!(condition["StringEquals"]["aws:SourceAccount"], "123456789012");
            let rules = condition["ArnEquals"]["aws:SourceArn"]
                .as_array()
                .expect("a list");
            assert_eq!(rules.len(), wanted().rules.len());
            for rule in rules {
                let arn = rule.as_str().expect("a text");
                let begins = format!("arn:aws-cn:events:cn-north-1:123456789012:{path}");
                assert!(arn.starts_with(&begins) && !arn.contains('*'), "{arn}");
            }
        }
    }

    #[test]
    fn statements_of_others_stay_and_ours_is_there_once() {
        let others = json!({"Version": "2012-10-17", "Id": "x", "Statement": [
            {"Sid": "Topic", "Effect": "Allow"}, {"Sid": SID, "Effect": "Deny"}, {"Effect": "Deny"},
        ]});
        let once = policy(&events(&wanted(), "default", &owner(), Some(&others.to_string())));
        let sids: Vec<&Value> = once["Statement"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["Sid"])
            .collect();
        assert_eq!(sids, [&json!("Topic"), &json!(SID), &Value::Null]);
        assert_eq!(once["Id"], "x");
        assert_eq!(once["Statement"][1]["Effect"], "Allow", "ours is mended");
        let twice = policy(&events(&wanted(), "default", &owner(), Some(&once.to_string())));
        assert_eq!(twice, once);
        let alone = json!({"Statement": {"Sid": "Alone"}}).to_string();
        let beside = policy(&events(&wanted(), "default", &owner(), Some(&alone)));
        assert_eq!(beside["Statement"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn what_is_no_arn_of_a_queue_names_no_owner() {
        for arn in ["", "arn:aws:sqs:r:1", "arn:aws:sns:r:1:x", "arn:aws:sqs:r:1:x:y"] {
            assert_eq!(Owner::of_queue(arn), None, "{arn}");
        }
    }
}
