//! Who is waited for, and who is not.

use super::*;
use crate::{
    config_book::ConfigBook,
    plugins::{Hosted, OwnWord, Roll},
    set::Grant,
};
use serde_json::{Map, json};

const HOUR: Duration = Duration::from_secs(3600);

/// What is known of the handlers of an event, beside one that was granted these events and never says who it is: a
/// plugin on the bus, named `known`, that handles it, and nobody else.
async fn beside_a_mute_one(granted: &[&str]) -> Handlers {
    let server = snooze_test_harness::NatsServer::open().await;
    let host: snooze_schemas::HostId = "h1".parse().expect("a host id");
    let bus = server.bus(&snooze_bus::User::host(&host)).await;
    let own = json!({"events": {"custom.backup": {"priority": 7, "idempotent": true}}});
    let file = [("known".to_owned(), own.as_object().expect("a map").clone())].into();
    let configs = Arc::new(ConfigBook::new(file));
    let events = granted.iter().map(|name| name.parse().expect("a type"));
    let mut grant = Grant::default();
    grant.permissions.events = events.collect();
    // Nobody starts it.
    let mute = crate::stdio::StdioPlugin::granted(
        crate::stdio::Settings {
            program: crate::process::Program {
                path: "/nonexistent".into(),
                search_path: String::new(),
                home: "/".into(),
                fence: None,
            },
            name: "mute".parse().expect("a name"),
            manifest: None,
            handshake_limit: Duration::MAX,
            restarts: crate::backoff::Restarts::default(),
        },
        configs.clone(),
        grant,
        Arc::default(),
    );
    let own = OwnWord {
        on_bus: ["known".parse().expect("a name")].into(),
        ..OwnWord::default()
    };
    let policy = Arc::new(PolicyInForce::local(&Map::new()).expect("the defaults hold"));
    let plugins = Plugins::new(bus, host, configs, own, &policy);
    let hosted = Hosted {
        plugin: Plugin::new(crate::plugin::Runtime::Process(mute.clone())),
        process: mute,
        terms: String::new(),
    };
    plugins.enrol(Roll {
        hosted: [("mute".parse().expect("a name"), hosted)].into(),
        ..Roll::default()
    });
    let backup: Event = serde_json::from_value(json!({
        "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z", "data": {},
    }))
    .expect("an event");
    Handlers::of(&plugins, &policy, &backup, HOUR, HOUR)
}

/// The next handler's name, and in how many parts the time is shared; it has to be known at once.
async fn next(handlers: &mut Handlers) -> Option<(String, u32)> {
    let next = tokio::time::timeout(Duration::from_secs(20), handlers.next()).await;
    let (tier, parts) = next.expect("nobody waits")?;
    assert_eq!(tier.len(), 1);
    Some((tier[0].plugin.name().to_string(), parts))
}

#[tokio::test]
async fn e3_who_is_known_begins_while_another_has_not_introduced_itself() {
    let mut handlers = beside_a_mute_one(&["custom"]).await;
    let both = Some(("known".to_owned(), 2));
    assert_eq!(next(&mut handlers).await, both, "the other may still come");
}

#[tokio::test]
async fn e4_who_may_not_be_given_an_event_keeps_no_report_of_it_waiting() {
    let mut handlers = beside_a_mute_one(&["custom.other", "cloud.spot.interrupt"]).await;
    let alone = Some(("known".to_owned(), 1));
    assert_eq!(next(&mut handlers).await, alone, "it has all of the time");
    assert_eq!(next(&mut handlers).await, None, "it is over");
}

#[tokio::test]
async fn e6_after_a_restart_nobody_is_waited_for_but_who_was_interrupted() {
    let mut handlers = beside_a_mute_one(&["custom"]).await;
    let again = async |handlers: &mut Handlers, open: &[&str]| {
        let open = open.iter().map(|name| name.parse().expect("a name")).collect();
        let again = tokio::time::timeout(Duration::from_secs(20), handlers.idempotent(&open)).await;
        again
            .expect("nobody else is waited for")
            .into_iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(again(&mut handlers, &[]).await, [""; 0]);
    assert_eq!(again(&mut handlers, &["gone"]).await, [""; 0]);
    assert_eq!(again(&mut handlers, &["known"]).await, ["known"]);
    let mute = ["mute".parse().expect("a name")].into();
    assert!(
        handlers.idempotent(&mute).now_or_never().is_none(),
        "it is waited for"
    );
}
