//! Events and what became of them, as people read it. Pure.
//!
//! Times are those of whoever says them: the source's host, the broker, the host that handled. They are shown, and
//! none is subtracted from one of another clock.

use super::text;
use serde::Serialize;
use snooze_schemas::{
    EventId, Timestamp,
    event::{Event, EventOutcome, HandlerOutcome, Scope, Severity},
};

/// What is known of one event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Story {
    /// As it was filed.
    pub event: Event,
    /// The stream that has it.
    pub stream: String,
    /// Its number there.
    pub sequence: u64,
    /// When the broker took it.
    pub filed_at: Timestamp,
    /// What it waits for, where it has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
    /// How it ended; for the fleet one a host.
    pub endings: Vec<Ending>,
}

/// What an event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waits {
    /// A gateway that hands it on.
    Dispatch,
    /// Its host, which is away.
    Host,
    /// Its handlers, which are at work.
    Outcome,
    /// Nothing that is known: how it ended was not looked for so far back.
    Forgotten,
}

/// How an event ended at one host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ending {
    /// Where.
    pub host: Scope,
    /// When that was said.
    pub at: Timestamp,
    /// How.
    #[serde(flatten)]
    pub how: How,
}

/// Handled, or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its host says what its handlers made of it.
    Reported(EventOutcome),
    /// Nobody could handle it, and why.
    Dead(String),
}

/// The columns of a list.
pub const COLUMNS: [&str; 6] = ["FILED", "SEVERITY", "TYPE", "HOST", "ID", "OUTCOME"];

/// One line of a list.
#[must_use]
pub fn row(story: &Story) -> [String; 6] {
    let event = &story.event;
    [
        story.filed_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        severity(event.severity).to_owned(),
        event.event_type.to_string(),
        event.host.to_string(),
        event.id.to_string(),
        outcome(story),
    ]
}

/// An event that came.
#[must_use]
pub fn noticed(event: &Event) -> String {
    format!(
        "{} {:<8} {} {} {}  (noticed by {})",
        event.noticed_at.strftime("%H:%M:%S"),
        severity(event.severity),
        event.host,
        event.event_type,
        event.id,
        text::printable(&event.source),
    )
}

/// An event that ended.
#[must_use]
pub fn ended(id: &EventId, ending: &Ending) -> String {
    let (time, host, how) = (ending.at.strftime("%H:%M:%S"), &ending.host, how(&ending.how));
    format!("{time} ended    {host} {id}: {how}")
}

/// The whole story.
#[must_use]
pub fn told(story: &Story) -> Vec<String> {
    let event = &story.event;
    let mut lines = vec![
        format!("{}  {}", event.event_type, event.id),
        format!(
            "severity  {} ({})",
            u8::from(event.severity),
            severity(event.severity)
        ),
        format!("host      {}", event.host),
        format!("source    {}", text::printable(&event.source)),
    ];
    if !event.data.is_empty() {
        let data = serde_json::Value::Object(event.data.clone());
        lines.push(format!("data      {}", text::printable(&data.to_string())));
    }
    if let Some(deadline) = event.deadline {
        let time = deadline.duration_since(event.noticed_at);
        let time = std::time::Duration::try_from(time).unwrap_or_default();
        let time = text::duration(time);
        lines.push(format!(
            "deadline  {} ({time} after it was noticed)",
            when(deadline)
        ));
    }
    lines.push(String::new());
    lines.push(format!("{}  noticed", when(event.noticed_at)));
    let (stream, sequence) = (&story.stream, story.sequence);
    lines.push(format!("{}  filed: {stream} {sequence}", when(story.filed_at)));
    for ending in &story.endings {
        lines.extend(told_by(ending));
    }
    if let Some(waits) = story.waits {
        lines.push(format!("{:23}  {}", "not over", waiting(waits)));
    }
    lines
}

fn told_by(ending: &Ending) -> Vec<String> {
    let (host, at) = (&ending.host, when(ending.at));
    let outcome = match &ending.how {
        How::Dead(_) => return vec![format!("{at}  {host}: {}", how(&ending.how))],
        How::Reported(outcome) => outcome,
    };
    let mut lines = Vec::new();
    if let Some(accepted) = outcome.accepted_at {
        lines.push((accepted, format!("{host}: accepted, it is in the host's journal")));
    }
    for handler in &outcome.handlers {
        lines.extend(steps_of(host, handler, ending.at));
    }
    lines.push((ending.at, format!("{host}: reported, {}", how(&ending.how))));
    // Handlers of the same priority run at once.
    lines.sort_by_key(|(at, _)| *at);
    let told = lines.into_iter();
    told.map(|(at, line)| format!("{}  {line}", when(at))).collect()
}

fn steps_of(host: &Scope, handler: &HandlerOutcome, reported: Timestamp) -> Vec<(Timestamp, String)> {
    let plugin = &handler.plugin;
    let said = match handler.result.message.is_empty() {
        true => String::new(),
        false => format!(": {}", text::printable(&handler.result.message)),
    };
    let Some(started) = handler.started_at else {
        return vec![(reported, format!("{host}: {plugin} was not asked{said}"))];
    };
    let left = handler.left_ms.map_or(String::new(), |left| {
        format!(", {} were left", text::millis(left))
    });
    let took = std::time::Duration::from_millis(handler.took_ms);
    let ended = started.checked_add(took).unwrap_or(reported);
    let facts = match (handler.result.handled, handler.result.succeeded) {
        (true, true) => "handled it",
        (true, false) => "handled it and failed",
        (false, true) => "had nothing to do",
        (false, false) => "failed",
    };
    vec![
        (started, format!("{host}: {plugin} was asked{left}")),
        (
            ended,
            format!("{host}: {plugin} {facts} in {} ms{said}", handler.took_ms),
        ),
    ]
}

fn outcome(story: &Story) -> String {
    match (story.endings.as_slice(), story.waits) {
        ([], Some(waits)) => waiting(waits).to_owned(),
        ([], None) => "no host has told of it yet".to_owned(),
        ([one], _) => how(&one.how),
        (many, _) => {
            let dead = many.iter().filter(|ending| matches!(ending.how, How::Dead(_)));
            let (hosts, dead) = (many.len(), dead.count());
            format!("{hosts} hosts: {} told of it, {dead} in DEAD", hosts - dead)
        }
    }
}

fn how(how: &How) -> String {
    let outcome = match how {
        How::Dead(reason) => return format!("DEAD: {}", text::printable(reason)),
        How::Reported(outcome) => outcome,
    };
    let all = outcome.handlers.len();
    let handled = outcome.handlers.iter().filter(|handler| handler.result.handled);
    let failed = outcome
        .handlers
        .iter()
        .filter(|handler| !handler.result.succeeded);
    let failed: Vec<&str> = failed.map(|handler| handler.plugin.as_str()).collect();
    let why = outcome.not_asked.as_ref().map(|why| text::printable(why));
    let found = match (all, failed.is_empty()) {
        (0, _) => return why.unwrap_or_else(|| "no plugin handles it".to_owned()),
        (_, true) => format!("handled by {} of {all} plugins", handled.count()),
        (_, false) => format!(
            "handled by {} of {all} plugins, failed: {}",
            handled.count(),
            failed.join(" ")
        ),
    };
    match why {
        Some(why) => format!("{found}; {why}"),
        None => found,
    }
}

fn waiting(waits: Waits) -> &'static str {
    match waits {
        Waits::Dispatch => "waits for a gateway",
        Waits::Host => "waits for its host, which is away",
        Waits::Outcome => "is being handled",
        Waits::Forgotten => "how it ended is too long ago to be looked for; `snooze history` has it",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Urgent => "urgent",
        Severity::Critical => "critical",
    }
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn story(endings: &serde_json::Value) -> Story {
        let event = json!({
            "id": "cloud-spot-interrupt-1", "type": "cloud.spot.interrupt", "severity": 3,
            "source": "aws.ec2.metadata-service", "host": "h1", "noticed_at": "2030-01-01T00:00:00Z",
            "deadline": "2030-01-01T00:02:00Z", "data": {"action": "terminate"},
        });
        let outcome: EventOutcome = serde_json::from_value(json!({
            "id": "cloud-spot-interrupt-1", "type": "cloud.spot.interrupt",
            "accepted_at": "2030-01-01T00:00:00.100Z", "handlers": endings,
        }))
        .expect("an outcome");
        Story {
            event: serde_json::from_value(event).expect("an event"),
            stream: "EVENTS_URGENT".to_owned(),
            sequence: 7,
            filed_at: "2030-01-01T00:00:00.050Z".parse().expect("a time"),
            waits: None,
            endings: vec![Ending {
                host: Scope::Host("h1".parse().expect("a host")),
                at: "2030-01-01T00:00:03Z".parse().expect("a time"),
                how: How::Reported(outcome),
            }],
        }
    }

    #[test]
    fn the_story_has_every_step_in_order_and_what_time_was_left() {
        let story = story(&json!([
            {"plugin": "save", "handled": true, "succeeded": true, "message": "saved", "took_ms": 400,
             "started_at": "2030-01-01T00:00:00.200Z", "left_ms": 119_800},
            {"plugin": "tell", "handled": false, "succeeded": false, "message": "it did not answer",
             "took_ms": 1000, "started_at": "2030-01-01T00:00:00.300Z", "left_ms": 119_700},
        ]));
        let lines = told(&story);
        let steps: Vec<&str> = lines
            .iter()
            .skip_while(|line| !line.is_empty())
            .skip(1)
            .map(|line| &line[11..])
            .collect();
        assert_eq!(
            steps,
            [
                "00:00:00.000  noticed",
                "00:00:00.050  filed: EVENTS_URGENT 7",
                "00:00:00.100  h1: accepted, it is in the host's journal",
                "00:00:00.200  h1: save was asked, 1 m 59 s were left",
                "00:00:00.300  h1: tell was asked, 1 m 59 s were left",
                "00:00:00.600  h1: save handled it in 400 ms: saved",
                "00:00:01.300  h1: tell failed in 1000 ms: it did not answer",
                "00:00:03.000  h1: reported, handled by 1 of 2 plugins, failed: tell",
            ]
        );
    }

    #[test]
    fn what_is_not_over_says_what_it_waits_for() {
        let mut story = story(&json!([]));
        assert_eq!(outcome(&story), "no plugin handles it");
        story.endings.clear();
        story.waits = Some(Waits::Host);
        assert_eq!(outcome(&story), "waits for its host, which is away");
        assert!(told(&story).last().is_some_and(|line| line.contains("away")));
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        let mut story = story(&json!([
            {"plugin": "bad", "handled": true, "succeeded": true, "message": "a\u{1b}[2Jb\nc", "took_ms": 1,
             "started_at": "2030-01-01T00:00:00.200Z"},
        ]));
        story.event.source = "x\u{1b}]0;y".to_owned();
        assert!(told(&story).iter().all(|line| !line.contains(['\u{1b}', '\n'])));
    }
}
