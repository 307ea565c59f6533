//! Which events a plugin handles, and which of them it is given: those that its grant covers, and those that an
//! operator's configuration names.
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
            || matches!(process.config().get(EVENTS), Some(Value::Object(events)) if !events.is_empty())
    }

    /// Whether it is given events of this type at all.
    pub(crate) fn may_be_given(&self, event_type: &EventType) -> bool {
        let Runtime::Process(process) = &self.runtime else {
            return true;
        };
        let configured = Permissions {
            events: self.configured_events(),
            ..Permissions::default()
        };
        process.grant().permissions.give(event_type) || configured.give(event_type)
    }

    /// The events that an operator's configuration grants it by naming them. Where the host's own file says what it may
    /// do, nobody on the bus says more.
    pub(super) fn configured_events(&self) -> BTreeSet<EventType> {
        let Runtime::Process(process) = &self.runtime else {
            return BTreeSet::new();
        };
        let (configs, name) = (process.configs(), process.name());
        let mut named = configs.events_of_file(&name);
        if !process.grant().is_the_hosts() {
            named.extend(configs.events_of_layers(&name));
        }
        named
    }

    /// The events that it handles and is not given.
    pub(super) fn withheld(&self) -> BTreeSet<EventType> {
        let mut handled = self.handled_events();
        handled.retain(|event_type| !self.may_be_given(event_type));
        handled
    }

    /// Says so, once.
    pub(crate) fn note_withheld(&self, event_type: &EventType) {
        if self.is_to_be_told() {
            tracing::warn!(
                plugin = %self.name(), %event_type,
                "a plugin handles an event that nobody granted it, and is not given it; see `snooze plugin info`"
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
        match (process.config().get(EVENTS), self.stated_events()) {
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
        }
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
    use serde_json::json;
    use snooze_schemas::event::Event;
    use std::{sync::Arc, time::Duration};

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

    fn plugin(config: &Value) -> Arc<Plugin> {
        let file = [("tested".to_owned(), config.as_object().expect("a map").clone())].into();
        unstarted(Arc::new(ConfigBook::new(file)))
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
            let asked = plugin.handle_event(&event, Work::Event, LIMIT).await;
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
