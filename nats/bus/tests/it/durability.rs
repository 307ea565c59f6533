//! What a server has acknowledged, after it was killed (rule E2).

use crate::support::*;
use snooze_bus::{Bucket, Expect, Stream, SubjectFilter};
use snooze_schemas::event::{Event, Scope, Severity};

#[tokio::test]
async fn e2_the_server_took_what_the_data_says_of_how_each_stream_is_kept() {
    let (_server, bus) = set_up().await;
    let streams = Stream::ALL.map(|stream| (stream.name(), Some(stream)));
    let buckets = Bucket::ALL.map(|bucket| (bucket.stream(), None));
    let artifacts = [("OBJ_snooze_artifacts", None)];
    for (name, stream) in streams.into_iter().chain(buckets).chain(artifacts) {
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        let answer = bus
            .raw_request(&subject, &[], b"", LIMIT)
            .await
            .expect("is answered");
        let info: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        let config = &info["config"];
        assert_eq!(config["storage"], "file", "{name}");
        let in_background = matches!(stream, Some(Stream::EventsRoutine | Stream::Verdicts));
        assert_eq!(
            config["persist_mode"] == "async",
            in_background,
            "{name}: {config}"
        );
        assert_eq!(
            config["discard"],
            if stream.is_some() { "old" } else { "new" },
            "{name}"
        );
    }
}

#[tokio::test]
async fn e2_no_urgent_event_that_was_acknowledged_is_lost_with_the_server() {
    let (mut server, bus) = set_up().await;
    let filter = SubjectFilter::EventsOf(Scope::Host(host("h1")));
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        // Killed in the middle of what is being filed.
        let filing = async {
            for number in 0..200 {
                let id = format!("e-{round}-{number}");
                let (subject, event) = event("h1", Severity::Critical, &id);
                if bus.file(&subject, &event, Expect::New, SHORT).await.is_err() {
                    break;
                }
                acknowledged.push(id);
                if number == 50 {
                    server.kill();
                }
            }
        };
        filing.await;
        server.restart().await;
        let mut found = Vec::new();
        wait_until(LONG, "the streams are back", async || {
            let read = bus.history::<Event>(Stream::EventsUrgent, &filter, 1_000).await;
            found = read.unwrap_or_default();
            !found.is_empty()
        })
        .await;
        let found: Vec<String> = found
            .into_iter()
            .map(|stored| stored.message.id.to_string())
            .collect();
        let lost: Vec<&String> = acknowledged.iter().filter(|id| !found.contains(id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
    }
    assert!(acknowledged.len() > 100);
}
