//! `snooze event show`: the whole story of one event.

use super::found::{endings, story, the_one};
use crate::{arguments::EventShow, print, session::Session, view::event::told};
use snooze_service_runtime::Failure;

/// Tells it.
pub(crate) async fn show(session: &Session, arguments: EventShow) -> Result<(), Failure> {
    let (stream, stored) = the_one(&session.bus, &arguments.id, arguments.host.as_ref()).await?;
    let scope = arguments.host.as_ref().unwrap_or(&stored.message.host);
    let endings = endings(&session.bus, Some(scope)).await?;
    let story = story(&session.bus, stream, stored, &endings).await?;
    match arguments.output.json {
        true => print::json(&story),
        false => print::lines(told(&story)),
    }
}
