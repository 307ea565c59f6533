//! Who handles an event, in which order: by the configuration, else by their manifests, else by what plugins
//! say themselves.
//!
//! Who is known begins at once. Only a plugin that has not introduced itself since the runner's start is
//! waited for, beside those that are at work, and takes its place when it has.

mod terms;

pub(crate) use terms::covers;

use super::Known;
use crate::{
    config_book::terms_in,
    pattern,
    plugin::{EVENTS_LIMIT, Plugin, WHEN, told_data},
    plugins::Plugins,
    policy::PolicyInForce,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName, event::Event, plugin::manifest::EventTerms};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use terms::{Said, Words, said};

/// A plugin that is asked to handle an event.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    /// Whom to ask.
    pub plugin: Arc<Plugin>,
    /// How long it may take at most, where that was configured.
    pub time_out: Option<Duration>,
    /// Whether it may be asked again when it is not known how it ended (E6).
    pub repeat: Repeat,
}

/// Whether a handler may be asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Asking twice does the same as asking once.
    Idempotent,
    /// Nobody said so: never twice.
    Never,
}

/// Handlers of the same priority; they are asked at once.
pub(crate) type Tier = Vec<Handler>;

impl Handler {
    /// Whether it has not been asked yet, or may be asked again.
    pub(super) fn is_due(&self, known: &Known) -> bool {
        match known.handlers.get(&self.plugin.name()) {
            None => true,
            Some(Some(_)) => false,
            Some(None) => self.repeat == Repeat::Idempotent,
        }
    }
}

/// The handlers of one event that are still to be asked.
pub(crate) struct Handlers {
    tiers: BTreeMap<i64, Tier>,
    /// Those of whom it is not known yet whether they handle it.
    unknown: FuturesUnordered<BoxFuture<'static, Option<(i64, Handler)>>>,
    /// Two processes may tell the same name; only the first is asked.
    names: BTreeSet<PluginName>,
}

impl Handlers {
    /// Looks for them. A plugin that has not introduced itself yet is waited for no longer than `patience`.
    pub(crate) fn of(
        plugins: &Arc<Plugins>,
        policy: &Arc<PolicyInForce>,
        event: &Event,
        left: Duration,
        patience: Duration,
    ) -> Handlers {
        let said = Arc::new(Told::of(event, left));
        let unknown = plugins.all().into_iter().map(|plugin| {
            let (plugins, policy, told) = (plugins.clone(), policy.clone(), said.clone());
            async move {
                plugin.introduced(patience).await;
                let name = plugin.name();
                if !plugins.is_enabled(&policy, &name) {
                    return None;
                }
                handler_of(plugin, &plugins, &told).await
            }
            .boxed()
        });
        Handlers {
            tiers: BTreeMap::new(),
            unknown: unknown.collect(),
            names: BTreeSet::new(),
        }
    }

    /// Nobody.
    pub(crate) fn nobody() -> Handlers {
        Handlers {
            tiers: BTreeMap::new(),
            unknown: FuturesUnordered::new(),
            names: BTreeSet::new(),
        }
    }

    /// The next of those that are known, the highest priority first; waits only where none is known. And in
    /// how many parts the time has to be shared, its own included.
    pub(crate) async fn next(&mut self) -> Option<(Tier, u32)> {
        loop {
            while let Some(Some(found)) = self.unknown.next().now_or_never() {
                self.add(found);
            }
            if let Some((_, tier)) = self.tiers.pop_last() {
                let others = self.tiers.len() + usize::from(!self.unknown.is_empty());
                return Some((tier, u32::try_from(others + 1).unwrap_or(u32::MAX)));
            }
            let found = self.unknown.next().await?;
            self.add(found);
        }
    }

    /// The names of those that are known and were not asked.
    pub(super) fn left(&mut self) -> Vec<PluginName> {
        while let Some(Some(found)) = self.unknown.next().now_or_never() {
            self.add(found);
        }
        let left = self.tiers.values().rev().flatten();
        left.map(|handler| handler.plugin.name()).collect()
    }

    /// Waits until all are known, and returns who may be asked again.
    pub(crate) async fn idempotent(&mut self) -> BTreeSet<PluginName> {
        while let Some(found) = self.unknown.next().await {
            self.add(found);
        }
        let all = self.tiers.values().flatten();
        let again = all.filter(|handler| handler.repeat == Repeat::Idempotent);
        again.map(|handler| handler.plugin.name()).collect()
    }

    fn add(&mut self, found: Option<(i64, Handler)>) {
        if let Some((priority, handler)) = found
            && self.names.insert(handler.plugin.name())
        {
            self.tiers.entry(priority).or_default().push(handler);
        }
    }
}

/// What handlers choose an event by.
#[derive(Debug)]
struct Told {
    event_type: EventType,
    data: Map<String, Value>,
}

impl Told {
    /// As it is told to handlers: where it has a deadline with the time that is left, now.
    fn of(event: &Event, left: Duration) -> Told {
        Told {
            event_type: event.event_type.clone(),
            data: told_data(event, left),
        }
    }
}

async fn handler_of(plugin: Arc<Plugin>, plugins: &Plugins, told: &Told) -> Option<(i64, Handler)> {
    let event_type = &told.event_type;
    let (configs, name) = (plugins.configs(), plugin.name());
    let config = configs.of(&name);
    let handling = configs.handling(event_type);
    let words = Words {
        config: Some(&config),
        named: handling.and_then(|handling| terms_in(handling, &name)),
        others_are_named: handling.is_some_and(|handling| handling.plugins.is_some()),
        stated: plugin.stated_events(),
    };
    let settings = match said(words, event_type) {
        Said::Gets(settings) => settings,
        Said::GetsOthers => return None,
        Said::Nothing => {
            let supported = match plugin.supported_events(EVENTS_LIMIT).await {
                Ok(supported) => supported,
                Err(error) => {
                    tracing::warn!(plugin = %plugin.name(), %error, "a plugin does not say which events it handles; it gets none");
                    return None;
                }
            };
            if !supported
                .iter()
                .any(|supported| covers(supported.as_str(), event_type))
            {
                return None;
            }
            Map::new()
        }
    };
    if settings.get("enabled").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    // What a filter keeps from it is none of its business, and no failure.
    if let Some(Value::Object(when)) = settings.get(WHEN)
        && !pattern::matches(when, &told.data)
    {
        return None;
    }
    // Its manifest and its own word grant nothing (I4).
    if !plugin.may_be_given(event_type) {
        plugin.note_withheld(event_type);
        return None;
    }
    let priority = settings
        .get("priority")
        .and_then(Value::as_i64)
        .unwrap_or(EventTerms::DEFAULT_PRIORITY);
    let time_out = settings.get("timeout_seconds").and_then(Value::as_f64);
    let time_out = time_out.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let idempotent = settings.get("idempotent").and_then(Value::as_bool) == Some(true);
    let repeat = if idempotent {
        Repeat::Idempotent
    } else {
        Repeat::Never
    };
    let handler = Handler {
        plugin,
        time_out,
        repeat,
    };
    Some((priority, handler))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn e3_who_is_known_begins_while_another_has_not_introduced_itself() {
        let server = snooze_test_harness::NatsServer::open().await;
        let host: snooze_schemas::HostId = "h1".parse().expect("a host id");
        let bus = server.bus(&snooze_bus::User::host(&host)).await;
        let known: PluginName = "known".parse().expect("a name");
        let own = json!({"events": {"custom.backup": {"priority": 7}}});
        let file = [("known".to_owned(), own.as_object().expect("a map").clone())].into();
        let configs = Arc::new(crate::config_book::ConfigBook::new(file));
        // Nobody starts it, so that it never says who it is.
        let mute = crate::stdio::StdioPlugin::new(
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
        );
        let own = crate::plugins::OwnWord {
            on_bus: [known.clone()].into(),
            ..crate::plugins::OwnWord::default()
        };
        let policy = Arc::new(PolicyInForce::local(&Map::new()).expect("the defaults hold"));
        let plugins = Plugins::new(bus, host, configs, own, &policy);
        let hosted = crate::plugins::Hosted {
            plugin: Plugin::new(crate::plugin::Runtime::Process(mute.clone())),
            process: mute,
            terms: String::new(),
        };
        plugins.enrol(crate::plugins::Roll {
            hosted: [("mute".parse().expect("a name"), hosted)].into(),
            ..crate::plugins::Roll::default()
        });
        let backup: Event = serde_json::from_value(json!({
            "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
            "noticed_at": "2026-01-01T00:00:00Z", "data": {},
        }))
        .expect("an event");
        let hour = Duration::from_secs(3600);
        let mut handlers = Handlers::of(&plugins, &policy, &backup, hour, hour);
        let next = tokio::time::timeout(Duration::from_secs(20), handlers.next()).await;
        let (tier, parts) = next.expect("nobody waits").expect("one handles it");
        assert_eq!(
            (tier[0].plugin.name(), parts),
            (known, 2),
            "the other may still come"
        );
    }
}
