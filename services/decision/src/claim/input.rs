//! What a claim's machine is told: time, answers to its plans, and what was seen by other means.

use super::action::Ticket;
use super::record::{ClaimNumber, Entry, Gate, HostRecord, Revision, Slot};
use crate::verdict::Verdict;
use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

/// What a machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A planned action's answer.
    Answer {
        /// Which action.
        ticket: Ticket,
        /// What came of it.
        answer: Answer,
    },
    /// The host's key was seen at this revision by other means than a planned read.
    KeyChanged(Box<Entry<HostRecord>>),
    /// The kill switch was seen at this revision.
    GateChanged(Entry<Gate>),
    /// Another policy holds for the host now.
    PolicyChanged {
        /// Its revision.
        revision: String,
    },
    /// Give the claim up if that is still possible: the host vetoes, or this process is to end.
    GiveUp {
        /// Why, for people.
        reason: String,
    },
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The batch is written; the host's key has this revision.
    Written {
        /// Of the host's key, the last of the batch.
        revision: Revision,
    },
    /// Certainly nothing was written: a revision has moved, or the server refused.
    Conflict,
    /// Nobody knows whether it was written (L7).
    Ambiguous,
    /// The keys as they are.
    State(Box<StateRead>),
    /// The entry is acknowledged.
    Filed,
    /// The runner's answer to `prepare`.
    Prepared {
        /// Where it stands.
        state: PrepareState,
        /// Why, for people.
        message: String,
    },
    /// The instance as it is.
    Protections(Protections),
    /// The runner's answer to `verify`.
    Verified(Verified),
    /// What became of the call.
    Called(CallOutcome),
    /// The instance's state.
    Instance(InstanceState),
    /// It is done.
    Done,
    /// No answer, or one that does not help. Never for a write or the call.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// The keys as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRead {
    /// The host's key.
    pub host: Entry<HostRecord>,
    /// The kill switch.
    pub gate: Entry<Gate>,
    /// The slots that were asked for and are taken.
    pub slots: Vec<SlotSeen>,
}

/// A slot that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSeen {
    /// Its number.
    pub n: u32,
    /// Its revision and who has it.
    pub entry: Entry<Option<Slot>>,
}

/// Where a preparation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepareState {
    /// Journalled; notice is being given.
    Accepted,
    /// Handlers run.
    Working,
    /// All is done.
    Done,
    /// It failed or was refused.
    Failed,
}

/// The instance, read anew before a stop (P8, S8, S19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protections {
    /// Its state.
    pub state: InstanceState,
    /// What else forbids a stop: stop protection, one-time spot, a scaling group. One sentence each.
    pub forbids: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The runner's answer to `verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The claim that was asked about.
    pub claim: ClaimNumber,
    /// The question's nonce.
    pub nonce: String,
    /// Whether this claim's preparation is in force.
    pub prepared: bool,
    /// The agent that was the last to publish a verdict under this host's id, as far as the executor saw
    /// beside the answer. Another one than the claim's proves that two agents live under one id (I2).
    pub last_heard: Option<String>,
    /// The new votes. They rest on a sample taken for this very question, and `sample_age_ms` is the age of
    /// that sample's *beginning* when the answer was sent, not that of the newest one of the periodic
    /// series. It began after the question came, so it is never older than the question; an older one
    /// is refused (P3).
    pub verdict: Verdict,
}

/// What became of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The cloud accepted it.
    Accepted,
    /// The instance was already stopping or stopped, which is success.
    AlreadyStopping,
    /// The cloud refused for certain: nothing will be stopped.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was never sent: the last look said no.
    NotSent {
        /// Why.
        reason: String,
    },
    /// Time-out, reset, 5xx: it may have been accepted.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Coming up.
    Pending,
    /// Up.
    Running,
    /// Going down.
    Stopping,
    /// Down.
    Stopped,
    /// Being terminated.
    ShuttingDown,
    /// Gone for good.
    Terminated,
    /// The cloud does not know it.
    Missing,
}
