//! The queue's four calls: ask for messages, keep one from others, give one back, remove one.
//!
//! Each is made once; what comes of a failure its caller knows. It reads no body.

use super::Settings;
use crate::aws::said;
use aws_sdk_sqs::{
    Client,
    config::{Config, http::HttpResponse, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::MessageSystemAttributeName,
};
use std::{error::Error, time::Duration};
use tokio::time::sleep;

/// Messages in one answer; SQS gives no more.
pub(super) const AT_ONCE: u32 = 10;
/// For so long a question may take beyond the time that it waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why a call was of no use.
#[derive(Debug, thiserror::Error)]
#[error("{operation} at the queue {queue}: {reason}")]
pub(super) struct CallError {
    /// As SQS calls it, which is the name of the permission too.
    operation: &'static str,
    queue: String,
    reason: String,
}

/// A message in hand.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// SQS's name for it, the same at every delivery.
    pub(super) id: String,
    /// What it is kept and removed by; another at every delivery.
    handle: String,
    pub(super) body: String,
    /// How often it was delivered, this time included.
    pub(super) deliveries: u64,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    client: Client,
    url: String,
    wait: Duration,
    keep: Duration,
}

impl Queue {
    pub(super) async fn of(settings: &Settings) -> Queue {
        Queue {
            client: Client::new(&settings.queue.sdk_config().await),
            url: settings.queue_url.clone(),
            wait: settings.wait,
            keep: settings.keep,
        }
    }

    /// Waits for messages; none when there were none. What an answer carried that was not waited for comes again.
    pub(super) async fn receive(&self) -> Result<Vec<Received>, CallError> {
        let mut patient = Config::builder();
        patient.set_timeout_config(Some(
            TimeoutConfig::builder()
                .operation_timeout(self.wait + ANSWER_WITHIN)
                .build(),
        ));
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(AT_ONCE).expect("ten"))
            .wait_time_seconds(seconds(self.wait))
            .visibility_timeout(seconds(self.keep))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .customize()
            .config_override(patient)
            .send()
            .await
            .map_err(|error| self.failed("sqs:ReceiveMessage", &error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| Received {
                deliveries: deliveries(&message),
                id: message.message_id.unwrap_or_default(),
                handle: message.receipt_handle.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
            })
            .collect())
    }

    /// Waits for the work on a message, and keeps it from others meanwhile. One that could not be kept may come to
    /// another gateway as well, which finds what was done.
    pub(super) async fn keep_while<T>(&self, message: &Received, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            // Cancelling the pause loses nothing.
            tokio::select! {
                done = &mut work => return done,
                () = sleep(self.keep / 3) => {
                    if let Err(error) = self.hide(message, self.keep).await {
                        tracing::warn!(%error, message = message.id, "a message was not kept from other gateways");
                    }
                }
            }
        }
    }

    /// Gives a message back: whoever asks next has it.
    pub(super) async fn give_back(&self, message: &Received) -> Result<(), CallError> {
        self.hide(message, Duration::ZERO).await
    }

    async fn hide(&self, message: &Received, time: Duration) -> Result<(), CallError> {
        let call = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&message.handle)
            .visibility_timeout(seconds(time))
            .send();
        let answer = call.await;
        answer
            .map(drop)
            .map_err(|error| self.failed("sqs:ChangeMessageVisibility", &error))
    }

    /// Removes a message for good.
    pub(super) async fn remove(&self, message: &Received) -> Result<(), CallError> {
        let call = self
            .client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&message.handle)
            .send();
        let answer = call.await;
        answer
            .map(drop)
            .map_err(|error| self.failed("sqs:DeleteMessage", &error))
    }

    fn failed<E: Error + ProvideErrorMetadata + 'static>(
        &self,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> CallError {
        CallError {
            operation,
            queue: self.url.clone(),
            reason: said(error),
        }
    }
}

fn deliveries(message: &aws_sdk_sqs::types::Message) -> u64 {
    let attributes = message.attributes.as_ref();
    attributes
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

/// The region in a queue's URL, as in `https://sqs.eu-central-1.amazonaws.com/123456789012/name`.
pub(super) fn region_of(url: &str) -> Option<String> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let (region, domain) = host.strip_prefix("sqs.")?.split_once('.')?;
    let is_region = region.matches('-').count() >= 2 && domain.starts_with("amazonaws.com");
    is_region.then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_taken_from_a_url_that_has_one_and_from_no_other() {
        let of = |host: &str| region_of(&format!("https://{host}/123456789012/name"));
        assert_eq!(
            of("sqs.us-gov-west-1.amazonaws.com").as_deref(),
            Some("us-gov-west-1")
        );
        assert_eq!(
            of("sqs.cn-north-1.amazonaws.com.cn").as_deref(),
            Some("cn-north-1")
        );
        for other in [
            "127.0.0.1:5000",
            "queue.amazonaws.com",
            "sqs.example.com",
            "sqs.amazonaws.com",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
