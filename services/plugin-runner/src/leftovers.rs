//! Plugin processes that outlived a killed runner: noted on tmpfs while they run, ended at the next start.
//!
//! A process that hangs does not see that its stdin has ended. Which one it is, is known by its id together
//! with its time of birth: an id alone may belong to a stranger by then.

use crate::{
    files::{self, Durability},
    process,
    stdio::StdioPlugin,
};
use futures_util::future::select_all;
use serde::{Deserialize, Serialize};
use snooze_schemas::HostId;
use snooze_service_runtime::exit::one_line;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// A process that leads a group, known for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Leader {
    id: i32,
    /// Clock ticks since the boot.
    born_at: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    boot_id: String,
    leaders: Vec<Leader>,
}

/// The file that notes them.
#[derive(Debug)]
pub(crate) struct Leftovers {
    file: PathBuf,
    boot_id: String,
}

impl Leftovers {
    /// The file of this host in a folder that is ours alone.
    #[must_use]
    pub(crate) fn below(folder: &Path, host: &HostId, boot_id: &str) -> Leftovers {
        Leftovers {
            file: folder.join(format!("processes-{host}.json")),
            boot_id: boot_id.to_owned(),
        }
    }

    /// Ends what an earlier runner left behind.
    pub(crate) fn end(&self) {
        let noted = match files::read::<Noted>(&self.file) {
            Ok(Some(noted)) if noted.boot_id == self.boot_id => noted,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = one_line(&error), "what was left behind cannot be ended");
                return;
            }
        };
        for leader in noted.leaders {
            if leader_of(leader.id).as_ref() == Some(&leader) {
                tracing::warn!(process = leader.id, "a plugin outlived its runner and is ended");
                process::kill_group_of(leader.id);
            }
        }
    }

    /// Notes which processes run, until shutdown.
    pub(crate) async fn note(self, processes: Vec<Arc<StdioPlugin>>, shutdown: CancellationToken) {
        let mut ids: Vec<_> = processes.iter().map(|process| process.process_ids()).collect();
        if ids.is_empty() {
            return shutdown.cancelled().await;
        }
        loop {
            let leaders = ids
                .iter_mut()
                .filter_map(|id| leader_of((*id.borrow_and_update())?));
            let noted = Noted {
                boot_id: self.boot_id.clone(),
                leaders: leaders.collect(),
            };
            if let Err(error) = files::replace(&self.file, &noted, Durability::Plain) {
                tracing::warn!(error = one_line(&error), "running plugins cannot be noted");
            }
            let changes = ids.iter_mut().map(|id| Box::pin(id.changed()));
            // Cancelling these loses nothing: a change stays unseen until it is looked at.
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = select_all(changes) => {}
            }
        }
    }
}

/// The process of this id, where it leads a group and has not ended.
fn leader_of(id: i32) -> Option<Leader> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything. From the state on, proc(5): 3 state, 5 group, 22 birth.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let (state, group, born_at) = (fields.first()?, fields.get(2)?, fields.get(19)?);
    if matches!(*state, "Z" | "X") || group.parse() != Ok(id) {
        return None;
    }
    let born_at = born_at.parse().ok()?;
    Some(Leader { id, born_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_the_one_that_was_noted_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let leftovers = Leftovers::below(folder.path(), &"h1".parse().expect("a host id"), "boot");
        // This very process would end, were it taken for one that was left behind.
        let id = rustix::process::getpgrp().as_raw_nonzero().get();
        for (boot_id, born_at) in [
            ("boot", 1),
            ("another", leader_of(id).map_or(1, |one| one.born_at)),
        ] {
            let noted = Noted {
                boot_id: boot_id.to_owned(),
                leaders: vec![Leader { id, born_at }],
            };
            files::replace(&leftovers.file, &noted, Durability::Plain).expect("writes");
            leftovers.end();
        }
    }
}
