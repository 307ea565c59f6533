//! What tests ask of moto's services that speak JSON, SQS and EventBridge among them, past everything that is under
//! test: spoken by hand, so that no SDK that could be wrong in the same way stands between.

use super::MotoServer;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// moto answers within milliseconds; its first call loads its models.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

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
        let body = body.to_string();
        // moto takes service and region from the credential's scope and checks no signature.
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=none\r\n\
             content-type: application/x-amz-json-1.1\r\nx-amz-target: {action}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            self.address(),
            body.len(),
        );
        let exchange = async {
            let mut server = TcpStream::connect(self.address()).await?;
            server.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            server.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, exchange)
            .await
            .unwrap_or_else(|_| panic!("moto did not answer {action} in time"))
            .unwrap_or_else(|error| panic!("moto did not answer {action}: {error}"));
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
