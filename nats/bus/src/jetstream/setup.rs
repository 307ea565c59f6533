//! Making streams, buckets and durable consumers, or bringing them to what the data says.
//!
//! Only the role `set-up` may do this. Running it again changes nothing.

use super::{
    api::{code, failed},
    artifacts,
    decisions::{PUBLISHED, published_config},
    streams::{Bucket, Stream, consumer_config, consumer_name},
};
use crate::{Bus, error::BusError, subject::SubjectFilter};
use serde_json::{Value, json};
use snooze_schemas::event::Severity;

impl Bus {
    /// Makes every stream, bucket, the store of artifacts and every durable consumer that is missing and updates those that differ.
    ///
    /// # Errors
    /// When the server refuses one of them, as it does where one exists with something that can no longer
    /// be changed, or does not answer.
    pub async fn set_up(&self) -> Result<(), BusError> {
        let streams = Stream::ALL.map(|stream| (stream.name(), stream.config()));
        let buckets = Bucket::ALL.map(|bucket| (bucket.stream(), bucket.config()));
        let artifacts = [(artifacts::STREAM, artifacts::config())];
        for (name, config) in streams.into_iter().chain(buckets).chain(artifacts) {
            self.make_stream(name, &config).await?;
        }
        for severity in Severity::DESCENDING {
            self.make_consumer(severity).await?;
        }
        // Several filters have no place in a subject.
        let subject = format!("$JS.API.CONSUMER.CREATE.{}.{PUBLISHED}", Stream::Audit.name());
        self.consumer_at(subject, Stream::Audit, PUBLISHED, published_config())
            .await
    }

    async fn make_stream(&self, name: &str, config: &Value) -> Result<(), BusError> {
        let made = self
            .api::<Value>(format!("$JS.API.STREAM.CREATE.{name}"), config)
            .await?;
        let error = match made {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if error.err_code == code::INSUFFICIENT_STORAGE {
            return Err(no_room(name, config));
        }
        if error.err_code != code::STREAM_NAME_IN_USE {
            return Err(failed(format!("making the stream {name}"), error));
        }
        self.api::<Value>(format!("$JS.API.STREAM.UPDATE.{name}"), config)
            .await?
            .map(drop)
            .map_err(|error| failed(format!("updating the stream {name}"), error))
    }

    async fn make_consumer(&self, severity: Severity) -> Result<(), BusError> {
        let stream = Stream::of_events(severity);
        let name = consumer_name(severity);
        let filter = SubjectFilter::EventsOfSeverity(severity);
        let subject = format!("$JS.API.CONSUMER.CREATE.{}.{name}.{filter}", stream.name());
        self.consumer_at(subject, stream, name, consumer_config(severity))
            .await
    }

    async fn consumer_at(
        &self,
        subject: String,
        stream: Stream,
        name: &str,
        config: Value,
    ) -> Result<(), BusError> {
        let stream = stream.name();
        let body = json!({ "stream_name": stream, "config": config });
        self.api::<Value>(subject, &body)
            .await?
            .map(drop)
            .map_err(|error| failed(format!("making the consumer {name} of {stream}"), error))
    }
}

/// Streams reserve their largest size when they are made.
fn no_room(name: &str, config: &Value) -> BusError {
    let mib = config["max_bytes"].as_i64().unwrap_or_default() / (1024 * 1024);
    BusError::JetStream {
        operation: format!("making the stream {name}"),
        code: code::INSUFFICIENT_STORAGE,
        description: format!(
            "the stream reserves {mib} MiB and the server has not as much left to give: free space where its \
             `store_dir` is, or raise `max_file_store` in its configuration"
        ),
    }
}
