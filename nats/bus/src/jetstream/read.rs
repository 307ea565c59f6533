//! Reading what is filed: the last message of a subject, and the last so many of a family.
//!
//! By direct get, without a consumer, so that a person's look costs the server nothing that stays.

use super::{stored::StoredMessage, streams::Stream};
use crate::{
    Bus,
    error::BusError,
    headers,
    inbox::PARTS,
    subject::{Subject, SubjectFilter},
    trace,
};
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde_json::json;
use snooze_schemas::{Message, Timestamp};
use std::time::Duration;

/// The most messages that one look returns.
const MAX_HISTORY: usize = 10_000;

/// Messages in one answer; the room that an answer's parts have.
const BATCH: usize = PARTS / 2;

/// How long one answer in parts may take.
const BATCH_WITHIN: Duration = Duration::from_secs(5);

/// A filed message.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<M> {
    /// What it was filed under.
    pub subject: Subject,
    /// The message.
    pub message: M,
    /// Its number in the stream.
    pub sequence: u64,
    /// When the server took it, on the server's clock.
    pub filed_at: Timestamp,
    /// The trace context of whoever filed it.
    pub traceparent: Option<String>,
}

/// Where reading forward begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At this number.
    Sequence(u64),
    /// At the first message that the server took then or later.
    Time(Timestamp),
}

impl Bus {
    /// The last message that was filed under a subject.
    ///
    /// # Errors
    /// When the server does not answer, or the message cannot be read.
    pub async fn last<M: Message>(
        &self,
        stream: Stream,
        subject: &Subject,
    ) -> Result<Option<Stored<M>>, BusError> {
        let Some(stored) = self.last_stored(stream, &subject.to_string()).await? else {
            return Ok(None);
        };
        let template = subject.template();
        let message = crate::codec::decode(&stored.payload).map_err(|source| BusError::Decode {
            what: template.to_owned(),
            source,
        })?;
        Ok(Some(Stored {
            subject: subject.clone(),
            message,
            sequence: stored.sequence,
            filed_at: stored.time,
            traceparent: stored.header(trace::TRACEPARENT).map(str::to_owned),
        }))
    }

    /// The last messages of a family, at most `limit` and never more than 10,000, in the order in which
    /// they were filed. What is not an `M` is left out and counted as undecodable.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn history<M: Message>(
        &self,
        stream: Stream,
        filter: &SubjectFilter,
        limit: usize,
    ) -> Result<Vec<Stored<M>>, BusError> {
        let limit = limit.min(MAX_HISTORY);
        let filter = filter.to_string();
        let Some(newest) = self.last_stored(stream, &filter).await? else {
            return Ok(Vec::new());
        };
        // Forward from a guessed start, further back each time, until enough were found: a stream can
        // only be read forward. Each look goes four times as far back as the one before, so that the
        // last one reads at most some four times as much as is wanted.
        let mut span = (limit as u64).max(16);
        loop {
            let first = newest.sequence.saturating_sub(span - 1).max(1);
            let mut found = self.range(stream, &filter, first, newest.sequence, limit).await?;
            if found.len() >= limit || first == 1 {
                let surplus = found.len().saturating_sub(limit);
                return Ok(found
                    .drain(surplus..)
                    .filter_map(|stored| self.typed(&stored))
                    .collect());
            }
            span = span.saturating_mul(4);
        }
    }

    /// The messages of a family between two sequences, both included; the last `keep` of them.
    async fn range(
        &self,
        stream: Stream,
        filter: &str,
        first: u64,
        last: u64,
        keep: usize,
    ) -> Result<Vec<StoredMessage>, BusError> {
        let mut found = Vec::new();
        let mut next = first;
        loop {
            let (messages, is_all) = self.part(stream, filter, Start::Sequence(next)).await?;
            let Some(reached) = messages.last().map(|message| message.sequence) else {
                return Ok(found);
            };
            found.extend(messages.into_iter().filter(|message| message.sequence <= last));
            if found.len() > keep {
                found.drain(..found.len() - keep);
            }
            if is_all || reached >= last {
                return Ok(found);
            }
            next = reached + 1;
        }
    }

    /// One answer in parts, and whether nothing is left behind it.
    pub(super) async fn part(
        &self,
        stream: Stream,
        filter: &str,
        from: Start,
    ) -> Result<(Vec<StoredMessage>, bool), BusError> {
        let timed_out = || BusError::TimedOut {
            operation: "reading a stream",
            within_ms: BATCH_WITHIN.as_millis(),
        };
        self.connected("reading a stream", BATCH_WITHIN).await?;
        let mut awaited = self.inner.inbox.parts();
        let subject = format!("$JS.API.DIRECT.GET.{}", stream.name());
        let mut request = json!({ "next_by_subj": filter, "batch": BATCH });
        match from {
            Start::Sequence(first) => request["seq"] = first.into(),
            Start::Time(since) => request["start_time"] = since.to_string().into(),
        }
        let request = request.to_string();
        self.inner
            .client
            .publish_with_reply(subject, awaited.reply.clone(), Bytes::from(request))
            .await
            .map_err(|cause| BusError::Publish {
                template: "$JS.API.DIRECT.GET.<stream>",
                source: cause.into(),
            })?;
        let mut messages = Vec::new();
        let collected = async {
            while let Some(message) = awaited.answer.recv().await {
                match message.status {
                    None => messages.extend(StoredMessage::from_direct(message)),
                    Some(StatusCode::NOT_FOUND) => return Some(Ok(true)),
                    // The end of the batch; it says how many were not sent.
                    Some(status) if status.as_u16() == 204 => {
                        let left = pending(message.headers.as_ref());
                        return Some(Ok(left == Some(0)));
                    }
                    Some(status) => {
                        return Some(Err(BusError::JetStream {
                            operation: format!("reading {}", stream.name()),
                            code: u64::from(status.as_u16()),
                            description: message.description.unwrap_or_default(),
                        }));
                    }
                }
            }
            None
        };
        match tokio::time::timeout(BATCH_WITHIN, collected).await {
            Ok(Some(ended)) => Ok((messages, ended?)),
            Ok(None) | Err(_) => Err(timed_out()),
        }
    }

    /// The last message of one subject of a stream, by a direct get that may be answered for that subject alone.
    /// What is looked for is named in an error.
    pub(super) async fn last_of(
        &self,
        stream: &str,
        subject: &str,
        shown: &str,
    ) -> Result<Option<StoredMessage>, BusError> {
        let failed = |code, description| BusError::JetStream {
            operation: format!("reading {shown}"),
            code,
            description,
        };
        let subject = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
        let answer = self.api_message(subject, Bytes::new()).await?;
        match answer.status {
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => Err(failed(
                u64::from(status.as_u16()),
                answer.description.unwrap_or_default(),
            )),
            None => StoredMessage::from_direct(answer)
                .map(Some)
                .ok_or_else(|| failed(0, "the answer is not in JetStream's format".to_owned())),
        }
    }

    async fn last_stored(&self, stream: Stream, filter: &str) -> Result<Option<StoredMessage>, BusError> {
        let name = stream.name();
        let request = json!({ "last_by_subj": filter }).to_string();
        let subject = format!("$JS.API.DIRECT.GET.{name}");
        let answer = self.api_message(subject, Bytes::from(request)).await?;
        match answer.status {
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => Err(BusError::JetStream {
                operation: format!("reading {name}"),
                code: u64::from(status.as_u16()),
                description: answer.description.unwrap_or_default(),
            }),
            None => Ok(StoredMessage::from_direct(answer)),
        }
    }

    pub(super) fn typed<M: Message>(&self, stored: &StoredMessage) -> Option<Stored<M>> {
        let read = || {
            headers::check_kind::<M>(Some(&stored.headers)).ok()?;
            Some(Stored {
                subject: stored.subject.parse().ok()?,
                message: crate::codec::decode(&stored.payload).ok()?,
                sequence: stored.sequence,
                filed_at: stored.time,
                traceparent: stored.header(trace::TRACEPARENT).map(str::to_owned),
            })
        };
        let read = read();
        if read.is_none() {
            self.inner.counters.add_undecodable();
        }
        read
    }
}

fn pending(headers: Option<&HeaderMap>) -> Option<u64> {
    headers?.get("Nats-Num-Pending")?.as_str().parse().ok()
}
