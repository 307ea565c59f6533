//! The policy of a fleet, group or host, with the original's keys, units and defaults.
//!
//! A layer (`snooze_config` keys `fleet`, `group.<g>`, `host.<h>`) is a map that holds only what it
//! sets; the narrower wins, and what no layer sets has the default.

use crate::{
    VoterName,
    host::Action,
    plugin::approval::{Approval, Installed},
    verdict::Role,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One layer as it is kept: only what it sets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ConfigLayer {
    /// Keys of [`Policy`].
    pub policy: Map<String, Value>,
    /// Keys by plugin.
    pub plugins: BTreeMap<String, PluginLayer>,
}

/// What a layer says of one plugin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PluginLayer {
    /// Whether it is to run.
    pub enabled: Option<bool>,
    /// What it is configured with.
    pub config: Option<Map<String, Value>>,
    /// The package that it is installed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<Installed>,
    /// What an operator granted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
}

/// The policy that holds for one host, every value set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Policy {
    /// How often the host is measured.
    pub check_interval_seconds: f64,
    /// For how long it must have been idle.
    pub naptime_minutes: f64,
    /// Idle below this.
    pub cpu_threshold_percent: f64,
    /// Idle below this.
    pub memory_threshold_percent: f64,
    /// Idle below this, KiB/s.
    pub network_threshold_kbps: f64,
    /// Idle below this, KiB/s.
    pub disk_io_threshold_kbps: f64,
    /// Idle when nobody touched anything for so long; 0 takes input out of the vote.
    pub input_idle_threshold_secs: u64,
    /// Whether GPUs are looked at.
    pub gpu_monitoring_enabled: bool,
    /// Idle below this.
    pub gpu_threshold_percent: f64,

    /// Whether hosts are stopped or only observed (S1).
    pub mode: Mode,
    /// How votes combine.
    pub combine: Combine,
    /// What differs from the default for a voter.
    pub voters: BTreeMap<VoterName, VoterPolicy>,
    /// What is done to an idle host.
    pub action: Action,
    /// Whether a host that carries broker and executor may stop itself (P10, S25).
    pub self_stop: bool,
    /// Only hosts with this tag are stopped (S8); any value but `false`, `no`, `0` and the empty one.
    pub opt_in_tag: Option<String>,
    /// Hosts with this tag are never stopped (S8).
    pub opt_out_tag: String,

    /// Notice to people on the host before it is stopped (S12).
    pub notice_seconds: f64,
    /// For how long pre-snooze work may take after the notice (S13).
    pub pre_snooze_seconds: f64,
    /// Between the pre-snooze work and the fresh verdict.
    pub settle_seconds: f64,
    /// How often an unchanged verdict is sent again.
    pub heartbeat_seconds: f64,
    /// After a boot, a resume or a clock jump nothing is stopped for so long (S6).
    pub boot_grace_minutes: f64,
    /// After a stop or a cancelled claim nothing is stopped for so long.
    pub cooldown_minutes: f64,
    /// Freshness `F`: an older verification is no reason to stop.
    pub freshness_seconds: f64,
    /// Call time-out `C`.
    pub call_timeout_seconds: f64,
    /// Signature life `E`: how long the cloud accepts a signed request.
    pub signature_life_seconds: f64,
    /// Application `L`: the longest the cloud may take to apply a call that it accepted.
    pub application_seconds: f64,
    /// Quarantine `Q`: how long a host with an unknown call is watched; more than F + E + L.
    pub quarantine_seconds: f64,
    /// Beat `B` of a claim's holder.
    pub beat_seconds: f64,
    /// Takeover `T`: a claim without a beat for so long is somebody else's.
    pub takeover_seconds: f64,
    /// How long the host measures for a verification.
    pub verify_window_seconds: f64,
    /// How long a plugin may take for one answer.
    pub plugin_timeout_seconds: f64,
    /// How many hosts of a group may be on their way down at once (L1).
    pub max_concurrent_stops: u32,
    /// What would protect an instance from a stop and is not to (S19).
    pub stop_despite: Vec<Protection>,

    /// Whether tags are written.
    pub enable_instance_tags: bool,
    /// Their prefix.
    pub tagging_prefix: String,
    /// Whether readings are written as tags too.
    pub detailed_instance_tags: bool,
    /// Whether outside tools may start a stopped instance again.
    pub enable_restart_flag: bool,
    /// Which tools may; all where empty.
    pub allowed_restarter_ids: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            check_interval_seconds: 60.0,
            naptime_minutes: 30.0,
            cpu_threshold_percent: 10.0,
            memory_threshold_percent: 30.0,
            network_threshold_kbps: 50.0,
            disk_io_threshold_kbps: 100.0,
            input_idle_threshold_secs: 900,
            gpu_monitoring_enabled: true,
            gpu_threshold_percent: 5.0,
            mode: Mode::Observe,
            combine: Combine::All,
            voters: BTreeMap::new(),
            action: Action::Stop,
            self_stop: false,
            opt_in_tag: None,
            opt_out_tag: "cloudsnooze:disable".to_owned(),
            notice_seconds: 60.0,
            pre_snooze_seconds: 300.0,
            settle_seconds: 5.0,
            heartbeat_seconds: 60.0,
            boot_grace_minutes: 10.0,
            cooldown_minutes: 10.0,
            freshness_seconds: 20.0,
            call_timeout_seconds: 10.0,
            signature_life_seconds: 300.0,
            application_seconds: 300.0,
            quarantine_seconds: 900.0,
            beat_seconds: 2.0,
            takeover_seconds: 10.0,
            verify_window_seconds: 5.0,
            plugin_timeout_seconds: 5.0,
            max_concurrent_stops: 5,
            stop_despite: Vec::new(),
            enable_instance_tags: true,
            tagging_prefix: "CloudSnooze".to_owned(),
            detailed_instance_tags: true,
            enable_restart_flag: false,
            allowed_restarter_ids: Vec::new(),
        }
    }
}

/// Whether anything is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything is decided and shown, nothing is stopped.
    #[default]
    Observe,
    /// Idle hosts are stopped.
    Act,
}

/// What protects an instance from being stopped, unless the policy says that it does not (S19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Somebody switched the cloud's stop protection on.
    StopProtected,
    /// Its root volume is an instance store, which a stop loses.
    InstanceStore,
    /// A one-time spot request, which a stop ends.
    OneTimeSpot,
    /// An Auto Scaling group, which would replace it.
    AsgMember,
}

/// How votes combine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Every voter that is not advisory must be idle.
    #[default]
    All,
    /// One idle voter is enough, unless a required one vetoes.
    Any,
    /// So many idle voters are enough, unless a required one vetoes.
    Quorum(u32),
    /// Idle voters whose weights reach this are enough, unless a required one vetoes.
    Weighted(f64),
}

/// What differs from the default for a voter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct VoterPolicy {
    /// Its role; where absent: required under `all`; else required for `people`, counted for others.
    pub role: Option<Role>,
    /// Its weight under `weighted`; 1 where absent, never negative.
    pub weight: Option<f64>,
}

impl Policy {
    /// The role of a voter under this policy (rule T5).
    #[must_use]
    pub fn role_of(&self, voter: &VoterName) -> Role {
        if voter.is_beyond_policy() {
            return Role::Required;
        }
        match (
            self.voters.get(voter).and_then(|policy| policy.role),
            &self.combine,
        ) {
            (Some(Role::Counted), Combine::All) | (None, Combine::All) => Role::Required,
            (Some(role), _) => role,
            (None, _) if voter.as_str() == "people" => Role::Required,
            (None, _) => Role::Counted,
        }
    }

    /// The layers from widest to narrowest, laid over the defaults.
    ///
    /// # Errors
    /// Which key has a value that does not fit, from all layers together.
    pub fn from_layers<'a>(
        layers: impl IntoIterator<Item = &'a ConfigLayer>,
    ) -> Result<Policy, serde_json::Error> {
        let mut merged = Map::new();
        for layer in layers {
            merge(&mut merged, &layer.policy);
        }
        serde_json::from_value(Value::Object(merged))
    }
}

/// Lays `over` on `under`: maps key by key, everything else whole. `voters` is such a map; `combine` is whole.
fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (key.as_str(), under.get_mut(key), value) {
            ("voters", Some(Value::Object(lower)), Value::Object(upper)) => {
                for (voter, policy) in upper {
                    lower.insert(voter.clone(), policy.clone());
                }
            }
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
