//! Files and folders that somebody else might change, and those that nobody else can.

use super::*;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

/// Nobody's group is known to be their own.
fn strict() -> Trusted {
    Trusted {
        accounts: OnceCell::from(Accounts::default()),
        ..Trusted::here()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

/// A folder for nobody else with a file in a folder in it.
fn stand() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    // Whatever mask the test has.
    mode(folder.path(), 0o755);
    let inner = folder.path().join("plugins");
    fs::create_dir(&inner).expect("makes");
    let file = inner.join("redis");
    fs::write(&file, "").expect("writes");
    mode(&file, 0o755);
    mode(&inner, 0o755);
    (folder, file)
}

/// Makes a file somebody else's, and says whom to trust so that it is: only the superuser can give a file away, and
/// whoever is not is somebody else to the superuser.
fn given_away(path: &Path) -> Trusted {
    if rustix::process::geteuid().is_root() {
        lchown(path, Some(4711), None).expect("gives it away");
    }
    Trusted {
        users: [SUPERUSER, SUPERUSER],
        ..strict()
    }
}

/// The first on the way there that is somebody else's. For who is not the superuser that is the test's whole folder.
fn foreign(trusted: &Trusted, path: &Path) -> PathBuf {
    let is_foreign = |path: &&Path| {
        let found = fs::symlink_metadata(path).expect("it is there");
        !trusted.users.contains(&found.uid())
    };
    let first = path.ancestors().filter(is_foreign).last();
    first.expect("it was given away").to_owned()
}

#[track_caller]
fn told(trusted: &Trusted, path: &Path, part: &str) {
    let why = trusted.check(path).expect_err("it is exposed").to_string();
    assert!(why.contains(part), "{why}");
}

#[test]
fn what_only_we_and_the_superuser_may_change_is_trusted() {
    let (_folder, file) = stand();
    strict().check(&file).expect("it is ours alone");
    strict()
        .check(Path::new("/bin/sh"))
        .expect("links of the system's");
    assert!(Trusted::here().users.contains(&SUPERUSER));
}

#[test]
fn i4_whoever_may_write_the_file_its_folder_or_one_above_keeps_it_from_being_run() {
    let (folder, file) = stand();
    let inner = file.parent().expect("a folder").to_owned();
    for path in [&file, &inner, &folder.path().to_owned()] {
        for (bits, part) in [(0o002, "by everybody"), (0o020, "by group ")] {
            mode(path, 0o755 | bits);
            told(&strict(), &file, part);
            told(&strict(), &file, &format!("-w {}`", path.display()));
            mode(path, 0o755);
        }
    }
    strict().check(&file).expect("all are closed again");
}

#[test]
fn i4_a_file_or_folder_of_another_user_keeps_it_from_being_run() {
    let (_folder, file) = stand();
    let (_other, other) = stand();
    let inner = other.parent().expect("a folder");
    for (given, run) in [(file.as_path(), &file), (inner, &other)] {
        let trusted = given_away(given);
        let whose = format!("{} belongs to user ", foreign(&trusted, given).display());
        told(&trusted, run, &whose);
    }
}

#[test]
fn where_everybody_may_put_files_only_our_folders_are_trusted() {
    let (folder, file) = stand();
    let inner = file.parent().expect("a folder");
    let link = folder.path().join("link");
    symlink(inner, &link).expect("links");
    for open in [0o1777, 0o1775] {
        mode(folder.path(), open);
        for path in [&file, inner, &link, &link.join("redis")] {
            strict()
                .check(path)
                .expect("it is ours, and nobody else removes it");
        }
    }
    // In the superuser's own such folder, so that nothing but the link is somebody else's.
    let link = tempfile::Builder::new().make_in("/tmp", |path| symlink("/usr", path));
    let link = link.expect("links");
    strict().check(link.path()).expect("it is ours");
    let trusted = given_away(link.path());
    assert_eq!(foreign(&trusted, link.path()), link.path());
    told(
        &trusted,
        link.path(),
        &format!("{} belongs to user ", link.path().display()),
    );
}

#[test]
fn i4_where_others_may_add_files_beside_what_is_run_it_is_not_run() {
    let (_folder, file) = stand();
    let inner = file.parent().expect("a folder");
    let (elsewhere, _) = stand();
    let link = elsewhere.path().join("link");
    symlink(&file, &link).expect("links");
    let deep = inner.join("bin/deep");
    fs::create_dir_all(&deep).expect("makes");
    let run = deep.join("run");
    fs::write(&run, "").expect("writes");
    for folder in [&deep, &inner.join("bin")] {
        mode(folder, 0o755);
    }
    for open in [0o1777, 0o1775] {
        for (opened, path) in [
            (inner, file.as_path()),
            (inner, inner),
            (inner, &link),
            (elsewhere.path(), &link),
            (&deep, &run),
        ] {
            mode(opened, open);
            told(
                &strict(),
                path,
                &format!("{} may be written by ", opened.display()),
            );
            mode(opened, 0o755);
        }
        // Where modules are looked up from the script upwards.
        mode(&inner.join("bin"), open);
        let why = strict().check_in(inner, &run).expect_err("it is exposed");
        assert!(matches!(why, Exposed::Writable { path, .. } if path.ends_with("plugins/bin")));
        mode(&inner.join("bin"), 0o755);
    }
    strict().check_in(inner, &run).expect("all are closed again");
}

#[test]
fn nobody_is_told_to_close_a_device() {
    let (_folder, file) = stand();
    fs::remove_file(&file).expect("removes");
    symlink("/dev/zero", &file).expect("links");
    let why = strict().check(&file).expect_err("it is no file");
    let Exposed::Unseen { path, source } = &why else {
        panic!("{why:?}");
    };
    assert_eq!(path, Path::new("/dev/zero"));
    assert!(
        source.to_string().contains("neither a file nor a folder"),
        "{source}"
    );
    assert!(!why.to_string().contains("chmod"), "{why}");
}

#[test]
fn what_is_told_to_close_a_file_with_an_access_list_leaves_the_list() {
    let (_folder, file) = stand();
    // acl(5), as the kernel keeps it: version 2, then tag, permissions and id of each entry.
    let mut list = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, permissions, id) in [
        (0x01_u16, 7_u16, nobody),
        (0x02, 7, 4711),
        (0x04, 5, nobody),
        (0x10, 7, nobody),
        (0x20, 5, nobody),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&file, ACCESS_LIST, &list, flags).expect("the file system keeps access lists");
    told(&strict(), &file, "by whoever is on its access list");
    told(
        &strict(),
        &file,
        &format!("`chmod g-w {}` closes it", file.display()),
    );
    let before = fs::metadata(&file).expect("it is there").mode();
    mode(&file, before & 0o7777 & !WRITABLE_BY_GROUP);
    strict().check(&file).expect("nobody else may write it");
    let kept = rustix::fs::getxattr(&file, ACCESS_LIST, &mut [0_u8; 64]).expect("the list is there");
    assert_eq!(kept, list.len(), "what the list grants otherwise it still grants");
}

#[test]
fn i4_a_link_is_followed_and_all_that_it_passes_is_looked_at() {
    let (_folder, file) = stand();
    let (elsewhere, _) = stand();
    let (link, way) = (
        elsewhere.path().join("link"),
        elsewhere.path().join("plugins/way"),
    );
    symlink(&way, &link).expect("links");
    symlink(file.parent().expect("a folder"), &way).expect("links");
    let path = link.join("../plugins/redis");
    strict().check(&path).expect("all is ours");
    for open in [
        file.parent().expect("a folder"),
        &elsewhere.path().join("plugins"),
        elsewhere.path(),
    ] {
        mode(open, 0o777);
        told(
            &strict(),
            &path,
            &format!("{} may be written by everybody", open.display()),
        );
        mode(open, 0o755);
    }
    let round = elsewhere.path().join("round");
    symlink("round", &round).expect("links");
    assert!(
        matches!(strict().check(&round), Err(Exposed::Unseen { .. })),
        "it has no end"
    );
    symlink("nowhere", elsewhere.path().join("broken")).expect("links");
    assert!(strict().check(&elsewhere.path().join("broken")).is_err());
}

#[test]
fn a_group_of_the_owners_own_is_nobody_else() {
    let (folder, file) = stand();
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let accounts = Accounts::of(&format!("me:x:{user}:{group}:::"), &format!("mine:x:{group}:me"));
    let trusted = Trusted {
        accounts: OnceCell::from(accounts),
        ..Trusted::here()
    };
    // As a process with the mask 002 makes them.
    for path in [&file, file.parent().expect("a folder"), folder.path()] {
        chown(path, None, Some(group)).expect("it is our own");
        mode(path, 0o775);
    }
    trusted.check(&file).expect("nobody else is in it");
    told(&strict(), &file, "which others may be in");
}
