//! Folders of somebody who would not have them removed.

use super::*;
use crate::working_folder::mounts::tests::with_mounted;
use rustix::{
    fs::mkdirat,
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};
use std::{
    os::unix::fs::{PermissionsExt, symlink},
    thread,
};

/// More than one process has descriptors, and as many frames as a small stack has not.
const DEEP: u32 = 5_000;

fn nested(top: &Path, depth: u32) {
    fs::create_dir(top).expect("makes");
    let mut at = openat(CWD, top, OFlags::PATH, Mode::empty()).expect("opens");
    for _ in 0..depth {
        mkdirat(&at, c"d", Mode::RWXU).expect("makes");
        at = openat(&at, c"d", OFlags::PATH, Mode::empty()).expect("opens");
    }
}

fn whole(folder: &Path) -> Result<bool, NotRemoved> {
    remove(folder, ENTRIES, &|| true)
}

#[test]
fn however_deep_folders_lie_in_one_another_they_are_removed() {
    let above = tempfile::tempdir().expect("a folder");
    let top = above.path().join("redis");
    nested(&top, DEEP);
    thread::scope(|scope| {
        let small = thread::Builder::new().stack_size(128 << 10);
        let removed = small.spawn_scoped(scope, || whole(&top)).expect("it starts");
        assert!(removed.join().expect("it does not panic").expect("it is removed"));
    });
    assert!(!top.exists());
    assert!(!whole(&top).expect("nothing is there"), "it was there no more");
}

#[test]
fn no_link_is_followed_and_what_has_a_second_name_keeps_it() {
    let above = tempfile::tempdir().expect("a folder");
    let [top, outside] = ["redis", "outside"].map(|name| above.path().join(name));
    fs::create_dir_all(top.join("a/b")).expect("makes");
    fs::create_dir(&outside).expect("makes");
    fs::write(outside.join("file"), "text").expect("writes");
    for at in [&top, &top.join("a"), &top.join("a/b")] {
        symlink(&outside, at.join("link")).expect("links");
        fs::hard_link(outside.join("file"), at.join("twice")).expect("links");
    }
    whole(&top).expect("it is removed");
    assert!(!top.exists());
    assert_eq!(
        fs::read_to_string(outside.join("file")).expect("it is there"),
        "text"
    );
    symlink(&outside, &top).expect("links");
    whole(&top).expect_err("a link in its place is no folder");
    assert!(outside.join("file").exists());
}

#[test]
fn folders_that_their_owner_has_closed_are_removed_without_any_power_over_modes() {
    let above = tempfile::tempdir().expect("a folder");
    let top = above.path().join("redis");
    fs::create_dir_all(top.join("a/b")).expect("makes");
    fs::write(top.join("a/b/file"), "").expect("writes");
    for folder in ["a/b", "a", ""] {
        fs::set_permissions(top.join(folder), fs::Permissions::from_mode(0o0)).expect("sets the mode");
    }
    thread::scope(|scope| {
        let powerless = scope.spawn(|| {
            let none = CapabilitySets {
                effective: CapabilitySet::empty(),
                permitted: CapabilitySet::empty(),
                inheritable: CapabilitySet::empty(),
            };
            set_capabilities(None, none).expect("it gives them up");
            fs::read_dir(&top).expect_err("it is closed");
            whole(&top)
        });
        powerless
            .join()
            .expect("it does not panic")
            .expect("it is removed");
    });
    assert!(!top.exists());
}

#[test]
fn what_was_removed_stays_removed_so_that_any_number_of_files_comes_to_an_end() {
    const AT_ONCE: u32 = 7;
    let above = tempfile::tempdir().expect("a folder");
    let top = above.path().join("redis");
    nested(&top, 10);
    for number in 0..20 {
        fs::write(top.join(format!("file-{number}")), "").expect("writes");
    }
    let (mut starts, mut left) = (0, None);
    while left.is_none() {
        starts += 1;
        assert!(starts <= 30, "it comes to no end");
        match remove(&top, AT_ONCE, &|| true) {
            Ok(there) => left = Some(there),
            Err(why) => assert!(matches!(why, NotRemoved::More(AT_ONCE)), "{why}"),
        }
    }
    assert!(starts > 30 / AT_ONCE, "no more at once than so: {starts}");
    assert!(!top.exists());
}

#[test]
fn nothing_more_is_removed_once_nobody_wants_it() {
    let above = tempfile::tempdir().expect("a folder");
    let top = above.path().join("redis");
    fs::create_dir(&top).expect("makes");
    for number in 0..5 {
        fs::write(top.join(number.to_string()), "").expect("writes");
    }
    let asked = std::cell::Cell::new(0);
    let is_wanted = || asked.replace(asked.get() + 1) < 2;
    let why = remove(&top, ENTRIES, &is_wanted).expect_err("it was given up");
    assert!(matches!(why, NotRemoved::GivenUp), "{why}");
    assert_eq!(fs::read_dir(&top).expect("it is there").count(), 3);
}

#[test]
fn what_is_mounted_anywhere_in_it_is_left_as_it_is_and_told() {
    let stand = tempfile::tempdir().expect("a folder");
    let above = fs::canonicalize(stand.path()).expect("it is there");
    let (top, volume) = (above.join("redis"), above.join("volume"));
    let data = volume.join("data");
    fs::create_dir(&volume).expect("makes");
    fs::write(&data, "an operator's").expect("writes");
    for at in ["redis", "redis/a", "redis/a/b"] {
        fs::create_dir_all(top.join("a/b")).expect("makes");
        let mounted = with_mounted(&volume, &above.join(at), || {
            let why = whole(&top).expect_err("something is mounted there");
            assert!(
                matches!(&why, NotRemoved::Mount(place) if place.starts_with(&top)),
                "{why}"
            );
        });
        assert_eq!(
            fs::read_to_string(&data).expect("it is there"),
            "an operator's",
            "{at}"
        );
        if mounted {
            assert!(top.exists());
        }
        whole(&top).expect("nothing is mounted there any more");
    }
    // Without any power over mounts: what the kernel says of one is told as one.
    let root = openat(CWD, "/", OFlags::PATH, Mode::empty()).expect("it is there");
    let told = beyond("open", root.as_fd(), c"proc")(
        folder_in(root.as_fd(), c"proc").expect_err("proc is mounted there"),
    );
    assert!(
        matches!(&told, NotRemoved::Mount(place) if place == Path::new("/proc")),
        "{told}"
    );
}
