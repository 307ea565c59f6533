//! A control group (version 2) for each plugin: limits for all its processes together, and one word that ends
//! them all, those in sessions of their own too.
//!
//! It divides only what is the runner's to divide: the root of what it sees, or a group that was delegated to
//! it. A group that is left over from a runner that was killed is ended at the next start.

use super::{ControlGroupRoot, limits::MEMORY_MB, limits::PROCESSES};
use snooze_schemas::{PluginName, plugin::permissions::Permissions};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where plugins' groups lie, and where a delegated runner puts itself: a group with processes of its own may
/// not divide anything among others.
const PLUGINS: &str = "snooze";
const RUNNER: &str = "snooze-runner";
/// What is counted and limited.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// How processor time is shared out, in µs: the kernel's default.
const PERIOD_US: u64 = 100_000;
/// Processor time of one core, in percent, without asking.
const CPU_PERCENT: u32 = 100;
/// Killed processes are gone within a few of these.
const LOOK: Duration = Duration::from_millis(5);
/// So often it is looked; a process that hangs in the kernel keeps its group until the next start.
const LOOKS: u32 = 200;

/// Where the groups of one runner's plugins are made.
#[derive(Debug)]
pub(crate) struct ControlGroups {
    folder: PathBuf,
    /// Tells the groups of one runner from those of another on this machine.
    scope: String,
    controllers: BTreeSet<&'static str>,
}

/// The group of one plugin. Dropping it ends all that is in it.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    folder: PathBuf,
}

impl ControlGroups {
    /// Makes the place for the groups, and ends what an earlier runner of the same scope left in it.
    ///
    /// # Errors
    /// Why there are no control groups.
    pub(crate) fn prepare(root: &ControlGroupRoot, scope: String) -> Result<ControlGroups, String> {
        let root = match root {
            ControlGroupRoot::At(root) => root.clone(),
            ControlGroupRoot::Own => own_root()?,
        };
        let folder = root.join(PLUGINS);
        let make = |error| format!("{} cannot be made: {error}", folder.display());
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(make(error)),
            Ok(()) | Err(_) => {}
        }
        let passed_on = |controller: &&str| {
            let line = format!("+{controller}");
            let pass = |at: &Path| fs::write(at.join("cgroup.subtree_control"), &line);
            pass(&root).and_then(|()| pass(&folder)).is_ok()
        };
        let groups = ControlGroups {
            controllers: CONTROLLERS.into_iter().filter(passed_on).collect(),
            folder,
            scope,
        };
        groups.end_leftovers();
        Ok(groups)
    }

    fn end_leftovers(&self) {
        let prefix = format!("{}.", self.scope);
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        for left in ours.map(|entry| entry.path()).filter(|path| path.is_dir()) {
            // It ends what is in it by being dropped.
            drop(ControlGroup { folder: left });
        }
    }

    /// Makes the group of a plugin with its limits, empty.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn group_of(&self, plugin: &PluginName, granted: &Permissions) -> io::Result<ControlGroup> {
        let folder = self.folder.join(format!("{}.{plugin}", self.scope));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => kill(&folder)?,
            made => made?,
        }
        let group = ControlGroup { folder };
        let memory = u64::from(granted.memory_mb.unwrap_or(MEMORY_MB)) << 20;
        let cpu = u64::from(granted.cpu_percent.unwrap_or(CPU_PERCENT)) * PERIOD_US / 100;
        let processes = granted.processes.unwrap_or(PROCESSES);
        if self.limits("memory") {
            group.write("memory.max", &memory.to_string())?;
            // One that is over its limit ends whole, and its vote with it.
            group.write("memory.oom.group", "1")?;
            // Not there where the kernel does not count swap.
            group.write_where_there("memory.swap.max", "0")?;
        }
        if self.limits("pids") {
            group.write("pids.max", &processes.to_string())?;
        }
        if self.limits("cpu") {
            group.write("cpu.max", &format!("{cpu} {PERIOD_US}"))?;
        }
        Ok(group)
    }

    /// Whether it limits this.
    pub(crate) fn limits(&self, controller: &str) -> bool {
        self.controllers.contains(controller)
    }
}

impl ControlGroup {
    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    fn write_where_there(&self, file: &str, value: &str) -> io::Result<()> {
        match self.write(file, value) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) =>
            {
                Ok(())
            }
            written => written,
        }
    }

    /// Ends all that is in it and removes it. Cancelling it leaves the rest to `drop`.
    pub(crate) async fn end(self) {
        end_logged(&self.folder);
        for _ in 0..LOOKS {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tokio::time::sleep(LOOK).await,
                Ok(()) | Err(_) => return,
            }
        }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if self.folder.exists() {
            end_logged(&self.folder);
            // What is still ending keeps it until the next start, which makes use of it again.
            drop(fs::remove_dir(&self.folder));
        }
    }
}

fn end_logged(folder: &Path) {
    if let Err(error) = kill(folder) {
        tracing::error!(group = %folder.display(), %error, "a plugin's control group cannot be ended");
    }
}

fn kill(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("cgroup.kill"), "1")
}

/// The group that the runner may divide.
fn own_root() -> Result<PathBuf, String> {
    let unreadable = |error| format!("this process's control group cannot be read: {error}");
    let membership = fs::read_to_string("/proc/self/cgroup").map_err(unreadable)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(unreadable)?;
    let (mount, path) = place(&membership, &mounts).ok_or("control groups of version 2 are not mounted")?;
    let own = mount.join(path.strip_prefix("/").unwrap_or(&path));
    if own.ends_with(RUNNER) {
        return own
            .parent()
            .map(Path::to_owned)
            .ok_or_else(|| "it has no place".to_owned());
    }
    if path == Path::new("/") {
        return Ok(own);
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
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn a_plugins_limits_are_written_into_a_group_of_its_own() {
        let root = tempfile::tempdir().expect("a folder");
        let at = ControlGroupRoot::At(root.path().to_owned());
        let groups = ControlGroups::prepare(&at, "one".to_owned()).expect("a folder can be written");
        let granted = Permissions {
            memory_mb: Some(32),
            cpu_percent: Some(20),
            processes: Some(5),
            ..Permissions::default()
        };
        let plugin: PluginName = "greedy".parse().expect("a name");
        let group = groups.group_of(&plugin, &granted).expect("it is made");
        let folder = root.path().join("snooze/one.greedy");
        assert_eq!(group.folder(), folder);
        for (file, value) in [
            ("memory.max", "33554432"),
            ("memory.swap.max", "0"),
            ("memory.oom.group", "1"),
            ("cpu.max", "20000 100000"),
            ("pids.max", "5"),
        ] {
            assert_eq!(read(&folder.join(file)), value, "{file}");
        }
        drop(group);
        assert_eq!(read(&folder.join("cgroup.kill")), "1");
    }

    #[test]
    fn what_a_killed_runner_left_is_ended_and_others_groups_are_not() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["one.greedy", "two.greedy"] {
            fs::create_dir_all(root.path().join("snooze").join(name)).expect("makes");
        }
        let at = ControlGroupRoot::At(root.path().to_owned());
        ControlGroups::prepare(&at, "one".to_owned()).expect("a folder can be written");
        let killed = |name: &str| root.path().join("snooze").join(name).join("cgroup.kill").exists();
        assert!(killed("one.greedy") && !killed("two.greedy"));
    }

    #[test]
    fn where_nothing_can_be_made_it_says_so() {
        let at = ControlGroupRoot::At("/proc/self".into());
        let why = ControlGroups::prepare(&at, "one".to_owned()).expect_err("nobody can");
        assert!(why.starts_with("/proc/self/snooze cannot be made: "), "{why}");
    }

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
}
