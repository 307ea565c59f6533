//! A greedy plugin: it tries what it is told, and says what came of it.
//!
//! It knows nothing of which fences there are; what is expected of them stands with each test.

use crate::stage::SOON;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use snooze_plugin_runner::{
    Restarts, SEARCH_PATH,
    asking::{Method, Program, Settings, Stage, StdioPlugin},
    fence::{Fence, FenceConfig},
};
use snooze_test_harness::wait_until;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;

/// It runs what it is told and says what came of it: `ok` with the value, or the error's number or name.
const GREEDY: &str = r#"#!/usr/bin/env python3
import ctypes, json, mmap, os, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) == -1:
        raise OSError(ctypes.get_errno(), "refused")
def tried(code):
    try:
        return {"ok": eval(code)}
    except OSError as error:
        return {"failed": error.errno}
    except MemoryError:
        return {"failed": "memory"}
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "CheckIdle":
        result = tried(request["params"]["code"])
    else:
        result = {"error": "Unknown method"}
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
"#;

/// EPERM, EACCES: what a fence answers.
const REFUSED: [i64; 2] = [1, 13];

/// How the lack of the fence of files begins.
pub(crate) const FILES: &str = "files, TCP ports and signals";

/// A plugin by itself, with or without its fence.
pub(crate) struct Greedy {
    /// The plugin.
    pub plugin: Arc<StdioPlugin>,
    task: JoinHandle<()>,
    /// Where it lies, with its working folder.
    pub folder: tempfile::TempDir,
}

impl Drop for Greedy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is the test's own beside the plugin's: open to everybody, so that only the fence keeps it away, and sticky, so
/// that nobody takes the plugin's own folder away.
pub(crate) fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let open = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(folder.path(), open).expect("sets the mode");
    folder
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("sets the mode");
}

pub(crate) fn config() -> FenceConfig {
    FenceConfig {
        program: env!("CARGO_BIN_EXE_snooze-plugin-runner").into(),
        environment: [("GRANTED", "yes"), ("SECRET", "hunter2")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into(),
        ..FenceConfig::default()
    }
}

/// The version of Landlock of this kernel; 0 where it has none.
pub(crate) async fn landlock() -> i64 {
    let asked = Greedy::free().await.tries("libc.syscall(444, 0, 0, 1)").await;
    asked.expect("it answers").as_i64().expect("a number").max(0)
}

impl Greedy {
    /// One that was granted this.
    pub(crate) async fn granted(permissions: Value) -> Greedy {
        let greedy = Greedy::starting(Some((permissions, config())));
        greedy.running().await;
        greedy
    }

    /// The same in this folder, where its working folder is `home`.
    pub(crate) async fn granted_in(folder: tempfile::TempDir, permissions: Value) -> Greedy {
        let greedy = Greedy::starting_in(folder, Some((permissions, config())));
        greedy.running().await;
        greedy
    }

    /// One of several on a host, which share what its configuration holds.
    pub(crate) async fn named(name: &str, permissions: Value, config: FenceConfig) -> Greedy {
        let greedy = Greedy::written_as(name, place(), GREEDY, Some((permissions, config)));
        greedy.running().await;
        greedy
    }

    /// One without any fence: it is the kernel that is asked.
    pub(crate) async fn free() -> Greedy {
        let greedy = Greedy::starting(None);
        greedy.running().await;
        greedy
    }

    /// One that was granted this and stays the runner's user, because it lies where nobody else reaches it.
    pub(crate) async fn sharing_user(permissions: Value) -> Greedy {
        Greedy::sharing_user_in(permissions, config()).await
    }

    /// The same, where fences are made so.
    pub(crate) async fn sharing_user_in(permissions: Value, config: FenceConfig) -> Greedy {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("sets the mode");
        let greedy = Greedy::starting_in(folder, Some((permissions, config)));
        greedy.running().await;
        assert!(greedy.says_not_enforced("a user of its own"));
        greedy
    }

    pub(crate) fn starting(fenced: Option<(Value, FenceConfig)>) -> Greedy {
        Greedy::starting_in(place(), fenced)
    }

    /// One whose first line is another one.
    pub(crate) fn beginning(line: &str, permissions: Value) -> Greedy {
        let (_, code) = GREEDY.split_once('\n').expect("it has lines");
        Greedy::written(place(), &format!("{line}\n{code}"), Some((permissions, config())))
    }

    fn starting_in(folder: tempfile::TempDir, fenced: Option<(Value, FenceConfig)>) -> Greedy {
        Greedy::written(folder, GREEDY, fenced)
    }

    fn written(folder: tempfile::TempDir, code: &str, fenced: Option<(Value, FenceConfig)>) -> Greedy {
        Greedy::written_as("greedy", folder, code, fenced)
    }

    fn written_as(
        name: &str,
        folder: tempfile::TempDir,
        code: &str,
        fenced: Option<(Value, FenceConfig)>,
    ) -> Greedy {
        let own = folder.path().join("own");
        fs::create_dir(&own).expect("makes its own folder");
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let path = own.join("greedy");
        fs::write(&path, code).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("makes its folder");
        let fence = fenced.map(|(permissions, config)| {
            let permissions = serde_json::from_value(permissions).expect("permissions");
            Fence::new(name.parse().expect("a name"), permissions, config, folder.path())
        });
        let settings = Settings {
            program: Program {
                path,
                search_path: SEARCH_PATH.to_owned(),
                home,
                fence,
            },
            name: name.parse().expect("a name"),
            manifest: None,
            handshake_limit: SOON,
            restarts: Restarts::default(),
        };
        let plugin = StdioPlugin::new(settings, Arc::default());
        let task = tokio::spawn(plugin.clone().supervise());
        Greedy { plugin, task, folder }
    }

    pub(crate) async fn running(&self) {
        let mut stage = self.plugin.stage();
        let running = stage.wait_for(|stage| *stage == Stage::Running);
        let running = tokio::time::timeout(SOON, running)
            .await
            .expect("it runs in time");
        drop(running.expect("it is supervised"));
    }

    /// Kills it, and waits until it runs again.
    pub(crate) async fn is_killed_and_runs_again(&self) {
        let before = self.plugin.starts();
        self.is_killed();
        self.runs_again_after(before).await;
    }

    /// Kills it. What becomes of it then is for the test to wait for.
    pub(crate) fn is_killed(&self) {
        let process = self.plugin.process_id().and_then(Pid::from_raw);
        kill_process(process.expect("it runs"), Signal::KILL).expect("it is ours");
    }

    /// Waits until it was started more often than so, and runs.
    pub(crate) async fn runs_again_after(&self, starts: u64) {
        wait_until(SOON, "it is started again", async || {
            self.plugin.starts() > starts
        })
        .await;
        self.running().await;
    }

    /// Waits until it is not run, and says this of it.
    pub(crate) async fn does_not_run(&self, why: &str) {
        wait_until(SOON, why, async || {
            let limit = Duration::from_secs(1);
            let asked = self
                .plugin
                .call(Method::CheckIdle, &json!({"code": "1"}), limit)
                .await;
            asked.is_err_and(|said| said.to_string().contains(why))
        })
        .await;
    }

    /// Its file, in a folder that nobody else puts anything in.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("own/greedy")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// What comes of this.
    pub(crate) async fn tries(&self, code: &str) -> Result<Value, Value> {
        let answer = self
            .plugin
            .call(Method::CheckIdle, &json!({"code": code}), SOON)
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{code}: {error}"));
        match answer.get("ok") {
            Some(value) => Ok(value.clone()),
            None => Err(answer["failed"].clone()),
        }
    }

    pub(crate) async fn may(&self, code: &str) -> Value {
        self.tries(code)
            .await
            .unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    pub(crate) async fn may_not(&self, code: &str) {
        let refused = self.tries(code).await.expect_err(code);
        assert!(
            REFUSED.contains(&refused.as_i64().unwrap_or_default()),
            "{code}: {refused}"
        );
    }

    /// Where the kernel has this fence it may not; where it has not, it may, and the runner was told.
    pub(crate) async fn fenced(&self, has: bool, word: &str, code: &str) {
        assert_eq!(
            self.says_not_enforced(word),
            !has,
            "{word}: {:?}",
            self.plugin.fenced()
        );
        if has {
            self.may_not(code).await;
        } else {
            self.may(code).await;
        }
    }

    pub(crate) fn says_not_enforced(&self, word: &str) -> bool {
        self.plugin
            .fenced()
            .not_enforced
            .iter()
            .any(|said| said.contains(word))
    }
}
