//! `nats/server/install.sh` on machines that have an old nats-server, a new one behind it, or nothing.

use crate::place::{Done, LONG, Place, search_path, workspace};
use snooze_test_harness::{Process, wait_for};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// What the script needs of a machine; neither Go nor Python is among it.
const TOOLS: [&str; 9] = [
    "bash", "cat", "dirname", "head", "mkdir", "mktemp", "rm", "sort", "timeout",
];

/// A machine whose PATH has these folders of the place, and the script in a checkout of its own.
async fn install(place: &Place, folders: &[&str], extra: &[(&str, &str)]) -> Done {
    for folder in ["tools", "checkout/nats/server"] {
        fs::create_dir_all(place.path(folder)).expect("a folder of our own can be written");
    }
    let path = search_path().expect("tests run with a PATH");
    for tool in TOOLS {
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(tool))
            .find(|file| file.is_file());
        let link = place.path("tools").join(tool);
        if !link.exists() {
            symlink(found.unwrap_or_else(|| panic!("{tool} is on the PATH")), link).expect("links");
        }
    }
    for name in ["install.sh", "versions.env"] {
        let source = workspace().join("nats/server").join(name);
        fs::copy(source, place.path("checkout/nats/server").join(name)).expect("copies");
    }
    let folders = folders.iter().chain(&["tools"]).map(|folder| place.path(folder));
    let mut environment = BTreeMap::from([(
        "PATH".to_owned(),
        std::env::join_paths(folders).expect("plain names"),
    )]);
    environment.extend(
        extra
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value))),
    );
    let (out, err) = (place.path("said/install.out"), place.path("said/install.err"));
    let arguments = [place.text("checkout/nats/server/install.sh")];
    let bash = place.path("tools/bash");
    let mut process = Process::start_apart(&bash, &arguments, &environment, &out, &err).expect("bash runs");
    let ended = wait_for(LONG, "the script ends", async || process.ended()).await;
    Done {
        code: ended.code().expect("it was not killed"),
        out: process.said_all(),
        err: fs::read_to_string(err).expect("it was made"),
    }
}

/// A program that says that it is this version of nats-server.
fn add_server(place: &Place, folder: &str, version: &str) {
    let script = format!("#!/bin/sh\necho 'nats-server: v{version}'\n");
    add_program(place, &format!("{folder}/nats-server"), &script);
}

fn add_program(place: &Place, name: &str, script: &str) {
    let folder = Path::new(name).parent().expect("a folder and a name");
    fs::create_dir_all(place.path(&folder.to_string_lossy())).expect("a folder of our own can be written");
    place.write(name, script);
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).expect("a file of our own");
}

/// Go, which installs the nats-server that lies in a folder, and says where it keeps what and whether it counts.
const GO: &str = r#"#!/bin/sh
cat "${0%/*}/nats-server.new" >"$GOBIN/nats-server"
/bin/chmod 755 "$GOBIN/nats-server"
echo "settings: $GOENV; counting: $(cat "$XDG_CONFIG_HOME/go/telemetry/mode")" >&2
"#;

#[tokio::test]
async fn go_leaves_nothing_in_the_users_folders_and_keeps_to_the_users_settings() {
    let place = Place::new();
    add_program(&place, "go/go", GO);
    add_program(
        &place,
        "go/nats-server.new",
        "#!/bin/sh\necho 'nats-server: v2.14.0'\n",
    );
    let home = place.text("home");
    let done = install(&place, &["go"], &[("HOME", &home)]).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.out.trim(), place.text("checkout/.tools/bin/nats-server"));
    let said = format!("settings: {home}/.config/go/env; counting: off\n");
    assert!(done.err.contains(&said), "{said:?} in {}", done.err);
    assert!(!place.path("home/.config").exists());
}

#[tokio::test]
async fn one_that_is_too_old_is_left_alone_and_what_can_be_done_is_said() {
    let place = Place::new();
    add_server(&place, "old", "2.9.10");
    let done = install(&place, &["old"], &[]).await;
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    let old = place.text("old/nats-server");
    for part in [
        old.as_str(),
        "is left alone",
        "https://go.dev/dl",
        "python3-pip",
        "on the PATH",
    ] {
        assert!(done.err.contains(part), "{part:?} in {}", done.err);
    }
    assert!(!Path::new(&place.text("checkout/.tools")).exists());
}

#[tokio::test]
async fn a_newer_one_behind_an_old_one_is_found() {
    let place = Place::new();
    add_server(&place, "old", "2.9.10");
    add_server(&place, "new", "2.14.0");
    let done = install(&place, &["old", "new"], &[]).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.out.trim(), place.text("new/nats-server"));
}

#[tokio::test]
async fn one_that_was_named_and_is_too_old_is_an_error() {
    let place = Place::new();
    add_server(&place, "old", "2.9.10");
    add_server(&place, "new", "2.14.0");
    let old = place.text("old/nats-server");
    let done = install(&place, &["new"], &[("SNOOZE_NATS_SERVER", &old)]).await;
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    assert!(done.err.contains(&old), "{done:?}");
}
