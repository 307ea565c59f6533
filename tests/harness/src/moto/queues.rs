//! What tests do to moto's queues, topics and rules, past everything that is under test.

use super::{
    MotoServer,
    instances::{encoded, values},
};
use serde_json::{Value, json};

/// What is in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InQueue {
    /// Messages that whoever asks next has.
    pub waiting: u64,
    /// Messages that are kept by somebody.
    pub kept: u64,
}

impl InQueue {
    /// Nothing at all.
    pub const EMPTY: InQueue = InQueue { waiting: 0, kept: 0 };
}

impl MotoServer {
    /// Makes a queue and returns its URL; `attributes` are as `CreateQueue` has them.
    pub async fn make_queue(&self, region: &str, name: &str, attributes: &Value) -> String {
        let asked = json!({"QueueName": name, "Attributes": attributes});
        let answer = self.sqs(region, "CreateQueue", &asked).await;
        answer["QueueUrl"].as_str().expect("a URL").to_owned()
    }

    /// Sends a message.
    pub async fn send_message(&self, region: &str, queue_url: &str, body: &str) {
        let asked = json!({"QueueUrl": queue_url, "MessageBody": body});
        self.sqs(region, "SendMessage", &asked).await;
    }

    /// Takes a message that nobody keeps, where there is one; nobody else gets it for a while.
    pub async fn take_message(&self, region: &str, queue_url: &str) -> Option<String> {
        let asked = json!({"QueueUrl": queue_url, "VisibilityTimeout": 600});
        let answer = self.sqs(region, "ReceiveMessage", &asked).await;
        answer["Messages"][0]["Body"].as_str().map(str::to_owned)
    }

    /// What is in a queue now. One whose time has just passed is in neither number until somebody asks for messages.
    pub async fn in_queue(&self, region: &str, queue_url: &str) -> InQueue {
        let asked = json!({"QueueUrl": queue_url, "AttributeNames": ["All"]});
        let answer = self.sqs(region, "GetQueueAttributes", &asked).await;
        let number = |name: &str| {
            let text = answer["Attributes"][name].as_str().expect("an attribute");
            text.parse().expect("a number")
        };
        InQueue {
            waiting: number("ApproximateNumberOfMessages"),
            kept: number("ApproximateNumberOfMessagesNotVisible"),
        }
    }

    /// The ARN of a queue.
    pub async fn arn_of(&self, region: &str, queue_url: &str) -> String {
        let asked = json!({"QueueUrl": queue_url, "AttributeNames": ["QueueArn"]});
        let answer = self.sqs(region, "GetQueueAttributes", &asked).await;
        answer["Attributes"]["QueueArn"]
            .as_str()
            .expect("an ARN")
            .to_owned()
    }

    /// Makes a rule that sends events which fit a pattern to a queue.
    pub async fn make_rule(&self, region: &str, name: &str, pattern: &Value, queue_arn: &str) {
        let rule = json!({"Name": name, "EventPattern": pattern.to_string()});
        self.json((region, "events"), "AWSEvents.PutRule", &rule).await;
        let targets = json!({"Rule": name, "Targets": [{"Id": "1", "Arn": queue_arn}]});
        self.json((region, "events"), "AWSEvents.PutTargets", &targets)
            .await;
    }

    /// Puts an event on the default bus, as the service that is its source does.
    pub async fn put_event(&self, region: &str, source: &str, detail_type: &str, detail: &Value) {
        let entry = json!({"Source": source, "DetailType": detail_type, "Detail": detail.to_string()});
        let asked = json!({"Entries": [entry]});
        let answer = self.json((region, "events"), "AWSEvents.PutEvents", &asked).await;
        assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    }

    /// Makes a topic to which a queue is subscribed, and returns its ARN.
    pub async fn make_topic(&self, region: &str, name: &str, queue_arn: &str) -> String {
        let made = self.sns(region, "CreateTopic", &[("Name", name)]).await;
        let topic = values(&made, "TopicArn").swap_remove(0);
        let form = [
            ("TopicArn", topic.as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", queue_arn),
        ];
        self.sns(region, "Subscribe", &form).await;
        topic
    }

    /// Publishes a message to a topic.
    pub async fn publish(&self, region: &str, topic_arn: &str, message: &str) {
        let form = [("TopicArn", topic_arn), ("Message", message)];
        self.sns(region, "Publish", &form).await;
    }

    async fn sqs(&self, region: &str, action: &str, body: &Value) -> Value {
        self.json((region, "sqs"), &format!("AmazonSQS.{action}"), body)
            .await
    }

    async fn sns(&self, region: &str, action: &str, form: &[(&str, &str)]) -> String {
        let mut body = format!("Action={action}&Version=2010-03-31");
        for (name, value) in form {
            body.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        self.exchange((region, "sns", action), kind, &body).await
    }

    async fn json(&self, (region, service): (&str, &str), target: &str, body: &Value) -> Value {
        let headers = format!("content-type: application/x-amz-json-1.0\r\nx-amz-target: {target}\r\n");
        let answer = self
            .exchange((region, service, target), &headers, &body.to_string())
            .await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        if body.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(body)
            .unwrap_or_else(|error| panic!("{error} in moto's answer to {target}: {body}"))
    }
}
