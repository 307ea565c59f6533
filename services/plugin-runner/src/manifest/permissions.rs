//! Which permissions can be asked for and granted at all; the manifest asks with the same words as the host's file
//! grants.
//!
//! It looks at no file and grants nothing.

use snooze_schemas::plugin::permissions::Permissions;
use std::path::{Component, Path};

/// What of them cannot be, by its key.
pub(crate) fn flaws(permissions: &Permissions) -> Vec<(&'static str, String)> {
    let mut flaws = Vec::new();
    let mut tell = |key: &'static str, text: String| flaws.push((key, text));
    if permissions.tcp.iter().any(|endpoint| endpoint.port == 0) {
        tell("tcp", "there is no port 0".to_owned());
    }
    if permissions.listen.contains(&0) {
        tell("listen", "there is no port 0".to_owned());
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
            tell(field, "0 is no limit that a plugin could live with".to_owned());
        }
    }
    flaws
}

/// Absolute and without steps back, which would say something else than it seems to.
fn is_plain_absolute(path: &Path) -> bool {
    let parts = |component| matches!(component, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(parts)
}
