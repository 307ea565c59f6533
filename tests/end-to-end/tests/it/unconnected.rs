//! The four services where there is no bus yet, as at a boot in which the broker comes late or not at all.

use crate::place::{LONG, Place};
use rustix::process::Signal;
use std::net::Ipv4Addr;
use tokio::{net::TcpListener, time::timeout};

/// A service that is asked to end while it looks for the bus. What takes its connection says nothing, so that the
/// signal comes while it connects and not before.
async fn ends_in_order(service: &str, part: &[&str], signal: Signal) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut place = Place::new();
    // What runs on a host waits for no bus, and keeps its journals here.
    place.set("SNOOZE_STATE", place.path("state"));
    place.write("snooze.json", "{}");
    let config = place.text("snooze.json");
    let url = format!("nats://{address}");
    let all = [part, &["--server", &url, "--config", &config]].concat();
    let run = place.start(service, &all);
    let taken = timeout(LONG, listener.accept()).await;
    let _connection = taken.expect("it connects").expect("one can be taken");
    run.signal(signal);
    let done = run.ended().await;
    // Half a minute later it would give up by itself, and with another code.
    assert_eq!(done.code, 0, "{service} {part:?}: {done:?}");
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_while_it_connects_ends_in_order() {
    for (service, part, signal) in [
        ("snooze-collector", &[][..], Signal::TERM),
        ("snooze-plugin-runner", &[], Signal::INT),
        ("snooze-event-gateway", &[], Signal::TERM),
        ("snooze-event-gateway", &["centre"], Signal::INT),
        ("snooze-event-gateway", &["host"], Signal::TERM),
        ("snooze-executor", &[], Signal::INT),
    ] {
        ends_in_order(service, part, signal).await;
    }
}

/// What cannot be read is a mistake in how it was started, and ends it at once.
async fn is_unreadable(service: &str, part: &[&str]) {
    let mut place = Place::new();
    place.set("SNOOZE_STATE", place.path("state"));
    place.write("snooze.json", "{}");
    let config = place.text("snooze.json");
    let named = ["--config", &config, "--host", "web", "--credentials", "/nowhere"];
    let done = place.run(service, &[part, &named].concat()).await;
    assert_eq!(done.code, 64, "{service} {part:?}: {done:?}");
}

#[tokio::test]
async fn i5_who_waits_for_no_bus_ends_all_the_same_where_its_credentials_cannot_be_read() {
    is_unreadable("snooze-plugin-runner", &[]).await;
    is_unreadable("snooze-event-gateway", &["host"]).await;
}
