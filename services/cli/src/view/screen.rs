//! The live view as lines of styled text: a pure function of the model, the time and the size.

use super::{
    line::{Line, Look},
    model::{BusState, Model},
    text, width,
};
use snooze_schemas::verdict::{Role, Vote, VoteState};
use std::{fmt::Write, time::Duration};

/// How much there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// For everything.
    Ample,
    /// Not for blank lines.
    Close,
    /// Not for details of the preface, and only for what advisory votes say, all together. Of the audit trail only
    /// the newest entry is shown as a whole: more of them say how it came to that.
    Tight,
}

/// What of the audit trail is shown even where there is little room.
const TRAIL_ROWS: usize = 4;

/// The screen, at most `rows` lines. Where that is too little for everything, details are left out first,
/// then the older part of the audit trail, then what stands below.
#[must_use]
pub fn render(model: &Model, now: Duration, rows: usize, columns: usize) -> Vec<Line> {
    const FOOT: usize = 1;
    let parts = |room| {
        (
            above_trail(model, now, columns, room),
            trail(model, columns, room),
        )
    };
    let (mut lines, trail) = [Room::Ample, Room::Close]
        .into_iter()
        .map(parts)
        .find(|(above, trail)| above.len() + TRAIL_ROWS.min(trail.len()) + FOOT <= rows)
        .unwrap_or_else(|| parts(Room::Tight));
    let left = rows.saturating_sub(lines.len() + FOOT);
    lines.extend(trail.into_iter().rev().take(left).rev());
    lines.truncate(rows.saturating_sub(FOOT));
    lines.push(Line::of(Look::Faint, model.keys.clone()));
    lines
}

/// The audit trail, the newest entry last.
fn trail(model: &Model, columns: usize, room: Room) -> Vec<Line> {
    if model.audit.is_empty() {
        return vec![Line::of(Look::Faint, " nothing yet")];
    }
    let newest = model.audit.len() - 1;
    let entries = model.audit.iter().enumerate();
    entries
        .flat_map(|(at, record)| {
            let line = Line::of(Look::Plain, format!(" {}", text::audit(record)));
            if room == Room::Tight && at < newest {
                vec![line]
            } else {
                line.wrapped(columns, 20)
            }
        })
        .collect()
}

fn above_trail(model: &Model, now: Duration, columns: usize, room: Room) -> Vec<Line> {
    let mut sections = vec![
        head(model, columns, room),
        readings(model, now, columns, room),
        votes(model, now, columns, room),
        next(model, now, columns),
    ];
    if let (Some(note), Some(last)) = (&model.note, sections.last_mut()) {
        last.extend(Line::of(Look::Busy, format!(" {note}")).wrapped(columns, 1));
    }
    sections.push(vec![Line::of(Look::Heading, "AUDIT TRAIL")]);
    let mut lines = Vec::new();
    for section in sections {
        if room == Room::Ample && !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(section);
    }
    lines
}

fn head(model: &Model, columns: usize, room: Room) -> Vec<Line> {
    let mut title = Line::of(Look::Heading, format!("CloudSnooze  {}", model.host));
    if let Some(report) = &model.report {
        let report = &report.what;
        title = title.and(
            Look::Faint,
            format!(
                "  {} instance {}, group {}",
                report.provider, report.instance, report.group
            ),
        );
    }
    if model.bus == BusState::Away {
        title = title.and(Look::Bad, "  the bus is away");
    }
    if let Some(frozen) = &model.frozen {
        title = title.and(Look::Bad, format!("  FROZEN by {}: {}", frozen.by, frozen.reason));
    }
    let details: &[String] = match room {
        Room::Ample | Room::Close => &model.preface.details,
        Room::Tight => &[],
    };
    let mut lines = title.wrapped(columns, 13);
    let preface = model.preface.essential.iter().chain(details);
    lines.extend(preface.flat_map(|line| Line::of(Look::Faint, line.clone()).wrapped(columns, 9)));
    lines
}

fn readings(model: &Model, now: Duration, columns: usize, room: Room) -> Vec<Line> {
    let Some(heard) = &model.sample else {
        return vec![Line::of(Look::Heading, "READINGS").and(Look::Faint, "  none yet")];
    };
    let age = text::duration(heard.age(now));
    let since = format!("  over {}, {age} ago ", text::millis(heard.what.covers_ms));
    let mut line = Line::of(Look::Heading, "READINGS").and(Look::Faint, since);
    // Where there is little room the first ones stand beside the title.
    let mut used = match room {
        Room::Ample | Room::Close => columns,
        Room::Tight => width::of(&line.text()),
    };
    let mut lines = Vec::new();
    for (name, value) in text::readings(&heard.what) {
        let piece = format!(" {name} {value}  ");
        let width = width::of(&piece);
        if used > 0 && used + width > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        line = line.and(Look::Plain, piece);
        used += width;
    }
    lines.push(line);
    lines
}

fn votes(model: &Model, now: Duration, columns: usize, room: Room) -> Vec<Line> {
    let Some(heard) = &model.verdict else {
        return vec![Line::of(Look::Heading, "VOTES").and(Look::Faint, "  none yet")];
    };
    let age = heard.age(now);
    let revision = &heard.what.policy_revision;
    let since = format!("  policy {revision}, {} ago", text::duration(age));
    let mut lines = vec![Line::of(Look::Heading, "VOTES").and(Look::Faint, since)];
    let votes = heard.what.votes.iter();
    let (together, apart): (Vec<&Vote>, Vec<&Vote>) =
        votes.partition(|vote| room == Room::Tight && vote.role == Role::Advisory);
    let names = apart.iter().map(|vote| vote.voter.as_str().len());
    let width = names.max().unwrap_or_default();
    lines.extend(
        apart
            .iter()
            .map(|vote| vote_line(vote, model.said_for(vote, now), width)),
    );
    if !together.is_empty() {
        let states = together
            .iter()
            .map(|vote| format!("{} {}", vote.voter, text::state(vote.state)));
        let text = format!(" advisory: {}", states.collect::<Vec<_>>().join(", "));
        lines.extend(Line::of(Look::Faint, text).wrapped(columns, 11));
    }
    lines
}

fn vote_line(vote: &Vote, said_for: Duration, width: usize) -> Line {
    let look = match (vote.role, vote.state) {
        (Role::Advisory, _) => Look::Faint,
        (_, VoteState::Idle) => Look::Good,
        (_, VoteState::Busy) => Look::Busy,
        (_, VoteState::Unknown) => Look::Bad,
    };
    let since = format!("for {}", text::duration(said_for));
    let rest = if vote.role == Role::Advisory {
        Look::Faint
    } else {
        Look::Plain
    };
    Line::of(rest, format!(" {:<width$}  ", vote.voter.as_str()))
        .and(look, format!("{:<8}", text::state(vote.state)))
        .and(
            rest,
            format!("{since:<12} {:<9} {}", text::role(vote.role), vote.reason),
        )
}

fn next(model: &Model, now: Duration, columns: usize) -> Vec<Line> {
    let heading = Line::of(Look::Heading, "VERDICT");
    let Some(heard) = &model.report else {
        let why = model.no_report.as_deref().unwrap_or("none yet");
        return heading.and(Look::Faint, format!("  {why}")).wrapped(columns, 9);
    };
    let (report, age) = (&heard.what, heard.age(now));
    let look = match report.decision.decision.as_str() {
        "stop" | "claimed" => Look::Good,
        "stay" => Look::Busy,
        _ => Look::Plain,
    };
    let mut lines = heading
        .and(look, format!("  {}", report.decision.decision))
        .and(Look::Plain, format!(": {}", report.decision.summary))
        .wrapped(columns, 9);
    if let Some((idle, naptime)) = model.idle(now) {
        lines.push(Line::of(
            Look::Plain,
            format!(
                " {} idle {} of {}",
                bar(idle, naptime),
                text::duration(idle),
                text::duration(naptime)
            ),
        ));
    }
    let mut step = report.phase.clone();
    if !report.progress.is_empty() {
        write!(step, ", {}", report.progress).expect("a string takes everything");
    }
    if let Some(ms) = report.next_in_ms {
        let left = Duration::from_millis(ms).saturating_sub(age);
        write!(step, "; next step in {}", text::duration(left)).expect("a string takes everything");
    }
    if let Some(stop) = &report.last_stop {
        write!(step, "; last stop at {}", stop.at.strftime("%H:%M:%S")).expect("a string takes everything");
    }
    let executor = Line::of(Look::Heading, "EXECUTOR").and(Look::Plain, format!("  {step}"));
    lines.extend(executor.wrapped(columns, 10));
    if let Some(why) = &model.no_report {
        lines.extend(Line::of(Look::Bad, format!(" {why}")).wrapped(columns, 1));
    }
    // What the summary says already is not said twice.
    let obstacles = report.decision.obstacles.iter().chain(&report.keeps_awake);
    let others = obstacles.filter(|obstacle| !report.decision.summary.contains(obstacle.as_str()));
    lines.extend(others.flat_map(|text| Line::of(Look::Plain, format!(" - {text}")).wrapped(columns, 3)));
    lines
}

/// How much of the naptime has passed.
fn bar(idle: Duration, naptime: Duration) -> String {
    const CELLS: u128 = 20;
    let done = match naptime.as_millis() {
        0 => CELLS,
        whole => (idle.as_millis() * CELLS / whole).min(CELLS),
    };
    let cells = |count: u128, cell: &str| cell.repeat(usize::try_from(count).expect("at most twenty"));
    format!("[{}{}]", cells(done, "#"), cells(CELLS - done, "."))
}

#[cfg(test)]
mod tests;
