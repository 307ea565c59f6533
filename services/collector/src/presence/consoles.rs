//! Which consoles there are: dozens of devices that are there for good, so their folder is read only when it
//! changed.

use super::terminals::times;
use crate::{Root, Unreadable};
use std::collections::BTreeSet;

/// The consoles, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Consoles {
    changed: Option<(i64, i64)>,
    /// By their path below the root, as `dev/tty1`.
    pub(super) paths: Vec<String>,
}

impl Consoles {
    /// Reads the folder again if it changed.
    pub(super) fn refresh(&mut self, root: &Root) -> Result<(), Unreadable> {
        let stat = root.stat("dev")?;
        let [_, modified, _] = times(&stat);
        let changed = Some(modified);
        if self.changed != changed {
            let names: BTreeSet<String> = root.list("dev")?.into_iter().map(|entry| entry.name).collect();
            let consoles = names
                .iter()
                .filter(|name| is_console(name) && is_open(name, &names));
            self.paths = consoles.map(|name| format!("dev/{name}")).collect();
            self.changed = changed;
        }
        Ok(())
    }
}

/// Whether a console is in use: the kernel makes `/dev/vcs<n>` for each of its 63 that has a screen
/// (drivers/tty/vt/vt.c). Where it makes none of these, all are taken to be.
fn is_open(name: &str, all: &BTreeSet<String>) -> bool {
    match name.strip_prefix("tty").filter(|number| is_number(number)) {
        Some(number) if all.contains("vcs") && number != "0" => all.contains(&format!("vcs{number}")),
        _ => true,
    }
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_console(name: &str) -> bool {
    ["tty", "ttyS", "ttyAMA", "hvc"]
        .iter()
        .any(|kind| name.strip_prefix(kind).is_some_and(is_number))
}
