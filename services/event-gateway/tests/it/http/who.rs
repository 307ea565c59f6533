//! Who may send what (rule I5).

use super::client::{Http, KEY, NIGHTLY, STRUCTURED, UNKNOWN, event, event_with, filed, seconds_from_now};
use crate::centre::Centre;
use data_encoding::HEXLOWER;
use ring::hmac;
use serde_json::json;

async fn centre() -> Centre {
    let centre = Centre::start().await;
    let record = json!({"hosts": {"only": ["h1"]}, "max_severity": 1});
    centre.source("nightly", record.clone()).await;
    centre.source("hook", record).await;
    centre
        .source("open", json!({"hosts": "all", "max_severity": 3}))
        .await;
    centre
}

/// Of a structured event.
fn signature(time: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let text = format!("{time}\n{}\n\n{body}", STRUCTURED.1);
    HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn time(time: &str) -> (&str, &str) {
    ("snooze-timestamp", time)
}

fn code(code: &str) -> (&str, &str) {
    ("snooze-signature", code)
}

#[tokio::test]
async fn i5_the_credential_says_which_source_it_is_and_nothing_that_is_sent() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    // Whatever the event calls its source, the record of the credential's holds.
    for changes in [
        json!({"source": "open", "subject": "h2"}),
        json!({"source": "open", "snoozeseverity": 3}),
        json!({"snoozehost": "fleet"}),
    ] {
        let body = event_with("1", &changes).to_string();
        let answer = http.post(&[NIGHTLY, STRUCTURED], body).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("forbidden")));
        let said = answer.body["message"].as_str().expect("a text");
        assert!(!said.contains("h2") && !said.contains("nightly"), "{said}");
    }
    let unrecorded = http.post(&[UNKNOWN, STRUCTURED], event("1").to_string()).await;
    let fenced = event_with("1", &json!({"subject": "h2"})).to_string();
    let fenced = http.post(&[NIGHTLY, STRUCTURED], fenced).await;
    assert_eq!((unrecorded.status, unrecorded.body), (fenced.status, fenced.body));
    assert_eq!(filed(&centre).await, []);
    let own = http
        .post(
            &[NIGHTLY, STRUCTURED],
            event_with("1", &json!({"source": "open"})).to_string(),
        )
        .await;
    assert_eq!(own.states(), ["filed"]);
    let events = filed(&centre).await;
    assert_eq!(events[0].source, "custom.nightly");
    http.gateway.end().await;
}

#[tokio::test]
async fn whoever_is_not_known_is_told_the_same_whatever_was_wrong() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    let body = event("1").to_string();
    let (now, stale, early) = (seconds_from_now(0), seconds_from_now(-310), seconds_from_now(310));
    let (signed, of_stale) = (signature(&now, &body), signature(&stale, &body));
    let (of_other, of_early) = (signature(&now, "{}"), signature(&early, &body));
    let hook = ("snooze-source", "hook");
    let mut answers = Vec::new();
    for headers in [
        &[][..],
        &[("authorization", "Bearer nightly-0123456788")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic bmlnaHRseTp4")],
        &[("snooze-source", "nightly")],
        &[hook, time(&stale), code(&of_stale)],
        &[hook, time(&early), code(&of_early)],
        &[hook, time(&now), code(&of_other)],
        &[("snooze-source", "nobody"), time(&now), code(&signed)],
        &[("snooze-source", "nightly"), time(&now), code(&signed)],
        &[hook, time(&now), code(&signed), NIGHTLY],
    ] {
        let headers = [headers, &[STRUCTURED][..]].concat();
        let answer = http.post(&headers, body.clone()).await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(filed(&centre).await, []);
    let good = http
        .post(&[hook, time(&now), code(&signed), STRUCTURED], body)
        .await;
    assert_eq!(good.states(), ["filed"]);
    http.gateway.end().await;
}

#[tokio::test]
async fn a_signed_request_that_is_replayed_files_nothing_again() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    let body = event("1").to_string();
    let time = seconds_from_now(-200);
    let signed = signature(&time, &body);
    let headers = [
        ("snooze-source", "hook"),
        ("snooze-timestamp", time.as_str()),
        ("snooze-signature", signed.as_str()),
        STRUCTURED,
    ];
    assert_eq!(http.post(&headers, body.clone()).await.states(), ["filed"]);
    for _ in 0..3 {
        assert_eq!(http.post(&headers, body.clone()).await.states(), ["duplicate"]);
    }
    // What was not signed along cannot be exchanged.
    let other = event("2").to_string();
    assert_eq!(http.post(&headers, other).await.status, 401);
    let mut as_binary = headers.to_vec();
    as_binary[3] = ("content-type", "application/json");
    as_binary.extend([
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/"),
        ("ce-type", "x"),
    ]);
    assert_eq!(http.post(&as_binary, body).await.status, 401);
    assert_eq!(filed(&centre).await.len(), 1);
    http.gateway.end().await;
}
