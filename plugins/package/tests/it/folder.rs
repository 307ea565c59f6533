//! Folders of plugins, as tests write and read them.

use proptest::prelude::*;
use std::{collections::BTreeMap, fs, io, os::unix::fs::PermissionsExt, path::Path};

pub(crate) const MANIFEST: &str = r#"{"name":"watcher","version":"1.2.3","entry_point":"run"}"#;

/// What is in a folder: a file's contents and whether it may be run, nothing for a folder.
pub(crate) type Tree = BTreeMap<String, Option<(Vec<u8>, bool)>>;

/// Any plugin: files with any contents in folders below one another, and empty folders.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let names = "[a-d][a-dA-Z0-9 _\u{e9}-]{0,8}";
    let paths = proptest::collection::vec(names, 1..4).prop_map(|names| names.join("/"));
    let contents = (proptest::collection::vec(any::<u8>(), 0..600), any::<bool>());
    let entries = proptest::collection::vec((paths, proptest::option::of(contents)), 0..12);
    entries.prop_map(|entries| {
        let mut tree = of_plugin();
        for (path, entry) in entries {
            let above: Vec<String> = path
                .match_indices('/')
                .map(|(at, _)| path[..at].to_owned())
                .collect();
            let is_below_a_file = above.iter().any(|path| matches!(tree.get(path), Some(Some(_))));
            if is_below_a_file || tree.contains_key(&path) {
                continue;
            }
            tree.extend(above.into_iter().map(|folder| (folder, None)));
            tree.insert(path, entry);
        }
        tree
    })
}

/// The smallest one.
pub(crate) fn of_plugin() -> Tree {
    Tree::from([
        ("plugin.json".to_owned(), Some((MANIFEST.into(), false))),
        ("run".to_owned(), Some((b"#!/bin/sh\n".to_vec(), true))),
    ])
}

/// Writes one in the order that is given, as a process with this mask would.
pub(crate) fn write<'a>(
    folder: &Path,
    entries: impl IntoIterator<Item = (&'a String, &'a Option<(Vec<u8>, bool)>)>,
    mask: u32,
) -> io::Result<()> {
    for (path, entry) in entries {
        let path = folder.join(path);
        match entry {
            None => fs::create_dir_all(&path)?,
            Some((contents, executable)) => {
                fs::create_dir_all(path.parent().expect("it is below the folder"))?;
                fs::write(&path, contents)?;
                let mode = if *executable { 0o777 } else { 0o666 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode & !mask))?;
            }
        }
    }
    Ok(())
}

/// Reads one, and sees that each mode is the one that it ought to be.
pub(crate) fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut unread = vec![folder.to_owned()];
    while let Some(parent) = unread.pop() {
        for entry in fs::read_dir(&parent).expect("a folder") {
            let path = entry.expect("an entry").path();
            let below = path.strip_prefix(folder).expect("it is below");
            let below = below.to_str().expect("UTF-8").to_owned();
            let metadata = fs::symlink_metadata(&path).expect("it is there");
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_dir() {
                assert_eq!(mode, 0o755, "{below}");
                unread.push(path);
                tree.insert(below, None);
            } else {
                assert!(
                    metadata.is_file() && [0o644, 0o755].contains(&mode),
                    "{below}: {mode:o}"
                );
                let contents = fs::read(&path).expect("it can be read");
                tree.insert(below, Some((contents, mode == 0o755)));
            }
        }
    }
    tree
}

/// The names of what is in a folder, hidden or not.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect()
}
