//! What keeps a plugin from a user of its own, and what is none of its author's choice.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn what_is_closed_to_others_keeps_a_plugin_from_a_user_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin");
    fs::write(&file, "").expect("writes");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let needed = Needed {
        path: file.clone(),
        bits: 0o5,
        by: By::Operator,
    };
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("sets the mode");
    let above = fs::canonicalize(folder.path()).expect("it is there");
    let not_yet = Needed {
        path: folder.path().join("later/file"),
        bits: 0o4,
        by: By::Operator,
    };
    for needed in [&needed, &not_yet] {
        assert_eq!(
            closed_to_others(needed, &Places::default()).as_ref(),
            Some(&above),
            "the folder is its owner's"
        );
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("sets the mode");
    assert_eq!(closed_to_others(&needed, &Places::default()), None);
    assert_eq!(closed_to_others(&not_yet, &Places::default()), None);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).expect("sets the mode");
    assert!(closed_to_others(&needed, &Places::default()).is_some());
}

#[test]
fn only_where_a_plugin_lies_is_a_reason_to_stay_the_superuser() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::default();
    let above = fs::canonicalize(folder.path()).expect("it is there");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
    };
    let (own, other) = (above.join("plugin"), above.join("interpreter"));
    for file in [&own, &other] {
        fs::write(file, "").expect("writes");
        mode(file, 0o755);
    }
    let needed = |path: &Path, by| Needed {
        path: path.to_owned(),
        bits: 0o5,
        by,
    };
    let both = [needed(&own, By::Operator), needed(&other, By::Author)];
    mode(&above, 0o711);
    assert_eq!(closed_by(&own, &both, &places, &mut Vec::new()), Ok(()));
    mode(&other, 0o750);
    let why = closed_by(&own, &both, &places, &mut Vec::new()).expect_err("its author chose it");
    assert!(
        matches!(&why, Unchanged::ByAuthor(why) if why.contains("grant it as `run`")),
        "{why:?}"
    );
    let granted = [needed(&own, By::Operator), needed(&other, By::Operator)];
    let why = closed_by(&own, &granted, &places, &mut Vec::new()).expect_err("it is closed");
    assert!(matches!(why, Unchanged::Here(_)), "{why:?}");
    mode(&own, 0o700);
    let why = closed_by(&own, &granted, &places, &mut Vec::new()).expect_err("it is closed");
    assert!(
        matches!(&why, Unchanged::ByAuthor(why) if why.contains("its own files")),
        "{why:?}"
    );
    mode(&own, 0o755);
    mode(&other, 0o755);
    mode(&above, 0o700);
    let why = closed_by(&own, &both[..1], &places, &mut Vec::new()).expect_err("it is closed");
    assert_eq!(
        why,
        Unchanged::Here(format!("{} is closed to others", above.display()))
    );
    let looked_up = needed(&other, By::SearchPath);
    let why = closed_by(&own, std::slice::from_ref(&looked_up), &places, &mut Vec::new())
        .expect_err("it is closed");
    assert!(
        matches!(why, Unchanged::Here(_)),
        "the folder is not its author's choice: {why:?}"
    );
    mode(&other, 0o700);
    let why = closed_by(&own, &[looked_up], &places, &mut Vec::new()).expect_err("it is closed");
    assert!(
        matches!(why, Unchanged::ByAuthor(_)),
        "a program for the superuser alone: {why:?}"
    );
    // Not even a link to what is open leads out of a closed folder.
    let link = above.join("link");
    std::os::unix::fs::symlink("/bin/sh", &link).expect("links");
    assert!(closed_by(&own, &[needed(&link, By::Author)], &places, &mut Vec::new()).is_err());
}
