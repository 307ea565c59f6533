//! A folder of a plugin, and what of it counts.

use super::*;
use crate::manifest::{PluginManifest, sha256_of};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};

struct Stand {
    folder: tempfile::TempDir,
    granted: Permissions,
}

impl Stand {
    fn new() -> Stand {
        let stand = Stand {
            folder: tempfile::tempdir().expect("a folder"),
            granted: Permissions::default(),
        };
        stand.write("run", "#!/bin/sh\n");
        fs::set_permissions(stand.path("run"), fs::Permissions::from_mode(0o755)).expect("sets the mode");
        stand.describe(&json!({}));
        stand
    }

    fn describe(&self, checksums: &Value) {
        let manifest = json!({
            "name": "tested", "version": "1.0.0", "entry_point": "run", "checksums": checksums,
        });
        self.write(FILE, &manifest.to_string());
    }

    fn path(&self, name: &str) -> PathBuf {
        let folder = fs::canonicalize(self.folder.path()).expect("it is there");
        folder.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        // Another file in its place: two writes may come within one tick of the clock.
        let new = self.folder.path().join(".new");
        fs::write(&new, text).expect("writes");
        if let Ok(before) = fs::metadata(&path) {
            fs::set_permissions(&new, before.permissions()).expect("sets the mode");
        }
        fs::rename(new, path).expect("renames");
    }

    fn contents(&self) -> Contents {
        let manifest = PluginManifest::read(self.folder.path()).expect("it is right");
        let found = Found {
            package: None,
            name: "tested".parse().expect("a name"),
            path: self.path("run"),
            manifest: Some(std::sync::Arc::new(manifest)),
        };
        Contents::of(&found, &self.granted)
    }

    /// Whether it counts when this file is another one.
    fn counts(&self, name: &str) -> bool {
        let before = self.contents();
        self.write(name, "another");
        let after = self.contents();
        let differs = after.differs(&before).map(ToOwned::to_owned);
        assert_eq!(differs.is_some(), after != before);
        assert_eq!(differs.is_some(), format!("{after:?}") != format!("{before:?}"));
        assert!(differs.is_none_or(|path| path == self.path(name)));
        after != before
    }
}

#[test]
fn t3_every_file_of_a_plugins_folder_counts_that_it_does_not_write_itself() {
    let mut stand = Stand::new();
    stand.granted.write = [stand.path("data"), stand.path("state.json")].into();
    for name in ["helper.py", "lib/deep/er.py", "lib/words.txt"] {
        assert!(stand.counts(name), "{name} came");
        assert!(stand.counts(name), "{name} changed");
        let before = stand.contents();
        fs::remove_file(stand.path(name)).expect("removes");
        assert_ne!(stand.contents(), before, "{name} went");
    }
    for name in [
        "run",
        FILE,
        "data/log",
        "data/lib/log",
        "state.json",
        ".hidden",
        ".git/index",
        "__pycache__/run.pyc",
        "lib/__pycache__/er.pyc",
        "node_modules/a/index.js",
        "target/debug/run",
    ] {
        let text = fs::read_to_string(stand.path(name)).unwrap_or_default();
        stand.write(name, &text);
        let before = stand.contents();
        stand.write(name, &text);
        assert_eq!(stand.contents(), before, "{name}");
    }
    let folders: Vec<_> = stand.contents().folders().cloned().collect();
    assert_eq!(
        folders,
        [stand.path(""), stand.path("lib"), stand.path("lib/deep")]
    );
    let (below, is_all) = folders_below(&stand.path(""));
    assert!(is_all);
    assert!(
        below.contains(&stand.path("lib/deep")) && below.contains(&stand.path("data/lib")),
        "{below:?}"
    );
    stand.granted.write = [stand.path("")].into();
    assert!(!stand.counts("helper.py"), "all of it may be its own doing");
}

#[test]
fn t3_where_checksums_are_stated_the_files_count_that_they_name() {
    let stand = Stand::new();
    let with = |helper: &str, notes: &str| {
        stand.write("lib/helper.py", helper);
        stand.write("notes.txt", notes);
        let sum = |name| sha256_of(&stand.path(name)).expect("reads");
        stand.describe(&json!({"run": sum("run"), "lib/helper.py": sum("lib/helper.py")}));
        stand.contents()
    };
    let before = with("one", "one");
    let helper = stand.path("lib/helper.py");
    assert_eq!(before.files.keys().collect::<Vec<_>>(), [&helper]);
    assert_eq!(with("two", "one").differs(&before), Some(helper.as_path()));
    fs::write(stand.path("more.txt"), "").expect("writes");
    let before = stand.contents();
    stand.write("notes.txt", "two");
    assert_eq!(stand.contents(), before);
    let own = helper.ancestors().nth(2).expect("a folder").to_owned();
    assert_eq!(
        before.folders().cloned().collect::<Vec<_>>(),
        [own.clone(), own.join("lib")]
    );
}

#[test]
fn a_folder_that_is_too_large_is_known_by_its_entry_point_and_manifest_alone() {
    let stand = Stand::new();
    for number in 0..FILES {
        fs::write(stand.path(&format!("{number}")), "").expect("writes");
    }
    assert_eq!(stand.contents().files.len(), FILES);
    fs::write(stand.path("one-more"), "").expect("writes");
    assert_eq!(stand.contents(), Contents::default());
    let deep = Stand::new();
    let path = |depth| format!("{}file", "d/".repeat(depth));
    assert!(deep.counts(&path(DEPTH)));
    deep.write(&path(DEPTH + 1), "");
    assert_eq!(deep.contents(), Contents::default());
}

#[test]
fn links_lead_to_files_and_never_into_folders() {
    let (stand, elsewhere) = (Stand::new(), tempfile::tempdir().expect("a folder"));
    let helper = elsewhere.path().join("helper.py");
    fs::write(&helper, "one").expect("writes");
    symlink(&helper, stand.path("helper.py")).expect("links");
    symlink(stand.path(""), stand.path("circle")).expect("links");
    symlink(elsewhere.path().join("absent"), stand.path("nowhere")).expect("links");
    let before = stand.contents();
    assert_eq!(before.files.len(), 1, "{:?}", before.files);
    fs::write(&helper, "another").expect("writes");
    assert_eq!(
        stand.contents().differs(&before),
        Some(stand.path("helper.py").as_path())
    );
}
