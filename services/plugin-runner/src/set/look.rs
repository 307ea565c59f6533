//! What lies in the folders of plugins now, and which of it is to run here.
//!
//! It reads files, notes who may write where, and starts nothing; whoever calls it may have to wait for a disk.

mod judgement;
mod missed;
mod named;

pub(crate) use judgement::Orders;
pub(crate) use missed::{Cause, Missed};

use super::{Known, Member, Stirs, contents::folders_below, places::Places};
use crate::{
    discovery::{self, Found, PassedOver},
    manifest::PluginManifest,
    packages::{self, Shelved, Standing},
};
use judgement::unloaded;
use snooze_schemas::PluginName;
use snooze_service_runtime::exit::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::time::Instant;

/// So many folders are watched within one folder of plugins: twice as many as plugins may be run.
const FOLDER_LIMIT: usize = 512;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// The processes that are to run.
    pub members: BTreeMap<PluginName, Member>,
    /// Those whose manifest says that they run by themselves.
    pub on_bus: BTreeSet<PluginName>,
    /// Those that are not to run, and are missed.
    pub missed: BTreeMap<PluginName, Missed>,
    /// What is stated of those that have a manifest, wherever they run.
    pub manifests: BTreeMap<PluginName, Arc<PluginManifest>>,
    /// Where files lie that matter.
    pub places: Places,
    /// Whether one that was passed over has files elsewhere as well.
    pub is_unseen: bool,
    /// All that are there or are wanted here; nothing where nobody can tell just now.
    pub named: Option<BTreeSet<PluginName>>,
}

impl Looked {
    /// Whether something may be otherwise at another look, although nothing is seen to change.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_unseen || self.missed.values().any(|missed| missed.cause.may_pass())
    }
}

/// Looks through the folders.
#[must_use]
pub(crate) fn look(orders: &Orders, known: &mut Known, stirs: &mut Stirs) -> Looked {
    let mut looked = Looked::default();
    // What an operator put there by hand goes before what came from the store.
    let mut folders = orders.folders.clone();
    let installed = packages::installed(&orders.policy).into_iter();
    let mut shelved: BTreeMap<PathBuf, Shelved> = BTreeMap::new();
    for (name, package) in installed.filter(|_| !orders.folders.is_empty()) {
        let place = orders.shelf.place(&name, &package);
        place.iter().for_each(|place| orders.at.note(place));
        let standing = orders.shelf.standing(&name, &package);
        match (place, &standing) {
            (Some(place), Standing::Here) => {
                folders.push(place.clone());
                let shelf = orders.shelf.clone();
                shelved.insert(place, Shelved { shelf, name, package });
            }
            _ => {
                let why = orders.shelf.why_not(&name, &package, &standing);
                looked
                    .missed
                    .insert(name, Missed::over(why, of_standing(&standing)));
            }
        }
    }
    let digest = |path: &Path| orders.digests.of(path);
    let (found, passed_over) = discovery::discover_by(&folders, &digest, &|path| orders.at.note(path));
    let is_all = named::is_all(orders, &passed_over);
    for folder in &orders.folders {
        orders.at.note(folder);
        looked.places.add(folder.clone());
        // A link is changed where it lies.
        if folder.is_symlink() {
            folder
                .parent()
                .into_iter()
                .for_each(|above| looked.places.add(above.to_owned()));
        }
    }
    for folder in orders.folders.iter().flat_map(|folder| folders_in(folder)) {
        looked.places.add_of_one([folder]);
    }
    let (mut over, mut unread) = (BTreeSet::new(), BTreeMap::new());
    for why in passed_over {
        if let PassedOver::Read { path, .. } = &why
            && orders.folders.contains(path)
        {
            unread.insert(path.clone(), one_line(&why));
        }
        let name = match &why {
            // Where its package lies says nothing to anybody.
            PassedOver::Read { path, .. } if shelved.contains_key(path) => shelved[path].name.clone(),
            _ => why.name(),
        };
        if let Some((folders, is_all)) = why.folder().map(folders_below) {
            looked.places.add_of_one(folders);
            looked.is_unseen |= !is_all;
        }
        if let Some(manifest) = why.manifest() {
            looked.manifests.insert(manifest.name().clone(), manifest.clone());
        }
        let rights = why.found().map(|found| {
            let grant = orders.grant_of(&found).unwrap_or_default();
            Box::new(grant.rights(&found, |path| orders.digests.of(path)))
        });
        let why = Missed::over(format!("it was passed over: {}", one_line(&why)), why.cause());
        over.insert(name.clone());
        looked.missed.insert(name, Missed { rights, ..why });
    }
    // Another of the same name is no stand-in for one that is broken: it would take its vote, and what it was granted.
    let (found, in_its_place): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| !over.contains(&found.name));
    for other in in_its_place {
        if let Some(missed) = looked.missed.get_mut(&other.name) {
            let path = other.path.display();
            missed.why = format!("{}; {path} has its name and is not run in its place", missed.why);
        }
    }
    orders.at.note(known.file());
    let gone = known.compare(&orders.folders, &unread, &found, &over, |name| {
        orders.is_wanted(name)
    });
    let gone = gone
        .into_iter()
        .map(|(name, (why, cause))| (name, Missed::over(why, cause)));
    looked.missed.extend(gone);
    let mut fit = BTreeSet::new();
    for mut found in found {
        orders.at.note(&found.path);
        looked.places.add_of_one(place_of(&found));
        let manifest = found.manifest.as_ref();
        if let Some(folder) = manifest.and_then(|manifest| manifest.folder().parent()) {
            found.package = shelved.get(folder).cloned();
        }
        if let Some(manifest) = &found.manifest {
            looked.manifests.insert(found.name.clone(), manifest.clone());
        }
        if found.is_on_bus() && !orders.unloaded.contains(&found.name) {
            looked.on_bus.insert(found.name);
            continue;
        }
        let (name, judged) = (found.name.clone(), orders.judge(found));
        match judged {
            Ok(member) => {
                looked.places.add_of_one(member.identity.folders().cloned());
                fit.insert(name.clone());
                let is_asked_for = orders.anew.contains(&name);
                if let Some(why) = stirs.hold(&member, is_asked_for, Instant::now(), orders.rest) {
                    looked.missed.insert(name, orders.held(&member, why));
                    continue;
                }
                looked.missed.remove(&name);
                looked.members.insert(name, member);
            }
            Err(missed) => drop(looked.missed.insert(name, missed)),
        }
    }
    stirs.retain(&fit);
    // Before any of those starts that are to start now.
    for (name, member) in &looked.members {
        // One for which there is no room is not started, and says why then.
        let noted = orders.writers.note(name, &member.grant.permissions.write);
        noted.unwrap_or_default();
    }
    orders.writers.keep();
    for name in &orders.unloaded {
        let missed = looked.missed.entry(name.clone());
        missed.or_insert_with(|| Missed::over(unloaded(name), Cause::Unloaded));
    }
    looked.named = is_all.then(|| named::named(orders, &looked));
    looked
}

const fn of_standing(standing: &Standing) -> Cause {
    match standing {
        Standing::Here | Standing::Absent => Cause::Missing,
        Standing::Damaged(_) => Cause::Damaged,
        Standing::Unread(_) => Cause::Unread,
    }
}

/// Where what is run is at the end of all links.
fn place_of(found: &Found) -> Option<PathBuf> {
    let end = fs::canonicalize(&found.path).ok()?;
    end.parent().map(ToOwned::to_owned)
}

/// Each of them is a plugin, or may become one while it is being filled.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.take(FOLDER_LIMIT).collect()
}

#[cfg(test)]
mod tests;
