//! The runner's side of a fenced start: what is made before the process, and what it is told.
//!
//! It starts no process.

use super::{
    ControlGroups, Fence,
    channel::{self, Entering},
    control_group::ControlGroup,
    orders::Orders,
    others::Others,
};
use crate::{file_identity::FileIdentity, orphans, process::Program};
use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// A fenced start that is prepared.
#[derive(Debug)]
pub(crate) struct Entry {
    orders: Orders,
    control_group: Option<ControlGroup>,
    ends_all: bool,
    ours: UnixStream,
    theirs: OwnedFd,
}

/// One whose process is being started.
#[derive(Debug)]
pub(crate) struct Started {
    orders: Orders,
    control_group: Option<ControlGroup>,
    ours: UnixStream,
    stdin: OwnedFd,
}

impl Entry {
    /// Makes the plugin's control group; its working folder is there. What is run is this file, where one was looked at.
    /// Where others write has been looked at before: that may take its time.
    pub(crate) fn of(
        program: &Program,
        fence: &Fence,
        seen: Option<FileIdentity>,
        others: Others,
    ) -> io::Result<Entry> {
        let user = fence
            .config
            .users
            .claim(&fence.plugin)
            .map_err(io::Error::other)?;
        let writers = &fence.config.writers;
        writers
            .note(&fence.plugin, &fence.permissions.write)
            .map_err(io::Error::other)?;
        let mut not_enforced: Vec<String> = others.not_enforced().collect();
        let groups = fence.control_groups.as_ref().as_ref().map_err(String::clone);
        let made = groups.and_then(|groups| {
            let made = groups.group_of(&fence.plugin, &fence.permissions);
            let made = made.map_err(|error| format!("it cannot be made: {error}"));
            made.map(|group| (groups, group))
        });
        let (groups, control_group) = match made {
            Ok((groups, group)) => (Some(groups), Some(group)),
            Err(why) => {
                let what = orphans::not_enforced();
                not_enforced.push(format!("{what}: no control group, {why}"));
                (None, None)
            }
        };
        let ends_all = groups.is_some_and(ControlGroups::can_end);
        if groups.is_some() && !ends_all {
            not_enforced.push(format!(
                "{}: this kernel neither ends control groups (cgroup.kill, Linux 5.14) nor says who is in them",
                orphans::not_enforced()
            ));
        }
        let limits = |controller: &str| groups.is_some_and(|groups| groups.limits(controller));
        if !limits("memory") {
            not_enforced.push(
                "the memory of all its processes together: no control group counts it; each is limited by itself"
                    .to_owned(),
            );
        }
        if !limits("cpu") {
            not_enforced.push("processor time: no control group counts it".to_owned());
        }
        let orders = Orders {
            path: program.path.clone(),
            seen,
            folder: fence.folder.clone(),
            home: program.home.clone(),
            search_path: program.search_path.clone(),
            permissions: fence.permissions.clone(),
            own_write: writers.of(&fence.plugin),
            others_write: writers.beside(&fence.plugin),
            others_ends: others.ends,
            user,
            control_group: control_group.as_ref().map(|group| group.folder().to_owned()),
            memory_is_limited: limits("memory"),
            processes_are_limited: limits("pids"),
            require_isolation: fence.config.require_isolation,
            not_enforced,
        };
        let (ours, theirs) = channel::pair()?;
        Ok(Entry {
            orders,
            control_group,
            ends_all,
            ours,
            theirs,
        })
    }

    /// Whether its control group ends all that it starts.
    pub(crate) fn ends_all(&self) -> bool {
        self.ends_all
    }

    /// Returns what is the process's standard input until it becomes the plugin, whose own is this one.
    pub(crate) fn with_stdin(self, stdin: OwnedFd) -> (OwnedFd, Started) {
        let started = Started {
            orders: self.orders,
            control_group: self.control_group,
            ours: self.ours,
            stdin,
        };
        (self.theirs, started)
    }
}

impl Started {
    /// Tells the process its orders.
    pub(crate) fn begin(self) -> io::Result<(Entering, Option<ControlGroup>)> {
        let entering = Entering::begin(self.ours, &self.orders, self.stdin.as_fd())?;
        Ok((entering, self.control_group))
    }
}
