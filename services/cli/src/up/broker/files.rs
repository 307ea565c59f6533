//! What a broker leaves in the state folder: the file with its ports, and its log.

use serde::Deserialize;
use std::{fs, io, path::Path};

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

/// The address in the ports file, once it is there. The folder was empty when the broker was started, and
/// what the file is called depends on the name and the process that it runs under.
pub(super) fn url_in(ports: &Path) -> Option<String> {
    let entries = fs::read_dir(ports).ok()?;
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        path.extension().filter(|extension| *extension == "ports")?;
        // Half a file is no JSON yet, and is read again.
        let ports: Ports = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        ports.nats.into_iter().next()
    })
}

/// Empties a folder of files.
pub(super) fn remove_files(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// The last lines of a log, for an error's text; empty where it cannot be read.
pub(super) fn tail(log: &Path) -> String {
    const LINES: usize = 10;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
