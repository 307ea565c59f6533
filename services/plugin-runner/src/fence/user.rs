//! A user of its own for each plugin, and no capabilities for any.
//!
//! Only the superuser can make another user of a process. It never changes what belongs to others: where
//! something that the plugin needs is closed to others, the plugin stays the runner's user, without its powers.

use super::{enter::failed, home, orders::Orders, programs::By, system_calls::User};
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
/// they are granted. Returns whose user it is then.
pub(super) fn take_own(
    orders: &Orders,
    needed: &[Needed],
    not_enforced: &mut Vec<String>,
) -> Result<User, String> {
    let kept = kept(orders)?;
    let change = match changeable(orders, needed) {
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
        Ok(()) => Ok(User::Own),
        Err(why) => {
            not_enforced.push(format!("a user of its own: {why}"));
            Ok(User::Runners)
        }
    }
}

fn changeable(orders: &Orders, needed: &[Needed]) -> Result<(), Unchanged> {
    if !rustix::process::geteuid().is_root() {
        return Err(Unchanged::Here("the runner is not the superuser".to_owned()));
    }
    closed_by(orders.folder.as_deref().unwrap_or(&orders.path), needed)?;
    let home = orders.home.parent().map(|above| Needed {
        path: above.to_owned(),
        bits: 0o1,
        by: By::Operator,
    });
    closed_by(&orders.home, home.as_slice())
}

/// What keeps others from what is needed. The plugin's own files are its author's; where they lie is not.
fn closed_by(own: &Path, needed: &[Needed]) -> Result<(), Unchanged> {
    let own = fs::canonicalize(own).unwrap_or_else(|_| own.to_owned());
    let mut here = None;
    for (one, closed) in needed
        .iter()
        .filter_map(|needed| Some((needed, closed_to_others(needed)?)))
    {
        let path = closed.display();
        if closed.starts_with(&own) {
            let what = "it would stay the superuser, because its own files are closed to others";
            return Err(Unchanged::ByAuthor(format!(
                "{what}: {path} (chmod o+rX opens it)"
            )));
        }
        // Of what is looked up only its own mode counts: in which folders is the host's matter.
        let is_its_own = || fs::canonicalize(&one.path).is_ok_and(|real| real == closed);
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

/// What keeps others from it, by its own path or by where links lead; what is not there yet is to be seen when
/// it comes.
fn closed_to_others(needed: &Needed) -> Option<PathBuf> {
    let lacks = |path: &Path, bits: u32| fs::metadata(path).is_ok_and(|found| found.mode() & bits != bits);
    let closed_above = |path: &Path| {
        let above = path.ancestors().skip(1).find(|above| lacks(above, 0o1));
        above.map(Path::to_owned)
    };
    match fs::canonicalize(&needed.path) {
        Ok(real) if lacks(&real, needed.bits) => Some(real),
        Ok(real) => closed_above(&real).or_else(|| closed_above(&needed.path)),
        Err(_) => {
            let mut above = needed.path.ancestors();
            let there = above.find_map(|above| fs::canonicalize(above).ok())?;
            closed_above(&there.join("it"))
        }
    }
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_closed_to_others_keeps_a_plugin_from_a_user_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("plugin");
        fs::write(&file, "").expect("writes");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let needed = Needed {
            path: file.clone(),
            bits: 0o5,
            by: By::Operator,
        };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("sets the mode");
        let above = fs::canonicalize(folder.path()).expect("it is there");
        let not_yet = Needed {
            path: folder.path().join("later/file"),
            bits: 0o4,
            by: By::Operator,
        };
        for needed in [&needed, &not_yet] {
            assert_eq!(
                closed_to_others(needed).as_ref(),
                Some(&above),
                "the folder is its owner's"
            );
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("sets the mode");
        assert_eq!(closed_to_others(&needed), None);
        assert_eq!(closed_to_others(&not_yet), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).expect("sets the mode");
        assert!(closed_to_others(&needed).is_some());
    }

    #[test]
    fn only_where_a_plugin_lies_is_a_reason_to_stay_the_superuser() {
        let folder = tempfile::tempdir().expect("a folder");
        let above = fs::canonicalize(folder.path()).expect("it is there");
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
        };
        let (own, other) = (above.join("plugin"), above.join("interpreter"));
        for file in [&own, &other] {
            fs::write(file, "").expect("writes");
            mode(file, 0o755);
        }
        let needed = |path: &Path, by| Needed {
            path: path.to_owned(),
            bits: 0o5,
            by,
        };
        let both = [needed(&own, By::Operator), needed(&other, By::Author)];
        mode(&above, 0o711);
        assert_eq!(closed_by(&own, &both), Ok(()));
        mode(&other, 0o750);
        let why = closed_by(&own, &both).expect_err("its author chose it");
        assert!(
            matches!(&why, Unchanged::ByAuthor(why) if why.contains("grant it as `run`")),
            "{why:?}"
        );
        let granted = [needed(&own, By::Operator), needed(&other, By::Operator)];
        let why = closed_by(&own, &granted).expect_err("it is closed");
        assert!(matches!(why, Unchanged::Here(_)), "{why:?}");
        mode(&own, 0o700);
        let why = closed_by(&own, &granted).expect_err("it is closed");
        assert!(
            matches!(&why, Unchanged::ByAuthor(why) if why.contains("its own files")),
            "{why:?}"
        );
        mode(&own, 0o755);
        mode(&other, 0o755);
        mode(&above, 0o700);
        let why = closed_by(&own, &both[..1]).expect_err("it is closed");
        assert_eq!(
            why,
            Unchanged::Here(format!("{} is closed to others", above.display()))
        );
        let looked_up = needed(&other, By::SearchPath);
        let why = closed_by(&own, std::slice::from_ref(&looked_up)).expect_err("it is closed");
        assert!(
            matches!(why, Unchanged::Here(_)),
            "the folder is not its author's choice: {why:?}"
        );
        mode(&other, 0o700);
        let why = closed_by(&own, &[looked_up]).expect_err("it is closed");
        assert!(
            matches!(why, Unchanged::ByAuthor(_)),
            "a program for the superuser alone: {why:?}"
        );
        // Not even a link to what is open leads out of a closed folder.
        let link = above.join("link");
        std::os::unix::fs::symlink("/bin/sh", &link).expect("links");
        assert!(closed_by(&own, &[needed(&link, By::Author)]).is_err());
    }
}
