//! The four services where there is no bus yet, as at a boot in which the broker comes late or not at all.

use crate::place::{LONG, Place};
use rustix::process::Signal;
use std::net::Ipv4Addr;
use tokio::{net::TcpListener, time::timeout};

/// A service that is asked to end while it looks for the bus. What takes its connection says nothing, so that the
/// signal comes while it connects and not before.
async fn ends_in_order(service: &str, signal: Signal) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let place = Place::new();
    place.write("snooze.json", "{}");
    let config = place.text("snooze.json");
    let url = format!("nats://{address}");
    let all = ["--server", url.as_str(), "--config", config.as_str()];
    let run = place.start(service, &all);
    let taken = timeout(LONG, listener.accept()).await;
    let _connection = taken.expect("it connects").expect("one can be taken");
    run.signal(signal);
    let done = run.ended().await;
    // Half a minute later it would give up by itself, and with another code.
    assert_eq!(done.code, 0, "{service}: {done:?}");
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_while_it_connects_ends_in_order() {
    for (service, signal) in [
        ("snooze-collector", Signal::TERM),
        ("snooze-plugin-runner", Signal::INT),
        ("snooze-event-gateway", Signal::TERM),
        ("snooze-executor", Signal::INT),
    ] {
        ends_in_order(service, signal).await;
    }
}
