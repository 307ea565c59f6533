//! What a plugin may do on this host, and who said so.
//!
//! The host's own file goes before what an operator approved on the bus; where neither says anything a plugin may do
//! nothing. What a manifest asks for grants nothing, and an approval is good for no other files than its own.

mod withdrawal;

use super::unchecked::unchecked;
use super::{Cause, unfit::Unfit};
use crate::{
    discovery::{Found, sanitised},
    fence,
    guest::UNFENCED,
    manifest::FILE,
};
use serde_json::{Map, Value, json};
use snooze_schemas::plugin::{
    approval::{Approval, ApprovedFiles, Grantor, Rights},
    permissions::Permissions,
};
use std::{collections::BTreeMap, io, path::Path, sync::Arc};

/// What one plugin may do.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Grant {
    /// It may do this.
    pub permissions: Permissions,
    /// Where an operator said so, and not the host's own file.
    pub approval: Option<Arc<Approval>>,
    /// Whether the host's own file says so.
    by_file: bool,
    /// What that says and there is no such permission.
    misspelt: Vec<String>,
}

impl Grant {
    /// What is in force for what was found, by its name: by a name that it gives itself it could take what was meant
    /// for another.
    ///
    /// # Errors
    /// What is wrong with what it was granted; then it is not run with less or more.
    pub(crate) fn of(
        found: &Found,
        configs: &BTreeMap<String, Map<String, Value>>,
        approved: Option<&Approval>,
    ) -> Result<Grant, String> {
        let mut written = configs.iter();
        let own = written.find(|(name, own)| {
            own.contains_key(fence::PERMISSIONS) && sanitised(name).as_ref() == Some(&found.name)
        });
        if let Some((name, own)) = own {
            let told = |mistake| format!("plugins.plugin_configs.{name}.{mistake}");
            let (permissions, unknown) = fence::granted(own).map_err(told)?;
            for key in &unknown {
                tracing::warn!(plugin = %found.name, key, "a permission is not known, and not granted");
            }
            return Ok(Grant {
                permissions,
                approval: None,
                by_file: true,
                misspelt: unknown,
            });
        }
        let Some(approval) = approved else {
            return Ok(Grant::default());
        };
        let written = json!({ fence::PERMISSIONS: approval.permissions });
        let own = written.as_object().expect("it was written as an object");
        let told = |mistake| format!("what {} approved cannot be granted: {mistake}", approval.by);
        let (permissions, _) = fence::granted(own).map_err(told)?;
        Ok(Grant {
            permissions,
            approval: Some(Arc::new(approval.clone())),
            by_file: false,
            misspelt: Vec::new(),
        })
    }

    /// Who said so.
    pub(crate) fn by(&self) -> Option<Grantor> {
        if self.by_file {
            return Some(Grantor::HostFile);
        }
        let approval = self.approval.as_ref()?;
        Some(Grantor::Approval {
            by: approval.by.clone(),
            at: approval.at,
        })
    }

    /// Whether it was agreed that a plugin is native, where it is.
    ///
    /// # Errors
    /// That nobody said anything of it, or not that.
    pub(crate) fn admit(&self, found: &Found) -> Result<(), String> {
        if !found.is_native() || self.by_file {
            return Ok(());
        }
        let why = match &self.approval {
            Some(approval) if approval.native => return Ok(()),
            Some(approval) => format!(
                "what was approved by {} at {} did not say so; approve it again with",
                approval.by, approval.at
            ),
            None => "nobody has approved it; see".to_owned(),
        };
        let name = &found.name;
        Err(format!(
            "it is native, which makes it a part of the runner, and {why} `snooze plugin approve {name}`"
        ))
    }

    /// Whether a plugin's files are those that were approved, where an approval is what it runs by.
    ///
    /// # Errors
    /// That they are others, or that nobody can tell.
    pub(crate) fn compare(
        &self,
        found: &Found,
        digest: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<(), Unfit> {
        let Some(approval) = &self.approval else {
            return Ok(());
        };
        let (manifest, entry) = digests_of(found, digest)?;
        // What was read of the manifest when it was looked at, and what lies there now.
        let read = found.manifest.as_ref().map(|manifest| manifest.sha256());
        let is_that = read == approval.manifest_sha256.as_deref() && manifest == approval.manifest_sha256;
        if is_that && entry == approval.entry_sha256 {
            return Ok(());
        }
        let (name, by, at) = (&found.name, &approval.by, approval.at);
        Err(Unfit::new(
            Cause::OtherFiles,
            format!(
                "its files are others than were approved by {by} at {at}; look at it with `snooze plugin info {name}` \
                 and approve it with `snooze plugin approve {name}`"
            ),
        ))
    }

    /// What it wants, may do, and which files that is for; without what only a start can tell.
    pub(crate) fn rights(&self, found: &Found, digest: impl Fn(&Path) -> io::Result<String>) -> Rights {
        let (manifest_sha256, entry_sha256) = match digests_of(found, digest) {
            Ok((manifest, entry)) => (manifest, Some(entry)),
            Err(_) => (None, None),
        };
        let native = found.is_native();
        Rights {
            asked: asked(found),
            granted: self.permissions.clone(),
            granted_by: self.by(),
            approved: self.approval.as_deref().map(|approval| ApprovedFiles {
                version: approval.version.clone(),
                manifest_sha256: approval.manifest_sha256.clone(),
                entry_sha256: approval.entry_sha256.clone(),
            }),
            unchecked: unchecked(found),
            misspelt: self.misspelt.clone(),
            native,
            not_enforced: native.then(|| UNFENCED.to_owned()).into_iter().collect(),
            manifest_sha256,
            entry_sha256,
            ..Rights::default()
        }
    }

    /// What its manifest asks for beyond what it may do, in words; nothing where that is nothing. An event that it is not
    /// given makes nothing of it fail.
    pub(crate) fn lacking(&self, found: &Found) -> Option<String> {
        let mut beyond = asked(found).beyond(&self.permissions);
        beyond.events.clear();
        if beyond.is_empty() {
            return None;
        }
        let beyond = serde_json::to_value(&beyond).unwrap_or_default();
        let each = beyond.as_object().into_iter().flatten();
        let each: Vec<String> = each.map(|(key, value)| format!("{key} {value}")).collect();
        Some(format!(
            "it asks for what it may not do: {}; see `snooze plugin approve {}`",
            each.join(", "),
            found.name
        ))
    }
}

fn asked(found: &Found) -> Permissions {
    let manifest = found.manifest.as_ref();
    manifest.map_or_else(Permissions::default, |manifest| {
        manifest.stated().permissions.clone()
    })
}

/// Of the manifest, where there is one, and of what is started.
fn digests_of(
    found: &Found,
    digest: impl Fn(&Path) -> io::Result<String>,
) -> Result<(Option<String>, String), Unfit> {
    let read = |path: &Path| digest(path).map_err(|error| Unfit::unread(path, &error));
    let manifest = match &found.manifest {
        Some(manifest) => Some(read(&manifest.folder().join(FILE))?),
        None => None,
    };
    Ok((manifest, read(&found.path)?))
}

#[cfg(test)]
mod tests;
