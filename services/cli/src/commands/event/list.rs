//! `snooze event list`.

use super::{
    super::host::refuse_unknown,
    found::{endings, newest, story},
};
use crate::{
    arguments::EventList,
    print,
    session::Session,
    view::event::{COLUMNS, Story, row},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use snooze_bus::SubjectFilter;
use snooze_schemas::{
    EventType,
    event::{Event, Scope},
};
use snooze_service_runtime::Failure;

/// How many events are looked through for those of a type or severity: as many as one look returns.
const SEARCHED: usize = 10_000;

/// Events of which it is asked at once what they wait for.
const AT_ONCE: usize = 64;

/// Prints the newest events, the oldest of them first.
pub(crate) async fn list(session: &Session, arguments: EventList) -> Result<(), Failure> {
    let limit = usize::from(arguments.limit);
    let is_narrow = arguments.event_type.is_some() || arguments.severity > 0;
    let searched = if is_narrow { SEARCHED } else { limit };
    let scope = arguments.host.clone().map(Scope::Host);
    let mut events = match &scope {
        None => newest(&session.bus, &SubjectFilter::AllEvents, searched).await?,
        Some(scope) => {
            let mut events = newest(&session.bus, &SubjectFilter::EventsOf(scope.clone()), searched).await?;
            // One that is not enrolled any more still has its events.
            if let (Scope::Host(host), true) = (scope, events.is_empty()) {
                refuse_unknown(session, host).await?;
            }
            events.extend(newest(&session.bus, &SubjectFilter::EventsOf(Scope::Fleet), searched).await?);
            events.sort_by_key(|(_, stored)| stored.filed_at);
            events
        }
    };
    events.retain(|(_, stored)| is_wanted(&arguments, &stored.message));
    events.drain(..events.len().saturating_sub(limit));
    let endings = endings(&session.bus, scope.as_ref()).await?;
    let told = events
        .into_iter()
        .map(|(stream, stored)| story(&session.bus, stream, stored, &endings));
    let stories: Vec<Story> = stream::iter(told).buffered(AT_ONCE).try_collect().await?;
    if arguments.output.json {
        return print::json(&stories);
    }
    if stories.is_empty() {
        print::talk("there is no such event; they are kept for seven days");
        return Ok(());
    }
    let rows: Vec<_> = stories.iter().map(row).collect();
    print::lines(print::table(COLUMNS, &rows))
}

fn is_wanted(arguments: &EventList, event: &Event) -> bool {
    let is_type = arguments
        .event_type
        .as_ref()
        .is_none_or(|wanted| is_below(wanted, &event.event_type));
    u8::from(event.severity) >= arguments.severity && is_type
}

fn is_below(wanted: &EventType, found: &EventType) -> bool {
    let rest = found.as_str().strip_prefix(wanted.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_stands_for_what_is_below_it_and_for_nothing_else() {
        let below = |wanted: &str, found: &str| {
            is_below(&wanted.parse().expect("a type"), &found.parse().expect("a type"))
        };
        assert!(below("custom", "custom") && below("custom", "custom.backup"));
        assert!(!below("custom", "customer") && !below("custom.backup", "custom"));
    }
}
