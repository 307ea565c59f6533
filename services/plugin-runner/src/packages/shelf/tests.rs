//! The shelf of a host, on real folders.

use super::*;

#[test]
fn a_digest_that_is_none_is_no_part_of_a_path() {
    let shelf = Shelf::new("/packages".into());
    let place = |sha256: &str| {
        let package = Installed {
            version: "1.0.0".to_owned(),
            sha256: sha256.to_owned(),
        };
        shelf.place(&"redis".parse().expect("a name"), &package)
    };
    let digest = "0a".repeat(32);
    assert_eq!(place(&digest), Some(Path::new("/packages/redis").join(&digest)));
    for other in ["", "..", "../../etc", &"0A".repeat(32), &"0a".repeat(33)] {
        assert_eq!(place(other), None, "{other}");
    }
}

#[test]
fn s2_what_became_of_an_installed_package_is_told_once_to_whoever_fetches_until_it_is_whole() {
    let (folder, source) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let manifest = r#"{"name":"redis","version":"1.0.0","entry_point":"run"}"#;
    fs::write(source.path().join("plugin.json"), manifest).expect("writes");
    fs::write(source.path().join("run"), "#!/bin/sh").expect("writes");
    let packed = snooze_package::pack(source.path()).expect("a plugin");
    let (name, package) = (
        packed.name,
        Installed {
            version: packed.version,
            sha256: packed.sha256,
        },
    );
    let shelf = Arc::new(Shelf::new(folder.path().join("packages")));
    let news = shelf.news();
    let place = shelf.place(&name, &package).expect("a digest");
    let told = |standing: &Standing| shelf.why_not(&name, &package, standing);
    assert_eq!(shelf.standing(&name, &package), Standing::Absent);
    assert!(told(&Standing::Absent).ends_with("is not here yet"));
    snooze_package::install(&packed.bytes, &place).expect("a package");
    assert_eq!(shelf.standing(&name, &package), Standing::Here);
    assert!(!news.has_changed().expect("it is there"), "nothing was lost");
    fs::write(place.join("redis/run"), "#!/bin/bad").expect("writes");
    let damaged = shelf.standing(&name, &package);
    let why = told(&damaged);
    assert!(
        why.starts_with("its installed files are not those of its package, version 1.0.0 ("),
        "{why}"
    );
    assert!(
        why.ends_with("run has other contents); they are fetched again"),
        "{why}"
    );
    assert!(!why.contains("approve"), "{why}");
    assert_eq!(*news.borrow(), 1);
    let shelved = Shelved {
        shelf: shelf.clone(),
        name: name.clone(),
        package: package.clone(),
    };
    shelved.compare().expect_err("it is damaged");
    assert_eq!(*news.borrow(), 1, "it is known");
    snooze_package::install(&packed.bytes, &place).expect("a package");
    assert_eq!(shelved.compare(), Ok(()));
    assert_eq!(shelf.standing(&name, &package), Standing::Here);
    for (count, added) in [(2, "redis/json.py"), (3, "other")] {
        fs::write(place.join(added), "").expect("writes");
        let damaged = shelf.standing(&name, &package);
        assert!(matches!(damaged, Standing::Damaged(_)), "{added}: {damaged:?}");
        assert_eq!(*news.borrow(), count, "{added}");
        snooze_package::install(&packed.bytes, &place).expect("a package");
        assert_eq!(shelf.standing(&name, &package), Standing::Here, "{added}");
    }
    fs::remove_dir_all(&place).expect("removes");
    assert_eq!(shelf.standing(&name, &package), Standing::Absent);
    assert_eq!(*news.borrow(), 4, "it is gone");
}

#[test]
fn what_is_not_wanted_is_removed_unless_somebody_runs_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(folder.path().to_owned());
    let package = |digit: &str| Installed {
        version: "1.0.0".to_owned(),
        sha256: digit.repeat(64),
    };
    let name: PluginName = "redis".parse().expect("a name");
    let place = |digit: &str| shelf.place(&name, &package(digit)).expect("a digest");
    for digit in ["1", "2", "3"] {
        fs::create_dir_all(place(digit).join("redis")).expect("makes");
    }
    let wanted = [(name.clone(), package("1"))].into();
    let real = fs::canonicalize(place("2")).expect("it is there");
    shelf.tidy(&wanted, &[real.join("redis/run")]);
    assert_eq!(
        ["1", "2", "3"].map(|digit| place(digit).is_dir()),
        [true, true, false]
    );
    shelf.tidy(&BTreeMap::new(), &[]);
    assert_eq!(entries_of(folder.path()), Vec::<PathBuf>::new());
}
