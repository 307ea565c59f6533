//! What is installed by hand says what the code does: the IAM policies and the systemd unit.

use crate::expect_none;
use snooze_workspace_rules::{root, sources};
use std::collections::BTreeSet;

fn deployed(name: &str) -> String {
    let path = root().join("deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The actions that a policy allows.
fn allowed(policy: &str) -> BTreeSet<String> {
    let policy: serde_json::Value = serde_json::from_str(&deployed(policy)).expect("a policy is JSON");
    let statements = policy["Statement"].as_array().expect("a policy has statements");
    statements
        .iter()
        .flat_map(|statement| match &statement["Action"] {
            serde_json::Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        })
        .map(|action| action.as_str().expect("an action is a text").to_owned())
        .collect()
}

/// The EC2 actions that the executor asks for.
fn asked() -> BTreeSet<String> {
    const VERBS: [&str; 6] = ["describe_", "stop_", "start_", "create_", "delete_", "modify_"];
    let asked = asked_below("services/snooze-executor/src/provider/aws", &VERBS);
    asked.into_iter().map(|action| format!("ec2:{action}")).collect()
}

/// The actions that code asks for: `client.stop_instances()` is `StopInstances`.
fn asked_below(path: &str, verbs: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources() {
        if !file.path.starts_with(path) {
            continue;
        }
        for (_, line) in file.code_outside_tests() {
            let calls = line.split('.').skip(1).filter_map(|rest| rest.split_once("()"));
            let calls = calls.map(|(name, _)| name);
            // A request has a plural or a kind of thing in its name; an accessor of an answer has no verb.
            for name in calls.filter(|name| verbs.iter().any(|verb| name.starts_with(verb))) {
                let words = name.split('_').map(|word| {
                    let (first, rest) = word.split_at(1);
                    format!("{}{rest}", first.to_ascii_uppercase())
                });
                found.insert(words.collect::<String>());
            }
        }
    }
    found
}

#[test]
fn the_fleets_policy_allows_what_the_executor_asks_for_and_no_more() {
    assert_eq!(allowed("iam-policy-fleet.json"), asked());
}

/// The same of the gateway: what is about a queue is asked of SQS, all else of EventBridge.
fn asked_of_queues_and_events(path: &str) -> BTreeSet<String> {
    const VERBS: [&str; 8] = [
        "describe_",
        "get_",
        "list_",
        "create_",
        "set_",
        "put_",
        "remove_",
        "delete_",
    ];
    let service = |action: &str| if action.contains("Queue") { "sqs" } else { "events" };
    let asked = asked_below(path, &VERBS);
    asked
        .iter()
        .map(|action| format!("{}:{action}", service(action)))
        .collect()
}

#[test]
fn the_policy_of_the_set_up_for_aws_allows_what_it_asks_for_and_no_more() {
    let mut asked = asked_of_queues_and_events("services/event-gateway/src/aws/setup");
    // What is made is tagged in the same call, which takes a permission of its own.
    asked.extend(["sqs:TagQueue", "events:TagResource"].map(str::to_owned));
    assert_eq!(allowed("iam-policy-aws-setup.json"), asked);
}

#[test]
fn the_policy_of_publishing_allows_what_it_asks_for_and_no_more() {
    let asked = asked_of_queues_and_events("services/event-gateway/src/aws/publish");
    assert_eq!(allowed("iam-policy-aws-publish.json"), asked);
}

/// The actions of SQS and Auto Scaling that the gateway names where it asks for them, as `sqs:DeleteMessage`.
fn named() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources() {
        if !file
            .path
            .starts_with("services/event-gateway/src/centre/aws_queue")
        {
            continue;
        }
        for (_, line) in file.code_outside_tests() {
            let texts = line.split('"').skip(1).step_by(2);
            let actions = texts.filter(|text| text.starts_with("sqs:") || text.starts_with("autoscaling:"));
            found.extend(actions.map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_policy_of_the_queue_of_events_allows_what_the_gateway_asks_for_and_no_more() {
    assert_eq!(allowed("iam-policy-event-queue.json"), named());
    assert_eq!(named().len(), 5);
}

#[test]
fn p10_the_policy_of_one_instance_lets_it_stop_itself_and_start_nothing() {
    let mut expected = asked();
    assert!(expected.remove("ec2:StartInstances"));
    assert_eq!(allowed("iam-policy.json"), expected);
    let policy: serde_json::Value = serde_json::from_str(&deployed("iam-policy.json")).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let broad: Vec<String> = statements
        .iter()
        .filter(|statement| statement["Sid"] != "LookAtInstances")
        .filter(|statement| {
            let resource = &statement["Resource"];
            let source = &statement["Condition"]["ArnEquals"]["ec2:SourceInstanceARN"];
            resource != source || resource.as_str().is_none_or(|arn| arn.contains('*'))
        })
        .map(|statement| statement["Sid"].to_string())
        .collect();
    expect_none(&broad, "a stolen credential must not reach another instance");
}

#[test]
fn the_unit_tells_only_the_main_process_to_end() {
    let unit = deployed("systemd/snooze.service");
    let setting = |name: &str| {
        let lines = unit.lines().filter_map(|line| line.split_once('='));
        let mut values = lines.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values
            .next()
            .unwrap_or_else(|| panic!("the unit says nothing of {name}"))
    };
    assert_eq!(
        setting("KillMode"),
        "mixed",
        "claims cannot be undone without a broker"
    );
    assert_eq!(setting("AmbientCapabilities"), setting("CapabilityBoundingSet"));
    let user = format!("u {} ", setting("User"));
    let users = deployed("sysusers.d/snooze.conf");
    assert!(users.lines().any(|line| line.starts_with(&user)), "{users}");
}
