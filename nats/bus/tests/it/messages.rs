//! Publishing, asking and answering.

use crate::support::*;
use snooze_bus::{Bus, OpsVerb, PluginMethod, RequestError, Role, RunnerVerb, Subject, SubjectFilter, serve};
use snooze_schemas::{
    ErrorCode, Refusal,
    host::{Cancel, Prepare, PrepareState, Prepared},
    ops::{Query, QueryResult},
    plugin::{CheckIdle, CheckIdleResult},
    reply::Empty,
    sample::Sample,
    verdict::Verdict,
};
use std::sync::Arc;
use tokio::{sync::Semaphore, task::JoinHandle};

fn nothing_known() -> QueryResult {
    QueryResult {
        frozen: None,
        hosts: Vec::new(),
        truncated: false,
        next: None,
    }
}

/// Answers every query with an empty result.
async fn answers_queries(bus: &Bus) -> JoinHandle<()> {
    let mut queries = bus
        .subscribe(&SubjectFilter::AllOps, Some("executor"))
        .await
        .expect("subscribes");
    tokio::spawn(async move {
        while let Some(delivery) = queries.next().await {
            let answer = delivery.read::<Query>().map(|_| nothing_known());
            delivery.answer(answer).await.expect("answers");
        }
    })
}

#[tokio::test]
async fn what_is_published_after_subscribing_is_heard() {
    let server = NatsServer::open().await;
    let hearer = open(&server, Role::Executor, "e").await;
    let host_bus = open(&server, Role::Host, "h1").await;
    for seq in 0..50 {
        // Anew each time: the message races the subscription unless that was confirmed.
        let mut verdicts = hearer
            .subscribe(&SubjectFilter::AllVerdicts, Some("executor"))
            .await
            .expect("subscribes");
        host_bus
            .publish(&Subject::Verdict(host("h1")), &verdict("h1", seq))
            .await
            .expect("publishes");
        let heard = tokio::time::timeout(LIMIT, verdicts.next())
            .await
            .expect("is heard")
            .expect("the connection is open");
        assert_eq!(heard.subject(), &Subject::Verdict(host("h1")));
        assert_eq!(heard.read::<Verdict>().expect("reads").seq, seq);
        assert!(!heard.wants_reply());
    }
}

#[tokio::test]
async fn a_request_is_answered_in_its_envelope() {
    let server = NatsServer::open().await;
    let runner = open(&server, Role::Host, "h1").await;
    let executor = open(&server, Role::Executor, "e").await;
    let mut asked = runner
        .subscribe(&SubjectFilter::RunnerOf(host("h1")), None)
        .await
        .expect("subscribes");
    let serving = tokio::spawn(async move {
        while let Some(delivery) = asked.next().await {
            let answer = delivery
                .read::<Prepare>()
                .and_then(|prepare| match prepare.claim {
                    7 => Ok(Prepared {
                        claim: 7,
                        state: PrepareState::Accepted,
                        message: String::new(),
                    }),
                    lower => Err(Refusal::new(ErrorCode::Conflict, format!("{lower} is old"))),
                });
            delivery.answer(answer).await.expect("answers");
        }
    });
    let subject = Subject::Runner {
        host: host("h1"),
        verb: RunnerVerb::Prepare,
    };
    let ask = async |claim| {
        let prepare = Prepare {
            claim,
            duration_ms: 1,
            notice_ms: 1,
            action: snooze_schemas::host::Action::Stop,
            reason: String::new(),
        };
        executor.request::<_, Prepared>(&subject, &prepare, LIMIT).await
    };
    assert_eq!(ask(7).await.expect("is accepted").state, PrepareState::Accepted);
    let refused = ask(6).await.expect_err("is refused");
    assert_eq!(
        refused.refusal(),
        Some(&Refusal::new(ErrorCode::Conflict, "6 is old"))
    );
    serving.abort();
}

#[tokio::test]
async fn json_on_sight_is_answered_in_json() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let shell = open(&server, Role::Operator, "ann").await;
    let serving = answers_queries(&executor).await;
    let subject = Subject::Ops(OpsVerb::Query).to_string();
    let ask = async |body: &[u8]| {
        shell
            .raw_request(&subject, &[], body, LIMIT)
            .await
            .expect("is answered")
    };
    let answer = ask(br#"{"host":"h1","field_of_tomorrow":[1]}"#).await;
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&answer.payload).expect("is JSON"),
        serde_json::json!({"ok": true, "frozen": null, "hosts": [], "truncated": false})
    );
    // What `nats req` sends when it is given nothing.
    assert!(ask(b"").await.payload.starts_with(br#"{"ok":true"#));
    let answer = ask(br#"{"host":"no host"}"#).await;
    let refusal: serde_json::Value = serde_json::from_slice(&answer.payload).expect("is JSON");
    assert_eq!(
        (&refusal["ok"], &refusal["code"]),
        (&false.into(), &"bad_request".into())
    );
    assert_eq!(executor.counters().refused, 1);
    serving.abort();
}

#[tokio::test]
async fn an_unknown_version_is_refused_with_its_code() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let shell = open(&server, Role::Operator, "ann").await;
    let serving = answers_queries(&executor).await;
    let answer = shell
        .raw_request(
            &Subject::Ops(OpsVerb::Query).to_string(),
            &[("Snooze-Kind", "query"), ("Snooze-Version", "2")],
            b"{}",
            LIMIT,
        )
        .await
        .expect("is answered");
    let refusal: serde_json::Value = serde_json::from_slice(&answer.payload).expect("is JSON");
    assert_eq!(refusal["code"], "unknown_version");
    serving.abort();
}

#[tokio::test]
async fn a_plugin_answers_without_an_envelope() {
    let server = NatsServer::open().await;
    let plugin = open(&server, Role::Plugin, "h1_redis").await;
    let runner = open(&server, Role::Host, "h1").await;
    let mut asked = plugin
        .raw_subscribe("snooze.v1.host.h1.plugin.redis.*")
        .await
        .expect("subscribes");
    let subject = Subject::HostPlugin {
        host: host("h1"),
        plugin: "redis".parse().expect("a name"),
        method: PluginMethod::CheckIdle,
    };
    let serving = tokio::spawn(async move {
        for answer in [
            r#"{"is_idle":false,"reason":"five clients","details":{"connection_count":5}}"#,
            r#"{"ok":false,"code":"internal","message":"no Redis"}"#,
            "nonsense",
        ] {
            let request = asked.next().await.expect("is asked");
            let reply = request.reply.expect("an answer is wanted");
            plugin
                .raw_publish(&reply, None, &[], answer.as_bytes())
                .await
                .expect("publishes");
        }
    });
    let question = CheckIdle {
        metrics: snooze_schemas::metrics::Metrics::default(),
        host: None,
    };
    let ask = async || {
        runner
            .request_bare::<_, CheckIdleResult>(&subject, &question, LIMIT)
            .await
    };
    assert!(matches!(
        ask().await.expect("answers"),
        CheckIdleResult::Opinion { is_idle: false, .. }
    ));
    assert!(matches!(ask().await, Err(RequestError::Refused { .. })));
    assert!(matches!(ask().await, Err(RequestError::Undecodable { .. })));
    serving.await.expect("the plugin ends");
}

#[tokio::test]
async fn nobody_there_and_no_answer_are_told_apart() {
    let server = NatsServer::open().await;
    let executor = open(&server, Role::Executor, "e").await;
    let silent = open(&server, Role::Host, "h1").await;
    let subject = |name: &str| Subject::Runner {
        host: host(name),
        verb: RunnerVerb::Cancel,
    };
    let cancel = Cancel {
        claim: 1,
        reason: String::new(),
    };
    let unheard = executor.request::<_, Empty>(&subject("h2"), &cancel, LIMIT).await;
    assert!(matches!(unheard, Err(RequestError::NoResponders { .. })));
    let _asked = silent
        .subscribe(&SubjectFilter::RunnerOf(host("h1")), None)
        .await
        .expect("subscribes");
    let unanswered = executor.request::<_, Empty>(&subject("h1"), &cancel, SHORT).await;
    assert!(matches!(unanswered, Err(RequestError::TimedOut { .. })));
    assert_eq!(
        executor.counters().waiting,
        0,
        "what was not answered is forgotten"
    );
}

#[tokio::test]
async fn a_queue_group_hears_each_message_once() {
    let server = NatsServer::open().await;
    let one = open(&server, Role::Executor, "one").await;
    let two = open(&server, Role::Executor, "two").await;
    let sender = open(&server, Role::Host, "h1").await;
    let filter = SubjectFilter::AllVerdicts;
    let mut first = one
        .subscribe(&filter, Some("executor"))
        .await
        .expect("subscribes");
    let mut second = two
        .subscribe(&filter, Some("executor"))
        .await
        .expect("subscribes");
    let subject = Subject::Verdict(host("h1"));
    for seq in 0..100 {
        sender
            .publish(&subject, &verdict("h1", seq))
            .await
            .expect("publishes");
    }
    let mut heard = Vec::new();
    while heard.len() < 100 {
        let delivery = tokio::select! {
            delivery = first.next() => delivery,
            delivery = second.next() => delivery,
            () = tokio::time::sleep(LIMIT) => panic!("heard only {}", heard.len()),
        };
        let delivery = delivery.expect("the connection is open");
        heard.push(delivery.read::<Verdict>().expect("reads").seq);
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_body_over_the_limit_never_leaves() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Host, "h1").await;
    let mut large = sample("h1", 1);
    large.boot_id = "x".repeat(snooze_bus::MAX_BODY);
    let sent = bus.publish(&Subject::Metrics(host("h1")), &large).await;
    assert!(matches!(sent, Err(snooze_bus::BusError::Encode { .. })));
}

#[tokio::test]
async fn a_slow_handler_delays_nobody_and_what_is_too_much_is_turned_away() {
    let server = NatsServer::open().await;
    let runner = open(&server, Role::Host, "h1").await;
    let executor = open(&server, Role::Executor, "e").await;
    let subscription = runner
        .subscribe(&SubjectFilter::RunnerOf(host("h1")), None)
        .await
        .expect("subscribes");
    let gate = Arc::new(Semaphore::new(0));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let handler_gate = gate.clone();
    let serving = tokio::spawn(serve(
        subscription,
        2,
        LIMIT,
        async {
            stopped.await.expect("the test stops it");
        },
        move |delivery| {
            let gate = handler_gate.clone();
            async move {
                let permit = gate.acquire().await.expect("it is never closed");
                permit.forget();
                delivery.answer(Ok(Empty {})).await.expect("answers");
            }
        },
    ));
    let subject = Subject::Runner {
        host: host("h1"),
        verb: RunnerVerb::Cancel,
    };
    let ask = |claim| {
        let (executor, subject) = (executor.clone(), subject.clone());
        let cancel = Cancel {
            claim,
            reason: String::new(),
        };
        tokio::spawn(async move { executor.request::<_, Empty>(&subject, &cancel, LIMIT).await })
    };
    let asked = [ask(1), ask(2), ask(3)];
    wait_until(LIMIT, "one of three is turned away", async || {
        runner.counters().overloaded == 1
    })
    .await;
    // Stopping first: what is in flight still ends.
    stop.send(()).expect("it is serving");
    gate.add_permits(2);
    let mut answered = 0;
    for request in asked {
        match request.await.expect("no panic") {
            Ok(Empty {}) => answered += 1,
            Err(refused) => assert_eq!(
                refused.refusal().map(|refusal| refusal.code),
                Some(ErrorCode::RateLimited)
            ),
        }
    }
    assert_eq!(answered, 2);
    serving.await.expect("it ends");
}

#[tokio::test]
async fn an_event_is_heard_on_its_way_into_its_stream_and_answered_by_the_stream_alone() {
    let (server, bus) = set_up().await;
    let operator = open(&server, Role::Operator, "ann").await;
    let mut events = operator
        .subscribe(&SubjectFilter::AllEvents, None)
        .await
        .expect("subscribes");
    let (subject, event) = event("h1", snooze_schemas::event::Severity::Critical, "e1");
    // The hearer answers first, and must not be taken for the stream.
    let filing = bus.file(&subject, &event, snooze_bus::Expect::New, LIMIT);
    let hearing = async {
        let heard = hear(&mut events).await;
        heard.answer(Ok(Empty {})).await.expect("does nothing");
        heard
    };
    let (filed, heard) = tokio::join!(filing, hearing);
    filed.expect("the stream's ack is what counts");
    assert!(!heard.wants_reply());
    assert_eq!(
        heard.read::<snooze_schemas::event::Event>().expect("reads"),
        event
    );
}

#[tokio::test]
async fn samples_of_every_host_are_heard_with_their_subject() {
    let server = NatsServer::open().await;
    let operator = open(&server, Role::Operator, "ann").await;
    let mut samples = operator
        .subscribe(&SubjectFilter::AllMetrics, None)
        .await
        .expect("subscribes");
    // A subject of a family that is no subject of ours is counted, never delivered.
    operator
        .raw_publish(
            "snooze.v1.host.no host.metrics".replace(' ', "$").as_str(),
            None,
            &[],
            b"{}",
        )
        .await
        .expect("publishes");
    operator
        .publish(&Subject::Metrics(host("h2")), &sample("h2", 4))
        .await
        .expect("publishes");
    let heard = hear(&mut samples).await;
    assert_eq!(heard.subject().host(), Some(&host("h2")));
    assert_eq!(heard.read::<Sample>().expect("reads").seq, 4);
    assert_eq!(operator.counters().undecodable, 1);
}
