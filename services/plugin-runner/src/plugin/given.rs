//! Which events a plugin handles, and which of them it is given: those that its grant covers, and those that the host's
//! own file names.
//!
//! **Invariant:** what the bus says of a plugin's configuration gives it no event: it orders them, switches them off, and
//! names fewer. An approval, which says who and when, gives them.
//!
//! It gives nothing itself. One on the bus is not kept from anything here: it is fenced by its credentials, and who named it
//! as a plugin of this host has granted it what it handles.

use super::{EVENTS, Plugin, Runtime};
use crate::config::ENABLED;
use serde_json::Value;
use snooze_schemas::{EventType, plugin::permissions::Permissions};
use std::{collections::BTreeSet, sync::atomic::Ordering};

impl Plugin {
    /// Whether it handles events, by its own word or by its configuration.
    pub(super) fn handles_events(&self) -> bool {
        let Runtime::Process(process) = &self.runtime else {
            return false;
        };
        let says_so = process.events().is_some_and(|events| !events.is_empty());
        says_so
            || self.stated_events().is_some()
            || !process.configs().events_by_type(&process.name()).is_empty()
            || matches!(process.config().get(EVENTS), Some(Value::Object(events)) if !events.is_empty())
    }

    /// Whether it is given events of this type at all.
    pub(crate) fn may_be_given(&self, event_type: &EventType) -> bool {
        let Runtime::Process(process) = &self.runtime else {
            return true;
        };
        let configured = Permissions {
            events: self.events_of_file(),
            ..Permissions::default()
        };
        process.grant().permissions.give(event_type) || configured.give(event_type)
    }

    /// The events that the host's own file grants it by naming them.
    pub(super) fn events_of_file(&self) -> BTreeSet<EventType> {
        match &self.runtime {
            Runtime::Process(process) => process.configs().events_of_file(&process.name()),
            Runtime::Nats(_) => BTreeSet::new(),
        }
    }

    /// The events that it handles and is not given.
    pub(super) fn withheld(&self) -> BTreeSet<EventType> {
        let mut handled = self.handled_events();
        handled.retain(|event_type| !self.may_be_given(event_type));
        handled
    }

    /// The events that it would be given, and that this host handles not at all.
    pub(super) fn switched_off(&self) -> BTreeSet<EventType> {
        match &self.runtime {
            Runtime::Process(process) => process
                .configs()
                .switched_off(&process.name(), &self.handled_events()),
            Runtime::Nats(_) => BTreeSet::new(),
        }
    }

    /// Says so, once.
    pub(crate) fn note_withheld(&self, event_type: &EventType) {
        if self.is_to_be_told() {
            tracing::warn!(
                plugin = %self.name(), %event_type,
                "a plugin handles an event that nobody granted it, and is not given it: `snooze plugin approve` grants it, \
                 with --event where its manifest does not ask for it; see `snooze plugin info`"
            );
        }
    }

    /// Whether it has not been said yet.
    fn is_to_be_told(&self) -> bool {
        !self.withheld_is_told.swap(true, Ordering::Relaxed)
    }

    /// The events that it would be given, by the names that they go by: as it is configured, else as its manifest states,
    /// else as it says itself.
    fn handled_events(&self) -> BTreeSet<EventType> {
        let Runtime::Process(process) = &self.runtime else {
            return BTreeSet::new();
        };
        let mut handled: BTreeSet<EventType> = match (process.config().get(EVENTS), self.stated_events()) {
            (Some(Value::Object(events)), _) => {
                let on = events
                    .iter()
                    .filter(|(_, settings)| settings.get(ENABLED) != Some(&Value::Bool(false)));
                on.filter_map(|(name, _)| name.parse().ok()).collect()
            }
            (_, Some(stated)) => {
                let on = stated.iter().filter(|(_, terms)| terms.enabled);
                on.map(|(name, _)| name.clone()).collect()
            }
            (_, None) => process
                .events()
                .iter()
                .flat_map(|events| events.iter().cloned())
                .collect(),
        };
        handled.extend(process.configs().events_by_type(&process.name()));
        handled
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        backoff::Restarts,
        config_book::ConfigBook,
        plugin::{AskError, Work},
        process::Program,
        stdio::{CallError, Settings, StdioPlugin},
    };
    use serde_json::{Map, json};
    use snooze_schemas::event::Event;
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    const LIMIT: Duration = Duration::from_secs(1);

    /// A child process that nobody starts, granted nothing, and configured so.
    pub(in crate::plugin) fn unstarted(configs: Arc<ConfigBook>) -> Arc<Plugin> {
        let settings = Settings {
            program: Program {
                path: "/plugins/tested".into(),
                search_path: crate::SEARCH_PATH.to_owned(),
                home: "/".into(),
                fence: None,
            },
            name: "tested".parse().expect("a name"),
            manifest: None,
            handshake_limit: LIMIT,
            restarts: Restarts::default(),
        };
        Plugin::new(Runtime::Process(StdioPlugin::new(settings, configs)))
    }

    fn named(config: &Value) -> BTreeMap<String, Map<String, Value>> {
        [("tested".to_owned(), config.as_object().expect("a map").clone())].into()
    }

    fn plugin(config: &Value) -> Arc<Plugin> {
        unstarted(Arc::new(ConfigBook::new(named(config))))
    }

    #[test]
    fn i4_what_the_bus_says_of_events_grants_none_and_those_of_the_file_stay_its_own() {
        for (file, layer, is_given, withheld) in [
            (
                json!({}),
                json!({"events": {"custom": {}}}),
                false,
                &["custom"][..],
            ),
            (
                json!({"events": {"custom.other": {}}}),
                json!({"events": {"custom": {}}}),
                false,
                &["custom"],
            ),
            (
                json!({"events": {"custom": {}}}),
                json!({"events": {"custom.backup": {}}}),
                true,
                &[],
            ),
            (
                json!({"events": {"custom": {}}}),
                json!({"events": {"custom": {"enabled": false}}}),
                true,
                &[],
            ),
        ] {
            let configs = Arc::new(ConfigBook::new(named(&file)));
            configs.lay(named(&layer));
            let plugin = unstarted(configs);
            let backup = "custom.backup".parse().expect("a type");
            assert_eq!(plugin.may_be_given(&backup), is_given, "{file} {layer}");
            let kept: Vec<String> = plugin.withheld().iter().map(ToString::to_string).collect();
            assert_eq!(kept, withheld, "{file} {layer}");
        }
    }

    #[tokio::test]
    async fn i4_an_event_that_nobody_granted_is_refused_at_the_last_door_and_said_once() {
        let event: Event = serde_json::from_value(json!({
            "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
            "noticed_at": "2026-01-01T00:00:00Z", "data": {},
        }))
        .expect("an event");
        for (config, is_given) in [
            (json!({}), false),
            (json!({"events": {"custom.other": {}}}), false),
            (json!({"events": {"custom": {"enabled": false}}}), false),
            (json!({"events": {"custom": {}}}), true),
        ] {
            let plugin = plugin(&config);
            let begins = std::future::ready(Ok(()));
            let asked = plugin.handle_event(&event, Work::Event, LIMIT, begins).await;
            match asked.expect_err("it does not run") {
                AskError::Withheld(_) => assert!(!is_given, "{config}"),
                AskError::Process(CallError::Starting) => assert!(is_given, "{config}"),
                other => panic!("{config}: {other}"),
            }
            assert_eq!(
                plugin.is_to_be_told(),
                is_given,
                "it was said of what was kept back"
            );
            assert!(!plugin.is_to_be_told(), "and is not said again");
        }
    }
}
