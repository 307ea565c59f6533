//! Subjects are one-to-one with their text.

use super::*;
use proptest::prelude::*;

fn host() -> impl Strategy<Value = HostId> {
    "[A-Za-z0-9_-]{1,64}"
        .prop_filter("reserved", |name| name != "fleet")
        .prop_map(|name| name.parse().expect("matches the rule"))
}

fn plugin() -> impl Strategy<Value = PluginName> {
    "[a-z0-9-]{1,64}".prop_filter_map("built in", |name| name.parse().ok())
}

fn event_type() -> impl Strategy<Value = EventType> {
    proptest::collection::vec("[a-z0-9_-]{1,14}", 1..8)
        .prop_map(|words| words.join(".").parse().expect("matches the rule"))
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Fleet), host().prop_map(Scope::Host)]
}

fn subject() -> impl Strategy<Value = Subject> {
    let id = "[A-Za-z0-9_-]{1,64}".prop_map(|id| id.parse::<EventId>().expect("matches the rule"));
    let source = "[A-Za-z0-9_-]{1,64}".prop_map(|name| name.parse::<SourceName>().expect("matches the rule"));
    let method = proptest::sample::select(PluginMethod::ALL);
    let kind = proptest::sample::select(vec![AuditKind::Intent, AuditKind::Tags, AuditKind::Plugin]);
    let severity = proptest::sample::select(Severity::DESCENDING.to_vec());
    prop_oneof![
        host().prop_map(Subject::Metrics),
        host().prop_map(Subject::Verdict),
        host().prop_map(Subject::HostHello),
        host().prop_map(Subject::HostLease),
        host().prop_map(Subject::CollectorSample),
        host().prop_map(Subject::CollectorMissed),
        (host(), plugin(), method.clone()).prop_map(|(host, plugin, method)| Subject::HostPlugin {
            host,
            plugin,
            method
        }),
        (plugin(), method).prop_map(|(plugin, method)| Subject::FleetPlugin { plugin, method }),
        (host(), proptest::sample::select(RunnerVerb::ALL))
            .prop_map(|(host, verb)| Subject::Runner { host, verb }),
        proptest::sample::select(OpsVerb::ALL).prop_map(Subject::Ops),
        proptest::sample::select(GatewayVerb::ALL).prop_map(Subject::Gateway),
        (scope(), severity, id, event_type()).prop_map(|(scope, severity, id, event_type)| Subject::Event {
            scope,
            severity,
            id,
            event_type
        }),
        (source, event_type()).prop_map(|(source, event_type)| Subject::Custom { source, event_type }),
        (scope(), kind).prop_map(|(scope, kind)| Subject::Audit { scope, kind }),
        (scope(), event_type()).prop_map(|(scope, event_type)| Subject::Dead { scope, event_type }),
        host().prop_map(|host| Subject::ConfigKey(crate::keys::host_key(&host))),
    ]
}

proptest! {
    #[test]
    fn every_subject_is_read_back_as_itself(subject in subject()) {
        let text = subject.to_string();
        prop_assert_eq!(text.parse::<Subject>(), Ok(subject.clone()));
        let filter = SubjectFilter::Exactly(subject);
        prop_assert!(matches(&filter.to_string(), &text));
    }

    #[test]
    fn any_text_is_refused_or_read_as_what_it_says(text in "(snooze\\.v1\\.)?[a-z0-9.*>_$ -]{0,60}") {
        if let Ok(subject) = text.parse::<Subject>() {
            prop_assert_eq!(subject.to_string(), text);
        }
    }
}

#[test]
fn a_subject_with_a_wildcard_or_a_second_spelling_is_refused() {
    for text in [
        "",
        "snooze.v1.",
        "snooze.v1.host.*.verdict",
        "snooze.v1.host.fleet.verdict",
        "snooze.v1.host.h1.verdict.",
        "snooze.v1.host.h1.plugin.redis.check_idle.more",
        "snooze.v1.event.h1.03.id.custom",
        "snooze.v1.event.h1.4.id.custom",
        "snooze.v1.event.h1.3.id.>",
        "snooze.v2.host.h1.verdict",
        "snooze.v1.audit.h1.nonsense",
        "$KV.snooze_config.",
        "$KV.snooze_config.>",
        "$KV.snooze_state.gate",
    ] {
        assert!(text.parse::<Subject>().is_err(), "{text}");
    }
}

#[test]
fn filters_match_as_the_server_matches() {
    assert!(matches("a.*.c", "a.b.c"));
    assert!(matches("a.>", "a.b.c"));
    assert!(!matches("a.>", "a"));
    assert!(!matches("a.*", "a.b.c"));
    assert!(!matches("a.b.c", "a.b"));
    let filter = SubjectFilter::RunnerOf("h1".parse().expect("a host id")).to_string();
    assert!(matches(&filter, "snooze.v1.host.h1.runner.cancel"));
    assert!(!matches(&filter, "snooze.v1.event.h1.3.x.custom"));
}
