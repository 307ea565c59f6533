//! `snooze event replay`.

use crate::{arguments::EventReplay, print, session::Session};
use snooze_bus::{GatewayVerb, Subject};
use snooze_schemas::event::{Filed, Replay};
use snooze_service_runtime::Failure;

/// Asks a gateway to file an event again, and prints its new id.
pub(crate) async fn replay(session: &Session, arguments: EventReplay) -> Result<(), Failure> {
    let asked = Replay {
        id: arguments.id,
        host: arguments.host,
        by: session.user.to_string(),
    };
    let filed: Filed = session
        .ask(&Subject::Gateway(GatewayVerb::Replay), &asked)
        .await?;
    match arguments.output.json {
        true => print::json(&filed),
        false => print::lines([filed.id.to_string()]),
    }
}
