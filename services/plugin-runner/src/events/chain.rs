//! Whether the chain of an event's handlers goes on: what the host's file says of its type, and what those came to
//! that were asked. It asks nobody.

use snooze_schemas::{EventType, PluginName, event::HandlerOutcome};
use snooze_service_runtime::config::{Dispatch, HandlingConfig};

/// How the handlers of one event are gone through.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// Why nobody is asked, if nobody is.
    pub(super) off: Option<String>,
    dispatch: Dispatch,
}

impl Chain {
    /// As the host's file says of the type.
    pub(super) fn of(handling: Option<&HandlingConfig>, event_type: &EventType) -> Chain {
        let Some(handling) = handling else {
            return Chain::default();
        };
        let off = || format!("this host's event_handlers switch {event_type} off");
        Chain {
            off: (!handling.enabled).then(off),
            dispatch: handling.dispatch,
        }
    }

    /// Who has put an end to it, if anybody has: where one is enough, the first that handled the event and succeeded.
    /// A failure puts an end to nothing, whatever it did before it failed.
    pub(super) fn ended_by<'a>(
        &self,
        mut outcomes: impl Iterator<Item = &'a HandlerOutcome>,
    ) -> Option<&'a PluginName> {
        if self.dispatch == Dispatch::All {
            return None;
        }
        let done = outcomes.find(|outcome| outcome.result.is_done());
        done.map(|outcome| &outcome.plugin)
    }

    /// What is said of those that are not asked any more; nothing where there are none.
    pub(super) fn passed_over(by: &PluginName, others: &[PluginName]) -> Option<String> {
        let others: Vec<&str> = others.iter().map(PluginName::as_str).collect();
        let others = others.join(" ");
        (!others.is_empty())
            .then(|| format!("not asked, since {by} handled it and dispatch is first: {others}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(plugin: &str, handled: bool, succeeded: bool) -> HandlerOutcome {
        let outcome = json!({"plugin": plugin, "handled": handled, "succeeded": succeeded, "took_ms": 1});
        serde_json::from_value(outcome).expect("an outcome")
    }

    #[test]
    fn first_ends_with_one_that_handled_it_and_succeeded_and_all_never_does() {
        let asked = [
            outcome("failed", true, false),
            outcome("idle", false, true),
            outcome("saved", true, true),
        ];
        let of = |dispatch| Chain { off: None, dispatch };
        let by =
            |dispatch, asked: &[HandlerOutcome]| of(dispatch).ended_by(asked.iter()).map(ToString::to_string);
        assert_eq!(by(Dispatch::First, &asked), Some("saved".to_owned()));
        assert_eq!(by(Dispatch::First, &asked[..2]), None);
        assert_eq!(by(Dispatch::All, &asked), None);
    }

    #[test]
    fn nobody_is_asked_where_the_type_is_switched_off() {
        let backup: EventType = "custom.backup".parse().expect("a type");
        let off = HandlingConfig {
            enabled: false,
            ..HandlingConfig::default()
        };
        assert!(
            Chain::of(Some(&off), &backup)
                .off
                .is_some_and(|why| why.contains("custom.backup"))
        );
        assert!(Chain::of(Some(&HandlingConfig::default()), &backup).off.is_none());
        assert!(Chain::of(None, &backup).off.is_none());
    }
}
