//! What a plugin is granted by the host's own file: `plugins.plugin_configs.<plugin>.permissions`.
//!
//! It takes nothing from the bus: what a plugin may do on a host is that host's operator's word.

use crate::manifest::{below, found, permissions, shown};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};
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

/// Reads them from a configuration, and what of them is not known.
///
/// # Errors
/// What is wrong with them; a plugin whose permissions are a mistake is not run with others.
pub(crate) fn granted(config: &Map<String, Value>) -> Result<(Permissions, Vec<String>), String> {
    match config.get(PERMISSIONS) {
        Some(written) => read(written).map_err(|(path, text)| match path.as_str() {
            "" => format!("{PERMISSIONS}: {text}"),
            path => format!("{PERMISSIONS}.{path}: {text}"),
        }),
        None => Ok((Permissions::default(), Vec::new())),
    }
}

/// Reads them, and what of them is not known.
///
/// # Errors
/// Where in them something is wrong, which is empty where it is all of it, and what was expected there.
pub fn read(written: &Value) -> Result<(Permissions, Vec<String>), (String, String)> {
    let read = serde_path_to_error::deserialize::<_, Permissions>(written);
    let permissions = read.map_err(|error| mistake(written, error.path()))?;
    if let Some((key, text)) = permissions::flaws(&permissions).into_iter().next() {
        return Err((key.to_owned(), text));
    }
    let keys = written.as_object().into_iter().flat_map(Map::keys);
    let unknown = keys.filter(|key| !KNOWN.contains(&key.as_str()));
    Ok((permissions, unknown.cloned().collect()))
}

/// What was expected where something of another form stands, and what stands there.
fn mistake(written: &Value, path: &Path) -> (String, String) {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Map { key } => pointer = below(&pointer, key),
            Segment::Seq { index } => pointer = below(&pointer, &index.to_string()),
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    let text = expected_at(written, &pointer);
    (shown(&pointer), text)
}

/// In words, for what stands at a pointer into permissions.
pub(crate) fn expected_at(written: &Value, pointer: &str) -> String {
    let key = pointer.split('/').nth(1).unwrap_or_default();
    let expected = permissions::expected(key, pointer.matches('/').count() > 1);
    let found = written.pointer(pointer).map_or("nothing".to_owned(), found);
    format!("expected {expected}, found {found}")
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
            (
                json!({"tcp": 6379}),
                "permissions.tcp: expected a list of ports, as [{\"port\": 6379}], found 6379",
            ),
            (
                json!({"tcp": [{"port": 1}, {"port": -1}]}),
                "permissions.tcp[1].port: expected an object with a port from 1 to 65535, as {\"port\": 6379}, found -1",
            ),
            (
                json!({"listen": [-1]}),
                "permissions.listen[0]: expected a port from 1 to 65535, found -1",
            ),
            (
                json!({"memory_mb": -1}),
                "permissions.memory_mb: expected a whole number of at least 1, found -1",
            ),
            (
                json!({"udp": -1}),
                "permissions.udp: expected true or false, found -1",
            ),
            (
                json!("all"),
                "permissions: expected an object with permissions, as {\"read\": [\"/etc/redis\"]}, found \"all\"",
            ),
        ] {
            let mistake = of(&written).expect_err("a mistake");
            assert!(mistake.starts_with(told), "{mistake}");
        }
    }
}
