//! Where a nats-server may lie. It looks at files and runs none.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where a nats-server is looked for, in this order: the folders of the path, then `.tools/bin` of the
/// checkout in whose `target` this program lies. Never a folder that merely happens to be the current one:
/// who runs `snooze up` in somebody else's folder must not run somebody else's program.
#[must_use]
pub fn candidates(program: &Path, search: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path = search.map(std::env::split_paths).into_iter().flatten();
    on_path
        .filter(|folder| folder.is_absolute())
        .chain(checkout(program).map(|root| root.join(".tools/bin")))
        .map(|folder| folder.join("nats-server"))
        .filter(|path| is_executable(path))
        .collect()
}

/// The checkout that a program was built in.
#[must_use]
pub fn checkout(program: &Path) -> Option<&Path> {
    let target = program.ancestors().find(|folder| folder.ends_with("target"))?;
    target.parent()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_of_the_current_folder_is_run() {
        let elsewhere = Path::new("/usr/local/bin/snooze");
        assert_eq!(
            candidates(elsewhere, Some(OsStr::new(".::target"))),
            Vec::<PathBuf>::new()
        );
        assert_eq!(checkout(elsewhere), None);
        let built = Path::new("/src/target/release/deps/snooze");
        assert_eq!(checkout(built), Some(Path::new("/src")));
    }
}
