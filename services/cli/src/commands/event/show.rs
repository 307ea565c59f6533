//! `snooze event show`: the whole story of one event.

use super::{
    super::host::refuse_unknown,
    found::{endings, of_no_stream, story, the_one},
};
use crate::{
    arguments::EventShow,
    print,
    session::Session,
    unanswered,
    view::event::{Progress, Said, Story, Waits, told, told_without},
};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, EventId, HostId,
    event::{EventProgress, ReadProgress, Scope},
};
use snooze_service_runtime::Failure;

/// Tells it.
pub(crate) async fn show(session: &Session, arguments: EventShow) -> Result<(), Failure> {
    let (bus, id, host) = (&session.bus, &arguments.id, arguments.host.as_ref());
    let found = match the_one(bus, id, host).await? {
        Some(found) => found,
        None => {
            let endings = of_no_stream(bus, id, host).await?;
            return match arguments.output.json {
                true => print::json(&serde_json::json!({"id": id, "endings": endings})),
                false => print::lines(told_without(id, &endings)),
            };
        }
    };
    let scope = host.unwrap_or(&found.1.message.host).clone();
    let look = async || -> Result<Story, Failure> {
        let (stream, stored) = found.clone();
        let endings = endings(bus, Some(&scope)).await?;
        story(bus, stream, stored, &endings).await
    };
    let mut story = look().await?;
    if let (Some(waits), Scope::Host(host)) = (story.waits, &scope) {
        match (progress(session, host, id).await, waits) {
            (Some(Said::Silent(_)) | None, Waits::Unheard) => refuse_unknown(session, host).await?,
            (Some(Said::Silent(_)), Waits::Dispatch | Waits::Host | Waits::Forgotten) => {}
            (Some(said), _) => {
                let host = host.clone();
                story.progress = Some(Progress { host, said });
            }
            // It was done with it before it was asked.
            (None, Waits::Outcome) => story = look().await?,
            (None, _) => {}
        }
    }
    match arguments.output.json {
        true => print::json(&story),
        false => print::lines(told(&story)),
    }
}

/// What a host says of an event; nothing where it does not have it in hand.
async fn progress(session: &Session, host: &HostId, id: &EventId) -> Option<Said> {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Progress,
    };
    let asked = ReadProgress { id: id.clone() };
    match session.request::<_, EventProgress>(&subject, &asked).await {
        Ok(progress) => Some(Said::Progress(progress)),
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.code == ErrorCode::NotFound => None,
            Some(_) | None => Some(Said::Silent(unanswered::failure(&subject, &error).line)),
        },
    }
}
