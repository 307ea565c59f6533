//! What is asked at a subject that is none of ours is answered like all else.

use crate::support::*;
use snooze_bus::{Role, SubjectFilter};

#[tokio::test]
async fn a_question_at_a_subject_that_is_none_is_answered_too() {
    let server = NatsServer::open().await;
    let service = open(&server, Role::Executor, "e").await;
    let shell = open(&server, Role::Operator, "ann").await;
    let runner = SubjectFilter::RunnerOf(host("h1"));
    for filter in [
        SubjectFilter::AllOps,
        SubjectFilter::AllCustom,
        runner,
        SubjectFilter::AllEvents,
    ] {
        let mut heard = service.subscribe(&filter, None).await.expect("subscribes");
        tokio::spawn(async move {
            assert!(heard.next().await.is_none(), "nothing of it reaches a caller");
        });
    }
    for subject in ["ops.frobnicate", "custom.ada.Deploy", "host.h1.runner.jump"] {
        let answer = shell
            .raw_request(&format!("snooze.v1.{subject}"), &[], b"{}", LIMIT)
            .await
            .expect("is answered");
        let refusal: serde_json::Value = serde_json::from_slice(&answer.payload).expect("in JSON, as asked");
        assert_eq!(
            (&refusal["ok"], &refusal["code"]),
            (&false.into(), &"not_found".into()),
            "{subject}: {refusal}"
        );
    }
    // What is heard on its way to a stream is the stream's to answer, and a forged inbox nobody's.
    let event = "snooze.v1.event.h1.3.x.Deploy";
    assert!(shell.raw_request(event, &[], b"{}", SHORT).await.is_err());
    let mut victim = shell
        .raw_subscribe("snooze.v1.host.h2.>")
        .await
        .expect("subscribes");
    for (subject, reply) in [
        (
            "snooze.v1.ops.frobnicate",
            Some("snooze.v1.host.h2.runner.cancel"),
        ),
        ("snooze.v1.host.h2.end", None),
    ] {
        shell
            .raw_publish(subject, reply, &[], b"{}")
            .await
            .expect("publishes");
        // Answered questions come after this one was looked at.
        shell
            .raw_request("snooze.v1.ops.frobnicate", &[], b"{}", LIMIT)
            .await
            .expect("is answered");
    }
    assert_eq!(hear_raw(&mut victim).await.subject, "snooze.v1.host.h2.end");
}
