//! What a plugin is granted by the host's own file: `plugins.plugin_configs.<plugin>.permissions`.
//!
//! It takes nothing from the bus: what a plugin may do on a host is that host's operator's word.

use crate::manifest::permissions;
use serde::Deserialize;
use serde_json::{Map, Value};
use snooze_schemas::plugin::permissions::Permissions;

/// The key of a plugin's configuration that says what it may do.
pub(crate) const PERMISSIONS: &str = "permissions";

/// What can be granted.
const KNOWN: [&str; 15] = [
    "tcp",
    "listen",
    "udp",
    "raw",
    "unix",
    "read",
    "write",
    "devices",
    "run",
    "env",
    "events",
    "memory_mb",
    "cpu_percent",
    "processes",
    "disk_mb",
];

/// Reads them, and what of them is not known.
///
/// # Errors
/// What is wrong with them; a plugin whose permissions are a mistake is not run with others.
pub fn granted(config: &Map<String, Value>) -> Result<(Permissions, Vec<String>), String> {
    let Some(written) = config.get(PERMISSIONS) else {
        return Ok((Permissions::default(), Vec::new()));
    };
    let permissions = Permissions::deserialize(written).map_err(|error| format!("{PERMISSIONS}: {error}"))?;
    if let Some((key, text)) = permissions::flaws(&permissions).into_iter().next() {
        return Err(format!("{PERMISSIONS}.{key}: {text}"));
    }
    let keys = written.as_object().into_iter().flat_map(Map::keys);
    let unknown = keys.filter(|key| !KNOWN.contains(&key.as_str()));
    Ok((permissions, unknown.cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(permissions: &Value) -> Result<(Permissions, Vec<String>), String> {
        let config = json!({PERMISSIONS: permissions});
        granted(config.as_object().expect("a map"))
    }

    #[test]
    fn who_is_granted_nothing_has_nothing() {
        assert_eq!(granted(&Map::new()), Ok((Permissions::default(), Vec::new())));
    }

    #[test]
    fn every_permission_is_known_and_others_are_reported() {
        let all = json!({
            "tcp": [{"port": 6379}], "listen": [1], "udp": true, "raw": true, "unix": ["/run/s"], "read": ["/a"],
            "write": ["/b"], "devices": ["/dev/d"], "run": ["sed", "/bin/ls"], "env": ["TZ"], "events": ["custom"], "memory_mb": 1,
            "cpu_percent": 1, "processes": 1, "disk_mb": 1, "tpc": [],
        });
        let (permissions, unknown) = of(&all).expect("they are well formed");
        assert_eq!(unknown, ["tpc"]);
        let written = serde_json::to_value(permissions).expect("they are data");
        let mut keys: Vec<&str> = written
            .as_object()
            .expect("a map")
            .keys()
            .map(String::as_str)
            .collect();
        let mut known = KNOWN;
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known, "a new permission has to be known here");
    }

    #[test]
    fn a_mistake_is_told_by_its_name() {
        for (written, told) in [
            (
                json!({"read": ["etc"]}),
                "permissions.read: etc is no absolute path",
            ),
            (
                json!({"write": ["/a/../etc"]}),
                "permissions.write: /a/../etc is no absolute path",
            ),
            (
                json!({"devices": ["/etc"]}),
                "permissions.devices: /etc is not in /dev",
            ),
            (json!({"run": ["a/b"]}), "permissions.run: a/b is neither"),
            (json!({"env": ["A=b"]}), "permissions.env: \"A=b\""),
            (json!({"processes": 0}), "permissions.processes: 0"),
            (json!({"tcp": 6379}), "permissions: invalid type"),
            (json!("all"), "permissions: invalid type"),
        ] {
            let mistake = of(&written).expect_err("a mistake");
            assert!(mistake.starts_with(told), "{mistake}");
        }
    }
}
