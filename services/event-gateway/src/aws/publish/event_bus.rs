//! One event bus: whether it is there, and one call that it takes entries by.
//!
//! It tries nothing twice. A bus that is not there takes every entry without a word and nobody ever sees it, so
//! that is asked first.

use super::{
    Settings,
    entry::{Entry, SOURCE},
    pace::Pace,
};
use crate::aws::{client::said, permission::is_denied};
use aws_sdk_eventbridge::{
    Client,
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};

/// The event bus, and how it is reached.
#[derive(Debug)]
pub(super) struct EventBus {
    client: Client,
    name: String,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Rules will see it.
    Taken,
    /// It may be taken later.
    NotNow(String),
    /// It never will be.
    Never(String),
}

/// The event bus, once it is there.
pub(super) async fn reach(settings: &Settings, pace: &mut Pace) -> EventBus {
    loop {
        let pause = match look_for(settings).await {
            Ok(event_bus) => {
                pace.went_well();
                let name = &event_bus.name;
                tracing::info!(event_bus = name, "decisions are published");
                return event_bus;
            }
            Err(why) => pace.failed(&why),
        };
        tokio::time::sleep(pause).await;
    }
}

async fn look_for(settings: &Settings) -> Result<EventBus, String> {
    // Boxed: what finds an access key is large.
    let config = Box::pin(settings.connection.sdk_config()).await;
    let Some(region) = config.region() else {
        return Err(
            "no region is known: set event_publish.aws.region, or AWS_REGION in the environment".to_owned(),
        );
    };
    let event_bus = EventBus {
        client: Client::new(&config),
        name: settings.event_bus.clone(),
    };
    let asked = event_bus.client.describe_event_bus().name(&event_bus.name);
    match asked.send().await {
        Ok(_) => Ok(event_bus),
        // Whoever may publish need not be allowed to look, and may not at all at another account's.
        Err(error) if is_denied(error.code()) => Ok(event_bus),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Err(format!(
            "there is no event bus {} in {region}: make it, or set event_publish.aws.event_bus to one that is there",
            event_bus.name
        )),
        Err(error) => Err(format!(
            "DescribeEventBus of {}: {}",
            event_bus.name,
            said(&error)
        )),
    }
}

impl EventBus {
    /// Offers all of them in one call, and says of each what became of it.
    ///
    /// # Errors
    /// Why none was taken, as far as is known: an answer may have been lost on its way.
    pub(super) async fn put<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<Vec<Outcome>, String> {
        let entries: Vec<PutEventsRequestEntry> = entries.map(|entry| self.request(entry)).collect();
        let offered = entries.len();
        let answer = self.client.put_events().set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| {
            let need = match is_denied(error.code()) {
                true => "; it takes the permission events:PutEvents (deploy/iam-policy-aws-publish.json)",
                false => "",
            };
            format!("PutEvents to {}{need}: {}", self.name, said(&error))
        })?;
        let mut outcomes: Vec<Outcome> = answer.entries().iter().map(outcome).collect();
        // One of which nothing is said may have been taken or not: told twice is better than never.
        outcomes.resize(offered, Outcome::NotNow("the answer does not say".to_owned()));
        Ok(outcomes)
    }

    fn request(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(entry.detail_type)
            .detail(&entry.detail)
            // Without one it is the time of the call.
            .set_time(DateTime::from_nanos(entry.at.as_nanosecond()).ok())
            .set_resources(entry.resource.clone().map(|arn| vec![arn]))
            .build()
    }
}

fn outcome(result: &PutEventsResultEntry) -> Outcome {
    let Some(code) = result.error_code() else {
        return Outcome::Taken;
    };
    let why = format!("{code}: {}", result.error_message().unwrap_or_default());
    match code {
        // Of the entry itself; all others are of the bus, its policy or the moment, and can be mended.
        "MalformedDetail" => Outcome::Never(why),
        _ => Outcome::NotNow(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_entry_itself_is_given_up() {
        let result = |code: Option<&str>| {
            let result = PutEventsResultEntry::builder();
            outcome(&result.set_error_code(code.map(str::to_owned)).build())
        };
        assert_eq!(result(None), Outcome::Taken);
        assert!(matches!(result(Some("MalformedDetail")), Outcome::Never(_)));
        for code in [
            "ThrottlingException",
            "InternalFailure",
            "NotAuthorizedForDetailTypeException",
        ] {
            assert!(matches!(result(Some(code)), Outcome::NotNow(_)), "{code}");
        }
    }
}
