//! What lies in the folders of plugins now, and which of it is to run here.
//!
//! It reads files and starts nothing; whoever calls it may have to wait for a disk.

use super::{Digests, Grant, Identity, Known, Member, contents::folders_below};
use crate::{
    discovery::{self, Found},
    manifest::PluginManifest,
    packages::{self, Shelf},
    policy::{PolicyInForce, PolicyOrigin},
};
use serde_json::{Map, Value};
use snooze_schemas::{PluginName, plugin::approval::Rights};
use snooze_service_runtime::exit::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// So many folders are watched within one folder of plugins: twice as many as plugins may be run.
const FOLDER_LIMIT: usize = 512;

/// Where to look, and what an operator says of what is found.
#[derive(Debug)]
pub(crate) struct Orders {
    /// The folders, in order.
    pub folders: Vec<PathBuf>,
    /// What the host's own file says of each plugin.
    pub configs: BTreeMap<String, Map<String, Value>>,
    /// What that switches off.
    pub disabled: BTreeSet<PluginName>,
    /// The policy in force.
    pub policy: Arc<PolicyInForce>,
    /// Those that were unloaded.
    pub unloaded: BTreeSet<PluginName>,
    /// Digests of files.
    pub digests: Arc<Digests>,
    /// Where packages lie.
    pub shelf: Arc<Shelf>,
}

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
    pub places: BTreeSet<PathBuf>,
}

/// One that should be there and is not run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Missed {
    /// Why, for its vote.
    pub why: String,
    /// What kind of reason it is.
    pub cause: Cause,
    /// What it wants and may do, where its files can be read.
    pub rights: Option<Box<Rights>>,
}

/// Why one is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is not there, or nothing that could be run.
    Missing,
    /// Somebody unloaded it.
    Unloaded,
    /// What it was granted cannot be granted, or was not granted to a native one.
    Held,
    /// Its files are others than were approved.
    OtherFiles,
}

impl Cause {
    /// What it is called where people see it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unloaded => "unloaded",
            Self::Held => "held",
            Self::OtherFiles => "changed",
        }
    }
}

impl Missed {
    fn over(why: String) -> Missed {
        Missed {
            why,
            cause: Cause::Missing,
            rights: None,
        }
    }
}

/// Looks through the folders.
#[must_use]
pub(crate) fn look(orders: &Orders, known: &mut Known) -> Looked {
    let mut looked = Looked::default();
    // What an operator put there by hand goes before what came from the store.
    let mut folders = orders.folders.clone();
    let installed = packages::installed(&orders.policy).into_iter();
    for (name, package) in installed.filter(|_| !orders.folders.is_empty()) {
        match orders.shelf.place(&name, &package) {
            Some(place) if orders.shelf.has(&name, &package) => folders.push(place),
            _ => {
                let why = Missed::over(orders.shelf.why_not(&name, &package));
                looked.missed.insert(name, why);
            }
        }
    }
    let (found, passed_over) = discovery::discover(&folders);
    for folder in &orders.folders {
        looked.places.insert(folder.clone());
        looked.places.extend(folders_in(folder));
        // A link is changed where it lies.
        if folder.is_symlink() {
            looked.places.extend(folder.parent().map(ToOwned::to_owned));
        }
    }
    let mut over = BTreeSet::new();
    for why in passed_over {
        let name = why.name();
        looked
            .places
            .extend(why.folder().into_iter().flat_map(folders_below));
        if let Some(manifest) = why.manifest() {
            looked.manifests.insert(manifest.name().clone(), manifest.clone());
        }
        let rights = why.found().map(|found| {
            let grant = orders.grant_of(&found).unwrap_or_default();
            Box::new(grant.rights(&found, |path| orders.digests.of(path)))
        });
        let why = Missed::over(format!("it was passed over: {}", one_line(&why)));
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
    let gone = known.compare(&orders.folders, &found, &over, |name| orders.is_wanted(name));
    let gone = gone.into_iter().map(|(name, why)| (name, Missed::over(why)));
    looked.missed.extend(gone);
    for found in found {
        looked.places.extend(place_of(&found));
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
                looked.places.extend(member.identity.folders().cloned());
                looked.missed.remove(&name);
                looked.members.insert(name, member);
            }
            Err(missed) => drop(looked.missed.insert(name, missed)),
        }
    }
    for name in &orders.unloaded {
        let missed = looked.missed.entry(name.clone());
        missed.or_insert_with(|| Missed {
            cause: Cause::Unloaded,
            ..Missed::over(unloaded(name))
        });
    }
    looked
}

impl Orders {
    fn grant_of(&self, found: &Found) -> Result<Grant, String> {
        let layer = self.policy.plugins.get(&found.name);
        let approved = layer.and_then(|layer| layer.approved.as_ref());
        Grant::of(found, &self.configs, approved)
    }

    /// Whether nobody has switched it off, as far as that is known.
    fn is_wanted(&self, name: &PluginName) -> bool {
        if self.policy.origin != PolicyOrigin::Bus {
            return true;
        }
        let layer = self.policy.plugins.get(name);
        let said = layer.and_then(|layer| layer.enabled);
        said.unwrap_or_else(|| !self.disabled.contains(name))
    }

    /// Whether it may run as it is, and as what.
    fn judge(&self, found: Found) -> Result<Member, Missed> {
        let identity = |grant: &Grant| Identity::of(&found, grant);
        let rights = |grant: &Grant| Some(Box::new(grant.rights(&found, |path| self.digests.of(path))));
        if self.unloaded.contains(&found.name) {
            return Err(Missed {
                why: unloaded(&found.name),
                cause: Cause::Unloaded,
                rights: rights(&self.grant_of(&found).unwrap_or_default()),
            });
        }
        let held = |why: String, cause: Cause, grant: &Grant| Missed {
            why: format!("it is not run: {why}"),
            cause,
            rights: rights(grant),
        };
        let grant = self
            .grant_of(&found)
            .map_err(|why| held(why, Cause::Held, &Grant::default()))?;
        grant
            .admit(&found)
            .map_err(|why| held(why, Cause::Held, &grant))?;
        // Before its files are compared: what changes from here on is another identity at the next look.
        let identity = identity(&grant);
        grant
            .compare(&found, |path| self.digests.of(path))
            .map_err(|why| held(why, Cause::OtherFiles, &grant))?;
        Ok(Member::new(found, grant, identity))
    }
}

fn unloaded(name: &PluginName) -> String {
    format!("it was unloaded; `snooze plugin load {name}` starts it again")
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
