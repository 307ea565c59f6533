//! Which control group is the runner's to divide, and whether what lies there is its own.
//!
//! It takes nothing for its own by its name alone: a group has to be the root of what is seen, or delegated, and
//! a folder that is there already has to be of this user and of our making.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where a delegated runner puts itself: a group with processes of its own may not divide anything among others.
const RUNNER: &str = "snooze-runner";
/// How long what tells one runner's groups from another's is.
const SCOPE: usize = 8;

/// The group that the runner may divide.
pub(super) fn own_root() -> Result<PathBuf, String> {
    let unreadable = |error| format!("this process's control group cannot be read: {error}");
    let membership = fs::read_to_string("/proc/self/cgroup").map_err(unreadable)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(unreadable)?;
    let (mount, path) = place(&membership, &mounts).ok_or("control groups of version 2 are not mounted")?;
    let own = mount.join(path.strip_prefix("/").unwrap_or(&path));
    if path == Path::new("/") {
        return Ok(own);
    }
    // An earlier runner moved the whole service aside. By its name alone it could be anybody's.
    if let Some(above) = own
        .parent()
        .filter(|above| own.ends_with(RUNNER) && is_delegated(above))
    {
        is_ours(&own).map_err(|why| format!("{} is not the runner's: {why}", path.display()))?;
        return Ok(above.to_owned());
    }
    if !is_delegated(&own) {
        return Err(format!(
            "{} is not delegated to the runner (Delegate= of systemd)",
            path.display()
        ));
    }
    move_aside(&own).map_err(|error| format!("the runner cannot leave {}: {error}", path.display()))?;
    Ok(own)
}

/// Where version 2 is mounted, and where this process is in it.
fn place(membership: &str, mounts: &str) -> Option<(PathBuf, PathBuf)> {
    let path = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.lines().find_map(|line| {
        // proc_pid_mountinfo(5): 4 root, 5 mount point; the type follows a dash.
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let is_whole = fields.next()? == "/";
        (is_whole && kind.starts_with("cgroup2 "))
            .then(|| fields.next())
            .flatten()
    })?;
    Some((mount.into(), path.into()))
}

/// Whether systemd says so: by an extended attribute ("Control Group APIs and Delegation").
fn is_delegated(group: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 4];
        rustix::fs::getxattr(group, *name, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// Moves everybody in a group that is ours to a group below.
fn move_aside(group: &Path) -> io::Result<()> {
    let aside = group.join(RUNNER);
    match fs::create_dir(&aside) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            is_ours(&aside).map_err(io::Error::other)?;
        }
        made => made?,
    }
    for process in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
        match fs::write(aside.join("cgroup.procs"), process) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            moved => moved?,
        }
    }
    Ok(())
}

/// Whether a folder belongs to this process's user.
fn is_ours(folder: &Path) -> Result<(), String> {
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    let me = rustix::process::geteuid().as_raw();
    if found.is_dir() && found.uid() == me {
        Ok(())
    } else {
        Err(format!("it belongs to user {}", found.uid()))
    }
}

/// Makes the folder in which runners make their groups. One that is there already has to be a runner's: of this
/// user, without processes of its own, and with nothing in it but groups that are named as runners name theirs.
pub(super) fn make(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(|error| format!("{shown} cannot be made: {error}")),
    }
    let foreign = |why: String| format!("{shown} is there already and is not the runner's: {why}");
    is_ours(folder).map_err(foreign)?;
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    if !members.is_empty() {
        return Err(foreign("there are processes in it".to_owned()));
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    match groups.find(|group| !is_named_by_us(&group.file_name().to_string_lossy())) {
        Some(other) => Err(foreign(format!(
            "{} is in it",
            other.file_name().to_string_lossy()
        ))),
        None => Ok(()),
    }
}

/// `<scope>.<plugin>`.
fn is_named_by_us(group: &str) -> bool {
    let is_scope = |scope: &str| scope.len() == SCOPE && scope.bytes().all(|byte| byte.is_ascii_hexdigit());
    group
        .split_once('.')
        .is_some_and(|(scope, plugin)| is_scope(scope) && !plugin.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_found_beside_those_of_version_1() {
        let membership = "4:memory:/a\n0::/system.slice/snooze.service\n";
        let mounts = "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 20 0:27 /below /elsewhere rw - cgroup2 cgroup2 rw\n\
                      32 20 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let expected = (
            "/sys/fs/cgroup/unified".into(),
            "/system.slice/snooze.service".into(),
        );
        assert_eq!(place(membership, mounts), Some(expected));
        assert_eq!(place("4:memory:/a\n", mounts), None);
        assert_eq!(place(membership, ""), None);
    }

    #[test]
    fn a_folder_of_that_name_that_is_another_ones_is_not_taken() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("snooze");
        make(&folder).expect("it can be made");
        fs::create_dir(folder.join("0123abcd.greedy")).expect("makes");
        fs::write(folder.join("cgroup.procs"), "").expect("writes");
        make(&folder).expect("it is an earlier runner's");
        fs::write(folder.join("cgroup.procs"), "17\n").expect("writes");
        let why = make(&folder).expect_err("somebody lives there");
        assert!(why.contains("there are processes in it"), "{why}");
        fs::write(folder.join("cgroup.procs"), "").expect("writes");
        for other in ["backup.service", "0123abcd", "x.greedy"] {
            fs::create_dir(folder.join(other)).expect("makes");
            let why = make(&folder).expect_err("it is not a runner's");
            assert!(why.contains(other), "{why}");
            fs::remove_dir(folder.join(other)).expect("removes");
        }
        let linked = root.path().join("linked");
        std::os::unix::fs::symlink(&folder, &linked).expect("links");
        make(&linked).expect_err("nobody knows where it leads");
    }
}
