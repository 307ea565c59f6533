//! Processes that a test starts end with it, however it ends.

use rustix::process::{Pid, Signal, kill_process};
use snooze_test_harness::{Process, wait_for, wait_until};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(20);

/// What the test says to itself where it is to be the one that is ended.
const AS_ONE_THAT_IS_ENDED: &str = "as-one-that-is-ended";

/// Starts a program, says its process id, and waits to be ended.
fn be_ended() -> ! {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Process::start(
        Path::new("/bin/sleep"),
        &["60".to_owned()],
        &folder.path().join("log"),
    );
    let started = started.expect("it is everywhere");
    println!("\nstarted {}", started.id());
    loop {
        std::thread::park();
    }
}

fn runs(id: u32) -> bool {
    // One that has ended and that nobody has asked for yet has no command line any more.
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn what_was_started_ends_with_whoever_is_terminated_or_interrupted() {
    if std::env::args().any(|argument| argument == AS_ONE_THAT_IS_ENDED) {
        be_ended();
    }
    let own = std::env::current_exe().expect("this program has a path");
    let name = "process::what_was_started_ends_with_whoever_is_terminated_or_interrupted";
    // Whoever runs tests in a shell's background has them ignore an interruption.
    let own = own.to_str().expect("cargo writes plain paths");
    let listening = ["--default-signal=INT,TERM", own];
    let as_one_that_is_ended = [name, "--exact", "--nocapture", "--skip", AS_ONE_THAT_IS_ENDED];
    let arguments: Vec<String> = listening
        .iter()
        .chain(&as_one_that_is_ended)
        .map(|&text| text.to_owned())
        .collect();
    let environment = BTreeMap::from([("PATH".to_owned(), snooze_test_harness::search_path().into())]);
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, errors) = (folder.path().join("log"), folder.path().join("errors"));
        let mut parent =
            Process::start_apart(Path::new("/usr/bin/env"), &arguments, &environment, &log, &errors)
                .expect("it starts");
        let child = wait_for(LIMIT, "it has started another", async || {
            let said = parent.said();
            let id = said.lines().find_map(|line| line.strip_prefix("started "));
            id.and_then(|id| id.parse::<u32>().ok())
        })
        .await;
        assert!(runs(child));
        let id = i32::try_from(parent.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("an id");
        kill_process(id, signal).expect("one's own child");
        wait_until(LIMIT, "it has ended", async || parent.ended().is_some()).await;
        wait_until(LIMIT, "and so has what it started", async || !runs(child)).await;
    }
}
