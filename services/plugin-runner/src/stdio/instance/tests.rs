//! Starts that are given up, and those that find an earlier one at their files.

use super::super::{Settings, Stage, Start};
use super::*;
use crate::{
    backoff::Restarts,
    config_book::ConfigBook,
    fence::{Fence, FenceConfig},
    guest::Seat,
    process::Program,
    set::Grant,
};
use futures_util::FutureExt;
use snooze_schemas::plugin::permissions::Permissions;
use std::{os::unix::fs::PermissionsExt, sync::mpsc, time::Duration};

/// A plugin that has no process yet, in whose working folder another one left something.
struct Unborn {
    plugin: Arc<StdioPlugin>,
    folder: tempfile::TempDir,
}

impl Unborn {
    fn new(seat: &Arc<Seat>) -> Unborn {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let path = folder.path().join("tested");
        fs::write(&path, "#!/bin/sh\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("makes");
        fs::write(home.join("left"), "").expect("writes");
        let fence = Fence::new(
            "tested".parse().expect("a name"),
            Permissions::default(),
            FenceConfig {
                // It takes its orders in no way and does not end: one that ended at once may not be there any more when
                // it is told.
                program: "/usr/bin/yes".into(),
                ..FenceConfig::default()
            },
            folder.path(),
        );
        let settings = Settings {
            program: Program {
                path,
                search_path: crate::SEARCH_PATH.to_owned(),
                home,
                fence: Some(fence),
            },
            name: "tested".parse().expect("a name"),
            manifest: None,
            handshake_limit: Duration::from_secs(10),
            restarts: Restarts::default(),
        };
        let configs = Arc::new(ConfigBook::default());
        let plugin = StdioPlugin::granted(settings, configs, Grant::default(), seat.clone());
        Unborn { plugin, folder }
    }

    fn is_emptied(&self) -> bool {
        !self.folder.path().join("home/left").exists()
    }
}

/// Runs this where one thing at a time can wait for the disk. The disk answers once what is given to it is dropped.
fn on_a_slow_disk(test: impl AsyncFnOnce(mpsc::Sender<()>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (answer, held) = mpsc::channel();
        let disk = spawn_blocking(move || held.recv());
        test(answer).await;
        disk.await.expect("it ends").expect_err("nothing is ever sent");
    });
}

/// Waits until all that was to be done with the disk is done.
async fn done() {
    spawn_blocking(|| ()).await.expect("it is done");
}

#[test]
fn t3_a_disk_that_does_not_answer_keeps_nobody_waiting_but_the_start() {
    on_a_slow_disk(async |answer| {
        let unborn = Unborn::new(&Arc::default());
        let plugin = &unborn.plugin;
        let supervised = plugin.clone().supervise();
        tokio::pin!(supervised);
        assert!(supervised.as_mut().now_or_never().is_none());
        assert_eq!(*plugin.stage().borrow(), Stage::Starting);
        assert_eq!(
            plugin.start(),
            Start { count: 1, file: None },
            "it is looked at elsewhere"
        );
        assert!(!unborn.is_emptied());
        drop(answer);
        let file = FileIdentity::of(plugin.path());
        let looked = async {
            while plugin.start().file.is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = looked => {}
            () = &mut supervised => panic!("it is supervised until it is stopped"),
        }
        assert_eq!(plugin.start(), Start { count: 1, file });
        assert!(unborn.is_emptied());
    });
}

#[test]
fn i4_a_start_that_was_given_up_removes_nothing_of_what_the_next_one_has() {
    on_a_slow_disk(async |answer| {
        let unborn = Unborn::new(&Arc::default());
        assert!(
            unborn.plugin.launch().now_or_never().is_none(),
            "it waits for the disk"
        );
        drop(answer);
        done().await;
        assert!(!unborn.is_emptied());
        assert_eq!(
            unborn.plugin.start().file,
            None,
            "nor does it say what is started"
        );
    });
}

#[test]
fn i4_while_an_earlier_start_is_at_its_files_no_other_is() {
    on_a_slow_disk(async |answer| {
        let seat = Arc::default();
        let (earlier, unborn) = (Unborn::new(&seat), Unborn::new(&seat));
        assert!(
            earlier.plugin.launch().now_or_never().is_none(),
            "it waits for the disk"
        );
        let mut waiting = Box::pin(unborn.plugin.launch());
        assert!(waiting.as_mut().now_or_never().is_none(), "it waits a moment");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3)).await;
        match waiting.await {
            Err(Unstarted::Failed(why)) => {
                assert!(why.contains("is still at its files; the disk with them"), "{why}");
            }
            Err(Unstarted::Held(why)) => panic!("it is tried again: {why}"),
            Ok(_) => panic!("the earlier one is not done"),
        }
        tokio::time::resume();
        drop(answer);
        done().await;
        assert!(!unborn.is_emptied());
        assert!(unborn.plugin.launch().await.is_ok(), "it is tried again");
        assert!(unborn.is_emptied());
    });
}
