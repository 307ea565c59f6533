//! Which programs a plugin runs, what they bring along, and who chose them.
//!
//! An author chooses an interpreter by the first line of a file; an operator grants programs. What an author
//! chose never opens more than the interpreter, its loader and its library. It reads files' first bytes and
//! modes, nothing else, and puts no fence up.

use super::{
    chain,
    orders::Orders,
    resolve::{Lost, Places},
};
use rustix::process::geteuid;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What a library may lack of the modes of files that anybody could have put there.
const WRITABLE_BY_OTHERS: u32 = 0o002;

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
                // What its first line says would be the plugin's own choice.
                Ok(true) => drop(all.insert(path, By::Operator)),
                Ok(false) => {
                    let chain = chain::of(&path, &orders.search_path).unwrap_or_else(|why| {
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
            if let Err(led @ Lost::Led { .. }) = places.find(&path) {
                return Err(refused(&led));
            }
            let by = if granted.iter().any(|granted| path.starts_with(granted)) {
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
    pub(super) fn libraries(&self) -> Vec<(PathBuf, By)> {
        let brought = |(path, by): (&PathBuf, &By)| {
            let by = *by;
            library_of(path).into_iter().map(move |library| (library, by))
        };
        self.all.iter().flat_map(brought).collect()
    }
}

/// Whether a granted program is one that the plugin itself may write.
///
/// # Errors
/// Why it has no effect.
fn granted(path: &Path, places: &Places) -> Result<bool, String> {
    let real = match places.find(path) {
        Ok(found) => found.path,
        // It may come, and is looked for again when the fence goes up.
        Err(Lost::Absent { .. }) => path.to_owned(),
        Err(led @ Lost::Led { .. }) => return Err(led.to_string()),
    };
    match places.of_another(&real) {
        Some(place) => Err(format!(
            "another plugin may write {}; what it writes is not run",
            place.display()
        )),
        None => Ok(places.is_own(&real)),
    }
}

fn is_below(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    path.starts_with(folder) || real(path).starts_with(real(folder))
}

/// Where an interpreter has its library: beside the folder that it lies in, by its own name and by where a link
/// leads. A virtual environment says in a file which interpreter it is made of. It takes an executable file that
/// is there and that nobody else could have put there.
fn library_of(program: &Path) -> BTreeSet<PathBuf> {
    let is_ours = fs::metadata(program).is_ok_and(|found| {
        (found.uid() == 0 || found.uid() == geteuid().as_raw()) && found.mode() & WRITABLE_BY_OTHERS == 0
    });
    if !is_ours || !chain::is_executable(program) {
        return BTreeSet::new();
    }
    let real = fs::canonicalize(program).ok();
    let places = [Some(program.to_owned()), real];
    let prefixes = places.iter().flatten().filter_map(|path| {
        let folder = path.parent()?;
        folder.ends_with("bin").then(|| folder.parent()).flatten()
    });
    prefixes
        .flat_map(|prefix| ["lib", "lib64", "pyvenv.cfg"].map(|name| prefix.join(name)))
        .filter(|path| path.exists())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_an_interpreter_that_is_there_and_can_be_run_brings_its_library() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bin, lib) = (folder.path().join("bin"), folder.path().join("lib"));
        for made in [&bin, &lib] {
            fs::create_dir(made).expect("makes");
        }
        let program = bin.join("x");
        assert_eq!(library_of(&program), BTreeSet::new(), "it is not there");
        fs::create_dir(&program).expect("makes");
        assert_eq!(library_of(&program), BTreeSet::new(), "it is a folder");
        fs::remove_dir(&program).expect("removes");
        fs::write(&program, "").expect("writes");
        for (mode, is_one) in [(0o644, false), (0o757, false), (0o755, true)] {
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("sets the mode");
            let brought = is_one.then(|| lib.clone()).into_iter().collect();
            assert_eq!(library_of(&program), brought, "{mode:o}");
        }
    }
}
