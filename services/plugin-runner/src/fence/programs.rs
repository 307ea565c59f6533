//! Which programs a plugin runs, what they bring along, and who chose them.
//!
//! An author chooses an interpreter by the first line of a file; an operator grants programs. What an author
//! chose never opens more than the interpreter, its loader and its library. It reads files' first bytes and
//! modes, nothing else, and puts no fence up.

use super::{
    chain,
    orders::Orders,
    resolve::{Found, Lost, Places, Spot},
};
use rustix::{fs::FileType, process::geteuid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

/// What a library may lack of the modes of files that anybody could have put there.
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// What a program has of them.
const EXECUTABLE: u32 = 0o111;

/// The programs, and what was granted without effect.
#[derive(Debug)]
pub(super) struct Programs {
    /// What is run for the plugin's own file and for what was granted, by who chose it.
    pub all: BTreeMap<PathBuf, By>,
    /// What was granted and has no effect, and why.
    pub not_granted: Vec<String>,
}

/// Who chose what a plugin needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Its author, by what its files say.
    Author,
    /// Its author by its name, and where that is looked up who runs this host.
    SearchPath,
    /// Who runs this host: by what was granted, and where the plugin was put.
    Operator,
}

impl Programs {
    /// Looks them up.
    ///
    /// # Errors
    /// A choice of its author's that cannot be followed.
    pub(super) fn of(orders: &Orders, places: &Places) -> Result<Programs, String> {
        let (mut all, mut not_granted) = (BTreeMap::new(), Vec::new());
        for name in &orders.permissions.run {
            let Some(path) = chain::look_up(name, &orders.search_path) else {
                not_granted.push(format!("run {}: there is none", name.display()));
                continue;
            };
            match granted(&path, places) {
                Err(why) => not_granted.push(format!("run {}: {why}", name.display())),
                Ok(None) => drop(all.insert(path, By::Operator)),
                Ok(Some(real)) => {
                    let chain = chain::of(&real, &orders.search_path).unwrap_or_else(|why| {
                        not_granted.push(format!("run {}: {why}", name.display()));
                        Vec::new()
                    });
                    for path in chain {
                        match granted(&path, places) {
                            Ok(_) => drop(all.insert(path, By::Operator)),
                            Err(why) => not_granted.push(format!("run {}: {why}", path.display())),
                        }
                    }
                    all.insert(path, By::Operator);
                }
            }
        }
        let granted: Vec<PathBuf> = all.keys().cloned().collect();
        for path in chain::of(&orders.path, &orders.search_path)? {
            let refused = |why: &dyn Display| format!("its interpreter {}: {why}", path.display());
            if is_below(&path, &orders.home) {
                return Err(refused(
                    &"it lies in its working folder, where it writes it itself",
                ));
            }
            let is_anothers = match places.find(&path) {
                Ok(found) => of_another(&found.spot, places).is_err(),
                Err(Lost::Absent { .. }) => false,
                Err(lost) => return Err(refused(&lost)),
            };
            // What another plugin writes is no choice of who runs this host, wherever a link of theirs leads.
            let by = if !is_anothers && granted.iter().any(|granted| path.starts_with(granted)) {
                By::Operator
            } else if std::env::split_paths(&orders.search_path).any(|folder| path.parent() == Some(&folder))
            {
                By::SearchPath
            } else {
                By::Author
            };
            all.insert(path, by);
        }
        Ok(Programs { all, not_granted })
    }

    /// The libraries that they bring along.
    pub(super) fn libraries(&self, places: &Places) -> Vec<(PathBuf, By)> {
        let brought = |(path, by): (&PathBuf, &By)| {
            let by = *by;
            let found = places.find(path).ok();
            let found = found.filter(|found| by.lets(found, places).is_ok());
            let libraries = found.map(|found| library_of(path, &found)).unwrap_or_default();
            libraries.into_iter().map(move |library| (library, by))
        };
        self.all.iter().flat_map(brought).collect()
    }
}

impl By {
    /// Whether what was found there now is run. It is asked of the very file that is opened then: between two looks
    /// another plugin may put one there.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn lets(self, found: &Found, places: &Places) -> Result<(), String> {
        match self {
            By::Operator => of_another(&found.spot, places),
            By::Author | By::SearchPath => Ok(()),
        }
    }
}

/// Where a granted program is, at the end of all links, for what it brings along. That is nothing where the plugin may
/// write it, because what it says would be the plugin's own choice, and nothing where it has yet to come.
///
/// # Errors
/// Why it has no effect.
fn granted(path: &Path, places: &Places) -> Result<Option<PathBuf>, String> {
    let (spot, is_there) = match places.find(path) {
        Ok(found) => (found.spot, true),
        // It is looked for and judged again when the fence goes up.
        Err(Lost::Absent { .. }) => (Spot::named(path), false),
        Err(lost) => return Err(lost.to_string()),
    };
    of_another(&spot, places)?;
    Ok((is_there && !places.is_own(&spot)).then_some(spot.path))
}

/// Whether no other plugin writes it.
fn of_another(spot: &Spot, places: &Places) -> Result<(), String> {
    let place = places.of_another(spot);
    place.map_or(Ok(()), |place| {
        Err(format!(
            "another plugin may write {}; what it writes is not run",
            place.display()
        ))
    })
}

fn is_below(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    path.starts_with(folder) || real(path).starts_with(real(folder))
}

/// Where an interpreter has its library: beside the folder that it lies in, by its own name and by where a link
/// leads. A virtual environment says in a file which interpreter it is made of. It takes an executable file that
/// is there and that nobody else could have put there.
fn library_of(program: &Path, found: &Found) -> BTreeSet<PathBuf> {
    let is_ours = [0, geteuid().as_raw()].contains(&found.owner) && found.mode & WRITABLE_BY_OTHERS == 0;
    if !is_ours || found.kind() != FileType::RegularFile || found.mode & EXECUTABLE == 0 {
        return BTreeSet::new();
    }
    let prefixes = [program, &found.spot.path].into_iter().filter_map(|path| {
        let folder = path.parent()?;
        folder.ends_with("bin").then(|| folder.parent()).flatten()
    });
    prefixes
        .flat_map(|prefix| ["lib", "lib64", "pyvenv.cfg"].map(|name| prefix.join(name)))
        .filter(|path| path.exists())
        .collect()
}

#[cfg(test)]
mod tests;
