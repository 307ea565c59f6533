//! `snooze event show`: the whole story of one event.

use super::found::{endings, endings_of, newest, story};
use crate::{arguments::EventShow, print, session::Session, view::event::told};
use snooze_bus::SubjectFilter;
use snooze_service_runtime::{Exit, Failure};

/// Tells it.
pub(crate) async fn show(session: &Session, arguments: EventShow) -> Result<(), Failure> {
    let filter = SubjectFilter::EventsOfId(arguments.id.clone());
    let Some((stream, stored)) = newest(session, &filter, 1).await?.pop() else {
        let line = format!(
            "no event {} is kept; `snooze event list` shows those that are, for seven days",
            arguments.id
        );
        return Err(Failure::new(Exit::Refused, line));
    };
    let endings = endings(session, &endings_of(Some(&stored.message.host))).await?;
    let story = story(session, stream, stored, &endings).await?;
    match arguments.output.json {
        true => print::json(&story),
        false => print::lines(told(&story)),
    }
}
