//! Time that passes while plugins are gone.

use super::*;
use std::fs;

struct Stand {
    folder: tempfile::TempDir,
    departed: Departed,
    now: Instant,
}

impl Stand {
    fn new() -> Stand {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["gone", "stays"] {
            fs::create_dir_all(folder.path().join("plugins").join(name)).expect("makes");
        }
        let departed = Stand::opened(folder.path());
        Stand {
            folder,
            departed,
            now: Instant::now(),
        }
    }

    fn opened(folder: &std::path::Path) -> Departed {
        Departed::open(folder.join("departed.json"), folder.join("plugins"))
    }

    fn restart(&mut self) {
        self.departed = Stand::opened(self.folder.path());
    }

    fn look(&mut self, there: &[&str]) {
        let there = there.iter().map(|name| name.parse().expect("a name")).collect();
        self.departed.look(self.now, Some(&there));
    }

    /// So many looks, each an hour after the one before.
    fn hours(&mut self, hours: u64, there: &[&str]) {
        for _ in 0..hours {
            self.now += ROUND;
            self.look(there);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join("plugins").join(name).exists()
    }
}

const WEEK: u64 = 7 * 24;

#[test]
fn i4_the_working_folder_of_one_that_is_gone_for_a_week_is_removed_and_no_other() {
    let mut stand = Stand::new();
    stand.look(&["stays"]);
    stand.hours(WEEK - 1, &["stays"]);
    assert!(stand.has("gone"));
    assert!(stand.departed.next(stand.now).is_some(), "somebody looks again");
    stand.hours(1, &["stays"]);
    assert!(!stand.has("gone"));
    assert!(stand.has("stays"));
    assert!(stand.departed.next(stand.now).is_none());
}

#[test]
fn i4_one_that_was_there_again_for_a_moment_is_kept_anew() {
    let mut stand = Stand::new();
    stand.look(&["stays"]);
    stand.hours(WEEK - 1, &["stays"]);
    stand.look(&["stays", "gone"]);
    stand.hours(WEEK, &["stays"]);
    assert!(stand.has("gone"), "its first look without it counts for nothing");
    stand.hours(1, &["stays"]);
    assert!(!stand.has("gone"));
}

#[test]
fn s2_time_in_which_nobody_could_tell_does_not_count() {
    let mut stand = Stand::new();
    stand.look(&["stays"]);
    for _ in 0..WEEK {
        // A folder of plugins cannot be read, then it can, and so on.
        stand.now += ROUND;
        stand.departed.look(stand.now, None);
        stand.now += ROUND;
        stand.look(&["stays"]);
    }
    assert!(stand.has("gone"));
    // The machine slept, or the loop hung: one look is no week.
    stand.now += Duration::from_secs(30 * 24 * 3600);
    stand.look(&["stays"]);
    assert!(stand.has("gone"));
}

#[test]
fn i4_what_was_counted_survives_a_restart_and_the_time_between_does_not_count() {
    let mut stand = Stand::new();
    stand.look(&["stays"]);
    stand.hours(WEEK - 1, &["stays"]);
    stand.restart();
    stand.now += Duration::from_secs(30 * 24 * 3600);
    stand.look(&["stays"]);
    assert!(stand.has("gone"));
    stand.hours(1, &["stays"]);
    assert!(!stand.has("gone"));
    fs::create_dir(stand.folder.path().join("plugins/gone")).expect("makes");
    fs::write(stand.folder.path().join("departed.json"), "{").expect("writes");
    stand.restart();
    stand.look(&["stays"]);
    stand.hours(WEEK - 1, &["stays"]);
    assert!(stand.has("gone"), "what is lost is kept anew");
}

#[test]
fn i4_while_a_process_works_in_it_the_folder_stays() {
    let mut stand = Stand::new();
    let home = stand.folder.path().join("plugins/gone");
    let fence: Option<fence::Fence> = None;
    let path = stand.folder.path().join("run");
    fs::write(&path, "#!/bin/sh\nread _\n").expect("writes");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("sets the mode");
    let program = crate::process::Program {
        path,
        search_path: crate::SEARCH_PATH.to_owned(),
        home,
        fence,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (process, pipes, _stderr) = crate::process::start(&program).expect("it starts");
        stand.look(&["stays"]);
        stand.hours(WEEK + 1, &["stays"]);
        assert!(stand.has("gone"), "it is its own");
        drop(pipes);
        process.ended().await;
        drop(process);
    });
    stand.hours(1, &["stays"]);
    assert!(!stand.has("gone"));
}

#[tokio::test]
async fn what_an_earlier_runner_took_away_and_did_not_remove_is_removed() {
    let stand = Stand::new();
    let taken = stand.folder.path().join("plugins/.gone-0123456789abcdef");
    fs::create_dir_all(taken.join("deep")).expect("makes");
    let shutdown = CancellationToken::new();
    let removing = tokio::spawn(stand.departed.remove(shutdown.clone()));
    snooze_test_harness::wait_until(Duration::from_secs(20), "it is removed", async || !taken.exists()).await;
    shutdown.cancel();
    removing.await.expect("it ends at shutdown");
    assert!(stand.has("gone") && stand.has("stays"));
}
