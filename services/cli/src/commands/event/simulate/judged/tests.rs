//! Which stories are of hosts that were helped in time, and which are not.

use super::*;
use serde_json::{Value, json};
use snooze_schemas::event::Scope;

/// The second of an hour.
fn at(second: f64) -> Timestamp {
    let hour: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
    hour + Duration::from_secs_f64(second)
}

/// An event of a host that was noticed after a second and has two minutes, and how it ended.
fn story(host: &str, endings: Vec<How>) -> Story {
    let event = json!({
        "id": format!("cloud-spot-interrupt-{host}"), "type": "cloud.spot.interrupt", "severity": 3,
        "source": "aws.ec2.metadata-service", "host": host, "noticed_at": at(1.0), "deadline": at(120.0),
    });
    let scope = Scope::Host(host.parse().expect("a host"));
    let ending = |how| Ending {
        host: scope.clone(),
        at: at(3.0),
        how,
    };
    Story {
        event: serde_json::from_value(event).expect("an event"),
        stream: "EVENTS_URGENT".to_owned(),
        sequence: 1,
        filed_at: at(1.25),
        waits: None,
        progress: None,
        endings: endings.into_iter().map(ending).collect(),
    }
}

fn said(handlers: &Value) -> How {
    let outcome = json!({
        "id": "e", "type": "cloud.spot.interrupt", "accepted_at": at(1.5), "handlers": handlers,
    });
    How::Reported(serde_json::from_value(outcome).expect("an outcome"))
}

fn handler(plugin: &str, handled: bool, succeeded: bool, took_ms: u64) -> Value {
    json!({"plugin": plugin, "handled": handled, "succeeded": succeeded, "message": "as it is",
        "started_at": at(2.0), "took_ms": took_ms})
}

fn why(endings: Vec<How>) -> Result<Duration, String> {
    judge(&story("h1", endings))
}

#[test]
fn in_time_is_who_was_handled_once_by_those_who_succeeded_before_the_deadline() {
    let good = json!([
        handler("drain", true, true, 500),
        handler("tell", false, true, 1_500)
    ]);
    assert_eq!(why(vec![said(&good)]), Ok(Duration::from_millis(116_500)));
    // The same report may come twice.
    assert!(why(vec![said(&good), said(&good)]).is_ok());
    for (endings, part) in [
        (vec![], "had not ended"),
        (
            vec![How::Dead("its host is away".to_owned())],
            "DEAD: its host is away",
        ),
        (vec![said(&json!([]))], "no plugin handles it"),
        (
            vec![said(&json!([handler("tell", false, true, 1)]))],
            "no plugin handles it",
        ),
        (
            vec![said(&json!([
                handler("a", true, true, 1),
                handler("b", true, false, 1)
            ]))],
            "b failed",
        ),
        (
            vec![said(&json!([handler("a", true, true, 118_001)]))],
            "1 ms after its deadline",
        ),
        (
            vec![said(&json!([
                handler("a", true, true, 1),
                handler("a", true, true, 1)
            ]))],
            "more than once",
        ),
        (
            vec![said(&good), said(&json!([handler("drain", true, true, 7)]))],
            "more than once",
        ),
    ] {
        let found = why(endings).expect_err(part);
        assert!(found.contains(part), "{found}");
    }
}

#[test]
fn a_host_that_nobody_noticed_or_that_was_noticed_twice_is_not_in_time() {
    let good = || vec![said(&json!([handler("drain", true, true, 500)]))];
    let hosts = ["h1", "h2", "h3"].map(|host| host.parse::<HostId>().expect("a host"));
    let played = Played {
        announced: hosts.iter().map(|host| (host.clone(), at(0.0))).collect(),
        stories: vec![story("h1", good()), story("h3", good()), story("h3", good())],
        dispatched: (3, None),
    };
    let not: Vec<(String, String)> = played
        .not_in_time()
        .into_iter()
        .map(|(host, why)| (host.to_string(), why))
        .collect();
    assert_eq!(not.len(), 2, "{not:?}");
    assert!(not[0].0 == "h2" && not[0].1.contains("nobody noticed"), "{not:?}");
    assert!(not[1].0 == "h3" && not[1].1.contains("2 times"), "{not:?}");
}

#[test]
fn steps_are_counted_from_when_each_host_was_told() {
    let good = || vec![said(&json!([handler("drain", true, true, 500)]))];
    let host = |number: usize| format!("h{number}");
    let played = Played {
        announced: (0..100)
            .map(|number| {
                let told = at(if number == 0 { 0.0 } else { 0.5 });
                (host(number).parse().expect("a host"), told)
            })
            .collect(),
        stories: (0..100).map(|number| story(&host(number), good())).collect(),
        dispatched: (100, None),
    };
    let steps = played.steps();
    let names: Vec<&str> = steps.iter().map(|step| step.step).collect();
    assert_eq!(
        names,
        [
            "noticed",
            "filed",
            "accepted",
            "handler asked",
            "handlers ended",
            "reported"
        ]
    );
    let noticed = &steps[0];
    let times = (noticed.first_ms, noticed.half_ms, noticed.p99_ms, noticed.last_ms);
    assert_eq!((noticed.hosts, times), (100, (500, 500, 500, 1_000)));
    assert_eq!(steps[4].first_ms, 2_000);
    assert_eq!(played.least_spare(), Some(Duration::from_millis(117_500)));
}
