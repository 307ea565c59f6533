//! Events and what became of them, as people read it. Pure.
//!
//! Times are those of whoever says them: the source's host, the broker, the host that handled. They are shown, and
//! none is subtracted from one of another clock.

use super::text;
use serde::Serialize;
use snooze_schemas::{
    EventId, HostId, Timestamp,
    event::{Event, EventOutcome, EventProgress, HandlerAtWork, HandlerOutcome, Scope, Severity},
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
    /// How far it is at its host, where that was asked and is not done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
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
    /// Nothing that is known of this one of the fleet's hosts.
    Unheard,
    /// Nothing that is known: how it ended was not looked for so far back.
    Forgotten,
}

/// How far an event is at one host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Where.
    pub host: HostId,
    /// What the host says, or why it does not say anything.
    #[serde(flatten)]
    pub said: Said,
}

/// What a host says of an event that it has in hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// How far it is.
    Progress(EventProgress),
    /// Nothing, for this reason.
    Silent(String),
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
    let (mut steps, mut of_hosts): (Vec<Step>, Vec<String>) = (Vec::new(), Vec::new());
    if let Some(happened) = event.happened_at {
        steps.push((Some(happened), "happened, by its source's clock".to_owned()));
    }
    steps.push((Some(event.noticed_at), "noticed".to_owned()));
    let (stream, sequence) = (&story.stream, story.sequence);
    steps.push((Some(story.filed_at), format!("filed: {stream} {sequence}")));
    match story.endings.as_slice() {
        // It may have been filed long after its host had handled it.
        [one] => steps.extend(steps_to(one)),
        several => of_hosts.extend(several.iter().flat_map(|ending| in_order(steps_to(ending)))),
    }
    let mut waits = story.waits.map(|waits| waiting(waits).to_owned());
    match &story.progress {
        Some(Progress {
            host,
            said: Said::Progress(progress),
        }) => {
            steps.extend(steps_so_far(host, progress));
            waits = Some(being_handled(progress));
        }
        Some(Progress {
            said: Said::Silent(why),
            ..
        }) => {
            waits = waits.map(|waits| format!("{waits}; by whom is not known: {}", text::printable(why)));
        }
        None => {}
    }
    lines.extend(in_order(steps));
    lines.extend(of_hosts);
    lines.extend(waits.map(|waits| format!("{:23}  {waits}", "not over")));
    lines
}

/// The story of an event that no stream has.
#[must_use]
pub fn told_without(id: &EventId, endings: &[Ending]) -> Vec<String> {
    let reported = endings.iter().find_map(|ending| match &ending.how {
        How::Reported(outcome) => Some(outcome.event_type.as_str()),
        How::Dead(_) => None,
    });
    let title = reported.map_or_else(|| id.to_string(), |event_type| format!("{event_type}  {id}"));
    let filed = "filed     in no stream: as a host's own work before a stop, or longer ago than they keep it";
    let mut lines = vec![title, filed.to_owned(), String::new()];
    lines.extend(endings.iter().flat_map(|ending| in_order(steps_to(ending))));
    lines
}

/// What a host has done with an event that is not over there.
fn steps_so_far(host: &HostId, progress: &EventProgress) -> Vec<Step> {
    let host = host.as_str();
    let mut steps: Vec<Step> = accepted(host, progress.accepted_at).into_iter().collect();
    for handler in &progress.ended {
        steps.extend(steps_of(host, handler, None));
    }
    for HandlerAtWork { plugin, begun } in &progress.at_work {
        let time = begun.map(|begun| its_time(Some(begun.within_ms), Some(begun.left_ms)));
        let at = begun.map(|begun| begun.started_at);
        steps.push((
            at,
            format!("{host}: {plugin} was asked{}", time.unwrap_or_default()),
        ));
    }
    steps
}

fn being_handled(progress: &EventProgress) -> String {
    let at_work: Vec<&str> = progress.at_work.iter().map(|one| one.plugin.as_str()).collect();
    match at_work.as_slice() {
        [] => "is being handled: nobody is at work on it at this moment".to_owned(),
        [one] => format!("is being handled: {one} is at work on it"),
        several => format!("is being handled: {} are at work on it", several.join(", ")),
    }
}

fn steps_to(ending: &Ending) -> Vec<Step> {
    let (host, at) = (ending.host.as_str(), ending.at);
    let outcome = match &ending.how {
        How::Dead(_) => return vec![(Some(at), format!("{host}: {}", how(&ending.how)))],
        How::Reported(outcome) => outcome,
    };
    let mut steps: Vec<Step> = accepted(host, outcome.accepted_at).into_iter().collect();
    for handler in &outcome.handlers {
        steps.extend(steps_of(host, handler, Some(at)));
    }
    steps.push((Some(at), format!("{host}: reported, {}", how(&ending.how))));
    steps
}

/// Something that a host did, and when, where that is known.
type Step = (Option<Timestamp>, String);

/// As lines. Handlers of the same priority run at once.
fn in_order(mut steps: Vec<Step>) -> Vec<String> {
    steps.sort_by_key(|(at, _)| (at.is_none(), *at));
    let told = steps.into_iter().map(|(at, line)| {
        let at = at.map(when).unwrap_or_default();
        format!("{at:23}  {line}")
    });
    told.collect()
}

fn accepted(host: &str, at: Option<Timestamp>) -> Option<Step> {
    let line = || format!("{host}: accepted, it is in the host's journal");
    at.map(|at| (Some(at), line()))
}

fn steps_of(host: &str, handler: &HandlerOutcome, reported: Option<Timestamp>) -> Vec<Step> {
    let plugin = &handler.plugin;
    let said = said(handler);
    let Some(started) = handler.started_at else {
        let what = if handler.interrupted {
            "was interrupted"
        } else {
            "was not asked"
        };
        return vec![(reported, format!("{host}: {plugin} {what}{said}"))];
    };
    let time = its_time(handler.within_ms, handler.left_ms);
    let asked = format!("{host}: {plugin} was asked{time}{}", again(handler));
    let took = handler.took_ms;
    if handler.interrupted && took == 0 {
        // Nobody saw when.
        return vec![
            (Some(started), asked),
            (reported, format!("{host}: {plugin} was interrupted{said}")),
        ];
    }
    let ended = started.checked_add(std::time::Duration::from_millis(took)).ok();
    // It ended before that was reported, whatever the milliseconds round to.
    let ended = ended.into_iter().chain(reported).min();
    let facts = match (handler.result.handled, handler.result.succeeded) {
        _ if handler.interrupted => "was interrupted after",
        (true, true) => "handled it in",
        (true, false) => "handled it and failed in",
        (false, true) => "had nothing to do in",
        (false, false) => "failed in",
    };
    vec![
        (Some(started), asked),
        (ended, format!("{host}: {plugin} {facts} {took} ms{said}")),
    ]
}

/// What it had of the event's time.
fn its_time(within_ms: Option<u64>, left_ms: Option<u64>) -> String {
    let shown = |ms: u64| match ms {
        0..1_000 => format!("{ms} ms"),
        _ => text::millis(ms),
    };
    match (within_ms.map(shown), left_ms.map(shown)) {
        (Some(own), Some(left)) => format!(", it had {own} of the {left} that were left"),
        (None, Some(left)) => format!(", {left} were left"),
        (_, None) => String::new(),
    }
}

/// How often it was asked again, where it was.
fn again(handler: &HandlerOutcome) -> String {
    match handler.asked_again {
        0 => String::new(),
        1 => "; its process ended over it, and it was asked once more".to_owned(),
        times => format!("; its process ended over it, and it was asked {times} times more"),
    }
}

/// What it said, or what is said of it, to stand behind what it did.
fn said(handler: &HandlerOutcome) -> String {
    let message = handler.result.message.as_str();
    // That it was interrupted stands before it.
    let rest = message.strip_prefix("interrupted: ");
    let message = rest.filter(|_| handler.interrupted).unwrap_or(message);
    match message {
        "" => String::new(),
        message => format!(": {}", text::printable(message)),
    }
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
    // Who tried and failed is among those that failed.
    let handled = outcome.handlers.iter().filter(|handler| handler.result.is_done());
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
        Waits::Host => "waits for its host, which is away or takes no more just now",
        Waits::Outcome => "is being handled",
        Waits::Unheard => "this host has not told of it",
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
mod tests;
