//! Events of every type that a plugin says or its manifest states that it handles, made up.
//!
//! Its handlers do what they do: that is what is tried, in their fences.

use super::{Findings, trial::Trial};
use serde_json::{Map, Value, json};
use snooze_plugin_runner::asking::{AskError, CallError};
use snooze_schemas::{
    EventType, HostId, Timestamp,
    event::{Event, Scope, Severity},
};
use std::{collections::BTreeSet, time::Duration};

/// What all of it is about.
const SUBJECT: &str = "events";

/// As long as a runner gives a handler of what is not critical.
const LIMIT: Duration = Duration::from_secs(30);

/// As long as a runner waits for it to say which events it handles.
const EVENTS_LIMIT: Duration = Duration::from_secs(2);

/// When these events were noticed, and until when something could be done.
const NOTICED: &str = "2026-01-31T12:00:00Z";
const DEADLINE: &str = "2026-01-31T12:02:00Z";

/// Sends all of them.
pub(super) async fn send(tried: &impl Trial, findings: &mut Findings) {
    let plugin = tried.plugin();
    let stated = plugin.manifest().map(|manifest| &manifest.stated().events);
    let stated: BTreeSet<EventType> = stated
        .into_iter()
        .flatten()
        .filter(|(_, terms)| terms.enabled)
        .map(|(name, _)| name.clone())
        .collect();
    // One that does not say it handles what its manifest states.
    let said = plugin.supported_events(EVENTS_LIMIT).await.unwrap_or_default();
    let said: BTreeSet<EventType> = said.into_iter().collect();
    if !said.is_empty() {
        agreement(&stated, &said, findings);
    }
    let types: BTreeSet<EventType> = stated.union(&said).flat_map(with_one_below).collect();
    if types.is_empty() {
        findings.note("it handles no events");
    }
    let (given, withheld) = parted(types, |event| tried.is_given(event));
    if !withheld.is_empty() {
        findings.note(&format!(
            "it handles {}, which {}: it is not given it, here as on a host",
            withheld.join(", "),
            tried.withheld_as()
        ));
    }
    let law = "Every event of a type that it handles is answered in time, and does not end it.";
    for event_type in given {
        let begun = findings.begin(SUBJECT, event_type.as_str());
        let mut kept = Ok(());
        for event in of_type(&event_type, &tried.host()) {
            if let Err(came) = ask(tried, &event).await {
                kept = Err((format!("an answer to {}", event.id), came));
                break;
            }
        }
        findings.add_with_log((SUBJECT, event_type.as_str(), law), begun, kept, || {
            tried.last_words()
        });
    }
}

/// Those that a host gives it where all is granted that it asks for, and the names of the others.
fn parted(
    types: BTreeSet<EventType>,
    is_given: impl Fn(&EventType) -> bool,
) -> (Vec<EventType>, Vec<String>) {
    let (given, withheld): (Vec<_>, Vec<_>) = types.into_iter().partition(is_given);
    (given, withheld.iter().map(ToString::to_string).collect())
}

/// What the manifest says that it gets it has to know.
fn agreement(stated: &BTreeSet<EventType>, said: &BTreeSet<EventType>, findings: &mut Findings) {
    let case = "it-knows-what-it-is-given";
    let begun = findings.begin(SUBJECT, case);
    let missing: Vec<&str> = stated
        .iter()
        .filter(|event| !said.iter().any(|wide| covers(wide, event)))
        .map(EventType::as_str)
        .collect();
    let kept = match missing.is_empty() {
        true => Ok(()),
        false => Err((
            "every event of plugin.json among those that it says it handles".to_owned(),
            format!("it does not name {}", missing.join(", ")),
        )),
    };
    let law = "It handles the events that its manifest says it gets.";
    findings.add(SUBJECT, case, law, begun, kept);
}

/// `custom` stands for every `custom.*`.
pub(super) fn covers(wide: &EventType, event: &EventType) -> bool {
    wide == event || (wide.as_str() == "custom" && event.as_str().starts_with("custom."))
}

/// The same, and one that it stands for.
fn with_one_below(event_type: &EventType) -> Vec<EventType> {
    let below = (event_type.as_str() == "custom").then(|| "custom.test".parse().expect("a type"));
    [event_type.clone()].into_iter().chain(below).collect()
}

async fn ask(tried: &impl Trial, event: &Event) -> Result<(), String> {
    match tried.plugin().try_event(event, LIMIT).await {
        // That it did not succeed, or cannot, is an answer.
        Ok(_) | Err(AskError::Process(CallError::Said(_)) | AskError::Said(_)) => Ok(()),
        Err(other) => Err(other.to_string()),
    }
}

/// A plain one, one with a deadline, and one with data that nobody expects.
fn of_type(event_type: &EventType, host: &HostId) -> Vec<Event> {
    let odd = json!({"": null, "list": [1, [2, {"a": {}}]], "\u{1f4a9}\n\"": "\u{0}", "number": -1e300,
        "long": "x".repeat(16 * 1024)});
    let (plain, deadline) = (json!({}), json!({"timeRemaining": 120, "action": "terminate"}));
    let cases = [
        ("plain", Severity::Info, plain, false),
        ("deadline", Severity::Critical, deadline, true),
        ("odd", Severity::Urgent, odd, false),
    ];
    let event = |(name, severity, data, has_deadline): (&str, Severity, Value, bool)| Event {
        id: format!("test-{name}").parse().expect("an id"),
        event_type: event_type.clone(),
        severity,
        source: "custom.test".to_owned(),
        host: Scope::Host(host.clone()),
        happened_at: None,
        noticed_at: time(NOTICED),
        deadline: has_deadline.then(|| time(DEADLINE)),
        data: match data {
            Value::Object(data) => data,
            _ => Map::new(),
        },
    };
    cases.map(event).into()
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time is written here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::plugin::permissions::Permissions;

    #[test]
    fn an_event_is_made_up_for_every_type_with_and_without_a_deadline() {
        let custom: EventType = "custom".parse().expect("a type");
        let types: Vec<String> = with_one_below(&custom).iter().map(ToString::to_string).collect();
        assert_eq!(types, ["custom", "custom.test"]);
        let host = "test".parse().expect("a host");
        let events = of_type(&"cloud.spot.interrupt".parse().expect("a type"), &host);
        assert_eq!(events.len(), 3);
        assert_eq!(events.iter().filter(|event| event.deadline.is_some()).count(), 1);
    }

    #[test]
    fn i4_what_its_manifest_does_not_ask_for_is_not_sent() {
        let types = |names: &[&str]| names.iter().map(|name| name.parse().expect("a type")).collect();
        let asked = Permissions {
            events: types(&["custom"]),
            ..Permissions::default()
        };
        let handled = ["cloud.spot.interrupt", "custom", "custom.test"];
        let (given, withheld) = parted(types(&handled), |event| asked.give(event));
        assert_eq!(given.len(), 2);
        assert_eq!(withheld, ["cloud.spot.interrupt"]);
    }

    #[tokio::test]
    async fn what_it_is_given_and_does_not_know_is_told() {
        let types = |names: &[&str]| names.iter().map(|name| name.parse().expect("a type")).collect();
        let mut findings = Findings::telling(|_| {});
        agreement(&types(&["custom.a"]), &types(&["custom"]), &mut findings);
        assert_eq!(findings.failed(), 0);
        agreement(
            &types(&["cloud.spot.interrupt"]),
            &types(&["custom"]),
            &mut findings,
        );
        assert_eq!(findings.failed(), 1);
    }
}
