//! Whether something in a folder has changed: names, times, lengths and modes, looked at twice a second.
//!
//! It reads no contents, follows no links, and knows what builds leave behind and what is hidden.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks. What is the same in two of them is settled: an editor writes a file in several steps.
const LOOK: Duration = Duration::from_millis(500);

/// What builds and interpreters leave behind, which no author changes.
const LEFT_BEHIND: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// No more is looked at; a plugin is smaller.
const ENTRY_LIMIT: usize = 20_000;

/// A folder as it was.
#[derive(Debug)]
pub(super) struct Changes {
    folder: PathBuf,
    known: u64,
}

impl Changes {
    /// From what is there now.
    pub(super) fn since_now(folder: &Path) -> Changes {
        Changes {
            known: look(folder),
            folder: folder.to_owned(),
        }
    }

    /// Waits until it is another, and has been the same for two looks. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = self.known;
        loop {
            looks.tick().await;
            let now = look(&self.folder);
            if now != self.known && now == last {
                self.known = now;
                return;
            }
            last = now;
        }
    }
}

/// One number for all that is there.
fn look(folder: &Path) -> u64 {
    let mut seen: Vec<(PathBuf, u64, i64, i64, u32)> = Vec::new();
    let mut unread = vec![folder.to_owned()];
    while let Some(parent) = unread.pop() {
        // One that went meanwhile is a change by itself.
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_left_behind = LEFT_BEHIND.iter().any(|left| name == *left);
            if name.as_encoded_bytes().starts_with(b".") || is_left_behind || seen.len() >= ENTRY_LIMIT {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            if metadata.is_dir() {
                unread.push(path.clone());
                // A folder's own time changes with what is hidden in it too.
                seen.push((path, 0, 0, 0, metadata.mode()));
            } else {
                seen.push((
                    path,
                    metadata.size(),
                    metadata.mtime(),
                    metadata.mtime_nsec(),
                    metadata.mode(),
                ));
            }
        }
    }
    seen.sort();
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_changes_is_seen_and_what_a_build_leaves_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        write("plugin.sh", "one");
        fs::create_dir(folder.path().join("lib")).expect("a folder");
        let mut before = look(folder.path());
        let mut changed = |what: &str, change: &dyn Fn(), is: bool| {
            change();
            let after = look(folder.path());
            assert_eq!(after != before, is, "{what}");
            before = after;
        };
        changed("nothing", &|| (), false);
        changed("contents", &|| write("plugin.sh", "one and more"), true);
        changed("a new file below", &|| write("lib/new", ""), true);
        changed(
            "a file that went",
            &|| fs::remove_file(folder.path().join("lib/new")).expect("it is there"),
            true,
        );
        changed("an editor's file", &|| write(".plugin.sh.swp", "x"), false);
        changed(
            "what was built",
            &|| {
                fs::create_dir(folder.path().join("target")).expect("a folder");
                write("target/out", "x");
            },
            false,
        );
    }
}
