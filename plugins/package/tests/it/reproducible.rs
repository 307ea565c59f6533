//! The same contents are the same package, and a package is the contents again.

use crate::folder::{self, names, of_plugin, trees};
use proptest::prelude::*;
use snooze_package::{Contents, LEFT_OUT, PackError, Package, pack, unpack};
use std::{
    fs::{self, File, FileTimes},
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Written in another order, at another time, by somebody with another mask, somewhere else.
    #[test]
    fn the_same_contents_give_the_same_bytes(tree in trees(), seconds in 0..4_000_000_000_u64) {
        let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let deeper = there.path().join("another/checkout of it");
        folder::write(here.path(), &tree, 0o022)?;
        folder::write(&deeper, tree.iter().rev(), 0o077)?;
        for path in tree.keys() {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::open(deeper.join(path))?.set_times(FileTimes::new().set_modified(time))?;
        }
        let package = pack(here.path()).expect("a plugin");
        prop_assert_eq!(&pack(&deeper).expect("the same one"), &package);
        prop_assert_eq!(&pack(here.path()).expect("once more"), &package);
        prop_assert_eq!(Package::read(package.bytes.clone()).expect("a package"), package);
    }

    #[test]
    fn what_was_packed_comes_out_again(tree in trees()) {
        let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
        folder::write(here.path(), &tree, 0o022)?;
        let package = pack(here.path()).expect("a plugin");
        let into = there.path().join("not/there/yet");
        unpack(&package.bytes, &into).expect("a package");
        prop_assert_eq!(names(&into), ["watcher"]);
        prop_assert_eq!(folder::read(&into.join("watcher")), tree);
        prop_assert_eq!(names(into.parent().expect("it has one")), ["yet"], "nothing is left beside it");
        prop_assert_eq!(pack(&into.join("watcher")).expect("it is a plugin"), package);
    }
}

#[test]
fn other_contents_are_another_package() {
    let packed = |change: &dyn Fn(&mut folder::Tree)| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tree = of_plugin();
        change(&mut tree);
        folder::write(folder.path(), &tree, 0o022).expect("it is ours");
        pack(folder.path()).expect("a plugin").sha256
    };
    let plain = packed(&|_| ());
    let run = |contents: &[u8], executable| Some((contents.to_vec(), executable));
    for (what, changed) in [
        (
            "a byte",
            packed(&|tree| drop(tree.insert("run".into(), run(b"#!/bin/sH\n", true)))),
        ),
        (
            "a mode",
            packed(&|tree| drop(tree.insert("run".into(), run(b"#!/bin/sh\n", false)))),
        ),
        ("a folder", packed(&|tree| drop(tree.insert("more".into(), None)))),
    ] {
        assert_ne!(changed, plain, "{what}");
    }
}

#[test]
fn a_package_is_known_by_its_manifest_and_its_bytes() {
    let package = packed(|_| ()).expect("a plugin");
    assert_eq!(
        (package.name.as_str(), package.version.as_str()),
        ("watcher", "1.2.3")
    );
    assert_eq!(package.sha256.len(), 64);
    // RFC 1952: no name, no time, no system.
    assert_eq!(package.bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
}

#[test]
fn what_is_hidden_or_left_out_is_not_packed() {
    let with = packed(|folder| {
        for hidden in [".git", "target", "lib/.cache"] {
            fs::create_dir_all(folder.join(hidden)).expect("a folder");
            fs::write(folder.join(hidden).join("x"), "x").expect("a file");
        }
        fs::write(folder.join("lib/kept"), "x").expect("a file");
        fs::write(folder.join("notes.txt"), "x").expect("a file");
        fs::write(
            folder.join(LEFT_OUT),
            "# built here\n\ntarget/\nnotes.txt\nnot-there\n",
        )
        .expect("a file");
    });
    let without = packed(|folder| {
        fs::create_dir(folder.join("lib")).expect("a folder");
        fs::write(folder.join("lib/kept"), "x").expect("a file");
    });
    assert_eq!(with.expect("a plugin"), without.expect("a plugin"));
    let outside = packed(|folder| fs::write(folder.join(LEFT_OUT), "../other\n").expect("a file"));
    assert!(matches!(outside, Err(PackError::Unfit { .. })), "{outside:?}");
}

#[test]
fn what_is_put_in_is_packed_with_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    folder::write(folder.path(), &of_plugin(), 0o022).expect("it is ours");
    let mut contents = Contents::read(folder.path()).expect("a plugin");
    contents.put("NOTES.md", b"words".to_vec());
    let into = folder.path().join("out");
    unpack(&contents.pack().expect("a plugin").bytes, &into).expect("a package");
    let unpacked = Contents::read(&into.join("watcher")).expect("a plugin");
    assert_eq!(unpacked, contents);
}

#[test]
fn every_file_but_the_manifest_has_its_checksum() {
    let folder = tempfile::tempdir().expect("a folder");
    folder::write(folder.path(), &of_plugin(), 0o022).expect("it is ours");
    let sums = Contents::read(folder.path()).expect("a plugin").checksums();
    // What sha256sum says of `#!/bin/sh` and the end of its line.
    let run = "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf";
    assert_eq!(sums, [("run".to_owned(), run.to_owned())].into());
}

#[test]
fn what_cannot_be_in_a_package_is_told_by_its_path() {
    let long = "x".repeat(101);
    for (named, put) in [
        (
            "link",
            &(|folder: &Path| symlink("run", folder.join("link")).expect("a link")) as &dyn Fn(&Path),
        ),
        (long.as_str(), &|folder: &Path| {
            fs::write(folder.join(&long), "").expect("a file");
        }),
        ("line\nbreak", &|folder: &Path| {
            fs::write(folder.join("line\nbreak"), "").expect("a file");
        }),
    ] {
        match packed(put) {
            Err(PackError::Unfit { path, .. }) => assert!(path.ends_with(named), "{path:?}"),
            other => panic!("{named}: {other:?}"),
        }
    }
    let none = packed(|folder| fs::remove_file(folder.join("plugin.json")).expect("it is there"));
    assert!(matches!(none, Err(PackError::NoManifest)), "{none:?}");
    let wrong = packed(|folder| fs::write(folder.join("plugin.json"), "{}").expect("it is ours"));
    assert!(matches!(wrong, Err(PackError::Manifest(_))), "{wrong:?}");
}

#[test]
fn a_folder_that_is_there_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = packed(|_| ()).expect("a plugin");
    let refused = unpack(&package.bytes, folder.path()).expect_err("it is there");
    assert!(refused.to_string().ends_with("is there already"), "{refused}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_told_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let package = packed(|_| ()).expect("a plugin");
    let error = unpack(&package.bytes, &file.join("new")).expect_err("a file has nothing in it");
    assert_eq!(error.to_string(), format!("write {}", file.display()));
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn what_a_killed_try_left_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let left = folder.path().join(".new.unfinished/plugin");
    fs::create_dir_all(&left).expect("a folder");
    fs::write(left.join("run"), "half of it").expect("a file");
    let package = packed(|_| ()).expect("a plugin");
    unpack(&package.bytes, &folder.path().join("new")).expect("a package");
    assert_eq!(names(folder.path()), ["new"]);
    assert_eq!(folder::read(&folder.path().join("new/watcher")), of_plugin());
}

/// The smallest plugin, changed.
fn packed(change: impl Fn(&Path)) -> Result<Package, PackError> {
    let folder = tempfile::tempdir().expect("a folder");
    folder::write(folder.path(), &of_plugin(), 0o022).expect("it is ours");
    change(folder.path());
    pack(folder.path())
}
