//! Processes that do what they can to be left over.

use super::*;
use crate::kin::shown;
use std::os::unix::fs::PermissionsExt;

/// A leader that has moved to the group of a child of its own, with that child's number.
pub(crate) async fn mover(folder: &Path) -> (Process, i32, Pipes) {
    let path = folder.join("mover");
    let code = "#!/usr/bin/env python3\nimport os, signal\nchild = os.fork() or signal.pause()\n\
                os.setpgid(child, child)\nos.setpgid(0, child)\nprint(child, flush=True)\nsignal.pause()\n";
    std::fs::write(&path, code).expect("writes");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let program = Program {
        path,
        search_path: crate::SEARCH_PATH.to_owned(),
        home: folder.to_owned(),
        fence: None,
    };
    let (leader, mut pipes, _stderr) = start(&program).expect("it starts");
    let said = pipes.read_line().await.expect("it says whom it has started");
    let child = String::from_utf8_lossy(&said).parse().expect("a number");
    (leader, child, pipes)
}

#[tokio::test]
async fn a_leader_that_left_its_group_is_killed_at_once_with_its_children() {
    let folder = tempfile::tempdir().expect("a folder");
    let (leader, child, _pipes) = mover(folder.path()).await;
    assert!(shown(leader.id()).is_some_and(|one| one.group == child));
    assert_eq!(leader.kill().await, Ending::Signalled { signal: 9 });
    snooze_test_harness::wait_until(Duration::from_secs(20), "its child is gone", async || {
        shown(child).is_none()
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_left_its_group_is_killed_where_it_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (leader, child, _pipes) = mover(folder.path()).await;
    let id = leader.id();
    drop(leader);
    snooze_test_harness::wait_until(Duration::from_secs(20), "both are gone", async || {
        shown(id).is_none() && shown(child).is_none()
    })
    .await;
}
