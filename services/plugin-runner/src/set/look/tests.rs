//! Folders of plugins on a real disk, looked through as the house does.

use super::*;
use crate::{
    fence::Writers,
    manifest::FILE,
    packages::Shelf,
    policy::{PolicyInForce, PolicyOrigin},
    set::{Digests, Whereabouts},
};
use serde_json::{Map, Value, json};
use std::{os::unix::fs::PermissionsExt, time::Duration};

struct Stand {
    folder: tempfile::TempDir,
    digests: Arc<Digests>,
}

impl Stand {
    fn new() -> Stand {
        let stand = Stand {
            folder: tempfile::tempdir().expect("a folder"),
            digests: Arc::default(),
        };
        fs::create_dir(stand.path("plugins")).expect("makes");
        stand
    }

    fn path(&self, name: &str) -> PathBuf {
        let folder = fs::canonicalize(self.folder.path()).expect("it is there");
        folder.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path("plugins").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        fs::write(path, text).expect("writes");
    }

    /// A plugin with these checksums.
    fn plugin(&self, name: &str, checksums: &Value) {
        let run = format!("{name}/run");
        self.write(&run, "#!/bin/sh\n");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path("plugins").join(run), mode).expect("sets the mode");
        let manifest = json!({
            "name": name, "version": "1.0.0", "entry_point": "run", "checksums": checksums,
        });
        self.write(&format!("{name}/{FILE}"), &manifest.to_string());
    }

    fn look(&self) -> Looked {
        self.look_by(vec![self.path("plugins")], policy(&json!({})))
    }

    fn look_by(&self, folders: Vec<PathBuf>, policy: PolicyInForce) -> Looked {
        let orders = Orders {
            folders,
            configs: BTreeMap::new(),
            disabled: BTreeSet::new(),
            policy: Arc::new(policy),
            unloaded: BTreeSet::new(),
            anew: BTreeSet::new(),
            rest: Duration::from_secs(300),
            digests: self.digests.clone(),
            shelf: Arc::new(Shelf::new(self.path("packages"))),
            writers: Writers::default(),
            at: Whereabouts::default(),
        };
        let mut known = Known::open(self.path("known.json")).expect("there is none");
        look(&orders, &mut known, &mut Stirs::default())
    }

    fn is_fit(&self, name: &str) -> bool {
        let looked = self.look();
        looked.members.keys().any(|member| member.as_str() == name)
    }
}

/// The bus's, with these plugins.
fn policy(plugins: &Value) -> PolicyInForce {
    PolicyInForce {
        plugins: serde_json::from_value(plugins.clone()).expect("layers"),
        origin: PolicyOrigin::Bus,
        ..PolicyInForce::local(&Map::new()).expect("it says nothing")
    }
}

fn is_watched(looked: &Looked, folder: &Path) -> bool {
    looked.places.in_order().contains(&folder)
}

#[test]
fn i4_a_look_reads_no_file_again_whose_checksum_it_knows() {
    let stand = Stand::new();
    stand.plugin("sealed", &json!({"run": "0".repeat(64)}));
    assert!(!stand.is_fit("sealed"), "it is another file");
    let run = stand.path("plugins/sealed/run");
    stand.digests.believe(&run, &"0".repeat(64));
    assert!(stand.is_fit("sealed"), "the file itself is not read");
    fs::write(&run, "#!/bin/sh\n# other\n").expect("writes");
    assert!(!stand.is_fit("sealed"), "it has changed");
}

#[test]
fn s2_a_mend_of_one_that_was_passed_over_is_seen_however_large_it_is() {
    let stand = Stand::new();
    for number in 0..600 {
        stand.write(&format!("sealed/{number}"), "");
    }
    for folder in ["lib", "node_modules/a", ".hidden", "a/b/c/d/e/f/g/h/i"] {
        let folder = format!("sealed/deep/{folder}");
        stand.write(&format!("{folder}/a.py"), "");
        stand.plugin("sealed", &json!({"run": "0".repeat(64)}));
        let looked = stand.look();
        assert!(looked.members.is_empty());
        assert!(
            is_watched(&looked, &stand.path("plugins").join(&folder)),
            "{folder}"
        );
        assert!(!looked.may_pass(), "all of it is watched");
    }
    for number in 600..5000 {
        stand.write(&format!("sealed/{number}"), "");
    }
    let looked = stand.look();
    assert!(is_watched(&looked, &stand.path("plugins/sealed")));
    assert!(looked.may_pass(), "it is looked at again, as not all is watched");
}

#[test]
fn i4_who_is_there_broken_missed_or_wanted_is_not_gone() {
    let stand = Stand::new();
    stand.plugin("sound", &json!({}));
    stand.plugin("broken", &json!({"run": "0".repeat(64)}));
    let installed =
        json!({"sha256": "0".repeat(64), "version": "1.0.0", "by": "eve", "at": "2030-01-01T00:00:00Z"});
    let policy = policy(&json!({
        "wanted": {"enabled": true},
        "installed": {"enabled": false, "installed": installed},
        "off": {"enabled": false},
        "configured": {"config": {"a": 1}},
    }));
    let named = stand
        .look_by(vec![stand.path("plugins"), stand.path("none")], policy)
        .named;
    let named: Vec<String> = named
        .expect("all was seen")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(named, ["broken", "installed", "sound", "wanted"]);
}

#[test]
fn s2_where_something_was_not_read_or_heard_nobody_is_gone() {
    let stand = Stand::new();
    stand.plugin("sound", &json!({}));
    let (plugins, file) = (stand.path("plugins"), stand.path("file"));
    fs::write(&file, "").expect("writes");
    let bus = || policy(&json!({}));
    let local = PolicyInForce {
        origin: PolicyOrigin::Local,
        ..bus()
    };
    assert!(stand.look_by(vec![plugins.clone()], bus()).named.is_some());
    assert_eq!(
        stand.look_by(vec![plugins.clone(), file], bus()).named,
        None,
        "no folder"
    );
    assert_eq!(stand.look_by(vec![plugins.clone()], local).named, None, "no bus");
    assert_eq!(stand.look_by(Vec::new(), bus()).named, None, "all are off");
    std::os::unix::fs::symlink("round", plugins.join("round")).expect("links");
    assert_eq!(
        stand.look_by(vec![plugins], bus()).named,
        None,
        "a part is unread"
    );
}
