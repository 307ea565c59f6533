//! Scheduled changes as AWS Health tells them: one event may name many instances.

use super::{
    Notice, Read, Unreadable, about,
    envelope::Envelope,
    field::{is_instance, maybe_text, text, time},
    happening,
};
use crate::{happening::State, source::aws};
use serde_json::{Map, Value};

/// More than this is no list of one event's instances: AWS Health pages it, and a message has 256 KiB at most.
const MOST: usize = 1_000;
/// The most of a description that is kept, in characters: a sentence or two say it, the rest is links.
const DESCRIPTION: usize = 1_000;

pub(super) fn read(event: &Envelope<'_>) -> Result<Read, Unreadable> {
    let detail = event.detail;
    if text(detail, "service")? != "EC2" {
        return Ok(Read::Nothing("an event of AWS Health about another service"));
    }
    if text(detail, "eventTypeCategory")? != "scheduledChange" {
        return Ok(Read::Nothing(
            "an event of AWS Health that is no scheduled change",
        ));
    }
    let code = text(detail, "eventTypeCode")?;
    let starts = time(detail, "startTime")?;
    // When it is closed before its start it will not happen, else it is over.
    let closed = if event.time < starts {
        State::Cancelled
    } else {
        State::Cleared
    };
    let stands = match maybe_text(detail, "statusCode")? {
        None | Some("open" | "upcoming") => State::Raised,
        Some("closed") => closed,
        Some(_) => {
            return Err(Unreadable::new("statusCode is none of open, upcoming and closed"));
        }
    };
    let data = data(detail, code)?;
    let mut notice = Notice {
        // An organisation's events carry the account that they are about beside the one that they are sent to, and
        // copies for a second region the region that they are about.
        account: maybe_text(detail, "affectedAccount")?
            .or(event.account)
            .map(str::to_owned),
        region: maybe_text(detail, "eventRegion")?
            .or(event.region)
            .map(str::to_owned),
        ..event.notice()
    };
    let entities = detail.get("affectedEntities").and_then(Value::as_array);
    let entities = entities.ok_or_else(|| Unreadable::new("affectedEntities is no list"))?;
    if entities.len() > MOST {
        return Err(Unreadable::new(format!("it names more than {MOST} entities")));
    }
    for entity in entities {
        let entity = entity.as_object();
        let entity = entity.ok_or_else(|| Unreadable::new("an affected entity is no object"))?;
        let id = text(entity, "entityValue")?;
        // Volumes and hosts of EC2 are maintained as well.
        if !is_instance(id) {
            continue;
        }
        let is_resolved = maybe_text(entity, "status")? == Some("RESOLVED");
        let state = if is_resolved { closed } else { stands };
        let occurrence = aws::maintenance(code, starts);
        let mut happening = happening("cloud.instance.maintenance", &occurrence, state);
        // Of what is over nothing has to be done by then.
        happening.deadline = (state == State::Raised).then_some(starts);
        happening.data.clone_from(&data);
        notice.about.push(about(id, happening));
    }
    if notice.about.is_empty() {
        return Ok(Read::Nothing("a scheduled change that names no instance"));
    }
    Ok(Read::Notice(Box::new(notice)))
}

/// What is known of the change, under the names that the metadata service's has.
fn data(detail: &Map<String, Value>, code: &str) -> Result<Map<String, Value>, Unreadable> {
    let mut data = Map::new();
    data.insert("code".to_owned(), Value::from(code));
    let starts = time(detail, "startTime")?;
    data.insert("notBefore".to_owned(), Value::from(starts.to_string()));
    // Either may be missing; what is there in vain is no reason to miss the change.
    if let Ok(ends) = time(detail, "endTime") {
        data.insert("notAfter".to_owned(), Value::from(ends.to_string()));
    }
    if let Ok(arn) = text(detail, "eventArn") {
        data.insert("eventARN".to_owned(), Value::from(arn));
    }
    let said = detail
        .get("eventDescription")
        .and_then(|list| list.get(0)?.get("latestDescription")?.as_str());
    if let Some(said) = said {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let said: String = said.chars().take(DESCRIPTION).map(plain).collect();
        data.insert("description".to_owned(), Value::from(said));
    }
    Ok(data)
}
