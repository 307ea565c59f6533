//! The state of a connection, and what nobody else would tell.

use crate::support::*;
use snooze_bus::{
    Bus, BusError, BusErrorKind, BusStatus, RequestError, Role, RunnerVerb, Subject, SubjectFilter, User,
};
use snooze_schemas::{host::Cancel, reply::Empty};
use std::time::Duration;

async fn wait_for_status(bus: &Bus, what: &str, is_it: impl Fn(&BusStatus) -> bool) {
    wait_until(LIMIT, what, async || is_it(&bus.status().borrow())).await;
}

#[tokio::test]
async fn a_denied_publish_is_fatal() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    let other = Subject::Verdict(host("h2"));
    bus.publish(&other, &verdict("h2", 1))
        .await
        .expect("is only queued");
    wait_for_status(
        &bus,
        "the violation is heard",
        |status| matches!(status, BusStatus::Fatal(text) if text.contains("snooze.v1.host.h2.verdict")),
    )
    .await;
    assert_eq!(bus.counters().violations, 1);
}

#[tokio::test]
async fn a_denied_subscription_is_fatal() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    let denied = bus.subscribe(&SubjectFilter::AllVerdicts, None).await;
    assert!(denied.is_ok(), "a client is not told by its subscription");
    wait_for_status(&bus, "the violation is heard", |status| {
        matches!(status, BusStatus::Fatal(_))
    })
    .await;
}

#[tokio::test]
async fn every_user_reads_only_its_own_inbox() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    drop(
        bus.raw_subscribe("_INBOX_host.h2.>")
            .await
            .expect("is only queued"),
    );
    wait_for_status(
        &bus,
        "the violation is heard",
        |status| matches!(status, BusStatus::Fatal(text) if text.contains("_INBOX_host.h2")),
    )
    .await;
    // Answers to `h1` do go below its own prefix.
    let asker = fenced(&server, &User::host(&host("h1"))).await;
    let mut asked = asker
        .raw_subscribe("snooze.v1.host.h1.plugin.redis.info")
        .await
        .expect("subscribes");
    let subject = Subject::HostPlugin {
        host: host("h1"),
        plugin: "redis".parse().expect("a name"),
        method: snooze_bus::PluginMethod::Info,
    };
    let question = snooze_schemas::plugin::Info {};
    let request = asker.request::<_, Empty>(&subject, &question, SHORT);
    let (_, heard) = tokio::join!(request, hear_raw(&mut asked));
    let reply = heard.reply.expect("wants an answer");
    assert!(reply.starts_with("_INBOX_host.h1."), "{reply}");
}

#[tokio::test]
async fn credentials_that_the_server_does_not_know_are_denied_at_once() {
    let server = NatsServer::with_roles().await;
    let stranger = NatsServer::with_roles().await;
    let user = User::host(&host("h1"));
    let credentials = stranger.credentials(&user);
    let connected = Bus::connect(config(server.url(), Role::Host, "h1", Some(credentials))).await;
    assert!(matches!(connected, Err(BusError::Denied { .. })), "{connected:?}");
    let missing = Bus::connect(config(server.url(), Role::Host, "h1", Some("/nowhere".into()))).await;
    assert!(
        matches!(missing, Err(BusError::Credentials { .. })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn who_begins_waits_for_no_server_and_is_connected_when_there_is_one() {
    let mut server = NatsServer::with_roles().await;
    let user = User::host(&host("h1"));
    let credentials = server.credentials(&user);
    server.kill();
    let begun = Bus::begin(config(server.url(), Role::Host, "h1", Some(credentials))).await;
    let bus = begun.expect("nobody is waited for");
    assert_eq!(*bus.status().borrow(), BusStatus::Disconnected);
    let flushed = bus.flush(SHORT).await.expect_err("nobody is there");
    assert!(flushed.is_unreachable(), "{flushed}");
    server.restart().await;
    wait_for_status(&bus, "it is connected", |status| *status == BusStatus::Connected).await;
    // Its inbox is there as well, which was made before the server was.
    bus.flush(LIMIT).await.expect("the server answers");
}

#[tokio::test]
async fn who_begins_with_credentials_that_the_server_does_not_know_hears_of_it() {
    let server = NatsServer::with_roles().await;
    let stranger = NatsServer::with_roles().await;
    let credentials = stranger.credentials(&User::host(&host("h1")));
    let begun = Bus::begin(config(server.url(), Role::Host, "h1", Some(credentials))).await;
    wait_for_status(
        &begun.expect("nobody was asked yet"),
        "the refusal is heard",
        |status| matches!(status, BusStatus::Fatal(text) if text.contains("credentials")),
    )
    .await;
    let missing = Bus::begin(config(server.url(), Role::Host, "h1", Some("/nowhere".into()))).await;
    assert!(
        matches!(missing, Err(BusError::Credentials { .. })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn credentials_of_another_role_are_denied_and_not_waited_for() {
    let server = NatsServer::with_roles().await;
    let credentials = server.credentials(&User::host(&host("h1")));
    let connected = Bus::connect(config(server.url(), Role::Gateway, "gateway", Some(credentials))).await;
    let Err(cause) = connected else {
        panic!("a host's credentials do for a gateway")
    };
    assert_eq!(cause.kind(), BusErrorKind::Denied, "{cause}");
}

#[tokio::test]
async fn credentials_that_the_server_no_longer_knows_are_fatal() {
    let mut server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    server.restart_with_other_keys().await;
    wait_for_status(
        &bus,
        "the refusal is heard",
        |status| matches!(status, BusStatus::Fatal(text) if text.contains("credentials")),
    )
    .await;
    let said = bus
        .publish(&Subject::Verdict(host("h1")), &verdict("h1", 1))
        .await;
    assert!(said.is_err(), "nothing is kept for a server that lets nobody in");
    let cancel = Cancel {
        claim: 1,
        reason: String::new(),
    };
    let subject = Subject::Runner {
        host: host("h1"),
        verb: RunnerVerb::Cancel,
    };
    let asked = bus.request::<_, Empty>(&subject, &cancel, LIMIT).await;
    assert!(
        matches!(asked, Err(RequestError::Bus(BusError::Denied { .. }))),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_question_that_is_not_permitted_says_so_instead_of_waiting() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    // Twice: the server's first word on it ends the service, but what is asked meanwhile is told as well.
    for name in ["h2", "h3", "h2"] {
        let subject = Subject::Runner {
            host: host(name),
            verb: RunnerVerb::Cancel,
        };
        let cancel = Cancel {
            claim: 1,
            reason: String::new(),
        };
        let asked = bus.request::<_, Empty>(&subject, &cancel, LIMIT).await;
        let Err(RequestError::Bus(cause)) = asked else {
            panic!("{name}: {asked:?}")
        };
        assert_eq!(cause.kind(), BusErrorKind::Denied);
        let why = std::error::Error::source(&cause).expect("the server's words");
        assert!(why.to_string().contains(&subject.to_string()), "{why}");
    }
}

#[tokio::test]
async fn no_error_and_no_configuration_shows_a_password() {
    let mut config = config("nats://me:sesame@127.0.0.1:1".to_owned(), Role::Host, "h1", None);
    config.connect_timeout = SHORT;
    assert!(!format!("{config:?}").contains("sesame"));
    let cause = Bus::connect(config).await.expect_err("nobody is there");
    assert_eq!(cause.kind(), BusErrorKind::Unreachable);
    assert!(cause.to_string().contains("***@127.0.0.1:1"), "{cause}");
    assert!(!format!("{cause:?}").contains("sesame"), "{cause:?}");
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_unreachable_within_the_limit() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let mut config = config(format!("nats://{address}"), Role::Host, "h1", None);
    config.connect_timeout = SHORT;
    let connected = tokio::time::timeout(LIMIT, Bus::connect(config))
        .await
        .expect("gives up");
    let cause = connected.expect_err("nobody is there");
    assert!(matches!(cause, BusError::Unreachable { .. }), "{cause:?}");
    assert!(cause.is_unreachable());
}

#[tokio::test]
async fn a_slow_consumer_is_counted() {
    let server = NatsServer::open().await;
    let config = config(server.url(), Role::Executor, "e", None);
    let slow = Bus::connect_with_capacity(config, 4)
        .await
        .expect("the server is there");
    let mut verdicts = slow
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    let sender = open(&server, Role::Host, "h1").await;
    for seq in 0..100 {
        let subject = Subject::Verdict(host("h1"));
        sender
            .publish(&subject, &verdict("h1", seq))
            .await
            .expect("publishes");
    }
    wait_until(LIMIT, "lost messages are counted", async || {
        slow.counters().slow_consumers > 0
    })
    .await;
    // What was not lost is still delivered, and the connection goes on.
    hear(&mut verdicts).await;
    assert_eq!(*slow.status().borrow(), BusStatus::Connected);
}

#[tokio::test]
async fn a_connection_comes_back_by_itself_with_its_subscriptions() {
    let mut server = NatsServer::open().await;
    let bus = open(&server, Role::Executor, "e").await;
    let mut verdicts = bus
        .subscribe(&SubjectFilter::AllVerdicts, Some("executor"))
        .await
        .expect("subscribes");
    server.kill();
    wait_for_status(&bus, "the loss is heard", |status| {
        *status == BusStatus::Disconnected
    })
    .await;
    // Nothing is sent late: what cannot be sent now says so.
    let told = bus
        .publish(&Subject::Verdict(host("h1")), &verdict("h1", 0))
        .await;
    assert!(matches!(told, Err(BusError::Disconnected { .. })), "{told:?}");
    let subject = Subject::Runner {
        host: host("h1"),
        verb: RunnerVerb::Cancel,
    };
    let cancel = Cancel {
        claim: 1,
        reason: String::new(),
    };
    let asked = bus.request::<_, Empty>(&subject, &cancel, SHORT).await;
    assert!(
        matches!(asked, Err(RequestError::Bus(BusError::Disconnected { .. }))),
        "{asked:?}"
    );
    server.restart().await;
    wait_for_status(&bus, "it is back", |status| *status == BusStatus::Connected).await;
    wait_until(LIMIT, "messages get through", async || {
        bus.flush(SHORT).await.is_ok()
    })
    .await;
    bus.publish(&Subject::Verdict(host("h1")), &verdict("h1", 1))
        .await
        .expect("publishes");
    let heard = tokio::time::timeout(LIMIT, verdicts.next())
        .await
        .expect("is heard")
        .expect("the connection is open");
    let heard: snooze_schemas::verdict::Verdict = heard.read().expect("reads");
    assert_eq!(heard.seq, 1, "what could not be sent is not sent late");
    assert_eq!(bus.counters().losses, 1);
}

#[tokio::test]
async fn draining_sends_what_was_published_and_ends_subscriptions() {
    let server = NatsServer::open().await;
    let sender = open(&server, Role::Host, "h1").await;
    let hearer = open(&server, Role::Executor, "e").await;
    let mut verdicts = hearer
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    for seq in 0..1000 {
        let subject = Subject::Verdict(host("h1"));
        sender
            .publish(&subject, &verdict("h1", seq))
            .await
            .expect("publishes");
    }
    sender.drain(LIMIT).await.expect("all is sent");
    for _ in 0..1000 {
        let heard = tokio::time::timeout(LIMIT, verdicts.next())
            .await
            .expect("is heard");
        assert!(heard.is_some());
    }
    hearer.drain(LIMIT).await.expect("drains");
    let ended = tokio::time::timeout(LIMIT, verdicts.next()).await.expect("ends");
    assert!(ended.is_none());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_for_the_server_is_no_reason_to_end() {
    let server = NatsServer::with_roles().await;
    let bus = fenced(&server, &User::host(&host("h1"))).await;
    // Nobody has asked, so that the server lets nothing into that inbox.
    bus.raw_publish("_INBOX_operator.ann.x.1", None, &[], b"{}")
        .await
        .expect("is only queued");
    wait_until(LIMIT, "it is counted", async || bus.counters().undeliverable == 1).await;
    assert_eq!(*bus.status().borrow(), BusStatus::Connected);
    assert_eq!(bus.counters().violations, 0);
}

#[tokio::test]
async fn several_servers_are_tried_in_turn() {
    let server = NatsServer::open().await;
    let mut config = config(
        format!("nats://127.0.0.1:1,{}", server.url()),
        Role::Host,
        "h1",
        None,
    );
    config.connect_timeout = Duration::from_secs(30);
    let bus = Bus::connect(config).await.expect("one of them is there");
    bus.flush(LIMIT).await.expect("it answers");
}
