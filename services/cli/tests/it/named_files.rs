//! Files that a person names and that are none: nothing that is named so holds the program, and a signal ends it.

use crate::{LIMIT, place::Place, snooze};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::{Pid, Signal, kill_process},
};
use snooze_bus::Role;
use snooze_test_harness::{Process, wait_for};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("pipe.json");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

#[tokio::test]
async fn a_pipe_that_nobody_writes_into_is_refused_wherever_it_is_named() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = fifo(folder.path());
    let pipe = text(&pipe);
    for words in [
        &["configure", "redis", "--fleet", "--file", pipe][..],
        &["check", "--host", "web", "--metrics", pipe],
        &["approve", "redis", "--fleet", "--permissions", pipe],
        &["install", pipe, "--fleet", "--yes"],
        &["configure", "redis", "--fleet", "--file", "/dev/null"],
    ] {
        let done = place.plugin(Role::Administrator, words).await;
        assert_eq!(
            (done.code, done.err.lines().count()),
            (Some(64), 1),
            "{words:?}: {done:?}"
        );
    }
    for words in [
        &["up", "--config", pipe][..],
        &["--server", "nats://127.0.0.1:1", "--credentials", pipe, "thaw"],
    ] {
        let done = snooze(words).await;
        assert_eq!(done.code, Some(64), "{words:?}: {done:?}");
        assert!(done.err.contains("no regular file"), "{words:?}: {done:?}");
    }
}

#[tokio::test]
async fn a_pipe_that_stays_open_is_waited_for_until_a_signal_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = text(folder.path());
    let made = snooze(&["plugin", "new", "mine", "--lang", "shell", "--dir", home]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let (pipe, plugin) = (fifo(folder.path()), folder.path().join("mine"));
    // Held for both: whoever reads waits for what this test never writes.
    let held = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let held = held.expect("it opens");
    let arguments = ["plugin", "test", text(&plugin), "--config", text(&pipe)].map(str::to_owned);
    let environment = BTreeMap::from([("HOME".to_owned(), folder.path().into())]);
    let (program, errors) = (Path::new(env!("CARGO_BIN_EXE_snooze")), folder.path().join("err"));
    let out = folder.path().join("out");
    let running = Process::start_apart(program, &arguments, &environment, &out, &errors);
    let mut running = running.expect("it starts");
    let open = format!("/proc/{}/fd", running.id());
    wait_for(LIMIT, "it has opened the pipe", async || {
        let links = fs::read_dir(&open).ok()?.flatten();
        let mut ends = links.filter_map(|link| fs::read_link(link.path()).ok());
        ends.any(|end| end == pipe).then_some(())
    })
    .await;
    let id = Pid::from_raw(running.id().cast_signed()).expect("it runs");
    kill_process(id, Signal::TERM).expect("it is ours");
    let ended = wait_for(LIMIT, "the signal ends it", async || running.ended()).await;
    let errors = fs::read_to_string(&errors).expect("a file");
    assert_eq!(ended.code(), Some(1), "{errors}");
    assert!(errors.contains("interrupted before it was done"), "{errors}");
    drop(held);
}
