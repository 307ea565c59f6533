//! One request from its first byte to its answer: who sends, whether that may be read, whether every event in it
//! may be filed, and only then the filing.
//!
//! **Invariant:** 202 is said only once the stream has every event of the request. **Invariant:** nothing is filed of
//! a request that has one event which cannot be. What a source is, its credential says, and nothing in the request.

use super::{
    answer::{self, Answer, State, Told},
    cloud_event::{CloudEvent, Mistake},
    credential::Credential,
    mode::{MAX_EVENTS, Mode, NotRead},
    rate::Rates,
    seats::Seat,
    secrets::Secrets,
};
use crate::centre::{
    rarely::Rarely,
    taking::{self, NotFiled},
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use snooze_bus::Bus;
use snooze_schemas::{ErrorCode, SourceName, event::Event};
use snooze_service_runtime::Clocks;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// For so long the filing of one request may take; whoever sends waits for fifteen seconds and more.
const FILE_ALL_WITHIN: Duration = Duration::from_secs(12);

/// What all requests share.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) secrets: Secrets,
    pub(super) rates: Rates,
    pub(super) max_body_bytes: usize,
    pub(super) body_within: Duration,
    pub(super) bus: Bus,
    pub(super) clocks: Clocks,
    /// Requests without a known credential.
    pub(super) strangers: Rarely,
    /// Requests that a source may not send.
    pub(super) forbidden: Rarely,
}

impl Office {
    /// Answers one request. Its connection keeps its place as soon as it is known whose it is.
    pub(super) async fn answer(&self, request: Request<Incoming>, seat: &Arc<Seat>) -> Answer {
        let method = request.method().clone();
        match request.uri().path() {
            "/v1/events" if method == Method::POST => {
                self.take(request, seat).await.unwrap_or_else(|not| not)
            }
            "/v1/events" => answer::no_such_method("POST"),
            "/healthz" if method == Method::GET || method == Method::HEAD => answer::alive(),
            "/healthz" => answer::no_such_method("GET, HEAD"),
            _ => answer::refused(
                StatusCode::NOT_FOUND,
                ErrorCode::NotFound,
                "events are posted to /v1/events",
            ),
        }
    }

    async fn take(&self, request: Request<Incoming>, seat: &Arc<Seat>) -> Result<Answer, Answer> {
        let (head, body) = request.into_parts();
        let shown = Credential::shown(&head.headers, &self.secrets, self.clocks.wall());
        let shown = shown.ok_or_else(|| self.stranger())?;
        let Some(mode) = Mode::of(&head.headers) else {
            return Err(answer::refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::BadRequest,
                "this takes application/cloudevents+json, application/cloudevents-batch+json, and JSON with ce- \
                 headers, in UTF-8 and not compressed",
            ));
        };
        let (source, body, _answering) = match shown {
            Credential::Token(source) => {
                let answering = seat.answer();
                (source, self.whole(body).await?, answering)
            }
            // Whose it is says its end: until then whoever sends it says nothing that others would wait for.
            Credential::Signature(signature) => {
                let body = self.whole(body).await?;
                let signer = signature.signer(&self.secrets, &body);
                (signer.ok_or_else(|| self.stranger())?, body, seat.answer())
            }
        };
        self.rates.take(&source, 1).map_err(answer::too_often)?;
        let read = read(mode, &head.headers, &body)?;
        let others = read.len().saturating_sub(1);
        self.rates
            .take_others(&source, others)
            .map_err(answer::too_often)?;
        let events = self.checked(&source, read).await?;
        Ok(self.file(&source, events).await)
    }

    fn stranger(&self) -> Answer {
        if let Some(count) = self.strangers.count() {
            tracing::warn!(count, "requests without a known credential were refused");
        }
        answer::stranger()
    }

    async fn whole(&self, body: Incoming) -> Result<Bytes, Answer> {
        let most = self.max_body_bytes;
        let too_large = || {
            let message = format!("a body has {most} bytes at most");
            answer::refused(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BadRequest, &message)
        };
        if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        match timeout(self.body_within, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(answer::mistaken(&Mistake::new("body", "it ended before its end"))),
            Err(_) => Err(answer::refused(
                StatusCode::REQUEST_TIMEOUT,
                ErrorCode::Timeout,
                "the body did not arrive in time",
            )),
        }
    }

    /// Every event as it will be filed.
    async fn checked(
        &self,
        source: &SourceName,
        read: Vec<CloudEvent>,
    ) -> Result<Vec<(CloudEvent, Event)>, Answer> {
        let forbidden = |why: &str| {
            if let Some(count) = self.forbidden.count() {
                tracing::warn!(%source, why, count, "requests that their source may not send were refused");
            }
            answer::forbidden()
        };
        let record = taking::record_of(&self.bus, source).await;
        let record = record.map_err(|refusal| match refusal.code {
            ErrorCode::Forbidden => forbidden(&refusal.message),
            ErrorCode::Internal => {
                answer::refused(StatusCode::INTERNAL_SERVER_ERROR, refusal.code, &refusal.message)
            }
            _ => answer::away(&refusal.message),
        })?;
        let now = self.clocks.wall();
        let check = |read: CloudEvent| {
            let sent = read.sent.clone();
            let event = taking::checked((source, &record), &read.event_type, sent, &read.own_id, now);
            match event {
                Ok(event) => Ok((read, event)),
                Err(not_taken) if not_taken.is_forbidden() => Err(forbidden(&not_taken.text)),
                Err(not_taken) => {
                    let mistake = Mistake::new(read.field(not_taken.part), not_taken.text);
                    Err(answer::mistaken(&mistake))
                }
            }
        };
        read.into_iter().map(check).collect()
    }

    /// One after the other, so that the second of two that are the same is told to be it.
    async fn file(&self, source: &SourceName, events: Vec<(CloudEvent, Event)>) -> Answer {
        let tell = |(read, event): &(CloudEvent, Event)| Told {
            id: read.id.clone(),
            source: read.source.clone(),
            filed_as: event.id.clone(),
            state: State::NotFiled,
        };
        let mut told: Vec<Told> = events.iter().map(tell).collect();
        let too_late = tokio::time::sleep(FILE_ALL_WITHIN);
        tokio::pin!(too_late);
        for (index, (_, event)) in events.iter().enumerate() {
            // When the time is over the ack of one event is lost, and it is told so.
            let filed = tokio::select! {
                biased;
                filed = taking::file(&self.bus, event) => filed,
                () = &mut too_late => Err(NotFiled::Unsaid),
            };
            let (state, why) = match filed {
                Ok(filed) if filed.duplicate => (State::Duplicate, None),
                Ok(_) => (State::Filed, None),
                Err(NotFiled::Unsaid) => {
                    let why = "the stream did not say in time whether it has it";
                    (State::Unknown, Some(why.to_owned()))
                }
                Err(NotFiled::TooLarge) => (State::NotFiled, Some(taking::too_large())),
                Err(NotFiled::Unavailable(why)) => (State::NotFiled, Some(why)),
            };
            told[index].state = state;
            if let Some(why) = why {
                tracing::warn!(%source, why, "not every event of a request was filed, and it was told so");
                return answer::broken(&why, &told);
            }
        }
        tracing::debug!(%source, events = told.len(), "events were filed over HTTP");
        answer::accepted(&told)
    }
}

fn read(mode: Mode, headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, Answer> {
    mode.read(headers, body).map_err(|not_read| match not_read {
        NotRead::Mistake(mistake) => answer::mistaken(&mistake),
        NotRead::TooMany(count) => {
            let message = format!("a request has {MAX_EVENTS} events at most, and this one {count}");
            answer::refused(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BadRequest, &message)
        }
    })
}
