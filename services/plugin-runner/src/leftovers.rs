//! Plugin processes that outlived a killed runner: noted on tmpfs while they run, ended at the next start.
//!
//! A process that hangs does not see that its stdin has ended, and one that ends may leave children behind in
//! its group. Which group it is, is known by its leader's id together with its time of birth and its session:
//! an id alone may belong to a stranger by then.

use crate::{
    files::{self, Durability},
    kin::{self, all_shown, shown},
    process,
    stdio::StdioPlugin,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use snooze_schemas::HostId;
use snooze_service_runtime::exit::one_line;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A process that leads a group, known for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Leader {
    id: i32,
    /// Clock ticks since the boot.
    born_at: u64,
    /// That of the runner that started it; no process of the group can have another one.
    session: i32,
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
            // It may have left its own group for another, and started others from there.
            let itself = shown(leader.id).filter(|one| one.born_at == leader.born_at);
            let group = is_left(&leader);
            if itself.is_some() || group {
                tracing::warn!(process = leader.id, "a plugin outlived its runner and is ended");
            }
            if group {
                process::kill_group_of(leader.id);
            }
            if let Some(itself) = itself {
                kin::end_tree(itself);
            }
        }
    }

    /// Notes which processes run of those that are there, until shutdown.
    pub(crate) async fn note(
        self,
        mut processes: watch::Receiver<Vec<Arc<StdioPlugin>>>,
        shutdown: CancellationToken,
    ) {
        loop {
            let there = processes.borrow_and_update().clone();
            let mut ids: Vec<_> = there.iter().map(|process| process.process_ids()).collect();
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
            let mut changes: FuturesUnordered<_> = changes.collect();
            // Cancelling these loses nothing: a change stays unseen until it is looked at.
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Whoever starts and ends them is gone, and with them the processes.
                changed = processes.changed() => if changed.is_err() { return shutdown.cancelled().await },
                Some(_) = changes.next() => {}
            }
        }
    }
}

/// Whether the leader or somebody else is in its group still.
///
/// The kernel gives an id to nobody else as long as a group has it. So one that leads a group of this id and
/// is not ours says that ours is gone, and where none does, those in the group are ours.
fn is_left(leader: &Leader) -> bool {
    match shown(leader.id) {
        Some(led) if led.group == leader.id => led.born_at == leader.born_at && led.session == leader.session,
        Some(_) => false,
        None => all_shown().any(|one| {
            one.group == leader.id && one.session == leader.session && one.born_at >= leader.born_at
        }),
    }
}

/// The process of this id, where it leads a group and has not ended.
fn leader_of(id: i32) -> Option<Leader> {
    let one = shown(id).filter(|one| one.group == id)?;
    Some(Leader {
        id,
        born_at: one.born_at,
        session: one.session,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn who_is_not_the_one_that_was_noted_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let leftovers = Leftovers::below(folder.path(), &"h1".parse().expect("a host id"), "boot");
        // This very process would end, were it taken for one that was left behind.
        let id = rustix::process::getpgrp().as_raw_nonzero().get();
        let own = shown(id).or_else(|| shown(std::process::id().cast_signed()));
        let own = own.expect("this process is there");
        let (born_at, session) = (own.born_at, own.session);
        for (boot_id, leader) in [
            (
                "boot",
                Leader {
                    id,
                    born_at: u64::MAX,
                    session,
                },
            ),
            (
                "boot",
                Leader {
                    id,
                    born_at: born_at + 1,
                    session: session + 1,
                },
            ),
            ("another", Leader { id, born_at, session }),
        ] {
            let noted = Noted {
                boot_id: boot_id.to_owned(),
                leaders: vec![leader],
            };
            files::replace(&leftovers.file, &noted, Durability::Plain).expect("writes");
            leftovers.end();
        }
    }

    #[tokio::test]
    async fn what_a_leader_leaves_in_its_group_is_ended_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin");
        fs::write(&path, "#!/bin/sh\nsleep 3600 &\necho $!\nread _\n").expect("writes");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, executable).expect("sets the mode");
        let program = process::Program {
            path,
            search_path: crate::SEARCH_PATH.to_owned(),
            home: folder.path().to_owned(),
            fence: None,
        };
        let (leader, mut pipes, _stderr) = process::start(&program).expect("it starts");
        let said = pipes.read_line().await.expect("it says whom it leaves behind");
        let child: i32 = String::from_utf8_lossy(&said).parse().expect("an id");
        let noted = Noted {
            boot_id: "boot".to_owned(),
            leaders: leader_of(leader.id()).into_iter().collect(),
        };
        drop(pipes);
        leader.ended().await;
        assert!(shown(leader.id()).is_none() && shown(child).is_some());
        let leftovers = Leftovers::below(folder.path(), &"h1".parse().expect("a host id"), "boot");
        files::replace(&leftovers.file, &noted, Durability::Plain).expect("writes");
        leftovers.end();
        snooze_test_harness::wait_until(std::time::Duration::from_secs(20), "it is ended", async || {
            shown(child).is_none()
        })
        .await;
    }

    #[tokio::test]
    async fn a_leader_that_left_its_group_is_ended_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let (leader, child, _pipes) = process::tests::mover(folder.path()).await;
        let found = shown(leader.id()).expect("it is there");
        let noted = Noted {
            boot_id: "boot".to_owned(),
            leaders: vec![Leader {
                id: found.id,
                born_at: found.born_at,
                session: found.session,
            }],
        };
        assert_ne!(found.group, leader.id(), "it has left");
        let leftovers = Leftovers::below(folder.path(), &"h1".parse().expect("a host id"), "boot");
        files::replace(&leftovers.file, &noted, Durability::Plain).expect("writes");
        leftovers.end();
        snooze_test_harness::wait_until(std::time::Duration::from_secs(20), "both are ended", async || {
            shown(leader.id()).is_none() && shown(child).is_none()
        })
        .await;
    }
}
