//! What the runner and the process that becomes a plugin say to one another: one JSON object each way.

use super::resolve::Spot;
use crate::file_identity::FileIdentity;
use serde::{Deserialize, Serialize};
use snooze_schemas::plugin::permissions::Permissions;
use std::{collections::BTreeSet, path::PathBuf};

/// What the process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// The executable that it becomes.
    pub path: PathBuf,
    /// Which file that was when it was looked at; nothing where nobody has.
    pub seen: Option<FileIdentity>,
    /// Its own folder to read.
    pub folder: Option<PathBuf>,
    /// Its working folder, which it writes.
    pub home: PathBuf,
    /// Where programs are looked up.
    pub search_path: String,
    /// What it may do.
    pub permissions: Permissions,
    /// What it may write, and what it could before.
    pub own_write: BTreeSet<PathBuf>,
    /// What other plugins may write, and what they could before.
    pub others_write: BTreeSet<PathBuf>,
    /// What is at the ends of that, where it answered: the process itself looks at none of it.
    pub(super) others_ends: Vec<Spot>,
    /// The number of a user and a group of its own.
    pub user: u32,
    /// The control group that it joins.
    pub control_group: Option<PathBuf>,
    /// Whether the control group limits memory.
    pub memory_is_limited: bool,
    /// Whether the control group limits processes.
    pub processes_are_limited: bool,
    /// Whether anything that is not enforced is a reason not to run.
    pub require_isolation: bool,
    /// What the runner knows not to be enforced.
    pub not_enforced: Vec<String>,
}

/// What it answers, before it becomes the plugin or because it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The fences are up.
    Fenced(Fenced),
    /// It is not run.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a fence that is up says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fenced {
    /// What the kernel does not enforce, and why.
    pub not_enforced: Vec<String>,
    /// What was granted and has no effect, and why.
    pub not_granted: Vec<String>,
}
