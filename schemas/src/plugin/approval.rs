//! Which plugin packages a host is to have, what an operator granted a plugin, and what of it is in force.
//!
//! An approval is for files: whoever changes one of them changes what was approved.

use super::permissions::{Permissions, is_false};
use crate::{EventType, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an operator granted a plugin, and for which files. A plugin whose files are others is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The version that was looked at, where there was a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// Whether it may be native, which is a part of the runner that nothing fences. A native one is not run without.
    #[serde(default, skip_serializing_if = "is_false")]
    pub native: bool,
    /// SHA-256 of its manifest, where there was one, in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
    /// SHA-256 of what is started or loaded, in lower-case hexadecimal.
    pub entry_sha256: String,
}

/// A package that is to be there, from the fleet's store of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Installed {
    /// Its version, for people.
    pub version: String,
    /// SHA-256 of the package, in lower-case hexadecimal: which one it is.
    pub sha256: String,
}

/// What a plugin wants, what it may do, and what of that is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Rights {
    /// What its manifest asks for.
    pub asked: Permissions,
    /// What it may do.
    pub granted: Permissions,
    /// Who said so; absent where nobody did, and it may do nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<Grantor>,
    /// Which files were approved, where an approval is what it runs by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<ApprovedFiles>,
    /// Whether its manifest says that it is native: a part of the runner that nothing fences.
    #[serde(skip_serializing_if = "is_false")]
    pub native: bool,
    /// SHA-256 of its manifest as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
    /// SHA-256 of what is started or loaded, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_sha256: Option<String>,
    /// Whether what runs was started from another file than lies there now.
    #[serde(skip_serializing_if = "is_false")]
    pub replaced: bool,
    /// Some of the files of its folder that could change unseen: no checksum in its manifest covers them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// What the host's own file grants and there is no such permission, as it is written there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub misspelt: Vec<String>,
    /// Events that it handles and is not given: no grant covers them, and no operator's configuration names them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub withheld: BTreeSet<EventType>,
    /// Events that it handles, and that its host's own file switches off for everybody.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub switched_off: BTreeSet<EventType>,
    /// The fences that this host does not enforce, and why, as of the last start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<String>,
    /// What was granted without effect, and why, as of the last start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_granted: Vec<String>,
}

/// The files that an approval is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ApprovedFiles {
    /// The version that was looked at, where there was a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the manifest, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
    /// SHA-256 of what is started or loaded.
    pub entry_sha256: String,
}

/// Who granted a plugin what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Grantor {
    /// The host's own file.
    HostFile,
    /// An operator, for these very files.
    Approval {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
}
