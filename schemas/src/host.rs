//! What is asked of a host's runner, and what a host says when it comes back.

use crate::{Message, verdict::Verdict};
use serde::{Deserialize, Serialize};

/// "I am (back) on the bus."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The runner's agent instance.
    pub agent: String,
    /// The launch generation of the instance, where there is one (`pendingTime` of the identity document).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// The version of the software.
    pub version: String,
}

impl Message for Hello {
    const KIND: &'static str = "hello";
}

/// What is to be done to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Stop it.
    #[default]
    Stop,
    /// Hibernate it where that is configured and supported, else stop it.
    Hibernate,
}

/// "You are about to be stopped: give notice and do what must be done before."
///
/// Sent again with the same claim it is the poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Prepare {
    /// The claim's number: the revision that made it. A lower one than was seen is refused.
    pub claim: u64,
    /// For how long the preparation holds unless it is prolonged by `verify`.
    pub duration_ms: u64,
    /// How long the notice to people on the host lasts.
    pub notice_ms: u64,
    /// What will be done.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
}

impl Message for Prepare {
    const KIND: &'static str = "prepare";
}

/// How far the preparation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Prepared {
    /// The claim that it is for.
    pub claim: u64,
    /// Where it stands.
    pub state: PrepareState,
    /// Why it failed or what it waits for; may be empty.
    #[serde(default)]
    pub message: String,
}

/// Where a preparation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PrepareState {
    /// Journalled; notice given or being given.
    Accepted,
    /// Handlers run.
    Working,
    /// All is done.
    Done,
    /// A handler failed: an idle stop is to be given up.
    Failed,
}

/// "Measure anew and ask every voter again."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Verify {
    /// The claim's number; its preparation must be in force.
    pub claim: u64,
    /// Drawn for this question alone.
    pub nonce: String,
    /// Prolongs the preparation, when the answer is idle, by so much.
    pub prolong_ms: u64,
}

impl Message for Verify {
    const KIND: &'static str = "verify";
}

/// The answer to `verify`: a sample and votes begun after the request arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Verified {
    /// The claim that was asked about.
    pub claim: u64,
    /// The nonce of the question.
    pub nonce: String,
    /// Whether the preparation of this claim is in force; without it nothing counts as idle.
    pub prepared: bool,
    /// The new votes. Its `sample_age_ms` is the age of the *beginning* of the sample that was taken for
    /// this question, rounded down, so that it is never more than the age of the question; where no such
    /// sample came, that of the newest regular sample.
    pub verdict: Verdict,
}

/// "You will not be stopped after all."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Cancel {
    /// The claim's number.
    pub claim: u64,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

impl Message for Cancel {
    const KIND: &'static str = "cancel";
}

/// Asks a runner which plugins it has, and how they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ListPlugins {
    /// Only this one; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<crate::PluginName>,
}

impl Message for ListPlugins {
    const KIND: &'static str = "plugins";
    const HAS_EFFECT: bool = false;
}

/// Asks a runner whether a plugin could be configured so, before that is written anywhere. Answered with
/// [`Validated`], or with `bad_request` and every mistake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Validate {
    /// Which plugin.
    pub plugin: crate::PluginName,
    /// Keys that would be set at that level; the others stay.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Keys that this level would not have any more; what a wider one or the host's own file says of them holds
    /// again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// The level that is to be changed. Where it is absent the keys are laid over all levels, and what is unset is
    /// unset in all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<crate::plugin::management::ConfigLevel>,
}

impl Message for Validate {
    const KIND: &'static str = "validate";
    const HAS_EFFECT: bool = false;
}

/// No mistake was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Validated {
    /// Whether there is a schema that was asked; without one a plugin says only itself what it takes.
    pub checked: bool,
}

/// The plugins of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginList {
    /// One for each, sorted by name.
    pub plugins: Vec<PluginStatus>,
}

/// One plugin of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginStatus {
    /// What the plugin says of itself, or what is known without it.
    pub info: crate::plugin::PluginInfo,
    /// `process` or `nats`; `-` where it does not run.
    pub runtime: String,
    /// Where it is: a path or a subject.
    pub origin: String,
    /// What it is doing: `running`, `restarting`, `misconfigured`, `absent`, `missing`, …
    pub state: String,
    /// Why the newest configuration is not the one that it has, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_refused: Option<String>,
    /// The names of the fields of its configuration that its manifest calls secret: nobody is shown what they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The names of those fields of its configuration that say in which file of the host a secret lies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_files: Vec<String>,
    /// Keys of its manifest that its host does not know, each with its place: nothing comes of them. Of many, the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<String>,
    /// The last vote, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<crate::verdict::Vote>,
    /// Calls, errors and the like.
    pub stats: PluginStats,
    /// What it wants, may do and is kept from; absent where it runs elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<crate::plugin::approval::Rights>,
}

/// What is counted for a plugin since the runner started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginStats {
    /// Calls made.
    pub calls: u64,
    /// Calls answered with an error or not in the protocol.
    pub errors: u64,
    /// Calls not answered in time.
    pub time_outs: u64,
    /// Starts after the first.
    pub restarts: u64,
    /// The last error, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How long ago that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_age_ms: Option<u64>,
}

/// "Take a sample now": asked of the collector by the runner of the same host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TakeSample {
    /// How long to measure rates for; the interval begins after the request arrived.
    pub window_ms: u64,
}

impl Message for TakeSample {
    const KIND: &'static str = "take_sample";
    const HAS_EFFECT: bool = false;
}

/// "Which samples did I miss?": asked of the collector by the runner of the same host, which may come back
/// to the bus later than the collector does (rule T2). Answered with [`Samples`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct MissedSamples {
    /// The start of the collector that took them; another one has none of them.
    pub agent: String,
    /// Those with a higher number than this.
    pub after: u64,
}

impl Message for MissedSamples {
    const KIND: &'static str = "missed_samples";
    const HAS_EFFECT: bool = false;
}

/// The samples that a collector still has, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Samples {
    /// The oldest first; there may be holes between them.
    pub samples: Vec<crate::sample::Sample>,
}
