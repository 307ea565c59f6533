//! What lies in moto, seen past our own code, and what the tests of a set-up share.

use serde_json::{Value, json};
use snooze_event_gateway::aws::{
    Connection,
    setup::{Done, Effect, Outcome, Setup, SetupError},
};
use snooze_test_harness::MotoServer;

pub(super) const REGION: &str = "eu-central-1";
/// The account that moto gives to any access key.
pub(super) const ACCOUNT: &str = "123456789012";
/// How the names of rules end.
pub(super) const RULES: [&str; 5] = [
    "spot-interruption",
    "rebalance",
    "instance-state",
    "scheduled-change",
    "lifecycle",
];
/// What changes anything.
pub(super) const CHANGES: [&str; 7] = [
    "AmazonSQS.CreateQueue",
    "AmazonSQS.SetQueueAttributes",
    "AmazonSQS.DeleteQueue",
    "AWSEvents.PutRule",
    "AWSEvents.PutTargets",
    "AWSEvents.RemoveTargets",
    "AWSEvents.DeleteRule",
];

/// A set-up of this name at this endpoint.
pub(super) fn setup(url: &str, name: &str) -> Setup {
    Setup {
        connection: Connection::to(Some(REGION.to_owned()), Some(url.to_owned())).with_keys("test", "test"),
        name: name.parse().expect("a name"),
        event_bus: "default".to_owned(),
        effect: Effect::Real,
    }
}

pub(super) async fn try_set_up(setup: &Setup) -> (Done, Result<(), SetupError>) {
    let mut done = Done::default();
    let ended = setup.set_up(&mut done).await;
    (done, ended)
}

pub(super) async fn set_up(setup: &Setup) -> Done {
    let (done, ended) = try_set_up(setup).await;
    ended.expect("it is set up");
    done
}

pub(super) async fn remove(setup: &Setup) -> Done {
    let mut done = Done::default();
    setup.remove(&mut done).await.expect("it is removed");
    done
}

/// What became of each thing, without what did not change.
pub(super) fn changed(done: &Done) -> Vec<(&str, Outcome)> {
    let steps = done.steps.iter();
    steps
        .filter(|step| step.outcome != Outcome::WasThere)
        .map(|step| (step.name.as_str(), step.outcome))
        .collect()
}

/// The names of all queues and rules, of the default bus.
pub(super) async fn names(moto: &MotoServer) -> Vec<String> {
    let ask = async |action, key: &str| {
        let answer = moto.api(REGION, action, &json!({})).await.expect("answers");
        answer[key].as_array().cloned().unwrap_or_default()
    };
    let queues = ask("AmazonSQS.ListQueues", "QueueUrls").await;
    let queues = queues
        .iter()
        .filter_map(|url| url.as_str()?.rsplit('/').next().map(str::to_owned));
    let rules = ask("AWSEvents.ListRules", "Rules").await;
    let rules = rules
        .iter()
        .filter_map(|rule| rule["Name"].as_str().map(str::to_owned));
    let mut names: Vec<String> = queues.chain(rules).collect();
    names.sort();
    names
}

/// The URL of a queue.
pub(super) async fn queue_url(moto: &MotoServer, name: &str) -> String {
    let asked = json!({"QueueName": name});
    let answer = moto.api(REGION, "AmazonSQS.GetQueueUrl", &asked).await;
    answer.expect("it is there")["QueueUrl"]
        .as_str()
        .expect("a URL")
        .to_owned()
}

/// The attributes of a queue, those that hold JSON read.
pub(super) async fn attributes(moto: &MotoServer, name: &str) -> Value {
    let asked = json!({"QueueUrl": queue_url(moto, name).await, "AttributeNames": ["All"]});
    let answer = moto.api(REGION, "AmazonSQS.GetQueueAttributes", &asked).await;
    let mut attributes = answer.expect("it is there")["Attributes"].take();
    for key in ["Policy", "RedrivePolicy"] {
        if let Some(text) = attributes[key].as_str() {
            attributes[key] = serde_json::from_str(text).expect("JSON");
        }
    }
    attributes
}

/// Changes attributes of a queue, as a person would.
pub(super) async fn set_attributes(moto: &MotoServer, name: &str, attributes: &Value) {
    let asked = json!({"QueueUrl": queue_url(moto, name).await, "Attributes": attributes});
    let set = moto.api(REGION, "AmazonSQS.SetQueueAttributes", &asked).await;
    set.expect("it is there");
}

/// A rule with its tags and targets.
pub(super) async fn rule(moto: &MotoServer, name: &str) -> Value {
    let ask = async |action, asked: Value| moto.api(REGION, action, &asked).await.expect("it is there");
    let mut rule = ask("AWSEvents.DescribeRule", json!({"Name": name})).await;
    let tags = json!({"ResourceARN": rule["Arn"]});
    rule["Tags"] = ask("AWSEvents.ListTagsForResource", tags).await["Tags"].take();
    rule["Targets"] = ask("AWSEvents.ListTargetsByRule", json!({"Rule": name})).await["Targets"].take();
    rule
}

/// All that a set-up of this name has, with the name taken out of it.
pub(super) async fn all_of(moto: &MotoServer, name: &str) -> Value {
    let mut all = json!({
        "queue": attributes(moto, &format!("{name}-events")).await,
        "dead": attributes(moto, &format!("{name}-events-dead")).await,
    });
    for queue in ["queue", "dead"] {
        let attributes = all[queue].as_object_mut().expect("an object");
        attributes.retain(|key, _| !key.ends_with("Timestamp"));
    }
    for ending in RULES {
        all[ending] = rule(moto, &format!("{name}-{ending}")).await;
    }
    let text = all.to_string().replace(&format!("\"{name}\""), "\"NAME\"");
    serde_json::from_str(&text.replace(&format!("{name}-"), "NAME-")).expect("JSON")
}

/// The bodies of all messages of a queue.
pub(super) async fn messages(moto: &MotoServer, name: &str) -> Vec<Value> {
    let asked =
        json!({"QueueUrl": queue_url(moto, name).await, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
    let mut bodies = Vec::new();
    loop {
        let answer = moto.api(REGION, "AmazonSQS.ReceiveMessage", &asked).await;
        let answer = answer.expect("it is there");
        let Some(messages) = answer["Messages"].as_array().filter(|some| !some.is_empty()) else {
            return bodies;
        };
        let texts = messages.iter().filter_map(|message| message["Body"].as_str());
        bodies.extend(texts.map(|text| serde_json::from_str::<Value>(text).expect("JSON")));
    }
}
