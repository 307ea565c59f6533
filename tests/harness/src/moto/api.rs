//! What tests ask of moto's services that speak JSON, SQS and EventBridge among them, past everything that is under
//! test.

use super::MotoServer;
use serde_json::Value;

impl MotoServer {
    /// Asks for an action, as `AmazonSQS.GetQueueUrl` or `AWSEvents.PutEvents`. An answer without a body is `null`.
    ///
    /// # Errors
    /// What moto says where it refuses.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn api(&self, region: &str, action: &str, body: &Value) -> Result<Value, String> {
        let service = match action.split('.').next() {
            Some("AmazonSQS") => "sqs",
            Some("AWSEvents") => "events",
            _ => panic!("{action} is of no service that is known here"),
        };
        let headers = format!("content-type: application/x-amz-json-1.1\r\nx-amz-target: {action}\r\n");
        let asked = (region, service, action);
        let answer = self.answer_to(asked, &headers, &body.to_string()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        if !head.starts_with("HTTP/1.1 200") {
            return Err(body.to_owned());
        }
        if body.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))
    }
}
