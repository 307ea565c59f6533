//! Working folders that are taken away, and those that are not.

use super::*;
use crate::working_folder::mounts::tests::with_mounted;
use std::os::unix::fs::symlink;

fn names(homes: &Path) -> BTreeSet<String> {
    let owners = owners(homes).expect("it can be read");
    owners.iter().map(ToString::to_string).collect()
}

fn home(homes: &Path, name: &str) -> PathBuf {
    let home = homes.join(name);
    fs::create_dir_all(home.join("deep")).expect("makes");
    fs::write(home.join("deep/data"), "text").expect("writes");
    fs::write(note_beside(&home), "\"owner\"").expect("writes");
    home
}

#[test]
fn i4_what_is_taken_away_is_removed_whole_and_nothing_beside_it_or_behind_a_link() {
    let stand = tempfile::tempdir().expect("a folder");
    let homes = stand.path().join("plugins");
    let [gone, stays] = ["gone", "stays"].map(|name| home(&homes, name));
    let outside = stand.path().join("outside");
    fs::write(&outside, "text").expect("writes");
    symlink(stand.path(), gone.join("up")).expect("links");
    symlink(&stays, homes.join("linked")).expect("links");
    // A runner that was killed between the two left a note alone.
    fs::write(homes.join(".noted.owner"), "\"owner\"").expect("writes");
    assert_eq!(names(&homes), ["gone", "noted", "stays"].map(String::from).into());
    for name in ["gone", "noted"] {
        take_away(&homes.join(name)).expect("it is taken away");
    }
    assert_eq!(names(&homes), ["stays".to_owned()].into());
    assert!(
        !gone.exists(),
        "one that comes back begins with a folder of its own"
    );
    let left = remove_taken(&homes, &|| false);
    assert_eq!(left.len(), 1, "nobody waits for it any more: {left:?}");
    assert_eq!(remove_taken(&homes, &|| true), []);
    let mut left: Vec<_> = fs::read_dir(&homes)
        .expect("lists")
        .flatten()
        .map(|one| one.file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".stays.owner", "linked", "stays"]);
    assert!(outside.exists() && stays.join("deep/data").exists());
}

#[test]
fn i4_where_an_operator_mounted_something_the_folder_keeps_its_place() {
    let stand = tempfile::tempdir().expect("a folder");
    let homes = stand.path().join("plugins");
    let gone = home(&homes, "gone");
    let volume = stand.path().join("volume");
    fs::create_dir(&volume).expect("makes");
    fs::write(volume.join("data"), "text").expect("writes");
    let mounted = with_mounted(&volume, &gone.join("deep"), || {
        let why = take_away(&gone).expect_err("something is mounted there");
        assert!(why.contains("deep is mounted there: unmount it"), "{why}");
        assert!(gone.join("deep/data").exists() && note_beside(&gone).exists());
    });
    assert!(gone.exists() || !mounted, "what it is mounted on is left");
    take_away(&gone).expect("nothing is mounted there any more");
    assert_eq!(remove_taken(&homes, &|| true), []);
    assert!(volume.join("data").exists());
}
