//! Rule I3: nobody can make a server or a service send a message that it may not send itself.

use crate::support::*;
use snooze_bus::{BusError, OpsVerb, Role, RunnerVerb, Stream, Subject, SubjectFilter, Subscription};
use snooze_schemas::{
    ErrorCode, Refusal,
    host::Cancel,
    ops::{LeaseRequest, Query},
    reply::Empty,
    verdict::Verdict,
};

fn cancel_of(name: &str) -> Subject {
    Subject::Runner {
        host: host(name),
        verb: RunnerVerb::Cancel,
    }
}

async fn next_refusal<M: snooze_schemas::Message + std::fmt::Debug>(heard: &mut Subscription) -> Refusal {
    let delivery = hear(heard).await;
    delivery.read::<M>().expect_err("must be refused")
}

#[tokio::test]
async fn i3_a_message_with_an_effect_is_refused_without_kind_and_version_in_json_too() {
    let server = NatsServer::open().await;
    let runner = open(&server, Role::Host, "h1").await;
    let other = open(&server, Role::Executor, "e").await;
    let mut heard = runner
        .subscribe(&SubjectFilter::RunnerOf(host("h1")), None)
        .await
        .expect("subscribes");
    let subject = cancel_of("h1").to_string();
    let headers: [&[_]; 3] = [
        &[],
        &[("Snooze-Kind", "cancel")],
        &[("Snooze-Kind", "prepare"), ("Snooze-Version", "1")],
    ];
    for headers in headers {
        for body in [b"{\"claim\":1}".as_slice(), b"\x81\xa5claim\x01"] {
            other
                .raw_publish(&subject, None, headers, body)
                .await
                .expect("publishes");
            let refusal = next_refusal::<Cancel>(&mut heard).await;
            assert_eq!(refusal.code, ErrorCode::BadRequest, "{refusal}");
        }
    }
    assert_eq!(runner.counters().refused, 6);
    // The same with them is understood.
    other
        .raw_publish(
            &subject,
            None,
            &[("Snooze-Kind", "cancel"), ("Snooze-Version", "1")],
            b"{\"claim\":1}",
        )
        .await
        .expect("publishes");
    let delivery = hear(&mut heard).await;
    assert_eq!(delivery.read::<Cancel>().expect("reads").claim, 1);
}

#[tokio::test]
async fn i3_headers_that_only_a_server_adds_are_refused_and_counted() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let other = open(&server, Role::Operator, "ann").await;
    let mut heard = executor
        .subscribe(&SubjectFilter::AllOps, None)
        .await
        .expect("subscribes");
    for name in [
        "Nats-Stream",
        "Nats-Subject",
        "Nats-Sequence",
        "Nats-Expected-Last-Subject-Sequence",
        "Nats-Time-Stamp",
        "nats-num-pending",
    ] {
        // Even a question, which may come bare.
        other
            .raw_publish(
                &Subject::Ops(OpsVerb::Query).to_string(),
                None,
                &[(name, "1")],
                b"{}",
            )
            .await
            .expect("publishes");
        let refusal = next_refusal::<Query>(&mut heard).await;
        assert_eq!(refusal.code, ErrorCode::Forbidden, "{name}");
    }
    assert_eq!(executor.counters().refused, 6);
}

#[tokio::test]
async fn i3_a_body_that_names_another_host_than_its_subject_is_refused() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let evil = open(&server, Role::Host, "h1").await;
    let mut heard = executor
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    evil.publish(&Subject::Verdict(host("h1")), &verdict("h2", 1))
        .await
        .expect("publishes");
    assert_eq!(
        next_refusal::<Verdict>(&mut heard).await.code,
        ErrorCode::Forbidden
    );

    let mut leases = executor
        .subscribe(&SubjectFilter::AllLease, None)
        .await
        .expect("subscribes");
    let lease = LeaseRequest {
        host: host("h2"),
        id: "x".to_owned(),
        duration_ms: 1,
        reason: String::new(),
        holder: String::new(),
    };
    let subject = Subject::HostLease(host("h1"));
    evil.publish(&subject, &lease).await.expect("publishes");
    assert_eq!(
        next_refusal::<LeaseRequest>(&mut leases).await.code,
        ErrorCode::Forbidden
    );
}

#[tokio::test]
async fn i3_answers_go_only_into_inboxes_of_a_role() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let evil = open(&server, Role::Operator, "eve").await;
    let mut victim = evil
        .raw_subscribe("snooze.v1.host.h2.>")
        .await
        .expect("subscribes");
    let mut heard = executor
        .subscribe(&SubjectFilter::AllOps, None)
        .await
        .expect("subscribes");
    for reply in ["snooze.v1.host.h2.runner.cancel", "_INBOX.x.y", "_INBOX_host_h2"] {
        let query = Subject::Ops(OpsVerb::Query).to_string();
        evil.raw_publish(&query, Some(reply), &[], b"{}")
            .await
            .expect("publishes");
        let delivery = hear(&mut heard).await;
        let refusal = delivery.read::<Query>().expect_err("must be refused");
        assert_eq!(refusal.code, ErrorCode::Forbidden);
        for answer in [Ok(Empty {}), Err(refusal)] {
            let answered = delivery.answer(answer).await;
            assert!(matches!(answered, Err(BusError::ForgedReply { .. })), "{reply}");
        }
    }
    // Only this one, sent after all of it, arrives.
    evil.raw_publish("snooze.v1.host.h2.end", None, &[], b"{}")
        .await
        .expect("publishes");
    let first = hear_raw(&mut victim).await;
    assert_eq!(first.subject, "snooze.v1.host.h2.end");
}

#[tokio::test]
async fn i3_a_streams_ack_sent_to_a_forged_reply_is_no_command() {
    let (server, bus) = set_up().await;
    let runner = open(&server, Role::Host, "h2").await;
    let mut heard = runner
        .subscribe(&SubjectFilter::RunnerOf(host("h2")), None)
        .await
        .expect("subscribes");
    // What a host may publish, with a reply subject that it may not.
    let (event, _) = event("h1", snooze_schemas::event::Severity::Critical, "forged");
    bus.raw_publish(
        &event.to_string(),
        Some(&cancel_of("h2").to_string()),
        &[],
        b"{\"claim\":9}",
    )
    .await
    .expect("publishes");
    // The ack does arrive there: NATS does not check reply subjects.
    let refusal = next_refusal::<Cancel>(&mut heard).await;
    assert_eq!(refusal.code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn i3_a_stored_message_that_a_server_is_made_to_deliver_is_no_command() {
    let (server, bus) = set_up().await;
    let runner = open(&server, Role::Host, "h2").await;
    let mut heard = runner
        .subscribe(&SubjectFilter::RunnerOf(host("h2")), None)
        .await
        .expect("subscribes");
    // Stored with every header of a real command, then asked for with the victim as the reply subject.
    let (event, _) = event("h1", snooze_schemas::event::Severity::Critical, "trap");
    let command: &[(&str, &str)] = &[("Snooze-Kind", "cancel"), ("Snooze-Version", "1")];
    bus.raw_request(&event.to_string(), command, b"{\"claim\":9}", LIMIT)
        .await
        .expect("is stored");
    let victim = cancel_of("h2").to_string();
    let direct = format!("$JS.API.DIRECT.GET.{}.{event}", Stream::EventsUrgent.name());
    bus.raw_publish(&direct, Some(&victim), &[], b"")
        .await
        .expect("publishes");
    let refusal = next_refusal::<Cancel>(&mut heard).await;
    assert_eq!(refusal.code, ErrorCode::Forbidden);
    // A consumer's delivery keeps the stored subject, which the subscription did not ask for: it is
    // dropped before anybody sees it.
    let next = format!(
        "$JS.API.CONSUMER.MSG.NEXT.{}.severity-3",
        Stream::EventsUrgent.name()
    );
    bus.raw_publish(&next, Some(&victim), &[], b"")
        .await
        .expect("publishes");
    let hearing = tokio::spawn(async move { heard.next().await });
    wait_until(LIMIT, "the delivery is dropped", async || {
        runner.counters().refused == 2
    })
    .await;
    assert!(!hearing.is_finished(), "nothing reaches the caller");
    hearing.abort();
}

#[tokio::test]
async fn i3_a_verdict_with_a_forged_reply_makes_the_stream_send_nothing() {
    let (server, bus) = set_up().await;
    let victim = open(&server, Role::Host, "h2").await;
    let mut heard = victim
        .raw_subscribe("snooze.v1.host.h2.>")
        .await
        .expect("subscribes");
    let executor = open(&server, Role::Executor, "e").await;
    let mut verdicts = executor
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    let reply = cancel_of("h2").to_string();
    let subject = Subject::Verdict(host("h1"));
    bus.raw_publish(&subject.to_string(), Some(&reply), &[], b"{}")
        .await
        .expect("publishes");
    assert_eq!(
        next_refusal::<Verdict>(&mut verdicts).await.code,
        ErrorCode::Forbidden
    );
    wait_until(LIMIT, "the stream has the verdict", async || {
        !matches!(bus.last::<Verdict>(Stream::Verdicts, &subject).await, Ok(None))
    })
    .await;
    bus.raw_publish("snooze.v1.host.h2.end", None, &[], b"{}")
        .await
        .expect("publishes");
    assert_eq!(hear_raw(&mut heard).await.subject, "snooze.v1.host.h2.end");
}
