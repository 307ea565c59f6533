//! `snooze event replay`.

use super::once::{ask_once, drawn_id};
use crate::{arguments::EventReplay, print, session::Session};
use snooze_bus::{GatewayVerb, Subject};
use snooze_schemas::event::{Filed, Replay};
use snooze_service_runtime::Failure;

/// Asks a gateway to file an event again, and prints its new id.
pub(crate) async fn replay(session: &Session, arguments: EventReplay) -> Result<(), Failure> {
    let own_id = arguments.own_id.unwrap_or_else(drawn_id);
    let asked = Replay {
        id: arguments.id,
        host: arguments.host,
        own_id: Some(own_id.clone()),
        by: session.user.to_string(),
    };
    let subject = Subject::Gateway(GatewayVerb::Replay);
    let filed: Filed = ask_once(session, &subject, &asked, "--as", &own_id).await?;
    match arguments.output.json {
        true => print::json(&filed),
        false => print::lines([filed.id.to_string()]),
    }
}
