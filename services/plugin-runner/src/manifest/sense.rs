//! Whether what a manifest says can be, all of it together.
//!
//! It looks at no file and at no other plugin.

use super::{mistakes::Found, permissions, places::below};
use crate::{events::covers, pattern, plugin::WHEN};
use semver::{Version, VersionReq};
use serde_json::Value;
use snooze_schemas::{
    PluginName,
    plugin::{
        manifest::{Manifest, PluginKind, ProcessModel},
        permissions::Permissions,
    },
};
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
    time::Duration,
};

/// How long a SHA-256 is in hexadecimal.
const SHA256_DIGITS: usize = 64;

/// What a manifest says in words that have to be understood.
#[derive(Debug, Clone)]
pub(super) struct Understood {
    pub version: Version,
    pub dependencies: Vec<(PluginName, VersionReq)>,
}

/// Looks for everything that cannot be. What could not be read is not looked at again.
///
/// # Errors
/// All of it.
pub(super) fn check(
    manifest: &Manifest,
    spoiled: &BTreeSet<String>,
    host_version: &Version,
) -> Result<Understood, Vec<Found>> {
    let mut found = Vec::new();
    let version = Version::parse(&manifest.version)
        .map_err(|error| found.push(Found::new("/version", format!("not a semantic version: {error}"))));
    if let Some(needed) = &manifest.min_host_version {
        found.extend(host_is_too_old(needed, host_version));
    }
    let dependencies = dependencies(manifest, spoiled, &mut found);
    if !spoiled.contains("entry_point") {
        found.extend(path_below("/entry_point", &manifest.entry_point));
    }
    for (path, digest) in &manifest.checksums {
        let pointer = below("/checksums", path);
        found.extend(path_below(&pointer, path));
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digest.len() != SHA256_DIGITS || !digest.bytes().all(is_hex) {
            let text = "not a SHA-256: 64 digits of lower-case hexadecimal";
            found.push(Found::new(pointer, text));
        }
    }
    found.extend(contradictions(manifest, spoiled));
    found.extend(terms(manifest));
    found.extend(permissions(&manifest.permissions));
    match version {
        Ok(version) if found.is_empty() => Ok(Understood {
            version,
            dependencies,
        }),
        _ => Err(found),
    }
}

fn host_is_too_old(needed: &str, host_version: &Version) -> Option<Found> {
    let pointer = "/min_host_version";
    match Version::parse(needed) {
        Err(error) => Some(Found::new(pointer, format!("not a semantic version: {error}"))),
        Ok(needed) if host_version.cmp_precedence(&needed).is_lt() => Some(Found::new(
            pointer,
            format!("it needs CloudSnooze {needed} or later, and this is {host_version}"),
        )),
        Ok(_) => None,
    }
}

fn dependencies(
    manifest: &Manifest,
    spoiled: &BTreeSet<String>,
    found: &mut Vec<Found>,
) -> Vec<(PluginName, VersionReq)> {
    if spoiled.contains("dependencies") {
        return Vec::new();
    }
    let mut understood: Vec<(PluginName, VersionReq)> = Vec::new();
    for (index, dependency) in manifest.dependencies.iter().enumerate() {
        let pointer = below("/dependencies", &index.to_string());
        if dependency.name == manifest.name {
            found.push(Found::new(below(&pointer, "name"), "it depends on itself"));
        }
        if understood.iter().any(|(name, _)| *name == dependency.name) {
            found.push(Found::new(below(&pointer, "name"), "it stands there twice"));
        }
        match VersionReq::parse(&dependency.version) {
            Ok(range) => understood.push((dependency.name.clone(), range)),
            Err(error) => found.push(Found::new(
                below(&pointer, "version"),
                format!("not a range of versions, as >=1.2, <2: {error}"),
            )),
        }
    }
    understood
}

fn contradictions(manifest: &Manifest, spoiled: &BTreeSet<String>) -> Vec<Found> {
    let mut found = Vec::new();
    if manifest.kind == PluginKind::Native && manifest.process_model != ProcessModel::Process {
        let text = "a native plugin is loaded into the runner and has no process_model";
        found.push(Found::new("/process_model", text));
    }
    if !spoiled.contains("permissions") {
        let granted = &manifest.permissions.events;
        for (name, terms) in &manifest.events {
            if terms.enabled && !granted.iter().any(|wide| covers(wide.as_str(), name)) {
                let text = "permissions.events does not ask for it";
                found.push(Found::new(below("/events", name.as_str()), text));
            }
        }
    }
    found
}

/// What cannot be in the terms of its events.
fn terms(manifest: &Manifest) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, terms) in &manifest.events {
        let pointer = below("/events", name.as_str());
        if terms.timeout_seconds.is_some_and(|seconds| !is_time(seconds)) {
            let text = "not a number of seconds, more than 0";
            found.push(Found::new(below(&pointer, "timeout_seconds"), text));
        }
        let when = Value::Object(terms.when.clone());
        let flaws = pattern::flaws(&below(&pointer, WHEN), &when).into_iter();
        found.extend(flaws.map(|flaw| Found::new(flaw.pointer, flaw.text)));
    }
    found
}

fn is_time(seconds: f64) -> bool {
    Duration::try_from_secs_f64(seconds).is_ok_and(|time| !time.is_zero())
}

fn permissions(asked: &Permissions) -> Vec<Found> {
    let flaws = permissions::flaws(asked).into_iter();
    flaws
        .map(|(field, text)| Found::new(below("/permissions", field), text))
        .collect()
}

fn is_plain(path: &Path) -> bool {
    let mut components = path.components().peekable();
    components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
}

fn path_below(pointer: &str, path: &str) -> Option<Found> {
    let text = format!("{path:?} is no path below the manifest's folder");
    (!is_plain(&PathBuf::from(path)) || path.contains('\0')).then(|| Found::new(pointer, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(over: &Value) -> Vec<String> {
        let mut document = json!({"name": "a", "version": "1.2.3", "entry_point": "bin/run"});
        for (key, value) in over.as_object().expect("a map") {
            document[key] = value.clone();
        }
        let manifest: Manifest = serde_json::from_value(document).expect("a manifest");
        match check(&manifest, &BTreeSet::new(), &Version::new(0, 2, 0)) {
            Ok(_) => Vec::new(),
            Err(found) => found.into_iter().map(|found| found.pointer).collect(),
        }
    }

    #[test]
    fn what_can_be_is_no_mistake() {
        let all = json!({
            "min_host_version": "0.2.0",
            "dependencies": [{"name": "b", "version": ">=1.0, <2"}, {"name": "c", "version": "*"}],
            "events": {"custom.backup": {}, "cloud.spot.interrupt": {"enabled": false}},
            "permissions": {"events": ["custom"], "read": ["/etc/redis"], "run": ["ls", "/bin/cat"], "tcp": [{"port": 1}]},
            "checksums": {"bin/run": "0".repeat(64)},
        });
        assert!(found(&all).is_empty());
    }

    #[test]
    fn what_cannot_be_is_told_field_by_field() {
        for (over, pointer) in [
            (json!({"version": "1"}), "/version"),
            (json!({"min_host_version": "0.3.0"}), "/min_host_version"),
            (json!({"min_host_version": "new"}), "/min_host_version"),
            (
                json!({"dependencies": [{"name": "a", "version": "*"}]}),
                "/dependencies/0/name",
            ),
            (
                json!({"dependencies": [{"name": "b", "version": "~>"}]}),
                "/dependencies/0/version",
            ),
            (json!({"entry_point": "/bin/sh"}), "/entry_point"),
            (json!({"entry_point": "../run"}), "/entry_point"),
            (json!({"entry_point": "a/../../run"}), "/entry_point"),
            (json!({"entry_point": ""}), "/entry_point"),
            (json!({"checksums": {"../x": "0".repeat(64)}}), "/checksums/..~1x"),
            (json!({"checksums": {"x": "ABC"}}), "/checksums/x"),
            (
                json!({"type": "native", "process_model": "nats"}),
                "/process_model",
            ),
            (json!({"events": {"custom": {}}}), "/events/custom"),
            (
                json!({"events": {"custom": {"enabled": false, "timeout_seconds": 0}}}),
                "/events/custom/timeout_seconds",
            ),
            (
                json!({"events": {"custom": {"enabled": false, "when": {"a": [{"exists": true}]}}}}),
                "/events/custom/when/a/0/exists",
            ),
            (
                json!({"events": {"custom": {}}, "permissions": {"events": ["custom.backup"]}}),
                "/events/custom",
            ),
            (json!({"permissions": {"read": ["etc"]}}), "/permissions/read"),
            (
                json!({"permissions": {"write": ["/var/../etc"]}}),
                "/permissions/write",
            ),
            (json!({"permissions": {"run": ["bin/ls"]}}), "/permissions/run"),
            (json!({"permissions": {"env": ["A=B"]}}), "/permissions/env"),
            (json!({"permissions": {"listen": [0]}}), "/permissions/listen"),
            (json!({"permissions": {"memory_mb": 0}}), "/permissions/memory_mb"),
        ] {
            assert_eq!(found(&over), [pointer], "{over}");
        }
    }
}
