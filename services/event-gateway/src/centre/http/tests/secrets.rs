//! Folders with secrets, and with what is none.

use crate::centre::http::secrets::{Secrets, SecretsError};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const TOKEN: &str = "0123456789abcdef";
const OLDER: &str = "fedcba9876543210";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("sets the mode");
}

fn read(files: &[(&str, &str)]) -> Result<Secrets, SecretsError> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    Secrets::read(folder.path())
}

#[test]
fn a_token_is_its_sources_and_a_second_one_may_stand_beside_it() {
    let both = format!("{TOKEN}\n\n  {OLDER}\n");
    let secrets = read(&[
        ("ci.token", &both),
        ("nightly.token", "abcdefabcdefabcd"),
        (".x", ""),
    ]);
    let secrets = secrets.expect("are secrets");
    let owner = |token: &str| secrets.owner_of(token.as_bytes()).map(ToString::to_string);
    assert_eq!(owner(TOKEN).as_deref(), Some("ci"));
    assert_eq!(owner(OLDER).as_deref(), Some("ci"));
    assert_eq!(owner("abcdefabcdefabcd").as_deref(), Some("nightly"));
    for wrong in ["", "0123456789abcde", "0123456789abcdef ", "0123456789abcdeF"] {
        assert_eq!(owner(wrong), None, "{wrong:?}");
    }
    assert_eq!(format!("{secrets:?}"), "***");
}

#[test]
fn what_is_no_secret_is_refused_at_the_start_and_never_shown() {
    for files in [
        &[][..],
        &[("ci.token", "short")],
        &[("ci.token", "")],
        &[("ci.token", "0123456789abcdé")],
        &[("ci.token", "0123456789 abcdef")],
        &[("ci.tokens", TOKEN)],
        &[("c i.token", TOKEN)],
        &[("README", TOKEN)],
        &[("ci.token", TOKEN), ("nightly.hmac", TOKEN)],
    ] {
        let error = read(files).expect_err("is refused");
        let told = format!("{error} {error:?}");
        assert!(
            files
                .iter()
                .all(|(_, text)| text.is_empty() || !told.contains(text)),
            "{told}"
        );
    }
    assert!(read(&[("ci.token", TOKEN), ("ci.hmac", TOKEN)]).is_ok());
}

#[test]
fn a_secret_that_everybody_may_read_or_put_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "ci.token", TOKEN);
    assert!(Secrets::read(folder.path()).is_ok());
    for mode in [0o644, 0o642] {
        let open = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.path().join("ci.token"), open).expect("sets the mode");
        let error = Secrets::read(folder.path()).expect_err("is refused");
        assert!(error.to_string().contains("chmod o-rw"), "{error}");
    }
    write(folder.path(), "ci.token", TOKEN);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o703)).expect("sets the mode");
    let error = Secrets::read(folder.path()).expect_err("is refused");
    assert!(error.to_string().contains("chmod o-w`"), "{error}");
    let missing = Secrets::read(&folder.path().join("none")).expect_err("is not there");
    assert!(missing.to_string().contains("none"), "{missing}");
}
