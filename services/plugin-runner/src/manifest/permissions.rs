//! Which permissions can be asked for and granted at all; the manifest asks with the same words as the host's file
//! grants.
//!
//! It looks at no file and grants nothing.

use snooze_schemas::plugin::permissions::Permissions;
use std::path::{Component, Path};

/// What one of them has to be, by the key and by whether it is that key's value or something in it.
pub(crate) fn expected(key: &str, is_within: bool) -> &'static str {
    match (key, is_within) {
        ("tcp", false) => "a list of ports, as [{\"port\": 6379}]",
        ("tcp", true) => "an object with a port from 1 to 65535, as {\"port\": 6379}",
        ("listen", false) => "a list of ports, as [8080]",
        ("listen", true) => "a port from 1 to 65535",
        ("udp" | "raw", _) => "true or false",
        ("unix" | "read" | "write" | "devices", false) => "a list of absolute paths",
        ("unix" | "read" | "write" | "devices", true) => "an absolute path",
        ("run", false) => "a list of programs, by their names or absolute paths",
        ("run", true) => "a program, by its name or absolute path",
        ("env", false) => "a list of names of variables",
        ("env", true) => "the name of a variable",
        ("events", false) => "a list of types of events",
        ("events", true) => "a type of event",
        ("memory_mb" | "cpu_percent" | "processes" | "disk_mb", _) => "a whole number of at least 1",
        _ => "an object with permissions, as {\"read\": [\"/etc/redis\"]}",
    }
}

/// What of them cannot be, by its key.
pub(crate) fn flaws(permissions: &Permissions) -> Vec<(&'static str, String)> {
    let mut flaws = Vec::new();
    let mut tell = |key: &'static str, text: String| flaws.push((key, text));
    if permissions.tcp.iter().any(|endpoint| endpoint.port == 0) {
        tell(
            "tcp",
            "there is no port 0; expected a port from 1 to 65535".to_owned(),
        );
    }
    if permissions.listen.contains(&0) {
        tell(
            "listen",
            "there is no port 0; expected a port from 1 to 65535".to_owned(),
        );
    }
    for (field, paths) in [
        ("unix", &permissions.unix),
        ("read", &permissions.read),
        ("write", &permissions.write),
        ("devices", &permissions.devices),
    ] {
        for path in paths.iter().filter(|path| !is_plain_absolute(path)) {
            let text = format!("{} is no absolute path without ..", path.display());
            tell(field, text);
        }
    }
    for path in permissions
        .devices
        .iter()
        .filter(|path| !path.starts_with("/dev"))
    {
        tell("devices", format!("{} is not in /dev", path.display()));
    }
    for path in &permissions.run {
        let mut parts = path.components();
        let is_name = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if !is_name && !is_plain_absolute(path) {
            let text = format!(
                "{} is neither a name nor an absolute path without ..",
                path.display()
            );
            tell("run", text);
        }
    }
    for name in permissions.env.iter() {
        if name.is_empty() || name.contains(['=', '\0']) {
            tell("env", format!("{name:?} is no name of a variable"));
        }
    }
    for (field, limit) in [
        ("memory_mb", permissions.memory_mb),
        ("cpu_percent", permissions.cpu_percent),
        ("processes", permissions.processes),
        ("disk_mb", permissions.disk_mb),
    ] {
        if limit == Some(0) {
            let text = "0 is no limit that a plugin could live with; expected a whole number of at least 1";
            tell(field, text.to_owned());
        }
    }
    flaws
}

/// Absolute and without steps back, which would say something else than it seems to.
fn is_plain_absolute(path: &Path) -> bool {
    let parts = |component| matches!(component, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(parts)
}
