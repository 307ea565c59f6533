//! A control group (version 2) for each plugin: limits for all its processes together, and one word that ends
//! them all, those in sessions of their own too.
//!
//! It divides only what is the runner's to divide: the root of what it sees, or a group that was delegated to
//! it. A group that is left over from a runner that was killed is ended at the next start.

mod ending;
mod place;

use super::{ControlGroupRoot, limits::Limits};
use ending::Ending;
use snooze_schemas::{PluginName, plugin::permissions::Permissions};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where plugins' groups lie.
const PLUGINS: &str = "snooze";
/// What is counted and limited.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// How processor time is shared out, in µs: the kernel's default.
const PERIOD_US: u64 = 100_000;
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
    /// Nothing where this kernel has no way to end a group.
    ending: Option<Ending>,
}

/// The group of one plugin. Dropping it ends all that is in it.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    folder: PathBuf,
    ending: Option<Ending>,
}

impl ControlGroups {
    /// Makes the place for the groups, and ends what an earlier runner of the same scope left in it.
    ///
    /// # Errors
    /// Why there are no control groups.
    pub(crate) fn prepare(root: &ControlGroupRoot, scope: String) -> Result<ControlGroups, String> {
        let root = match root {
            ControlGroupRoot::At(root) => root.clone(),
            ControlGroupRoot::Own => place::own_root()?,
        };
        let folder = root.join(PLUGINS);
        place::make(&folder)?;
        let passed_on = |controller: &&str| {
            let line = format!("+{controller}");
            let pass = |at: &Path| fs::write(at.join("cgroup.subtree_control"), &line);
            pass(&root).and_then(|()| pass(&folder)).is_ok()
        };
        let groups = ControlGroups {
            controllers: CONTROLLERS.into_iter().filter(passed_on).collect(),
            ending: Ending::in_group(&folder),
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
            drop(self.group_at(left));
        }
    }

    /// Makes the group of a plugin with its limits, empty.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn group_of(&self, plugin: &PluginName, granted: &Permissions) -> io::Result<ControlGroup> {
        let folder = self.folder_of(plugin);
        let is_left_over = match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
            made => made.map(|()| false)?,
        };
        let group = self.group_at(folder);
        if is_left_over && let Some(ending) = group.ending {
            ending.end(&group.folder)?;
            ending.ready(&group.folder)?;
        }
        let Limits {
            memory_bytes: memory,
            cpu_percent,
            processes,
            ..
        } = Limits::of(granted);
        let cpu = u64::from(cpu_percent) * PERIOD_US / 100;
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

    /// Where the group of a plugin is.
    pub(crate) fn folder_of(&self, plugin: &PluginName) -> PathBuf {
        self.folder.join(format!("{}.{plugin}", self.scope))
    }

    fn group_at(&self, folder: PathBuf) -> ControlGroup {
        ControlGroup {
            folder,
            ending: self.ending,
        }
    }

    /// Whether all that is in a group can be ended.
    pub(crate) fn can_end(&self) -> bool {
        self.ending.is_some()
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
        self.end_now();
        for _ in 0..LOOKS {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    tokio::time::sleep(LOOK).await;
                    // One by one, somebody may have been started meanwhile.
                    self.end_now();
                }
                Ok(()) | Err(_) => return,
            }
        }
    }

    /// Ends all that is in it, without waiting until it is gone.
    pub(crate) fn end_now(&self) {
        let Some(ending) = self.ending else {
            return;
        };
        if let Err(error) = ending.end(&self.folder) {
            tracing::error!(group = %self.folder.display(), %error, "a plugin's control group cannot be ended");
        }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if self.folder.exists() {
            self.end_now();
            // What is still ending keeps it until the next start, which makes use of it again.
            drop(fs::remove_dir(&self.folder));
        }
    }
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
        let groups = ControlGroups::prepare(&at, "0000000a".to_owned()).expect("a folder can be written");
        assert!(!groups.can_end(), "a folder is no group");
        fs::write(root.path().join("snooze/cgroup.kill"), "").expect("writes");
        let groups = ControlGroups::prepare(&at, "0000000a".to_owned()).expect("it is there already");
        let granted = Permissions {
            memory_mb: Some(32),
            cpu_percent: Some(20),
            processes: Some(5),
            ..Permissions::default()
        };
        let plugin: PluginName = "greedy".parse().expect("a name");
        let group = groups.group_of(&plugin, &granted).expect("it is made");
        let folder = root.path().join("snooze/0000000a.greedy");
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
        for name in ["0000000a.greedy", "0000000b.greedy"] {
            fs::create_dir_all(root.path().join("snooze").join(name)).expect("makes");
        }
        fs::write(root.path().join("snooze/cgroup.kill"), "").expect("writes");
        let at = ControlGroupRoot::At(root.path().to_owned());
        ControlGroups::prepare(&at, "0000000a".to_owned()).expect("a folder can be written");
        let killed = |name: &str| root.path().join("snooze").join(name).join("cgroup.kill").exists();
        assert!(killed("0000000a.greedy") && !killed("0000000b.greedy"));
    }

    #[test]
    fn where_nothing_can_be_made_it_says_so() {
        let at = ControlGroupRoot::At("/proc/self".into());
        let why = ControlGroups::prepare(&at, "one".to_owned()).expect_err("nobody can");
        assert!(why.starts_with("/proc/self/snooze cannot be made: "), "{why}");
    }
}
