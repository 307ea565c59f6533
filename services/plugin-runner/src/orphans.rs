//! What plugins leave behind: processes that left their parents and sessions, and are ours to end.
//!
//! This process takes in all that descends from it (PR_SET_CHILD_SUBREAPER), so that what a plugin's process leaves
//! behind becomes a child of ours. Others start children in this process too. So a plugin's is only who is under more
//! filters of system calls than we are, and under a fence's limits: no process gets rid of either. Nobody else is
//! signalled or waited for, and no leader of a plugin, which is `process`'s alone. Whose leader it is has to be known
//! before it is fenced.
//!
//! Whose an orphan is: of the plugin whose user it has. Of those that share the runner's, of the one below which it
//! was seen, whose group it is in, or whose `HOME` it has, of which the last two are what it makes of them: it may
//! live as long as another plugin does, and no longer.

mod family;
mod marks;

use crate::kin;
use family::Family;
use rustix::process::{getpid, set_child_subreaper};
use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Killed processes are gone within a few of these.
const PAUSE: Duration = Duration::from_millis(5);
/// So often it is looked; what hangs in the kernel is left to a later look.
const LOOKS: u32 = 200;
/// Children that end all the time have us look no more often.
const REST: Duration = Duration::from_secs(1);
/// An orphan's coming is told by no signal.
const ROUND: Duration = Duration::from_secs(10);

/// Children are the process's, so that there is one for all runners in it. Held while it is looked, so that no number
/// is anybody else's before it is waited for.
static FAMILY: Mutex<Family> = Mutex::new(Family::new());

fn family() -> MutexGuard<'static, Family> {
    FAMILY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn me() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// What a plugin is told that is in no control group.
pub(crate) fn not_enforced() -> &'static str {
    if marks::filters_of_this_process().is_some() {
        "the end of what leaves its process group, where the runner is killed"
    } else {
        "the end of what leaves its process group"
    }
}

/// A plugin's process was started, and is not fenced yet. Where its control group ends all that it starts, nobody has to
/// see whom it starts.
pub(crate) fn begin(leader: i32, home: &Path, ends_all: bool) {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
        tracing::warn!(%error, "what plugins leave behind cannot be taken in");
    }
    family().begin(leader, home, ends_all);
}

/// It is being ended, and what it left is nobody's any more.
pub(crate) fn part(leader: i32) {
    family().part(leader);
}

/// So many generations of processes are looked at; no sane tree has as many.
const GENERATIONS: usize = 256;

/// Whom a process comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descent {
    /// None of ours.
    Others,
    /// A plugin's.
    Plugins,
    /// Nobody can tell: it, or one of those that started it, has ended or is hidden.
    Unknown,
}

/// Whose a process is: one under a fence, or that descends from us, is a plugin's. All that we start is a plugin, and
/// what it leaves behind becomes a child of ours.
pub(crate) fn descent_of(process: i32) -> Descent {
    if process == me() {
        return Descent::Others;
    }
    if marks::is_fenced(process) {
        return Descent::Plugins;
    }
    let mut next = process;
    for _ in 0..GENERATIONS {
        match kin::shown(next) {
            Some(one) if one.parent == me() => return Descent::Plugins,
            // The machine's first process, or one whose parents are none of ours to see.
            Some(one) if one.parent <= 1 => return Descent::Others,
            Some(one) => next = one.parent,
            // It has ended meanwhile: whose child it was, nobody says any more.
            None => return Descent::Unknown,
        }
    }
    Descent::Unknown
}

/// The leader of the living plugin whose a child of ours is that it left behind; nothing where nobody can tell.
pub(crate) fn leader_of(child: i32) -> Option<i32> {
    if !marks::is_fenced(child) {
        return None;
    }
    let orphan = kin::shown(child).filter(|one| one.parent == me())?;
    family().living(&orphan)
}

/// Ends what was left by plugins that have ended, without waiting until it is gone.
pub(crate) fn end_now() {
    family().look(me(), &kin::children(me()));
}

/// Ends what was left by plugins that have ended, and waits until it is gone. Cancelling it leaves the rest to the next
/// look.
pub(crate) async fn end() {
    for _ in 0..LOOKS {
        let left = family().look(me(), &kin::children(me()));
        if left == 0 {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Ends what hides whose it is, and waits for what has ended by itself, until shutdown.
pub(crate) async fn look_after(shutdown: CancellationToken) {
    let mut ended = match signal(SignalKind::child()) {
        Ok(ended) => Some(ended),
        Err(error) => {
            tracing::warn!(%error, "it is not told when what plugins left behind has ended");
            None
        }
    };
    let rest = || shutdown.run_until_cancelled(sleep(REST));
    loop {
        let told = async {
            match &mut ended {
                Some(ended) => ended.recv().await,
                None => std::future::pending().await,
            }
        };
        // Cancelling these loses nothing: all are looked at each time.
        let children = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = told => Some(kin::children(me())),
            // Without the kernel's own lists all of the machine's processes would be read.
            () = sleep(ROUND) => kin::listed_children(me()),
        };
        if let Some(children) = children {
            let mut family = family();
            family.note_descendants();
            family.look(me(), &children);
        }
        if rest().await.is_none() {
            return;
        }
    }
}

/// Whether a process lives that is this user, works in this folder, or says that it is its home.
pub(crate) fn lives(user: u32, home: &Path) -> bool {
    let real = fs::canonicalize(home);
    let real = real.as_deref().unwrap_or(home);
    kin::all_shown().any(|one| {
        let works_in = fs::read_link(format!("/proc/{}/cwd", one.id));
        marks::user_of(one.id) == Some(user)
            || works_in.is_ok_and(|at| at.starts_with(real))
            || marks::home_of(one.id).is_some_and(|its| its == home)
    })
}

/// Ends what an earlier runner of these working folders left, where it says so itself.
pub(crate) fn end_earlier(homes: &Path) {
    let left: Vec<kin::Shown> = kin::all_shown()
        .filter(|one| {
            marks::is_fenced(one.id)
                && marks::home_of(one.id).is_some_and(|home| home.parent() == Some(homes))
        })
        .collect();
    if left.is_empty() {
        return;
    }
    tracing::warn!(
        processes = left.len(),
        "what plugins left behind outlived their runner and is ended"
    );
    kin::end_trees(&left);
}
