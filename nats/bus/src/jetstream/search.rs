//! Looking for one message of a family, from a time on.

use super::{
    read::{Start, Stored},
    streams::Stream,
};
use crate::{Bus, error::BusError, subject::SubjectFilter};
use snooze_schemas::{Message, Timestamp};

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// It is there.
    Found,
    /// It is not: all was looked through.
    Nowhere,
    /// Nobody knows: there is more than was looked through.
    Unknown,
}

impl Bus {
    /// Looks through the messages of a family that the server took since a time of its own clock, the oldest first and at
    /// most `most` of them, until one is what is looked for. What is not an `M` is passed over and counted as undecodable.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn search<M: Message>(
        &self,
        stream: Stream,
        filter: &SubjectFilter,
        since: Timestamp,
        most: usize,
        is_it: impl Fn(&Stored<M>) -> bool,
    ) -> Result<Searched, BusError> {
        let filter = filter.to_string();
        let mut from = Start::Time(since);
        let mut looked_at = 0;
        loop {
            let (messages, is_all) = self.part(stream, &filter, from).await?;
            let Some(reached) = messages.last().map(|message| message.sequence) else {
                return Ok(Searched::Nowhere);
            };
            looked_at += messages.len();
            let mut read = messages.iter().filter_map(|message| self.typed::<M>(message));
            if read.any(|message| is_it(&message)) {
                return Ok(Searched::Found);
            }
            if is_all {
                return Ok(Searched::Nowhere);
            }
            if looked_at >= most {
                return Ok(Searched::Unknown);
            }
            from = Start::Sequence(reached + 1);
        }
    }
}
