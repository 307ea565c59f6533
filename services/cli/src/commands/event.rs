//! `snooze event send`, `list`, `watch`, `show`, `replay` and `simulate`.

mod found;
mod list;
mod once;
mod replay;
mod show;
mod simulate;
mod watch;

pub(super) use list::list;
pub(super) use replay::replay;
pub(super) use show::show;
pub(crate) use simulate::simulate;
pub(super) use watch::watch;

use super::host::refuse_unknown;
use crate::{arguments::EventSend, print, session::Session};
use once::{ask_once, drawn_id};
use snooze_bus::Subject;
use snooze_schemas::{
    HostId,
    event::{CustomEvent, Filed, Severity},
};
use snooze_service_runtime::{Clocks, Exit, Failure};

/// What only sources file: whoever sends such a type by hand means to try its handlers.
const OF_SOURCES: [&str; 3] = ["cloud", "system", "snooze"];

/// Files an event as the person who sends it, and prints its id.
pub(super) async fn send(session: &Session, arguments: EventSend) -> Result<(), Failure> {
    if let Some(host) = arguments.host.as_ref().filter(|_| !arguments.unenrolled) {
        refuse_unenrolled(session, host).await?;
    }
    let severity =
        Severity::try_from(arguments.severity).map_err(|error| Failure::new(Exit::Usage, error))?;
    let deadline = match arguments.within {
        None => None,
        Some(within) => {
            let deadline = Clocks::real().wall().checked_add(within);
            Some(deadline.map_err(|error| Failure::from_error(Exit::Usage, &error))?)
        }
    };
    let id = arguments.id.unwrap_or_else(drawn_id);
    let event = CustomEvent {
        id: Some(id.clone()),
        host: arguments.host,
        severity: Some(severity),
        happened_at: None,
        deadline,
        data: arguments.data.unwrap_or_default(),
    };
    let family = arguments.event_type.as_str().split('.').next();
    if family.is_some_and(|family| OF_SOURCES.contains(&family)) {
        print::talk(&format!(
            "it is filed as custom.{}, which handlers of {0} are not given: `snooze event simulate` plays those",
            arguments.event_type
        ));
    }
    let subject = Subject::Custom {
        source: session.user.clone(),
        event_type: arguments.event_type,
    };
    let filed: Filed = ask_once(session, &subject, &event, "--id", &id).await?;
    if arguments.output.json {
        return print::json(&filed);
    }
    if filed.duplicate {
        print::talk("it had been filed before");
    }
    print::lines([filed.id.to_string()])
}

/// Refuses a host of which the executors say that it is not enrolled. A source may not ask them; which hosts it may name
/// its record says.
async fn refuse_unenrolled(session: &Session, host: &HostId) -> Result<(), Failure> {
    if !session.may_ask_executors() {
        return Ok(());
    }
    refuse_unknown(session, host).await.map_err(|unknown| {
        let text = format!(
            "{}; nothing is filed, and --unenrolled files it all the same, to wait for a host of that name",
            unknown.line
        );
        Failure::new(unknown.exit, text)
    })
}
