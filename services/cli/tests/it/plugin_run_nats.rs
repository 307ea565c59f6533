//! `snooze plugin run` of a plugin that runs by itself: started beside the runner, or by hand with what is printed.

use crate::plugin_test_nats::OnBus;
use rustix::process::{Pid, Signal, kill_process};
use snooze_test_harness::{Process, nats_server, wait_for};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// It starts in two seconds; the rest is for a machine that compiles meanwhile.
const LONG: Duration = Duration::from_secs(90);

/// The command while it runs.
struct Run {
    process: Process,
    folder: PathBuf,
}

impl Run {
    fn begin(plugin: &OnBus, more: &[&str]) -> Run {
        let folder = plugin.around.path().to_owned();
        for name in ["home", "runtime", "temporary"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        let path = |name: &str| folder.join(name).into_os_string();
        let environment: BTreeMap<String, OsString> = BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("XDG_RUNTIME_DIR".to_owned(), path("runtime")),
            ("TMPDIR".to_owned(), path("temporary")),
            ("SNOOZE_NATS_SERVER".to_owned(), nats_server().into_os_string()),
        ]);
        let of = plugin.folder.to_str().expect("a plain name");
        let words = [&["plugin", "run", of], more].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let program = Path::new(env!("CARGO_BIN_EXE_snooze"));
        let (out, err) = (folder.join("out"), folder.join("err"));
        let process = Process::start_apart(program, &words, &environment, &out, &err).expect("it starts");
        Run { process, folder }
    }

    /// The first line with this, when it is there.
    async fn line(&mut self, wanted: &str) -> String {
        wait_for(LONG, &format!("it says {wanted:?}"), async || {
            let (ended, said) = (self.process.ended(), self.process.said_all());
            let line = said.lines().find(|line| line.contains(wanted)).map(str::to_owned);
            let errors = fs::read_to_string(self.folder.join("err")).unwrap_or_default();
            assert!(
                line.is_some() || ended.is_none(),
                "it ended: {ended:?}\n{said}\n{errors}"
            );
            line
        })
        .await
    }

    /// Ends it as Ctrl-C does: nothing outlives it.
    async fn end(mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process has an id"), Signal::INT).expect("it is ours");
        let ended = wait_for(LONG, "it ends", async || self.process.ended()).await;
        assert!(ended.success(), "{ended:?}: {}", self.process.said_all());
        for left in ["temporary", "runtime"] {
            let left = fs::read_dir(self.folder.join(left)).expect("it is there").count();
            assert_eq!(left, 0, "nothing outlives it");
        }
    }
}

#[tokio::test]
async fn one_that_runs_by_itself_is_started_and_started_anew_at_a_change_and_ends_with_the_command() {
    let mut plugin = OnBus::new();
    let mut run = Run::begin(&plugin, &[]);
    let address = run.line("its bus is nats://127.0.0.1:").await;
    assert!(
        address.contains("plugin-") && address.contains(".creds"),
        "{address}"
    );
    run.line("run    not fenced").await;
    run.line("cpu at").await;
    plugin = plugin.replaced("example.py", "f\"cpu at", "f\"a load of");
    run.line("a load of").await;
    plugin = plugin.replaced(
        "example.py",
        "SIN = os.environ",
        "sys.exit('no licence')\nSIN = os.environ",
    );
    run.line("log    no licence").await;
    run.line("run    it ended with exit code 1: it is started again at the next change")
        .await;
    plugin = plugin.replaced(
        "example.py",
        "sys.exit('no licence')",
        "print('it is back', flush=True)",
    );
    run.line("log    it is back").await;
    run.end().await;
    drop(plugin);
}

#[tokio::test]
async fn by_hand_nothing_is_started_and_what_is_printed_is_enough() {
    let plugin = OnBus::new();
    let mut run = Run::begin(&plugin, &["--by-hand"]);
    let line = run.line("start it by hand: ").await;
    run.line("is unknown: ").await;
    assert!(
        !run.process.said_all().contains("not fenced"),
        "nothing was started"
    );
    let (_, words) = line.split_once("by hand: ").expect("it was looked for");
    let mut words: Vec<&str> = words.split(' ').collect();
    let entry = words.pop().expect("a program");
    let told = words
        .into_iter()
        .map(|word| word.split_once('=').expect("a variable"));
    let environment: BTreeMap<String, OsString> = told
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let (out, err) = (run.folder.join("by-hand.out"), run.folder.join("by-hand.err"));
    let by_hand = Process::start_apart(Path::new(entry), &[], &environment, &out, &err);
    let by_hand = by_hand.expect("it starts");
    run.line("cpu at").await;
    drop(by_hand);
    run.end().await;
}
