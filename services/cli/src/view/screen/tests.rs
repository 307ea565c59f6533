//! The screen of one host in its middle of being stopped.

use super::*;
use crate::view::{
    examples,
    model::{News, Preface},
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn model() -> Model {
    let preface = Preface {
        essential: vec!["what this is".to_owned()],
        details: vec!["the policy".to_owned()],
    };
    let mut model = Model::new(examples::host(), preface, "q quits");
    model.hear(News::Sample(Box::new(examples::sample())), at(10));
    model.hear(
        News::Verdict(Box::new(examples::verdict(VoteState::Idle))),
        at(10),
    );
    model.hear(News::Report(Box::new(examples::query_result("notice"))), at(10));
    model.hear(News::Audit(Box::new(examples::record())), at(10));
    model
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines
        .iter()
        .map(|line| line.text().trim_end().to_owned())
        .collect()
}

#[test]
fn the_screen_shows_readings_votes_verdict_next_step_and_audit_trail() {
    let expected = [
        "CloudSnooze  web  simulated instance sim-web, group default",
        "what this is",
        "the policy",
        "",
        "READINGS  over 1 s, 1 s ago",
        " CPU 5.2 %   memory 31.0 %   GPU unknown (the driver does not answer)   load 0.42",
        "",
        "VOTES  policy 3/0/0, 1 s ago",
        " cpu     idle    for 13 s     required  5.2 % of at most 25.0 %",
        " memory  busy    for 1 s      advisory  31.0 % of at most 30.0 %",
        "",
        "VERDICT  claimed: It is being stopped (claimed): idle for 15 s.",
        " [####################] idle 16 s of 15 s",
        "EXECUTOR  claimed, notice; next step in 3 s",
        "",
        "AUDIT TRAIL",
        " 12:00:01 intent    web is to be stopped: idle for 15 s [claim 7]",
        "q quits",
    ];
    assert_eq!(texts(&render(&model(), at(11), 40, 100)), expected);
}

#[test]
fn before_anything_is_known_it_says_so() {
    let model = Model::new(examples::host(), Preface::default(), "q quits");
    let lines = texts(&render(&model, at(0), 24, 80));
    for line in [
        "READINGS  none yet",
        "VOTES  none yet",
        "VERDICT  none yet",
        " nothing yet",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line:?} in {lines:?}");
    }
}

#[test]
fn a_small_terminal_shows_the_newest_of_the_audit_trail_and_never_more_lines_than_fit() {
    let mut model = model();
    for claim in 8..30 {
        let mut record = examples::record();
        record.claim = Some(claim);
        model.hear(News::Audit(Box::new(record)), at(10));
    }
    let lines = texts(&render(&model, at(11), 20, 100));
    assert_eq!(lines.len(), 20);
    assert!(lines[18].ends_with("[claim 29]"), "{lines:?}");
    for rows in 1..20 {
        assert!(render(&model, at(11), rows, 10).len() <= rows.max(1), "{rows}");
    }
}

#[test]
fn a_terminal_of_24_rows_shows_advisory_votes_together_and_details_not_at_all() {
    let mut model = model();
    model.preface.details = vec!["a detail".to_owned(); 12];
    let lines = texts(&render(&model, at(11), 24, 80));
    assert!(lines.len() <= 24, "{lines:?}");
    assert!(!lines.iter().any(|line| line == "a detail"), "{lines:?}");
    for line in [
        "what this is",
        " cpu  idle    for 13 s     required  5.2 % of at most 25.0 %",
        " advisory: memory busy",
        " 12:00:01 intent    web is to be stopped: idle for 15 s [claim 7]",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line:?} in {lines:?}");
    }
}

#[test]
fn an_obstacle_that_the_summary_names_is_not_said_twice() {
    let mut result = examples::query_result("");
    let decision = &mut result.hosts[0].decision;
    decision.summary = "it stays up: the CPU is busy".to_owned();
    decision.obstacles = vec!["the CPU is busy".to_owned(), "a person is there".to_owned()];
    let mut model = model();
    model.hear(News::Report(Box::new(result)), at(10));
    let lines = texts(&render(&model, at(11), 40, 100));
    let told = lines
        .iter()
        .filter(|line| line.contains("the CPU is busy"))
        .count();
    assert_eq!(told, 1, "{lines:?}");
    assert!(
        lines.iter().any(|line| line == " - a person is there"),
        "{lines:?}"
    );
}

#[test]
fn a_host_that_was_stopped_says_when() {
    let mut result = examples::query_result("");
    let report = &mut result.hosts[0];
    (report.phase, report.next_in_ms) = ("free".to_owned(), None);
    report.last_stop = Some(snooze_schemas::ops::LastStop {
        at: "2026-01-31T12:00:30Z".parse().expect("a time"),
        reason: "idle for 15 s".to_owned(),
    });
    let mut model = model();
    model.hear(News::Report(Box::new(result)), at(10));
    let lines = texts(&render(&model, at(11), 40, 100));
    let told = "EXECUTOR  free; last stop at 12:00:30";
    assert!(lines.iter().any(|line| line == told), "{lines:?}");
}

/// What a newcomer has before them, in the middle of a stop: seven voters and two plugins that advise.
#[test]
fn a_demonstration_shows_its_policy_on_a_terminal_of_24_rows_and_80_columns() {
    use crate::up::demonstration::{Threshold, load_line, preface};

    let mut model = model();
    model.preface = preface(Threshold::from_readings(&[12.3; 5]));
    let mut verdict = examples::verdict(VoteState::Idle);
    let advisory = verdict.votes.remove(1);
    for voter in [
        "memory",
        "network",
        "disk_io",
        "gpu",
        "input",
        "people",
        "keep-awake",
        "load-average",
    ] {
        let mut vote = advisory.clone();
        vote.voter = voter.parse().expect("a voter");
        verdict.votes.push(vote);
    }
    model.hear(News::Verdict(Box::new(verdict)), at(10));
    for second in 1..=8 {
        let mut record = examples::record();
        record.message =
            format!("step {second}: as long as the sentences are that the executors write of one");
        model.hear(News::Audit(Box::new(record)), at(10));
    }
    let lines = texts(&render(&model, at(11), 24, 80));
    assert!(lines.len() <= 24, "{lines:#?}");
    let steps = lines.iter().filter(|line| line.contains(" step ")).count();
    assert!(steps >= 6, "{lines:#?}");
    for part in [
        "CPU and GPUs vote: idle below 32.3 % for 15 s, 5 s notice",
        load_line(),
        "load-average",
        "EXECUTOR",
        "[claim 7]",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(part)),
            "{part:?} in {lines:#?}"
        );
    }
}
