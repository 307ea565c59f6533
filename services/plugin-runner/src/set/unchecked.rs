//! Which files of a plugin's folder could change and nobody would notice: no checksum covers them.
//!
//! It reads names and no contents, follows no link, and looks at no more than so many: it tells some of them, to warn
//! of all.

use crate::{discovery::Found, manifest::FILE};
use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

/// So many are told; a person needs no more to know which files are meant.
pub(crate) const TOLD: usize = 8;

/// So many entries are looked at; twice as many as a package may have, so that what came out of one is seen whole.
const LOOKED_AT: usize = 8192;

/// Some of the files beside manifest and entry point that the manifest has no checksum of, by their paths within the
/// folder. What has no manifest has no folder of its own.
pub(crate) fn unchecked(found: &Found) -> Vec<String> {
    let Some(manifest) = &found.manifest else {
        return Vec::new();
    };
    let folder = manifest.folder();
    // Both as they are named and at the end of all links.
    let ends = [folder.join(FILE), folder.join(&manifest.stated().entry_point)];
    let covered: BTreeSet<PathBuf> = ends.into_iter().chain([found.path.clone()]).collect();
    let is_covered = |path: &Path| {
        let below = path.strip_prefix(folder).ok().and_then(Path::to_str);
        let stated = below.is_some_and(|below| manifest.stated().checksums.contains_key(below));
        stated || covered.contains(path)
    };
    let mut open: Vec<String> = files_of(folder)
        .into_iter()
        .filter(|path| !is_covered(path))
        .map(|path| path.strip_prefix(folder).unwrap_or(&path).display().to_string())
        .collect();
    open.sort();
    open.truncate(TOLD);
    open
}

/// Everything below a folder that is no folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut looked_at) = (Vec::new(), 0);
    let mut folders = VecDeque::from([folder.to_owned()]);
    while let Some(folder) = folders.pop_front() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > LOOKED_AT {
                return files;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push_back(entry.path()),
                Ok(_) | Err(_) => files.push(entry.path()),
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{PluginManifest, sha256_of};
    use serde_json::json;
    use std::{os::unix::fs::PermissionsExt, sync::Arc};

    /// A plugin with helpers, of which it states these checksums.
    fn plugin(folder: &Path, sealed: &[&str]) -> Found {
        fs::create_dir_all(folder.join("lib")).expect("a folder");
        for file in ["run", "helper.py", "lib/deep.py"] {
            fs::write(folder.join(file), "x").expect("writes");
        }
        fs::set_permissions(folder.join("run"), fs::Permissions::from_mode(0o755)).expect("its mode");
        let checksums: serde_json::Map<_, _> = sealed
            .iter()
            .map(|file| {
                let sum = sha256_of(&folder.join(file)).expect("reads");
                ((*file).to_owned(), sum.into())
            })
            .collect();
        let written =
            json!({"name": "redis", "version": "1.0.0", "entry_point": "run", "checksums": checksums});
        fs::write(folder.join(FILE), written.to_string()).expect("writes");
        let manifest = PluginManifest::read(folder).expect("it is right");
        Found {
            package: None,
            name: manifest.name().clone(),
            path: manifest.entry_point().to_owned(),
            manifest: Some(Arc::new(manifest)),
        }
    }

    #[test]
    fn i4_what_no_checksum_covers_is_told_and_what_one_covers_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("redis");
        let none: [String; 0] = [];
        assert_eq!(unchecked(&plugin(&path, &[])), ["helper.py", "lib/deep.py"]);
        assert_eq!(unchecked(&plugin(&path, &["helper.py"])), ["lib/deep.py"]);
        let sealed = plugin(&path, &["run", "helper.py", "lib/deep.py"]);
        assert_eq!(unchecked(&sealed), none);
        std::os::unix::fs::symlink("/etc", path.join("elsewhere")).expect("a link");
        assert_eq!(
            unchecked(&sealed),
            ["elsewhere"],
            "a link leads to what may change"
        );
        let bare = Found {
            manifest: None,
            ..sealed
        };
        assert_eq!(unchecked(&bare), none, "the files beside it are other plugins");
    }
}
