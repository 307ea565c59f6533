//! A connection that goes on where the server denies something (rule E7).

use crate::support::*;
use snooze_bus::{
    Bus, BusConfig, BusError, BusStatus, OnDenial, RequestError, Role, RunnerVerb, Subject, SubjectFilter,
    Subscription, User,
};
use snooze_schemas::{host::Cancel, reply::Empty};
use std::{fs, path::PathBuf, time::Duration};

/// What a connection of the host `h1` is made with that goes on.
fn going_on(server: &NatsServer, credentials: Option<PathBuf>) -> BusConfig {
    BusConfig {
        on_denial: OnDenial::GoOn,
        ..config(server.url(), Role::Host, "h1", credentials)
    }
}

async fn until(bus: &Bus, wanted: BusStatus) {
    let what = format!("it is {wanted:?}");
    wait_until(LONG, &what, async || *bus.status().borrow() == wanted).await;
}

async fn until_denied(bus: &Bus) {
    wait_until(LIMIT, "the denial is heard", async || {
        bus.counters().violations > 0
    })
    .await;
}

fn question() -> (Subject, Cancel) {
    let (host, verb) = (host("h1"), RunnerVerb::Cancel);
    let reason = String::new();
    (Subject::Runner { host, verb }, Cancel { claim: 1, reason })
}

/// Asks the host until it hears that.
async fn until_it_hears(asker: &Bus, heard: &mut Subscription) {
    let (subject, cancel) = question();
    let asking = async {
        loop {
            drop(asker.request::<_, Empty>(&subject, &cancel, SHORT).await);
        }
    };
    tokio::select! {
        () = asking => {}
        heard = tokio::time::timeout(LONG, heard.next()) => {
            let heard = heard.expect("in time").expect("the connection is open");
            assert_eq!(*heard.subject(), subject);
        }
    }
}

#[tokio::test]
async fn e7_who_was_turned_away_comes_back_with_its_subscriptions_once_its_credentials_are_renewed() {
    let mut server = NatsServer::with_kept_keys().await;
    let user = User::host(&host("h1"));
    let executor = fenced(&server, &User::named(Role::Executor, "e").expect("a name")).await;
    let credentials = server.credentials(&user);
    let bus = Bus::connect(going_on(&server, Some(credentials.clone()))).await;
    let bus = bus.expect("it is let in");
    let asked = bus.subscribe(&SubjectFilter::RunnerOf(host("h1")), None).await;
    let mut asked = asked.expect("subscribes");
    server.revoke(Role::Host);
    until_denied(&bus).await;
    assert_eq!(*bus.status().borrow(), BusStatus::Disconnected);
    let said = bus
        .publish(&Subject::Verdict(host("h1")), &verdict("h1", 1))
        .await;
    assert!(matches!(said, Err(BusError::Disconnected { .. })), "{said:?}");
    let (subject, cancel) = question();
    let said = executor.request::<_, Empty>(&subject, &cancel, LIMIT).await;
    assert!(matches!(said, Err(RequestError::NoResponders { .. })), "{said:?}");
    assert_eq!(
        server.credentials(&user),
        credentials,
        "they are renewed in their place"
    );
    until(&bus, BusStatus::Connected).await;
    until_it_hears(&executor, &mut asked).await;
    bus.flush(LIMIT).await.expect("answers arrive");
}

#[tokio::test]
async fn e7_who_begins_with_credentials_that_are_not_known_is_let_in_once_they_are_renewed() {
    let (server, stranger) = (NatsServer::with_roles().await, NatsServer::with_roles().await);
    let user = User::host(&host("h1"));
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("host.creds");
    fs::copy(stranger.credentials(&user), &credentials).expect("copies");
    let bus = Bus::begin(going_on(&server, Some(credentials.clone()))).await;
    let bus = bus.expect("nobody was asked yet");
    until_denied(&bus).await;
    assert_eq!(*bus.status().borrow(), BusStatus::Disconnected);
    // While they are being written they are of no use, and that is no end either.
    fs::write(&credentials, "-----BEGIN NATS USER JWT-----\n").expect("writes");
    fs::copy(server.credentials(&user), &credentials).expect("copies");
    until(&bus, BusStatus::Connected).await;
}

#[tokio::test]
async fn e7_credentials_that_run_out_are_waited_for() {
    let server = NatsServer::with_kept_keys().await;
    let user = User::host(&host("h1"));
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("host.creds");
    let short = server.credentials_for(&user, Duration::from_secs(2));
    fs::write(&credentials, short).expect("writes");
    let bus = Bus::connect(going_on(&server, Some(credentials.clone()))).await;
    let bus = bus.expect("they have not run out yet");
    until_denied(&bus).await;
    assert_eq!(*bus.status().borrow(), BusStatus::Disconnected);
    fs::copy(server.credentials(&user), &credentials).expect("copies");
    until(&bus, BusStatus::Connected).await;
}

#[tokio::test]
async fn e7_with_another_hosts_credentials_nothing_is_asked_that_nobody_could_answer() {
    let server = NatsServer::with_roles().await;
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("host.creds");
    fs::copy(server.credentials(&User::host(&host("h2"))), &credentials).expect("copies");
    let config = going_on(&server, Some(credentials.clone()));
    let waited = Bus::connect(config.clone()).await;
    assert!(matches!(waited, Err(BusError::Denied { .. })), "{waited:?}");
    let bus = Bus::begin(config).await.expect("nobody was asked yet");
    until_denied(&bus).await;
    until(&bus, BusStatus::Disconnected).await;
    fs::copy(server.credentials(&User::host(&host("h1"))), &credentials).expect("copies");
    // The server does not end the connection: it is made anew by itself.
    wait_until(LONG, "answers arrive", async || bus.flush(SHORT).await.is_ok()).await;
    until(&bus, BusStatus::Connected).await;
}

#[tokio::test]
async fn e7_one_denied_subscription_takes_nothing_else_away_and_hears_once_it_is_allowed() {
    let server = NatsServer::denying(&[], &["snooze.v1.host.h1.runner.>"]).await;
    let other = open(&server, Role::Executor, "e").await;
    let bus = Bus::connect(going_on(&server, None)).await.expect("it is let in");
    let denied = bus.subscribe(&SubjectFilter::RunnerOf(host("h1")), None).await;
    let mut denied = denied.expect("a client is not told by its subscription");
    until_denied(&bus).await;
    assert_eq!(*bus.status().borrow(), BusStatus::Connected);
    let allowed = SubjectFilter::Exactly(Subject::Metrics(host("h1")));
    let mut allowed = bus.subscribe(&allowed, None).await.expect("subscribes");
    let metrics = Subject::Metrics(host("h1"));
    other
        .publish(&metrics, &sample("h1", 1))
        .await
        .expect("publishes");
    hear(&mut allowed).await;
    server.deny_nothing();
    until_it_hears(&other, &mut denied).await;
    other
        .publish(&metrics, &sample("h1", 2))
        .await
        .expect("publishes");
    hear(&mut allowed).await;
}

#[tokio::test]
async fn e7_what_may_not_be_published_is_sent_once_a_connection_and_again_once_it_is_allowed() {
    let server = NatsServer::denying(&["snooze.v1.host.h1.verdict"], &[]).await;
    let hearer = open(&server, Role::Executor, "e").await;
    let mut verdicts = hearer
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    let bus = Bus::connect(going_on(&server, None)).await.expect("it is let in");
    let subject = Subject::Verdict(host("h1"));
    bus.publish(&subject, &verdict("h1", 1))
        .await
        .expect("is only queued");
    until_denied(&bus).await;
    let mut refused = 0;
    while bus.counters().losses == 0 {
        let said = bus.publish(&subject, &verdict("h1", 2)).await;
        match said {
            Err(BusError::Denied { .. }) => refused += 1,
            Ok(()) | Err(BusError::Disconnected { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    }
    assert!(refused > 0);
    assert_eq!(
        bus.counters().violations,
        1,
        "it was sent once before the connection was made anew"
    );
    server.deny_nothing();
    wait_until(LONG, "it may be published", async || {
        drop(bus.publish(&subject, &verdict("h1", 3)).await);
        tokio::time::timeout(SHORT, verdicts.next()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn credentials_that_cannot_be_read_again_are_those_that_were_read_last() {
    let mut server = NatsServer::with_roles().await;
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("host.creds");
    fs::copy(server.credentials(&User::host(&host("h1"))), &credentials).expect("copies");
    let bus = Bus::connect(config(server.url(), Role::Host, "h1", Some(credentials.clone()))).await;
    let bus = bus.expect("it is let in");
    fs::remove_file(&credentials).expect("it was there");
    server.kill();
    until(&bus, BusStatus::Disconnected).await;
    server.restart().await;
    until(&bus, BusStatus::Connected).await;
    bus.flush(LIMIT).await.expect("the server answers");
}
