//! A user of its own for each plugin, and no capabilities for any.
//!
//! Only the superuser can make another user of a process. It never changes what belongs to others: where
//! something that the plugin needs is closed to others, the plugin stays the runner's user, without its powers. What
//! a plugin may have made what it is keeps none the runner's user: each would choose to be the superuser.

use super::{
    enter::failed,
    home,
    orders::Orders,
    programs::By,
    resolve::{Lost, Places},
    system_calls::User,
};
use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    thread::{CapabilitySet, CapabilitySets},
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What a plugin needs to reach, and how.
#[derive(Debug)]
pub(super) struct Needed {
    /// The file or folder.
    pub path: PathBuf,
    /// The bits of "others" that it takes.
    pub bits: u32,
    /// Who wants it to be needed.
    pub by: By,
}

/// Why a plugin has no user of its own.
#[derive(Debug, PartialEq, Eq)]
enum Unchanged {
    /// This host has none for it, so that it stays the runner's.
    Here(String),
    /// Its author would have it so, and nobody who runs the host: it does not run.
    ByAuthor(String),
}

/// Makes this process its own user where that can be, and drops every capability but that for raw sockets where
/// they are granted. Returns whose user it is then, and what is closed to it by what a plugin may have done.
pub(super) fn take_own(
    orders: &Orders,
    needed: &[Needed],
    places: &Places,
    not_enforced: &mut Vec<String>,
) -> Result<(User, Vec<String>), String> {
    let mut closed = Vec::new();
    let kept = kept(orders)?;
    let change = match changeable(orders, needed, places, &mut closed) {
        Ok(()) => match take(orders.user, &orders.home, kept) {
            Ok(()) => Ok(()),
            // A user namespace that has no such user.
            Err(Errno::INVAL | Errno::PERM | Errno::OVERFLOW) => {
                Err("the kernel has no such user here".to_owned())
            }
            Err(error) => return Err(format!("become a user of its own: {error}")),
        },
        Err(Unchanged::ByAuthor(why)) => return Err(why),
        Err(Unchanged::Here(why)) => Err(why),
    };
    if change.is_err() {
        // It may be a user's of the plugin's own: from an earlier start, or from the change that failed.
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        home::give(&orders.home, uid, gid).map_err(failed("take its folder back"))?;
    }
    drop_capabilities(kept)?;
    match change {
        Ok(()) => Ok((User::Own, closed)),
        Err(why) => {
            not_enforced.push(format!("a user of its own: {why}"));
            // Whose user it stays decides of what is closed to it.
            Ok((User::Runners, Vec::new()))
        }
    }
}

fn changeable(
    orders: &Orders,
    needed: &[Needed],
    places: &Places,
    closed: &mut Vec<String>,
) -> Result<(), Unchanged> {
    if !rustix::process::geteuid().is_root() {
        return Err(Unchanged::Here("the runner is not the superuser".to_owned()));
    }
    let own = orders.folder.as_deref().unwrap_or(&orders.path);
    closed_by(own, needed, places, closed)?;
    let home = orders.home.parent().map(|above| Needed {
        path: above.to_owned(),
        bits: 0o1,
        by: By::Operator,
    });
    closed_by(&orders.home, home.as_slice(), places, closed)
}

/// What keeps others from what is needed. The plugin's own files are its author's; where they lie is not. What a
/// plugin may have closed is only told.
fn closed_by(
    own: &Path,
    needed: &[Needed],
    places: &Places,
    told: &mut Vec<String>,
) -> Result<(), Unchanged> {
    let own = fs::canonicalize(own).unwrap_or_else(|_| own.to_owned());
    let mut here = None;
    let closed = |needed| Some((needed, closed_to_others(needed, places)?));
    for (one, closed) in needed.iter().filter_map(closed) {
        let path = closed.display();
        if closed.starts_with(&own) {
            let what = "it would stay the superuser, because its own files are closed to others";
            return Err(Unchanged::ByAuthor(format!(
                "{what}: {path} (chmod o+rX opens it)"
            )));
        }
        if places.may_be_made_by_a_plugin(&closed) {
            let needed = one.path.display();
            told.push(format!(
                "{needed}: {path} is closed to others, and a plugin may have closed it"
            ));
            continue;
        }
        // Of what is looked up only its own mode counts: in which folders is the host's matter.
        let is_its_own = || {
            places
                .find(&one.path)
                .is_ok_and(|found| found.spot.path == closed)
        };
        if one.by == By::Author || one.by == By::SearchPath && is_its_own() {
            let needed = one.path.display();
            return Err(Unchanged::ByAuthor(format!(
                "it would stay the superuser, because {path} is closed to others and its own first line or header \
                 makes it need {needed}; open that to others, or grant it as `run`"
            )));
        }
        here.get_or_insert_with(|| format!("{path} is closed to others"));
    }
    here.map_or(Ok(()), |why| Err(Unchanged::Here(why)))
}

/// What keeps others from it, at its end or on the way there; what is not there yet is to be seen when it comes.
/// What is not granted, because a link that is not followed leads to it, keeps nobody from anything.
fn closed_to_others(needed: &Needed, places: &Places) -> Option<PathBuf> {
    let lacks = |path: &Path, bits: u32| {
        let found = fs::symlink_metadata(path);
        found.is_ok_and(|found| found.mode() & bits != bits && !places.is_its_users(path, found.uid()))
    };
    let way = match places.find(&needed.path) {
        Ok(found) if lacks(&found.spot.path, needed.bits) => return Some(found.spot.path),
        Ok(found) => found.way,
        Err(Lost::Absent { way, .. }) => way,
        Err(Lost::Led { .. } | Lost::Strange { .. }) => return None,
    };
    way.into_iter().rev().find(|folder| lacks(folder, 0o1))
}

/// Becomes that user, or stays who it is: what was done before a step that fails is undone.
fn take(user: u32, home: &Path, kept: CapabilitySet) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    let before = rustix::process::getegid();
    home::give(home, uid, gid)?;
    // The bounding set first: to shrink it takes a capability that goes with the user.
    bound(kept);
    rustix::thread::set_keep_capabilities(!kept.is_empty())?;
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let taken = rustix::thread::set_thread_res_uid(uid, uid, uid);
    if taken.is_err() {
        // Who is the same user still may take the old group again.
        rustix::thread::set_thread_res_gid(before, before, before)?;
    }
    taken
}

/// What a raw socket takes, where it is granted and the runner has it.
fn kept(orders: &Orders) -> Result<CapabilitySet, String> {
    let held = rustix::thread::capabilities(None).map_err(failed("read capabilities"))?;
    if orders.permissions.raw {
        Ok(held.permitted & CapabilitySet::NET_RAW)
    } else {
        Ok(CapabilitySet::empty())
    }
}

/// Nothing that is started from here on gets another capability, not even as the superuser.
fn bound(kept: CapabilitySet) {
    for capability in (CapabilitySet::all() & !kept).iter() {
        // Not permitted to others than the superuser, who gain nothing by new privileges either way.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
            Err(error) => unreachable!("the kernel knows two reasons not to: {error}"),
        }
    }
}

fn drop_capabilities(kept: CapabilitySet) -> Result<(), String> {
    bound(kept);
    match rustix::thread::clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(format!("drop ambient capabilities: {error}")),
    }
    let only = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: kept,
    };
    rustix::thread::set_capabilities(None, only).map_err(failed("drop capabilities"))?;
    if !kept.is_empty() {
        // So that it outlasts becoming the plugin.
        rustix::thread::configure_capability_in_ambient_set(kept, true)
            .map_err(failed("keep a capability"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
