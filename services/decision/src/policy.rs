//! The policy that deciding follows, checked once: every duration in milliseconds, every mistake reported.
//!
//! A [`Policy`] cannot be built from values under which the protocol is unsafe (a quarantine shorter than
//! the longest way of a stop call, a verification that is stale before it can be answered). It holds no
//! thresholds: those are the host's business.

mod mistake;
mod values;

use alloc::vec::Vec;
use core::ops::Deref;
pub use mistake::PolicyMistake;
pub use values::{Combine, Mode, PolicyValues, Role, StopAction, VoterRule};

/// Longer than this is a slip of a unit, not a wish; it also keeps every sum far from overflow.
pub const LONGEST_MS: u64 = 10 * 365 * 24 * 3_600_000;

/// The longest that a request to a host may wait for its answer.
pub const ANSWER_LIMIT_MS: u64 = 15_000;

/// What a verification takes beside measuring and asking: the way there and back over the bus, and the
/// runner's own work. A fleet far from its broker takes a few tens of milliseconds.
pub const ROUND_TRIP_MS: u64 = 100;

/// More hosts of one group at once than this is a slip of the pen, and no limit at all.
pub const MOST_CONCURRENT: u32 = 100_000;

/// Pre-snooze work that takes longer than this is a failure unless the policy says otherwise.
pub const PRE_SNOOZE_DEFAULT_MS: u64 = 300_000;

/// A checked policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy(PolicyValues);

impl Deref for Policy {
    type Target = PolicyValues;

    fn deref(&self) -> &PolicyValues {
        &self.0
    }
}

/// The name of the voter that says whether people are present (S10).
pub const PEOPLE: &str = "people";

/// The voters that are there only while they are unknown: the cloud takes the instance away, or nobody can see which
/// plugins there are.
pub const BEYOND_POLICY: [&str; 2] = ["instance", "folders-of-plugins"];

impl Policy {
    /// The values as a policy.
    ///
    /// # Errors
    /// Every mistake in them, not only the first.
    pub fn check(values: PolicyValues) -> Result<Policy, Vec<PolicyMistake>> {
        let mut mistakes = Vec::new();
        durations(&values, &mut mistakes);
        relations(&values, &mut mistakes);
        voting(&values, &mut mistakes);
        match values.max_concurrent_stops {
            0 => mistakes.push(PolicyMistake::NoConcurrency),
            limit if limit > MOST_CONCURRENT => mistakes.push(PolicyMistake::TooConcurrent { limit }),
            _ => {}
        }
        if values.opt_out_tag.is_empty() || values.opt_in_tag.as_deref() == Some("") {
            mistakes.push(PolicyMistake::EmptyTag);
        }
        if mistakes.is_empty() {
            Ok(Policy(values))
        } else {
            Err(mistakes)
        }
    }

    /// The role of a voter (T5): under `all` everything that is not advisory is required; in the other
    /// modes what the policy names, and people present. What is more than an opinion no
    /// policy weighs.
    #[must_use]
    pub fn role_of(&self, voter: &str) -> Role {
        if BEYOND_POLICY.contains(&voter) {
            return Role::Required;
        }
        match (self.voters.get(voter).and_then(|rule| rule.role), self.combine) {
            (Some(Role::Counted) | None, Combine::All) => Role::Required,
            (Some(role), _) => role,
            (None, _) if voter == PEOPLE => Role::Required,
            (None, _) => Role::Counted,
        }
    }

    /// The voters that must be heard: one that is missing counts as unknown (T3). They are those whose rule
    /// says `required` in so many words, and people present (S10) wherever they are required at all.
    ///
    /// A rule that gives a voter a weight, or says `counted`, asks for nobody: it stands in a policy of the
    /// fleet, and not every host has a GPU.
    pub fn must_be_heard(&self) -> impl Iterator<Item = &str> {
        let says_required = |rule: &VoterRule| rule.role == Some(Role::Required);
        let named = self.voters.iter().filter(move |(_, rule)| says_required(rule));
        let people = (self.role_of(PEOPLE) == Role::Required).then_some(PEOPLE);
        named
            .map(|(name, _)| name.as_str())
            .filter(|name| *name != PEOPLE)
            .chain(people)
    }

    /// For how long a verification's answer is waited for: never past its own freshness.
    #[must_use]
    pub fn verify_limit_ms(&self) -> u64 {
        verify_limit_ms(self)
    }

    /// For how long a preparation is asked to hold: everything up to the verification, with a margin for
    /// repeated questions. The verification prolongs it by the quarantine.
    #[must_use]
    pub fn prepare_duration_ms(&self) -> u64 {
        let work = self.notice_ms.saturating_add(self.pre_snooze_ms);
        work.saturating_add(self.settle_ms)
            .saturating_add(4 * self.freshness_ms)
    }

    /// The oldest sample that a published verdict may rest on and still open a claim (S3).
    #[must_use]
    pub fn oldest_sample_ms(&self) -> u64 {
        self.check_interval_ms.saturating_add(self.freshness_ms)
    }
}

fn verify_limit_ms(values: &PolicyValues) -> u64 {
    values.freshness_ms.min(ANSWER_LIMIT_MS)
}

fn durations(values: &PolicyValues, mistakes: &mut Vec<PolicyMistake>) {
    let all = [
        ("check_interval", values.check_interval_ms, 1),
        ("naptime", values.naptime_ms, 1),
        ("heartbeat", values.heartbeat_ms, 1),
        ("boot_grace", values.boot_grace_ms, 0),
        ("cooldown", values.cooldown_ms, 0),
        ("notice", values.notice_ms, 0),
        ("pre_snooze", values.pre_snooze_ms, 0),
        ("settle", values.settle_ms, 0),
        ("freshness", values.freshness_ms, 1),
        ("call_timeout", values.call_timeout_ms, 1),
        ("signature_life", values.signature_life_ms, 1),
        ("application", values.application_ms, 1),
        ("quarantine", values.quarantine_ms, 1),
        ("beat", values.beat_ms, 1),
        ("takeover", values.takeover_ms, 1),
        ("verify_window", values.verify_window_ms, 1),
        ("plugin_timeout", values.plugin_timeout_ms, 1),
    ];
    for (name, ms, least) in all {
        if ms < least {
            mistakes.push(PolicyMistake::Zero { name });
        }
        if ms > LONGEST_MS {
            mistakes.push(PolicyMistake::TooLong { name, ms });
        }
    }
}

fn relations(values: &PolicyValues, mistakes: &mut Vec<PolicyMistake>) {
    let way = [
        values.freshness_ms,
        values.signature_life_ms,
        values.application_ms,
    ]
    .into_iter()
    .fold(0, u64::saturating_add);
    if values.quarantine_ms <= way {
        mistakes.push(PolicyMistake::QuarantineTooShort {
            quarantine_ms: values.quarantine_ms,
            way_ms: way,
        });
    }
    // The time that a hung device may take beside the window is not counted: what it reads is unknown then,
    // so the answer that it makes late could not have been idle.
    let asked = values.verify_window_ms.saturating_add(values.plugin_timeout_ms);
    let limit_ms = verify_limit_ms(values);
    if asked.saturating_add(ROUND_TRIP_MS) >= limit_ms {
        mistakes.push(PolicyMistake::VerificationTooSlow {
            asked_ms: asked,
            limit_ms,
        });
    }
    if values.takeover_ms <= values.beat_ms.saturating_mul(2) {
        mistakes.push(PolicyMistake::TakeoverTooShort {
            takeover_ms: values.takeover_ms,
            beat_ms: values.beat_ms,
        });
    }
}

fn voting(values: &PolicyValues, mistakes: &mut Vec<PolicyMistake>) {
    match values.combine {
        Combine::Quorum(0) => mistakes.push(PolicyMistake::EmptyQuorum),
        Combine::Weighted(threshold) if !threshold.is_finite() || micros(threshold) == 0 => {
            mistakes.push(PolicyMistake::BadThreshold { threshold });
        }
        _ => {}
    }
    for (voter, rule) in &values.voters {
        if let Some(weight) = rule.weight
            && (!weight.is_finite() || weight < 0.0)
        {
            mistakes.push(PolicyMistake::BadWeight {
                voter: voter.clone(),
                weight,
            });
        }
    }
}

/// A weight in millionths: whole numbers add up to the same in every order, floating ones do not.
pub(crate) fn micros(weight: f64) -> u64 {
    // The cast saturates and makes 0 of what is not a number or negative.
    (weight * 1e6 + 0.5) as u64
}
