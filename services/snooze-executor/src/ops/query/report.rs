//! What one executor knows of one host, put together from its copy of the keys and the last verdict.
//!
//! Text for people and facts for programs; nothing is decided here that the intake would decide otherwise.

use crate::{context::Context, convert, intake::word, mirror::View, perform::chain};
use snooze_bus::Stored;
use snooze_decision::{
    Boot, Decision, Explained, Facts, Wall,
    claim::{HostRecord, Phase, Progress},
    decide,
    decide::{Enrolled, Heard, Identity},
    explain,
    obstacle::Obstacle,
};
use snooze_schemas::{
    HostId,
    ops::{DecisionReport, HostReport, LastStop},
    verdict::Verdict,
};

/// The report of a host with the last verdict that was heard of it.
pub(super) fn report(context: &Context, host: HostId, stored: Option<Stored<Verdict>>) -> HostReport {
    let now = context.now();
    let view = context.mirror.view(&host);
    // The server's clock against this one's: for people, and to show what is stale; no stop rests on it.
    let age_ms = stored
        .as_ref()
        .map(|stored| now.wall.0.saturating_sub(convert::wall(stored.filed_at).0));
    let verdict = stored.map(|stored| stored.message);
    let heard_at = Boot(now.boot.0.saturating_sub(age_ms.unwrap_or(0)));
    let record = view
        .key
        .as_ref()
        .ok()
        .map(|key| key.value.clone())
        .unwrap_or_default();
    let explained = explained(context, &host, &view, verdict.as_ref(), heard_at);
    let claim = record.claim.as_ref();
    let revision = view.key.as_ref().map_or(Default::default(), |key| key.revision);
    HostReport {
        group: view
            .record
            .as_ref()
            .map(|record| record.group.to_string())
            .unwrap_or_default(),
        instance: view
            .record
            .as_ref()
            .map(|record| record.instance.clone())
            .unwrap_or_default(),
        provider: view
            .record
            .as_ref()
            .map_or("", |record| record.provider.as_str())
            .to_owned(),
        decision: decision(&explained, &view),
        phase: record.phase_name().to_owned(),
        progress: claim.map(progress).unwrap_or_default(),
        claim: record.claim_number(revision).map(|number| number.0),
        next_in_ms: next_in(&explained, &view, &record, now.wall),
        verdict,
        verdict_age_ms: age_ms,
        last_stop: record.last_stop.as_ref().map(|stop| LastStop {
            at: convert::timestamp(stop.at),
            reason: stop.reason.clone(),
        }),
        keeps_awake: keeps_awake(&record, now.wall),
        host,
    }
}

/// The decision as the intake would make it now; nothing where it would refuse to make one.
fn explained(
    context: &Context,
    host: &HostId,
    view: &View,
    verdict: Option<&Verdict>,
    heard_at: Boot,
) -> Result<Explained, String> {
    let policy = view.policy.as_ref().map_err(|error| chain(error.as_ref()))?;
    let key = view.key.as_ref().map_err(ToString::to_string)?;
    let gate = view.gate.as_ref().map_err(ToString::to_string)?;
    let pure = verdict.cloned().map(convert::verdict);
    Ok(decide(&Facts {
        policy: &policy.pure,
        policy_revision: &policy.revision,
        verdict: pure.as_ref().map(|verdict| Heard {
            verdict,
            at: heard_at,
        }),
        identity: Identity::One,
        key,
        gate: &gate.value,
        roster: view.record.as_ref().map(|record| Enrolled {
            carries_executor: record.carries_executor || context.boot_of(host).is_some(),
            tags: &record.tags,
        }),
        slots: view.record.as_ref().map_or_else(Default::default, |record| {
            context
                .mirror
                .free_slots(&record.group, policy.pure.max_concurrent_stops)
        }),
        now: context.now(),
    }))
}

fn decision(explained: &Result<Explained, String>, view: &View) -> DecisionReport {
    let mut details = serde_json::Map::new();
    if let Ok(policy) = &view.policy {
        details.insert("policy_revision".to_owned(), policy.revision.clone().into());
        details.insert(
            "mode".to_owned(),
            serde_json::to_value(policy.wire.mode).unwrap_or_default(),
        );
    }
    let explained = match explained {
        Ok(explained) => explained,
        Err(reason) => {
            return DecisionReport {
                decision: word(Decision::Stay).to_owned(),
                summary: format!("It stays up: nothing can be decided: {reason}"),
                idle_ms: 0,
                naptime_ms: 0,
                obstacles: vec![reason.clone()],
                blocking: Vec::new(),
                details,
            };
        }
    };
    // Where a stop is under way, its claim is what the summary tells, and no obstacle to itself.
    let is_own_claim = |obstacle: &&Obstacle| {
        explained.decision == Decision::Claimed && matches!(obstacle, Obstacle::Claimed { .. })
    };
    DecisionReport {
        decision: word(explained.decision).to_owned(),
        summary: explain::summary(explained),
        idle_ms: explained.idleness.ms(),
        naptime_ms: explained.naptime_ms,
        obstacles: explained
            .obstacles
            .iter()
            .filter(|obstacle| !is_own_claim(obstacle))
            .map(ToString::to_string)
            .collect(),
        blocking: explained
            .blocking
            .iter()
            .filter_map(|blocking| blocking.voter.parse().ok())
            .collect(),
        details,
    }
}

fn progress(claim: &snooze_decision::claim::Claim) -> String {
    match claim.phase {
        Phase::Claimed(progress) => progress.name().to_owned(),
        Phase::Cancelled if !claim.cancelled_because.is_empty() => {
            format!("{}: {}", claim.phase.name(), claim.cancelled_because)
        }
        phase => phase.name().to_owned(),
    }
}

/// For how long nothing new is to be expected, as far as that can be told from the key and the policy.
fn next_in(
    explained: &Result<Explained, String>,
    view: &View,
    record: &HostRecord,
    now: Wall,
) -> Option<u64> {
    let Some(claim) = &record.claim else {
        return match explained.as_ref().ok()?.decision {
            Decision::Wait { ms } => Some(ms),
            _ => None,
        };
    };
    match claim.phase {
        Phase::Claimed(Progress::Intent | Progress::Preparing | Progress::Noticing) => {
            let notice_ms = view.policy.as_ref().ok()?.pure.notice_ms;
            Some(claim.claimed_at.plus(notice_ms).0.saturating_sub(now.0))
        }
        _ => None,
    }
}

fn keeps_awake(record: &HostRecord, now: Wall) -> Vec<String> {
    let mut sentences = Vec::new();
    for lease in &record.leases {
        let left = lease.until.left_at(now);
        if left > 0 {
            let left = explain::duration(left);
            sentences.push(format!(
                "{} keeps it awake for another {left}: {}",
                lease.holder, lease.reason
            ));
        }
    }
    if let Some(postponement) = &record.postponement {
        let left = postponement.until.left_at(now);
        if left > 0 {
            let left = explain::duration(left);
            sentences.push(format!(
                "Its stop is postponed for another {left}: {}",
                postponement.reason
            ));
        }
    }
    if let Some(wake) = &record.wake {
        sentences.push(format!("{} wants it started: {}", wake.by, wake.reason));
    }
    sentences
}
