//! What is answered: a status and a JSON object, `{"ok": true, …}` or `{"ok": false, "code", "message"}` as on the bus.
//!
//! It never tells which part of a credential was wrong, nor what a source's record says.

use super::cloud_event::Mistake;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use snooze_schemas::{ErrorCode, EventId};
use std::time::Duration;

/// Boxed: most are what a function fails with.
pub(super) type Answer = Box<Response<Full<Bytes>>>;

/// After so long whoever was told that the stream is away asks again.
const AWAY: Duration = Duration::from_secs(5);

/// What became of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// The sender's own id.
    pub(super) id: String,
    /// And the source that it is the id at.
    pub(super) source: String,
    /// The id that it is filed under.
    pub(super) filed_as: EventId,
    /// Whether it is filed.
    pub(super) state: State,
}

/// Whether the stream has an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It has, now.
    Filed,
    /// It had it before.
    Duplicate,
    /// It did not say.
    Unknown,
    /// It has not.
    NotFiled,
}

/// 202: the stream has every one.
pub(super) fn accepted(events: &[Told]) -> Answer {
    answer(StatusCode::ACCEPTED, &json!({"ok": true, "events": events}))
}

/// 503: it does not have every one, and what it has.
pub(super) fn broken(why: &str, events: &[Told]) -> Answer {
    let message = format!(
        "not every event is known to be filed: {why}; send the same request again, and nothing is filed twice"
    );
    let mut body = refusal(ErrorCode::Unavailable, &message);
    body["events"] = json!(events);
    let answer = answer(StatusCode::SERVICE_UNAVAILABLE, &body);
    with(answer, RETRY_AFTER, AWAY.as_secs().into())
}

/// 503: nothing was tried.
pub(super) fn away(why: &str) -> Answer {
    let message = format!("nothing was filed: {why}; send the same request again");
    let answer = refused(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, &message);
    with(answer, RETRY_AFTER, AWAY.as_secs().into())
}

/// 400: what is wrong, and where.
pub(super) fn mistaken(mistake: &Mistake) -> Answer {
    let mut body = refusal(
        ErrorCode::BadRequest,
        &format!("{}: {}", mistake.path, mistake.text),
    );
    body["path"] = json!(mistake.path);
    answer(StatusCode::BAD_REQUEST, &body)
}

/// 401: no credential that is known, for whatever reason.
pub(super) fn stranger() -> Answer {
    let answer = refused(
        StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden,
        "this takes the token of a source, or a signature of it that is not older than five minutes",
    );
    with(answer, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// 403: the source is known and may not send this.
pub(super) fn forbidden() -> Answer {
    refused(
        StatusCode::FORBIDDEN,
        ErrorCode::Forbidden,
        "the source may not send this: its record says which hosts it may name, and how urgent its events may be",
    )
}

/// 405.
pub(super) fn no_such_method(allowed: &'static str) -> Answer {
    let message = format!("only {allowed} is answered here");
    let answer = refused(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadRequest, &message);
    with(answer, ALLOW, HeaderValue::from_static(allowed))
}

/// 429: too many events of this source.
pub(super) fn too_often(wait: Duration) -> Answer {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let message = format!("this source sends more events than it may; try again in {seconds} s");
    let answer = refused(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, &message);
    // A whole number of seconds.
    let seconds = HeaderValue::from_str(&seconds.to_string());
    with(
        answer,
        RETRY_AFTER,
        seconds.unwrap_or(HeaderValue::from_static("60")),
    )
}

/// 200: this process answers; it says nothing of the bus.
pub(super) fn alive() -> Answer {
    answer(StatusCode::OK, &json!({"ok": true}))
}

/// Any other refusal.
pub(super) fn refused(status: StatusCode, code: ErrorCode, message: &str) -> Answer {
    answer(status, &refusal(code, message))
}

fn refusal(code: ErrorCode, message: &str) -> Value {
    json!({"ok": false, "code": code, "message": message})
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let mut response = Box::new(Response::new(Full::new(Bytes::from(format!("{body}\n")))));
    *response.status_mut() = status;
    with(
        response,
        CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )
}

fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}
