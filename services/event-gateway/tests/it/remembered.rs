//! A host's gateway that begins with what an earlier one has left in its journal.

use crate::{
    centre::{Centre, host},
    host::until_filed,
    noticing::{Place, spot},
};
use serde_json::{Value, json};
use snooze_bus::Stream;
use snooze_schemas::event::Scope;

fn noticed(id: &str, host: &str) -> Value {
    json!({"noticed": {
        "event": {
            "id": id, "type": "cloud.spot.interrupt", "severity": 3, "source": "test", "host": host,
            "noticed_at": "2030-01-01T00:00:00Z", "data": {"state": "raised"},
        },
        "boot_id": "boot",
        "until_boottime_ms": 9_000_000_000_000_u64,
    }})
}

#[tokio::test]
async fn e7_a_journal_of_another_host_ends_nobody() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    // As on a machine that was made from another one's image.
    place.remember(&[noticed("cloud-spot-interrupt-1", "h0")]);
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let handed = runner.asked().await.accept().await;
    assert_eq!(handed.event.host, Scope::Host(host("h1")));
    assert_eq!(
        until_filed(&centre, Stream::EventsUrgent, 1).await,
        [handed.event]
    );
    gateway.end().await;
}

#[tokio::test]
async fn e7_what_a_full_journal_has_no_place_for_is_over_only_once_it_is_handed_over() {
    let mut centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    // As many as there is room for were handed over, and there is no broker to file them.
    let full: Vec<Value> = (0..1_024)
        .flat_map(|number| {
            let id = format!("e{number}");
            [noticed(&id, "h1"), json!({"handed": {"id": id}})]
        })
        .collect();
    place.remember(&full);
    centre.server.kill();
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let first = runner.asked().await;
    // It ends before the runner has answered.
    let id = first.id().to_owned();
    gateway.kill().await;
    drop(first);
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let again = runner.asked().await;
    assert_eq!(again.id(), id);
    again.accept().await;
    gateway.end().await;
}
