//! Types of events that the host's own file names and nobody files: a slip of the pen leaves a handler without its event.
//!
//! What people send may be of any type. What is noticed is of the types of one table; a later version may know more, so
//! that this is told, and stops nothing.

use crate::{config::Config, manifest::likely};
use snooze_schemas::{
    EventType,
    event::{EventOrigin, noticed_types, severity_of},
};

/// What is to be told of each.
pub(crate) fn unheard_of(config: &Config) -> Vec<String> {
    let mut told = Vec::new();
    let by_type = config.event_handlers.types.keys();
    told.extend(by_type.filter_map(|named| tell(&format!("event_handlers.{named}"), named)));
    for (plugin, own) in &config.plugin_configs {
        let own = own.get("events").and_then(|events| events.as_object());
        let named = own.into_iter().flat_map(|events| events.keys());
        told.extend(named.filter_map(|named| {
            let key = format!("plugins.plugin_configs.{plugin}.events.{named}");
            tell(&key, named)
        }));
    }
    told
}

fn tell(key: &str, named: &str) -> Option<String> {
    // What is no type at all is a mistake that is told elsewhere.
    let event_type: EventType = named.parse().ok()?;
    if EventOrigin::of(&event_type) == EventOrigin::People || severity_of(&event_type).is_some() {
        return None;
    }
    let known: Vec<&str> = noticed_types().collect();
    let meant =
        likely(named, &known).map_or_else(String::new, |meant| format!("; probably {meant} is meant"));
    Some(format!(
        "{key} has no effect: nobody files events of this type{meant}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_nobody_files_is_told_with_the_likely_one_and_peoples_own_may_be_any() {
        let told = |named: &str| tell(&format!("event_handlers.{named}"), named);
        assert_eq!(
            told("cloud.spot.interupt").as_deref(),
            Some(
                "event_handlers.cloud.spot.interupt has no effect: nobody files events of this type; \
                 probably cloud.spot.interrupt is meant"
            )
        );
        assert!(told("weather.rain").is_some_and(|told| !told.contains("probably")));
        for fine in [
            "cloud.spot.interrupt",
            "system.disk.low",
            "custom",
            "custom.cloud.spot.interupt",
        ] {
            assert_eq!(told(fine), None, "{fine}");
        }
        assert_eq!(told("not a type"), None, "a mistake that is told elsewhere");
    }
}
