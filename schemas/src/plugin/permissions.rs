//! What a plugin may do on its host.

use crate::EventType;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::PathBuf};

/// What a plugin asks for, or was granted. Empty is: compute, read the system's libraries and its own folder,
/// write into its own working folder, and answer. What a later version knows and this one does not is not granted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Permissions {
    /// Where it connects to over TCP.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tcp: BTreeSet<TcpEndpoint>,
    /// TCP ports that it listens on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub listen: BTreeSet<u16>,
    /// Whether it sends and receives over UDP, which looking up names takes.
    #[serde(skip_serializing_if = "is_false")]
    pub udp: bool,
    /// Whether it opens raw and packet sockets.
    #[serde(skip_serializing_if = "is_false")]
    pub raw: bool,
    /// Unix sockets that it connects to. Whether it may open any is enforced, which ones is not.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unix: BTreeSet<PathBuf>,
    /// Files, and folders with all that is below, that it reads: absolute paths.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub read: BTreeSet<PathBuf>,
    /// The same, that it also writes, makes and removes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub write: BTreeSet<PathBuf>,
    /// Devices, and folders of them, that it reads, writes and gives commands to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub devices: BTreeSet<PathBuf>,
    /// Programs that it runs beside itself and its interpreter: absolute paths, or names that are looked up in
    /// the plugin's search path.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub run: BTreeSet<PathBuf>,
    /// Variables of the runner's environment that it sees.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub env: BTreeSet<String>,
    /// Events that it is given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<EventType>,
    /// How much memory it may hold, all its processes together, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// How much processor time it may use, in percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// How many processes and threads it may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// How much its working folder may hold, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mb: Option<u32>,
}

/// Where a plugin connects to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TcpEndpoint {
    /// The port, which is enforced.
    pub port: u16,
    /// The host, which is shown and not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Permissions {
    /// What of these the held ones do not cover; empty where they cover all.
    ///
    /// A folder covers what is below it, what may be written may be read, and a port without a host covers it with
    /// any. Where no limit is asked for the default will do.
    #[must_use]
    pub fn beyond(&self, held: &Permissions) -> Permissions {
        let uncovered = |wanted: &BTreeSet<PathBuf>, held: &[&BTreeSet<PathBuf>]| {
            let is_covered = |path: &&PathBuf| {
                held.iter()
                    .copied()
                    .flatten()
                    .any(|above| path.starts_with(above))
            };
            wanted.iter().filter(|path| !is_covered(path)).cloned().collect()
        };
        let tcp = self.tcp.iter().filter(|wanted| {
            let covers = |one: &TcpEndpoint| {
                one.port == wanted.port && (one.host.is_none() || one.host == wanted.host)
            };
            !held.tcp.iter().any(covers)
        });
        let more = |wanted: Option<u32>, held: Option<u32>| {
            wanted.filter(|wanted| held.is_none_or(|held| *wanted > held))
        };
        Permissions {
            tcp: tcp.cloned().collect(),
            listen: &self.listen - &held.listen,
            udp: self.udp && !held.udp,
            raw: self.raw && !held.raw,
            unix: uncovered(&self.unix, &[&held.unix]),
            read: uncovered(&self.read, &[&held.read, &held.write]),
            write: uncovered(&self.write, &[&held.write]),
            devices: uncovered(&self.devices, &[&held.devices]),
            run: uncovered(&self.run, &[&held.run]),
            env: &self.env - &held.env,
            events: self
                .events
                .iter()
                .filter(|event| !held.give(event))
                .cloned()
                .collect(),
            memory_mb: more(self.memory_mb, held.memory_mb),
            cpu_percent: more(self.cpu_percent, held.cpu_percent),
            processes: more(self.processes, held.processes),
            disk_mb: more(self.disk_mb, held.disk_mb),
        }
    }

    /// Whether events of this type are given to whoever holds them.
    #[must_use]
    pub fn give(&self, event: &EventType) -> bool {
        self.events.iter().any(|held| covers(held, event))
    }

    /// Whether nothing is in them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Permissions::default()
    }
}

/// `custom` stands for every `custom.*`.
fn covers(held: &EventType, wanted: &EventType) -> bool {
    held == wanted || (held.as_str() == "custom" && wanted.as_str().starts_with("custom."))
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(permissions: Value) -> Permissions {
        serde_json::from_value(permissions).expect("permissions")
    }

    #[test]
    fn what_is_asked_beyond_what_is_held_is_told_for_every_permission() {
        let every = json!({
            "tcp": [{"port": 1}], "listen": [1], "udp": true, "raw": true, "unix": ["/u"], "read": ["/r"],
            "write": ["/w"], "devices": ["/dev/d"], "run": ["sed"], "env": ["TZ"], "events": ["custom"], "memory_mb": 1,
            "cpu_percent": 1, "processes": 1, "disk_mb": 1,
        });
        let all = of(every.clone());
        assert_eq!(all.beyond(&Permissions::default()), all);
        assert!(all.beyond(&all).is_empty());
        let Value::Object(every) = every else {
            panic!("it is an object");
        };
        for (key, value) in &every {
            let mut without = every.clone();
            without.remove(key);
            let beyond = all.beyond(&of(Value::Object(without)));
            assert_eq!(beyond, of(json!({key: value})), "{key}");
        }
    }

    #[test]
    fn what_is_wider_covers_what_is_narrower_and_never_the_other_way() {
        for (wide, narrow) in [
            (json!({"read": ["/a"]}), json!({"read": ["/a/b"]})),
            (json!({"write": ["/a"]}), json!({"read": ["/a"]})),
            (
                json!({"tcp": [{"port": 1}]}),
                json!({"tcp": [{"port": 1, "host": "h"}]}),
            ),
            (
                json!({"devices": ["/dev/dri"]}),
                json!({"devices": ["/dev/dri/card0"]}),
            ),
            (json!({"memory_mb": 2}), json!({"memory_mb": 1})),
            (
                json!({"events": ["custom"]}),
                json!({"events": ["custom.backup"]}),
            ),
        ] {
            assert!(
                of(narrow.clone()).beyond(&of(wide.clone())).is_empty(),
                "{wide} covers {narrow}"
            );
            assert!(
                !of(wide.clone()).beyond(&of(narrow.clone())).is_empty(),
                "{narrow} does not cover {wide}"
            );
        }
        let commands = of(json!({"devices": ["/dev/dri/card0"]}));
        assert!(
            !commands.beyond(&of(json!({"write": ["/dev"]}))).is_empty(),
            "who may write a device may not command it"
        );
        let alike = of(json!({"read": ["/ab"]}));
        assert!(
            !alike.beyond(&of(json!({"read": ["/a"]}))).is_empty(),
            "names that begin alike are others"
        );
    }
}
