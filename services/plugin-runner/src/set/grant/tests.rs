//! What a plugin may do by the host's own file, by an approval, and for which files.

use super::*;
use crate::manifest::sha256_of_bytes;

fn found(path: &Path) -> Found {
    Found {
        name: "redis".parse().expect("a name"),
        path: path.to_owned(),
        manifest: None,
        package: None,
    }
}

fn approval(entry: &str) -> Approval {
    serde_json::from_value(json!({
        "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": {"udp": true}, "entry_sha256": entry,
    }))
    .expect("an approval")
}

#[test]
fn i4_the_hosts_file_goes_before_an_approval_and_nobodys_word_is_nothing() {
    let found = found(Path::new("/p/redis"));
    let approved = approval("00");
    let none = Grant::of(&found, &BTreeMap::new(), None).expect("nothing is wrong");
    assert!(none.permissions.is_empty() && none.by().is_none());
    let by = Grant::of(&found, &BTreeMap::new(), Some(&approved)).expect("nothing is wrong");
    assert!(by.permissions.udp);
    assert!(matches!(by.by(), Some(Grantor::Approval { by, .. }) if by == "alice"));
    let own = json!({"permissions": {"raw": true}});
    let file = [("Redis".to_owned(), own.as_object().expect("a map").clone())].into();
    let by = Grant::of(&found, &file, Some(&approved)).expect("nothing is wrong");
    assert!(by.permissions.raw && !by.permissions.udp);
    assert_eq!(by.by(), Some(Grantor::HostFile));
}

#[test]
fn i4_an_approval_is_good_for_its_own_files_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("redis");
    std::fs::write(&path, "one").expect("writes");
    let found = found(&path);
    let approved = approval(&sha256_of_bytes(b"one"));
    let grant = Grant::of(&found, &BTreeMap::new(), Some(&approved)).expect("nothing is wrong");
    assert_eq!(grant.compare(&found, crate::manifest::sha256_of), Ok(()));
    std::fs::write(&path, "two").expect("writes");
    let rights = grant.rights(&found, crate::manifest::sha256_of);
    let approved = rights.approved.expect("an approval is what it runs by");
    assert_eq!(
        approved.entry_sha256,
        sha256_of_bytes(b"one"),
        "what was approved"
    );
    assert_eq!(
        rights.entry_sha256,
        Some(sha256_of_bytes(b"two")),
        "what lies there"
    );
    let why = grant
        .compare(&found, crate::manifest::sha256_of)
        .expect_err("it is another file");
    assert!(why.is_lasting());
    let why = why.to_string();
    assert!(why.contains("approved by alice at 2026-11-26T12:00:00Z"), "{why}");
    assert!(why.contains("`snooze plugin approve redis`"), "{why}");
}

#[test]
fn i4_what_a_file_misspells_is_not_granted_and_told_to_whoever_asks() {
    let found = found(Path::new("/p/redis"));
    let own = json!({"permissions": {"udp": true, "tpc": [{"port": 1}]}});
    let file = [("redis".to_owned(), own.as_object().expect("a map").clone())].into();
    let grant = Grant::of(&found, &file, None).expect("nothing is wrong");
    let rights = grant.rights(&found, crate::manifest::sha256_of);
    assert_eq!(
        (rights.granted.udp, rights.misspelt),
        (true, vec!["tpc".to_owned()])
    );
}

#[test]
fn s2_a_file_that_cannot_be_read_is_not_another_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("redis");
    std::fs::write(&path, "one").expect("writes");
    let found = found(&path);
    let approved = approval(&sha256_of_bytes(b"one"));
    let grant = Grant::of(&found, &BTreeMap::new(), Some(&approved)).expect("nothing is wrong");
    // EIO, EMFILE, ENOMEM, ESTALE.
    for number in [5, 24, 12, 116] {
        let failing = |_: &Path| Err(io::Error::from_raw_os_error(number));
        let unfit = grant.compare(&found, failing).expect_err("nobody can tell");
        assert_eq!((unfit.cause(), unfit.is_lasting()), (Cause::Unread, false));
        let why = unfit.to_string();
        assert!(why.starts_with(&format!("read {}: ", path.display())), "{why}");
        assert!(!why.contains("approve"), "{why}");
    }
}

#[test]
fn i4_what_cannot_be_granted_is_not_granted_in_part() {
    let mut approved = approval("00");
    approved.permissions.read = ["etc".into()].into();
    let why = Grant::of(&found(Path::new("/p/redis")), &BTreeMap::new(), Some(&approved));
    assert!(why.expect_err("no absolute path").contains("alice"));
}
