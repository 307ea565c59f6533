//! A package that was installed: whatever becomes of its files is noticed, and installing it again repairs it.

use crate::folder::{Tree, names, of_plugin, write};
use snooze_package::{Damage, LEFT_OUT, PackError, Package, Record, install, pack};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

const LIBRARY: &str = "watcher/lib/deep/one.py";

/// A plugin with folders below its own.
fn package() -> Package {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &of_plugin(), 0o022).expect("writes");
    let deep: Tree = [("lib/deep/one.py".to_owned(), Some((b"one".to_vec(), false)))].into();
    write(folder.path(), &deep, 0o022).expect("writes");
    pack(folder.path()).expect("a plugin")
}

fn digest(path: &Path) -> io::Result<String> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(fs::read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn compared(into: &Path) -> Result<(), Damage> {
    Record::read(into)?.compare(into, digest)
}

#[track_caller]
fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

#[test]
fn whatever_becomes_of_an_installed_file_is_damage_and_installing_again_repairs_it() {
    let (folder, package) = (tempfile::tempdir().expect("a folder"), package());
    let into = folder.path().join("packages").join(&package.sha256);
    install(&package.bytes, &into).expect("a package");
    compared(&into).expect("nothing has become of it");
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 17] = [
        ("a file is gone", |into| {
            fs::remove_file(into.join(LIBRARY)).expect("removes");
        }),
        ("a file is another", |into| {
            fs::write(into.join(LIBRARY), "two").expect("writes");
        }),
        ("a file is cut off", |into| {
            fs::write(into.join("watcher/run"), "").expect("writes");
        }),
        ("a file is a link", |into| {
            fs::rename(into.join(LIBRARY), into.join("elsewhere")).expect("moves");
            std::os::unix::fs::symlink(into.join("elsewhere"), into.join(LIBRARY)).expect("links");
        }),
        ("a file is a folder", |into| {
            fs::remove_file(into.join(LIBRARY)).expect("removes");
            fs::create_dir(into.join(LIBRARY)).expect("makes");
        }),
        ("a folder is gone", |into| {
            fs::remove_dir_all(into.join("watcher/lib")).expect("removes");
        }),
        ("a folder is a file", |into| {
            fs::remove_dir_all(into.join("watcher/lib")).expect("removes");
            fs::write(into.join("watcher/lib"), "").expect("writes");
        }),
        ("it cannot be run", |into| mode(&into.join("watcher/run"), 0o644)),
        ("all may write it", |into| mode(&into.join("watcher/lib"), 0o777)),
        ("the manifest is gone", |into| {
            fs::remove_file(into.join("watcher/plugin.json")).expect("removes");
        }),
        ("the record is gone", |into| {
            fs::remove_file(into.join(".package.json")).expect("removes");
        }),
        ("the record is cut off", |into| {
            fs::write(into.join(".package.json"), "{\"fo").expect("writes");
        }),
        ("the record is a link", |into| {
            fs::rename(into.join(".package.json"), into.join(".elsewhere")).expect("moves");
            std::os::unix::fs::symlink(".elsewhere", into.join(".package.json")).expect("links");
        }),
        ("a module is beside what is run", |into| {
            fs::write(into.join("watcher/json.py"), "").expect("writes");
        }),
        ("a module is deep in it", |into| {
            fs::write(into.join("watcher/lib/deep/two.py"), "").expect("writes");
        }),
        ("a link leads to modules", |into| {
            std::os::unix::fs::symlink("/usr/lib", into.join("watcher/json")).expect("links");
        }),
        ("another plugin is beside it", |into| {
            fs::create_dir(into.join("other")).expect("makes");
        }),
    ];
    for (what, harm) in harms {
        harm(&into);
        let damage = compared(&into).expect_err(what);
        assert!(!damage.is_untold(), "{what}: {damage}");
        install(&package.bytes, &into).expect(what);
        compared(&into).unwrap_or_else(|damage| panic!("{what}: {damage}"));
        assert_eq!(
            names(folder.path().join("packages").as_path()),
            [package.sha256.as_str()],
            "{what}"
        );
    }
}

/// Puts a fifo in a file's place, and does this; where nobody writes to one, whoever waits for it waits for ever.
#[track_caller]
fn with_fifo<T: Send + 'static>(path: &Path, act: impl FnOnce() -> T + Send + 'static) -> T {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a fifo");
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || said.send(act()));
    heard.recv_timeout(Duration::from_secs(20)).expect("nobody waits")
}

#[test]
fn a_fifo_is_damage_and_waited_for_by_nobody() {
    let (folder, package) = (tempfile::tempdir().expect("a folder"), package());
    let into = folder.path().join("new");
    for file in [".package.json", LIBRARY] {
        install(&package.bytes, &into).expect("a package");
        fs::remove_file(into.join(file)).expect("removes");
        let looked = into.clone();
        let damage = with_fifo(&into.join(file), move || compared(&looked));
        assert!(matches!(damage, Err(Damage::OtherKind(_))), "{file}: {damage:?}");
    }
    install(&package.bytes, &into).expect("a package");
    compared(&into).expect("it is repaired");
    let own = into.join("watcher");
    let packed = with_fifo(&own.join(LEFT_OUT), move || pack(&own));
    assert!(matches!(packed, Err(PackError::Read { .. })), "{packed:?}");
}

#[test]
fn what_an_unpacking_that_was_killed_left_is_in_nobodys_way() {
    let (folder, package) = (tempfile::tempdir().expect("a folder"), package());
    let into = folder.path().join("new");
    let left = |name: &str| folder.path().join(name);
    // Killed while it wrote, between its two steps, after them; and a place with nothing or with half of it.
    for (present, text) in [
        (vec![".new.unfinished/watcher"], None),
        (vec![".new.replaced/watcher", ".new.unfinished/watcher"], None),
        (vec![".new.replaced/watcher", "new/watcher"], None),
        (vec!["new"], None),
        (vec!["new/watcher/lib"], Some("new/watcher/run")),
        (vec![], Some("new")),
    ] {
        for folder in &present {
            fs::create_dir_all(left(folder)).expect("makes");
        }
        if let Some(file) = text {
            fs::write(left(file), "half").expect("writes");
        }
        install(&package.bytes, &into).unwrap_or_else(|error| panic!("{present:?} {text:?}: {error}"));
        compared(&into).expect("it is whole");
        assert_eq!(names(folder.path()), ["new"], "{present:?}");
        fs::remove_dir_all(&into).expect("removes");
    }
}

#[test]
fn a_package_that_is_refused_leaves_what_is_installed_as_it_is() {
    let (folder, package) = (tempfile::tempdir().expect("a folder"), package());
    let into = folder.path().join("new");
    install(&package.bytes, &into).expect("a package");
    install(&package.bytes[..package.bytes.len() / 2], &into).expect_err("half of one");
    compared(&into).expect("nothing has become of it");
    assert_eq!(names(folder.path()), ["new"]);
}

#[test]
fn what_cannot_be_read_is_no_damage_and_what_an_interpreter_leaves_is_none() {
    let (folder, package) = (tempfile::tempdir().expect("a folder"), package());
    let into = folder.path().join("new");
    install(&package.bytes, &into).expect("a package");
    fs::create_dir(into.join("watcher/__pycache__")).expect("an interpreter does");
    fs::write(into.join("watcher/.hidden"), "").expect("writes");
    compared(&into).expect("it is none of the package's");
    let record = Record::read(&into).expect("it is there");
    assert_eq!(
        record.paths(&into).count(),
        8,
        "where it lies, the record, three folders, three files"
    );
    let failing = |_: &Path| Err(io::Error::from_raw_os_error(5));
    let damage = record.compare(&into, failing).expect_err("it cannot be read");
    assert!(damage.is_untold(), "{damage}");
}
