//! State folders below a temporary one.

use super::*;
use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

fn folder() -> (tempfile::TempDir, StateFolder) {
    let temporary = tempfile::tempdir().expect("a folder");
    let root = temporary.path().join("deep/state");
    let state = StateFolder::locate(Some(&root), &Home::default()).expect("given");
    state.create().expect("made");
    (temporary, state)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn the_folder_is_where_the_base_directory_specification_says() {
    let home = Home {
        xdg_state_home: Some("/x".into()),
        home: Some("/home/a".into()),
        ..Home::default()
    };
    let root = |given: Option<&Path>, home: &Home| StateFolder::locate(given, home).map(|state| state.root);
    assert_eq!(
        root(Some(Path::new("/s")), &home).expect("given"),
        Path::new("/s")
    );
    assert_eq!(root(None, &home).expect("xdg"), Path::new("/x/snooze"));
    let relative = Home {
        xdg_state_home: Some("x".into()),
        ..home
    };
    assert_eq!(
        root(None, &relative).expect("home"),
        Path::new("/home/a/.local/state/snooze")
    );
    assert!(matches!(root(None, &Home::default()), Err(StateError::Locate)));
}

#[test]
fn what_is_written_is_for_its_owner_alone() {
    let (_temporary, state) = folder();
    let address = BusAddress {
        server: "nats://127.0.0.1:4222".to_owned(),
        credentials: state.path("creds/administrator.creds"),
        user: "me".to_owned(),
    };
    assert_eq!(state.bus_address().expect("none yet"), None);
    state.set_bus_address(&address).expect("written");
    state.set_bus_address(&address).expect("written again");
    assert_eq!(state.bus_address().expect("read"), Some(address));
    assert_eq!(mode(state.root()), 0o700);
    assert_eq!(mode(&state.path("creds")), 0o700);
    assert_eq!(mode(&state.path("nats.json")), 0o600);
    assert_eq!(mode(&state.reserve("snooze.log").expect("made")), 0o600);
}

#[test]
fn somebody_elses_folder_is_left_as_it_is() {
    let temporary = tempfile::tempdir().expect("a folder");
    let root = temporary.path().join("lib");
    fs::create_dir(&root).expect("made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("ours");
    let state = StateFolder::locate(Some(&root), &Home::default()).expect("given");
    fs::write(root.join("theirs"), "").expect("written");
    let refused = state.create().expect_err("it holds what is not ours");
    assert!(matches!(refused, StateError::Foreign { .. }), "{refused}");
    assert_eq!(mode(&root), 0o755);

    fs::remove_file(root.join("theirs")).expect("removed");
    state.create().expect("an empty one of our own is taken");
    assert_eq!(mode(&root), 0o700);
    state.create().expect("and taken again");
}

#[test]
fn whoevers_folder_is_closed_to_others_is_told() {
    assert_eq!(
        made_private(Path::new("/s"), 0o040_755),
        "the empty state folder /s is yours alone from now on: its mode was 755 and is 700, since keys will lie in it"
    );
}

#[test]
fn a_folder_is_known_by_its_whole_name_and_only_by_text() {
    let locate = |path: &Path| StateFolder::locate(Some(path), &Home::default());
    let relative = locate(Path::new("some/state")).expect("given");
    assert!(relative.root().is_absolute(), "{relative:?}");
    let no_text = PathBuf::from(OsString::from_vec(b"/tmp/\xff".to_vec()));
    assert!(matches!(locate(&no_text), Err(StateError::Name { .. })));
}

#[test]
fn a_broker_is_known_by_its_lock() {
    let (_temporary, state) = folder();
    assert!(!state.broker_runs().expect("looked"), "there was none yet");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
    let path = state.path("broker.lock");
    let lock = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).expect("opened");
    assert!(!state.broker_runs().expect("looked"), "it has ended");
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).expect("taken");
    assert!(state.broker_runs().expect("looked"));
}

#[test]
fn a_long_log_goes_aside_and_a_short_one_goes_on() {
    let (_temporary, state) = folder();
    state.rotate("snooze.log", 3).expect("there is none yet");
    for (text, aside) in [("abc", false), ("abcd", true)] {
        fs::write(state.path("snooze.log"), text).expect("written");
        state.rotate("snooze.log", 3).expect("rotated");
        assert_eq!(state.path("snooze.log.1").exists(), aside, "{text}");
    }
    assert!(!state.path("snooze.log").exists());
}

#[test]
fn two_cannot_use_one_folder_at_once() {
    let (_temporary, state) = folder();
    let held = state.claim().expect("free");
    assert!(matches!(state.claim(), Err(StateError::InUse { .. })));
    drop(held);
    state.claim().expect("free again");
}
