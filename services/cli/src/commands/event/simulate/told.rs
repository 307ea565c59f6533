//! What a play is told as: for one host its story in the words of `event show`, for many the times of each step.

use super::{
    judged::{NotInTime, Played, Step},
    play::Play,
};
use crate::{
    print,
    view::{
        event::{Story, told},
        text,
    },
};
use serde::Serialize;
use snooze_schemas::{HostId, Timestamp};
use snooze_service_runtime::Failure;
use std::time::Duration;

/// Of so many hosts the whole story is told.
const STORIES: usize = 3;
/// So many hosts are named that were not helped in time.
const NAMED: usize = 10;

const COLUMNS: [&str; 6] = ["STEP", "HOSTS", "FIRST", "HALF", "99 %", "LAST"];

/// The same for a program.
#[derive(Debug, Serialize)]
struct Report<'a> {
    scenario: &'a str,
    real: Vec<&'static str>,
    made_up: Vec<&'static str>,
    handlers: String,
    notice_seconds: u64,
    hosts: usize,
    /// When the first of them was told.
    announced_at: Option<&'a Timestamp>,
    handled_in_time: usize,
    not_in_time: Vec<Late<'a>>,
    /// Given to their hosts by the dispatcher at the centre.
    dispatched: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_dispatched_ms: Option<u128>,
    steps: Vec<Step>,
    events: &'a [Story],
}

#[derive(Debug, Serialize)]
struct Late<'a> {
    host: &'a HostId,
    why: &'a str,
}

/// Prints what was played, and who was not helped in time.
pub(super) fn tell(play: &Play, played: &Played, not_in_time: &NotInTime) -> Result<(), Failure> {
    if play.output.json {
        let late = not_in_time.iter();
        return print::json(&Report {
            scenario: play.scenario.as_str(),
            real: play.real(),
            made_up: play.made_up(),
            handlers: play.who.told(),
            notice_seconds: play.notice.as_secs(),
            hosts: played.announced.len(),
            announced_at: played.announced.values().min(),
            handled_in_time: played.announced.len() - not_in_time.len(),
            not_in_time: late.map(|(host, why)| Late { host, why }).collect(),
            dispatched: played.dispatched.0,
            all_dispatched_ms: played.dispatched.1.map(|after| after.as_millis()),
            steps: played.steps(),
            events: &played.stories,
        });
    }
    print::lines(lines(play, played, not_in_time))
}

fn lines(play: &Play, played: &Played, not_in_time: &NotInTime) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<10} {}",
        play.scenario.as_str(),
        play.scenario.happens()
    )];
    lines.extend(play.real().into_iter().map(|what| format!("real       {what}")));
    lines.extend(
        play.made_up()
            .into_iter()
            .map(|what| format!("made up    {what}")),
    );
    lines.push(format!("handled by {}", text::printable(&play.who.told())));
    lines.push(String::new());
    if played.announced.len() <= STORIES {
        for announced in played.announced.values() {
            lines.push(format!(
                "{}  announced",
                announced.strftime("%Y-%m-%d %H:%M:%S.%3f")
            ));
        }
        lines.extend(played.stories.iter().flat_map(told));
    } else {
        let rows: Vec<[String; 6]> = played.steps().iter().map(row).collect();
        lines.extend(print::table(COLUMNS, &rows));
        lines.push("counted from when each host was told".to_owned());
    }
    lines.push(String::new());
    lines.push(dispatched(played));
    let all = played.announced.len();
    lines.push(format!(
        "result     {} of {all} handled before the deadline{}",
        all - not_in_time.len(),
        spare(played)
    ));
    let named = not_in_time.iter().take(NAMED);
    lines.extend(named.map(|(host, why)| format!("not        {host}: {}", text::printable(why))));
    if not_in_time.len() > NAMED {
        lines.push(format!("not        {} more", not_in_time.len() - NAMED));
    }
    lines
}

fn dispatched(played: &Played) -> String {
    let (given, after) = &played.dispatched;
    let all = played.stories.len();
    match after {
        Some(after) => format!(
            "dispatched {given} of {all} given to their hosts by the centre as well, the last after {}",
            seconds(millis(*after))
        ),
        None => format!("dispatched {given} of {all} given to their hosts by the centre; it is not through"),
    }
}

fn spare(played: &Played) -> String {
    match played.least_spare() {
        Some(spare) => format!(", with {} to spare at least", seconds(millis(spare))),
        None => String::new(),
    }
}

fn row(step: &Step) -> [String; 6] {
    [
        step.step.to_owned(),
        step.hosts.to_string(),
        seconds(step.first_ms),
        seconds(step.half_ms),
        seconds(step.p99_ms),
        seconds(step.last_ms),
    ]
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}
