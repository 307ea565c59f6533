//! Working folders that change hands, and those that cannot.

use super::*;
use mounts::tests::with_mounted;

fn permissions(udp: bool) -> Permissions {
    serde_json::from_value(json!({ "udp": udp })).expect("permissions")
}

fn ready(home: &Path, owner: &Owner) -> Result<(), String> {
    make_ready(home, owner, &CancellationToken::new())
}

fn is_empty(home: &Path) -> bool {
    fs::read_dir(home).expect("it is made").next().is_none()
}

#[test]
fn i4_nothing_is_left_of_one_of_other_files_or_that_might_do_something_else() {
    let above = tempfile::tempdir().expect("a folder");
    let (home, outside) = (above.path().join("redis"), above.path().join("outside"));
    fs::write(&outside, "text").expect("writes");
    let first = Owner::of("a", Some("m"), &permissions(false));
    let others = [
        Owner::of("b", Some("m"), &permissions(false)),
        Owner::of("b", Some("n"), &permissions(false)),
        Owner::of("b", None, &permissions(false)),
        Owner::of("b", None, &permissions(true)),
        first.clone(),
    ];
    let left = home.join(".local/lib/usercustomize.py");
    let live_in = || {
        fs::create_dir_all(left.parent().expect("one")).expect("makes");
        fs::write(&left, "import os").expect("writes");
        fs::hard_link(&outside, home.join("twice")).expect("links");
        std::os::unix::fs::symlink(above.path(), home.join("up")).expect("links");
    };
    // Who was there before anybody took a note of it is somebody else.
    live_in();
    ready(&home, &first).expect("it is emptied");
    assert!(is_empty(&home));
    for other in &others {
        live_in();
        ready(&home, other).expect("it is emptied");
        assert!(is_empty(&home), "{other:?}");
        live_in();
        ready(&home, other).expect("it is its own");
        assert!(left.exists(), "what is its own is kept");
        fs::remove_dir_all(&home).expect("removes");
    }
    assert_eq!(fs::read_to_string(&outside).expect("it is there"), "text");
}

#[test]
fn i4_where_nobody_can_tell_whose_it_is_it_is_nobodys() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    let owner = Owner::of("a", None, &permissions(false));
    ready(&home, &owner).expect("there is nothing");
    fs::write(home.join("left"), "").expect("writes");
    fs::write(above.path().join(".redis.owner"), "{").expect("writes");
    ready(&home, &owner).expect("it is emptied");
    assert!(is_empty(&home));
}

#[test]
fn what_cannot_be_removed_is_told_with_its_place() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    // No folder: nothing that a plugin could have made of it.
    fs::write(&home, "").expect("writes");
    let why = ready(&home, &Owner::of("a", None, &permissions(false))).expect_err("it is left");
    assert!(
        why.contains(&home.display().to_string()) && why.contains("remove that folder"),
        "{why}"
    );
    assert!(!above.path().join(".redis.owner").exists(), "it is not its own");
}

#[test]
fn i4_where_nobody_can_tell_just_now_whose_it_is_it_is_left_as_it_is() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    let owner = Owner::of("a", None, &permissions(false));
    ready(&home, &owner).expect("there is nothing");
    let kept = home.join("kept");
    fs::write(&kept, "").expect("writes");
    let (note, aside) = (above.path().join(".redis.owner"), above.path().join("aside"));
    fs::rename(&note, &aside).expect("moves");
    fs::create_dir(&note).expect("makes");
    let why = ready(&home, &owner).expect_err("a folder cannot be read as a file");
    for words in [
        "nobody can tell whose",
        ".redis.owner: Is a directory",
        "or is removed",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert!(kept.exists());
    fs::remove_dir(&note).expect("removes");
    fs::rename(&aside, &note).expect("moves");
    ready(&home, &owner).expect("it is its own");
    assert!(kept.exists(), "it was tried again");
}

#[test]
fn a_full_disk_is_told_as_that_where_only_the_note_cannot_be_written() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    std::os::unix::fs::symlink("/dev/full", above.path().join(".redis.new")).expect("links");
    let owner = Owner::of("a", None, &permissions(false));
    let why = ready(&home, &owner).expect_err("it cannot be noted");
    assert!(why.contains(".redis.owner: No space left on device"), "{why}");
    assert!(!why.contains("remove that folder"), "{why}");
    fs::remove_file(above.path().join(".redis.new")).expect("removes");
    ready(&home, &owner).expect("there is room again");
}

#[test]
fn a_start_that_was_given_up_changes_nothing() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    let [first, second] = ["a", "b"].map(|entry| Owner::of(entry, None, &permissions(false)));
    ready(&home, &first).expect("there is nothing");
    let kept = home.join("kept");
    fs::write(&kept, "").expect("writes");
    let given_up = CancellationToken::new();
    given_up.cancel();
    make_ready(&home, &second, &given_up).expect_err("nobody waits for it");
    ready(&home, &first).expect("it is its own");
    assert!(kept.exists());
}

#[test]
fn i4_what_an_operator_mounted_is_never_emptied_and_keeps_its_place() {
    let stand = tempfile::tempdir().expect("a folder");
    let above = fs::canonicalize(stand.path()).expect("it is there");
    let (home, volume) = (above.join("redis"), above.join("volume"));
    fs::create_dir(&volume).expect("makes");
    fs::write(volume.join("data"), "").expect("writes");
    let [first, second] = ["a", "b"].map(|entry| Owner::of(entry, None, &permissions(false)));
    ready(&home, &first).expect("there is nothing");
    let at = home.join("x/at");
    fs::create_dir_all(&at).expect("makes");
    let mounted = with_mounted(&volume, &at, || {
        let why = ready(&home, &second).expect_err("something is mounted there");
        for words in [&format!("{} is mounted there", at.display()), "unmount it"] {
            assert!(why.contains(words), "{words}: {why}");
        }
        assert!(at.join("data").exists(), "nothing is moved");
        ready(&home, &first).expect("to its owner it is no matter");
    });
    assert!(volume.join("data").exists());
    assert!(at.exists() || !mounted, "what it is mounted on is left");
    ready(&home, &second).expect("nothing is mounted there any more");
    assert!(is_empty(&home));
}

#[test]
fn what_is_half_removed_is_nobodys() {
    let above = tempfile::tempdir().expect("a folder");
    let home = above.path().join("redis");
    let first = Owner::of("a", None, &permissions(false));
    ready(&home, &first).expect("there is nothing");
    // As after a start of another one that did not come to the end.
    empty(&home, &note_beside(&home), &CancellationToken::new()).expect("it is emptied");
    fs::create_dir(&home).expect("makes");
    fs::write(home.join("left"), "").expect("writes");
    ready(&home, &first).expect("it is emptied");
    assert!(is_empty(&home), "what is left may be half of a file");
}
