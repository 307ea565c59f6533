//! The values of a policy as they are given, with the shipped defaults. Not checked yet.

use super::PRE_SNOOZE_DEFAULT_MS;
use alloc::{collections::BTreeMap, string::String};

/// The values of a policy before they are checked. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyValues {
    /// Whether hosts are stopped or only observed (S1).
    pub mode: Mode,
    /// How votes combine (T5).
    pub combine: Combine,
    /// What differs from the default for a voter, by its name.
    pub voters: BTreeMap<String, VoterRule>,
    /// What is done to an idle host.
    pub action: StopAction,
    /// Whether a host that carries broker and executor may stop itself (P10, S25).
    pub self_stop: bool,
    /// Only hosts with this tag are stopped (S8).
    pub opt_in_tag: Option<String>,
    /// Hosts with this tag are never stopped (S8).
    pub opt_out_tag: String,
    /// How often a host is measured.
    pub check_interval_ms: u64,
    /// For how long a host must have been idle (S4).
    pub naptime_ms: u64,
    /// How often an unchanged verdict is sent again.
    pub heartbeat_ms: u64,
    /// After a boot nothing is stopped for so long (S6).
    pub boot_grace_ms: u64,
    /// After a stop or a cancelled claim nothing is stopped for so long.
    pub cooldown_ms: u64,
    /// Notice to people on the host (S12).
    pub notice_ms: u64,
    /// For how long pre-snooze work may take after the notice (S13).
    pub pre_snooze_ms: u64,
    /// Between the pre-snooze work and the verification.
    pub settle_ms: u64,
    /// `F`: an older verification is no reason to stop.
    pub freshness_ms: u64,
    /// `C`: for how long the call's answer is waited for.
    pub call_timeout_ms: u64,
    /// `E`: for how long the cloud accepts a signed request.
    pub signature_life_ms: u64,
    /// `L`: the longest that the cloud may take to apply a call.
    pub application_ms: u64,
    /// `Q`: for how long a host whose call is in doubt is watched.
    pub quarantine_ms: u64,
    /// `B`: how often a holder shows that it lives.
    pub beat_ms: u64,
    /// `T`: a claim without a beat for so long is anybody's.
    pub takeover_ms: u64,
    /// For how long a host measures for a verification.
    pub verify_window_ms: u64,
    /// How long a plugin may take for one answer.
    pub plugin_timeout_ms: u64,
    /// How many hosts of a group may be on their way down at once (L1).
    pub max_concurrent_stops: u32,
    /// Whether tags are written.
    pub write_tags: bool,
}

impl Default for PolicyValues {
    /// The shipped defaults.
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            combine: Combine::All,
            voters: BTreeMap::new(),
            action: StopAction::Stop,
            self_stop: false,
            opt_in_tag: None,
            opt_out_tag: String::from("cloudsnooze:disable"),
            check_interval_ms: 60_000,
            naptime_ms: 1_800_000,
            heartbeat_ms: 60_000,
            boot_grace_ms: 600_000,
            cooldown_ms: 600_000,
            notice_ms: 60_000,
            pre_snooze_ms: PRE_SNOOZE_DEFAULT_MS,
            settle_ms: 5_000,
            freshness_ms: 20_000,
            call_timeout_ms: 10_000,
            signature_life_ms: 300_000,
            application_ms: 300_000,
            quarantine_ms: 900_000,
            beat_ms: 2_000,
            takeover_ms: 10_000,
            verify_window_ms: 5_000,
            plugin_timeout_ms: 5_000,
            max_concurrent_stops: 5,
            write_tags: true,
        }
    }
}

/// Whether anything is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is decided and shown, nothing is stopped.
    Observe,
    /// Idle hosts are stopped.
    Act,
}

/// How votes combine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Combine {
    /// Every voter that is not advisory must be idle.
    All,
    /// One idle counted voter is enough, unless a required one vetoes.
    Any,
    /// So many idle counted voters are enough, unless a required one vetoes.
    Quorum(u32),
    /// Idle counted voters whose weights reach this are enough, unless a required one vetoes.
    Weighted(f64),
}

/// What differs from the default for a voter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VoterRule {
    /// Its role, where the policy names one.
    pub role: Option<Role>,
    /// Its weight under [`Combine::Weighted`]; 1 where absent.
    pub weight: Option<f64>,
}

/// How much a vote counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Busy or unknown vetoes, in every mode.
    Required,
    /// Takes part in the combination.
    Counted,
    /// Shown, without effect.
    Advisory,
}

/// What is done to an idle host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAction {
    /// Stop it.
    Stop,
    /// Hibernate it where that is configured and supported, else stop it.
    Hibernate,
}
