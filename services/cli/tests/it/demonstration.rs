//! What `make up` runs: `snooze up` without a configuration, on this machine as it is. It is here and not among
//! the end-to-end tests because it votes by the real load of all cores, and those are such a load.

use rustix::process::{Pid, Signal, kill_process};
use snooze_test_harness::{Process, nats_server, wait_for, wait_until};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Half a minute on a machine of its own. Beside somebody else's load, idle seconds have to be waited for.
const LONG: Duration = Duration::from_secs(400);
/// What it says where somebody else's load leaves nothing to be told apart: it may never be idle then.
const LOADED: &str = "policy   this machine is already loaded";
/// A load that nobody ends ends by itself.
const LOAD: Duration = Duration::from_secs(60);

/// Every core at work; ended when dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn begin() -> Load {
        let goes_on = Arc::new(AtomicBool::new(true));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let until = Instant::now() + LOAD;
        // More threads than cores, for this one is to be outdone by nobody.
        for _ in 0..cores * 2 {
            let goes_on = goes_on.clone();
            std::thread::spawn(move || {
                while goes_on.load(Ordering::Relaxed) && Instant::now() < until {
                    std::hint::spin_loop();
                }
            });
        }
        Load(goes_on)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The first line that begins so, once it has been said.
async fn line(up: &mut Process, errors: &Path, beginning: &str) -> String {
    wait_for(LONG, &format!("it says {beginning:?}"), async || {
        let ended = up.ended();
        let said = up.said_all();
        let found = said
            .lines()
            .find(|line| line.starts_with(beginning))
            .map(str::to_owned);
        let errors = fs::read_to_string(errors).unwrap_or_default();
        assert!(
            found.is_some() || ended.is_none(),
            "it ended: {ended:?}\n{said}\n{errors}"
        );
        found
    })
    .await
}

#[tokio::test]
async fn the_demonstration_prints_its_policy_turns_busy_under_load_and_goes_on_to_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| folder.path().join(name);
    for name in ["home", "runtime"] {
        fs::create_dir(path(name)).expect("a folder of our own can be written");
    }
    let environment = BTreeMap::from([
        ("HOME".to_owned(), path("home").into_os_string()),
        ("XDG_RUNTIME_DIR".to_owned(), path("runtime").into_os_string()),
        ("SNOOZE_NATS_SERVER".to_owned(), nats_server().into_os_string()),
    ]);
    let arguments = [
        "up".to_owned(),
        "--state".to_owned(),
        path("state").display().to_string(),
    ];
    let errors = path("err");
    let up = Process::start_apart(
        Path::new(env!("CARGO_BIN_EXE_snooze")),
        &arguments,
        &environment,
        &path("out"),
        &errors,
    );
    let mut up = up.expect("it starts");

    line(&mut up, &errors, "readings CPU").await;
    for beginning in [
        "policy   CPU and GPUs vote: idle below ",
        "policy   threshold: the mean of the first 5 s, ",
        "policy   check interval 1 s, naptime 15 s, notice 5 s, heartbeat 2 s, no boot grace, no cool-down, mode act, self_stop",
        "try      ",
        // The plugins of the repository are found from where the program lies.
        "vote     keep-awake is idle (advisory)",
        "vote     load-average is ",
    ] {
        line(&mut up, &errors, beginning).await;
    }

    let load = Load::begin();
    line(&mut up, &errors, "vote     cpu is busy (required)").await;
    drop(load);
    let is_stopped = |line: &str| line.starts_with("audit ") && line.contains(" stopped ");
    wait_until(
        LONG,
        "it is stopped, or has said that it may not be",
        async || {
            assert!(up.ended().is_none(), "it ended: {}", up.said_all());
            let said = up.said_all();
            said.lines()
                .any(|line| is_stopped(line) || line.starts_with(LOADED))
        },
    )
    .await;
    // While nothing changes, every vote is told with for how long it has been so.
    let votes = line(&mut up, &errors, "votes    cpu ").await;
    assert!(
        votes.contains("advisory: ") && votes.contains("keep-awake idle "),
        "{votes}"
    );

    let id = i32::try_from(up.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has an id"), Signal::INT).expect("it runs");
    let ended = wait_for(LONG, "it ends", async || up.ended()).await;
    let said = fs::read_to_string(&errors).expect("it was made");
    assert_eq!((ended.code(), said.as_str()), (Some(0), ""), "{}", up.said_all());
}
