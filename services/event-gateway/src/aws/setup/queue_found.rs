//! What there is of a queue, and whether it is ours.

use super::{
    SetupError,
    error::Call,
    queues::{Queues, is_one_of, thing},
    wanted::TAG,
};
use aws_sdk_sqs::{error::ProvideErrorMetadata, types::QueueAttributeName};
use std::collections::HashMap;

/// What SQS says where there is none, by its two protocols.
const GONE: [&str; 2] = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

pub(super) const FIND: Call = Call {
    name: "GetQueueUrl",
    permission: "sqs:GetQueueUrl",
};
pub(super) const TAGS: Call = Call {
    name: "ListQueueTags",
    permission: "sqs:ListQueueTags",
};
pub(super) const READ: Call = Call {
    name: "GetQueueAttributes",
    permission: "sqs:GetQueueAttributes",
};

/// What there is under a name.
pub(super) enum Found {
    Nothing,
    /// Somebody else's.
    Foreign,
    Ours {
        url: String,
        attributes: HashMap<QueueAttributeName, String>,
    },
}

impl Queues {
    pub(super) async fn look(&self, name: &str) -> Result<Found, SetupError> {
        let thing = thing(name);
        let url = match self.client.get_queue_url().queue_name(name).send().await {
            Ok(answer) => answer.queue_url.unwrap_or_default(),
            Err(error) if is_gone(error.code()) => return Ok(Found::Nothing),
            Err(error) => return Err(self.failing.at(FIND, &thing, &error)),
        };
        let tags = match self.client.list_queue_tags().queue_url(&url).send().await {
            Ok(answer) => answer.tags.unwrap_or_default(),
            // One that was just deleted is found for a while longer.
            Err(error) if is_gone(error.code()) => return Ok(Found::Nothing),
            Err(error) => return Err(self.failing.at(TAGS, &thing, &error)),
        };
        if tags.get(TAG) != Some(&self.name) {
            return Ok(Found::Foreign);
        }
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::All);
        match asked.send().await {
            Ok(answer) => Ok(Found::Ours {
                url,
                attributes: answer.attributes.unwrap_or_default(),
            }),
            Err(error) if is_gone(error.code()) => Ok(Found::Nothing),
            Err(error) => Err(self.failing.at(READ, &thing, &error)),
        }
    }

    /// The tag of what is ours.
    pub(super) fn tag(&self) -> String {
        format!("{TAG}={}", self.name)
    }
}

fn is_gone(code: Option<&str>) -> bool {
    is_one_of(code, &GONE)
}
