//! Who was started as a plugin, and whose each of those is that nobody started.

use super::marks;
use crate::kin::{self, Shown, State};
use rustix::process::{Pid, WaitOptions, getuid, waitpid};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// So long a process may have no environment without hiding: while it becomes another program.
const NAMELESS: Duration = Duration::from_millis(50);
/// So many descendants of a plugin are noted at most.
const DESCENDANTS: usize = 1024;

/// A process for good: its number, and when it was born.
type Key = (i32, u64);

fn key_of(one: &Shown) -> Key {
    (one.id, one.born_at)
}

/// A leader, for as long as anybody may wait for it.
#[derive(Debug)]
struct Leader {
    process: Shown,
    home: PathBuf,
    /// Whether its control group ends all that it starts.
    ends_all: bool,
    lives: bool,
}

/// What is to be done about an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Its plugin lives.
    Living,
    /// Its plugin has ended, or it has none.
    Nobodys,
    /// That is to be seen.
    Untold,
}

/// It has no environment that would tell.
struct Nameless;

/// Plugins' leaders, and what is known of the others.
#[derive(Debug)]
pub(super) struct Family {
    leaders: Vec<Leader>,
    /// Below which leader each was first seen.
    whose: BTreeMap<Key, Key>,
    /// Since when it has no environment.
    nameless: BTreeMap<Key, Instant>,
    ended: BTreeSet<Key>,
}

impl Family {
    pub(super) const fn new() -> Family {
        Family {
            leaders: Vec::new(),
            whose: BTreeMap::new(),
            nameless: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    pub(super) fn begin(&mut self, leader: i32, home: &Path, ends_all: bool) {
        // Whoever started it has not waited for it yet, so that it is there also where it has ended.
        if let Some((process, _)) = kin::found(leader) {
            self.leaders.push(Leader {
                process,
                home: home.to_owned(),
                ends_all,
                lives: true,
            });
        }
    }

    pub(super) fn part(&mut self, leader: i32) {
        for one in &mut self.leaders {
            if one.process.id == leader {
                one.lives = false;
            }
        }
    }

    /// Notes who descends from each plugin, where the kernel lists children: once orphaned they cannot say otherwise.
    pub(super) fn note_descendants(&mut self) {
        let seen = |leader: &&Leader| leader.lives && !leader.ends_all;
        for leader in self.leaders.iter().filter(seen) {
            let mut found = vec![leader.process.id];
            let mut next = 0;
            while let Some(parent) = found.get(next)
                && found.len() < DESCENDANTS
            {
                found.extend(kin::listed_children(*parent).unwrap_or_default());
                next += 1;
            }
            for (one, _) in found.into_iter().skip(1).filter_map(kin::found) {
                self.whose.entry(key_of(&one)).or_insert(key_of(&leader.process));
            }
        }
    }

    /// Waits for the orphans among these children that have ended, ends those that are nobody's, and returns how many
    /// have not gone yet.
    pub(super) fn look(&mut self, parent: i32, children: &[i32]) -> usize {
        self.forget();
        let mut left = 0;
        let mut nobodys = Vec::new();
        for id in children {
            // Nobody waits for a leader that lives, so that its number is its own, and no file of it is read.
            if self
                .leaders
                .iter()
                .any(|leader| leader.lives && leader.process.id == *id)
            {
                continue;
            }
            // Its marks first: who is fenced and was started as a plugin is known by then.
            if !marks::is_fenced(*id) {
                continue;
            }
            let Some((orphan, state)) = kin::found(*id).filter(|(one, _)| one.parent == parent) else {
                continue;
            };
            if self
                .leaders
                .iter()
                .any(|leader| key_of(&leader.process) == key_of(&orphan))
            {
                continue;
            }
            if state == State::Ended {
                left += usize::from(!reap(orphan.id));
                continue;
            }
            match self.whose(&orphan) {
                Whose::Living => {}
                Whose::Untold => left += 1,
                Whose::Nobodys => {
                    left += 1;
                    if self.ended.insert(key_of(&orphan)) {
                        nobodys.push(orphan);
                    }
                }
            }
        }
        if !nobodys.is_empty() {
            let processes: Vec<i32> = nobodys.iter().map(|one| one.id).collect();
            tracing::info!(?processes, "what plugins left behind is ended");
            kin::end_trees(&nobodys);
        }
        left
    }

    /// The leader of the living plugin whose an orphan is.
    pub(super) fn living(&self, orphan: &Shown) -> Option<i32> {
        let leader = self.leader_of(orphan, marks::user_of(orphan.id)?);
        Some(leader.ok()??.process.id)
    }

    fn leader_of(&self, orphan: &Shown, user: u32) -> Result<Option<&Leader>, Nameless> {
        // One that was started after it was born left nothing of it.
        let mut may_be = self
            .leaders
            .iter()
            .filter(|leader| leader.lives && leader.process.born_at <= orphan.born_at);
        if user != getuid().as_raw() {
            return Ok(may_be.find(|leader| marks::user_of(leader.process.id) == Some(user)));
        }
        if let Some(known) = self.whose.get(&key_of(orphan)) {
            return Ok(may_be.find(|leader| key_of(&leader.process) == *known));
        }
        if let Some(led) = may_be.clone().find(|leader| leader.process.id == orphan.group) {
            return Ok(Some(led));
        }
        let home = marks::home_of(orphan.id).ok_or(Nameless)?;
        Ok(may_be.find(|leader| leader.home == home))
    }

    fn whose(&mut self, orphan: &Shown) -> Whose {
        let Some(user) = marks::user_of(orphan.id) else {
            return Whose::Untold;
        };
        let leader = match self.leader_of(orphan, user) {
            Ok(leader) => leader.map(|leader| key_of(&leader.process)),
            Err(Nameless) => {
                let since = self.nameless.entry(key_of(orphan)).or_insert_with(Instant::now);
                return if since.elapsed() < NAMELESS {
                    Whose::Untold
                } else {
                    Whose::Nobodys
                };
            }
        };
        let Some(leader) = leader else {
            return Whose::Nobodys;
        };
        if user == getuid().as_raw() {
            self.whose.entry(key_of(orphan)).or_insert(leader);
        }
        Whose::Living
    }

    /// Forgets those that are gone: their numbers may be others'.
    fn forget(&mut self) {
        let is_there = |key: &Key| kin::found(key.0).is_some_and(|(one, _)| key_of(&one) == *key);
        self.leaders
            .retain(|leader| leader.lives || is_there(&key_of(&leader.process)));
        self.whose.retain(|key, _| is_there(key));
        self.nameless.retain(|key, _| is_there(key));
        self.ended.retain(is_there);
    }
}

/// Waits for one that has ended, and says whether it is gone.
fn reap(orphan: i32) -> bool {
    let waited = Pid::from_raw(orphan).map(|id| waitpid(Some(id), WaitOptions::NOHANG));
    !matches!(waited, Some(Ok(None)))
}
