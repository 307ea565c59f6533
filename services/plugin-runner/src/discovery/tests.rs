//! Folders of plugins, and what is not run of them.

use super::*;
use crate::set::Cause;

fn write(folder: &Path, name: &str, mode: u32) {
    let path = folder.join(name);
    fs::write(&path, "#!/bin/sh\n").expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

#[test]
fn executables_are_found_in_order_and_the_first_folder_wins() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    write(one.path(), "b_two.py", 0o755);
    write(one.path(), "a-one", 0o700);
    write(one.path(), "notes.txt", 0o644);
    write(one.path(), ".hidden", 0o755);
    write(two.path(), "a_one.sh", 0o755);
    let absent = PathBuf::from("/nonexistent/plugins");
    let folders = [absent, one.path().to_owned(), two.path().to_owned()];
    let (found, passed_over) = discover(&folders);
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["a-one", "b-two"]);
    assert!(
        matches!(passed_over[..], [PassedOver::Hidden { .. }]),
        "{passed_over:?}"
    );
}

#[test]
fn a_hidden_link_that_leads_nowhere_is_not_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = |name| {
        std::os::unix::fs::symlink("me@here.4711:1650000000", folder.path().join(name)).expect("links");
    };
    link(".#redis.py");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty() && passed_over.is_empty(), "{passed_over:?}");
    link("redis.py");
    let (_, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(matches!(passed_over[..], [PassedOver::Read { .. }]));
}

#[test]
fn what_everybody_may_change_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "open", 0o777);
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert!(matches!(passed_over[..], [PassedOver::Exposed { .. }]));
    write(folder.path(), "open", 0o755);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("sets the mode");
    assert!(
        discover(&[folder.path().to_owned()]).0.is_empty(),
        "another file could take its place"
    );
}

#[test]
fn i4_whoever_may_change_a_folder_above_keeps_its_plugins_from_being_run_and_they_are_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).expect("makes");
    write(&plugins, "redis.py", 0o755);
    described(&plugins, "mysql", &serde_json::json!({}));
    assert_eq!(discover(std::slice::from_ref(&plugins)).0.len(), 2);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o757)).expect("sets the mode");
    let (found, passed_over) = discover(std::slice::from_ref(&plugins));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(missed(&passed_over), ["mysql", "redis"]);
    for why in &passed_over {
        assert_eq!(why.cause(), Cause::Exposed, "it is looked at again");
        let text = snooze_service_runtime::exit::one_line(why);
        let hint = format!("`chmod o-w {}`", folder.path().display());
        assert!(text.contains(&hint) && text.matches(&hint).count() == 1, "{text}");
    }
}

#[test]
fn i4_a_manifest_that_is_a_link_is_as_good_as_where_it_leads() {
    let (folder, elsewhere) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    described(folder.path(), "linked", &serde_json::json!({}));
    let (link, real) = (
        folder.path().join("linked/plugin.json"),
        elsewhere.path().join("plugin.json"),
    );
    fs::rename(&link, &real).expect("moves");
    std::os::unix::fs::symlink(&real, &link).expect("links");
    assert_eq!(
        discover(&[folder.path().to_owned()]).0.len(),
        1,
        "only we may change it"
    );
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o757)).expect("sets the mode");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(missed(&passed_over), ["linked"]);
    assert_eq!(passed_over[0].cause(), Cause::Exposed);
}

#[test]
fn s2_what_cannot_be_read_is_told_from_what_is_not_there() {
    let read = |number| PassedOver::Read {
        path: "/p/redis".into(),
        source: io::Error::from_raw_os_error(number),
    };
    // EIO, EMFILE, ENOMEM, EACCES; ENOENT.
    for number in [5, 24, 12, 13] {
        assert_eq!(read(number).cause(), Cause::Unread);
    }
    assert_eq!(read(2).cause(), Cause::Missing);
}

#[test]
fn i4_in_a_folder_for_everybody_only_folders_of_ours_and_the_superusers_are_run() {
    let folder = tempfile::tempdir().expect("a folder");
    described(folder.path(), "ours", &serde_json::json!({}));
    write(folder.path(), "bare", 0o755);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).expect("sets the mode");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert_eq!(found.len(), 1, "nobody else adds to its own folder");
    assert_eq!(found[0].name.as_str(), "ours");
    assert_eq!(missed(&passed_over), ["bare"], "anybody puts a module beside it");
    assert_eq!(passed_over[0].cause(), Cause::Exposed);
    let own = folder.path().join("ours");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o1777)).expect("sets the mode");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(passed_over[1].cause(), Cause::Exposed);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    // The superuser can give a file away; nobody else can put this to the test.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&own, Some(4711), None).expect("gives it away");
        let (found, passed_over) = discover(&[folder.path().to_owned()]);
        assert!(found.is_empty());
        assert_eq!(passed_over[1].cause(), Cause::Exposed);
    }
}

#[test]
fn s2_what_is_passed_over_is_missed_by_its_name() {
    let missed = |why: PassedOver| why.name().to_string();
    assert_eq!(
        missed(PassedOver::Read {
            path: "/p/redis_monitor.py".into(),
            source: io::ErrorKind::Other.into(),
        }),
        "redis-monitor"
    );
    assert_eq!(missed(PassedOver::Nameless("/p/cpu".into())), "plugin-cpu");
    let hidden = PassedOver::Hidden {
        name: "redis".parse().expect("a name"),
        path: "/p/redis".into(),
        by: "/p/redis.py".into(),
    };
    assert_eq!(missed(hidden), "hidden-redis", "the other one votes by that name");
}

#[test]
fn a_name_is_made_of_whatever_it_is_called() {
    let name = |text| sanitised(text).map(|name| name.as_str().to_owned());
    assert_eq!(name("Redis_Monitor").as_deref(), Some("redis-monitor"));
    assert_eq!(
        name("spot.interrupt handler").as_deref(),
        Some("spot-interrupt-handler")
    );
    assert_eq!(name("cpu"), None, "a built-in voter's name is taken");
    assert_eq!(name("///"), None);
}

/// Makes a plugin's folder with this manifest over the simplest.
fn described(folder: &Path, name: &str, over: &serde_json::Value) {
    let own = folder.join(name);
    fs::create_dir(&own).expect("makes a folder");
    write(&own, "run", 0o755);
    let mut document = serde_json::json!({"name": name, "version": "1.0.0", "entry_point": "run"});
    for (key, value) in over.as_object().expect("a map") {
        document[key] = value.clone();
    }
    fs::write(own.join(manifest::FILE), document.to_string()).expect("writes");
}

fn missed(passed_over: &[PassedOver]) -> Vec<String> {
    passed_over.iter().map(|why| why.name().to_string()).collect()
}

#[test]
fn a_folder_with_a_manifest_is_a_plugin_by_the_name_that_both_have() {
    let folder = tempfile::tempdir().expect("a folder");
    described(folder.path(), "redis-monitor", &serde_json::json!({}));
    described(
        folder.path(),
        "remote",
        &serde_json::json!({"process_model": "nats", "entry_point": "absent"}),
    );
    fs::create_dir(folder.path().join("notes")).expect("makes a folder");
    write(folder.path(), "redis_monitor.py", 0o755);
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    // What comes first has the name already.
    assert_eq!(names, ["redis-monitor", "remote"]);
    assert_eq!(missed(&passed_over), ["hidden-redis-monitor"]);
    assert!(found[1].is_on_bus() && !found[0].is_on_bus());
    fs::remove_file(folder.path().join("redis_monitor.py")).expect("removes");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(passed_over.is_empty(), "{passed_over:?}");
    let path = &found[0].path;
    assert!(path.ends_with("redis-monitor/run"), "{path:?}");
}

#[test]
fn i4_a_manifest_that_takes_another_name_than_its_folders_is_missed_by_the_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    described(
        folder.path(),
        "harmless",
        &serde_json::json!({"name": "redis-monitor"}),
    );
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(missed(&passed_over), ["harmless"]);
    let text = passed_over[0].to_string();
    assert!(
        text.contains("harmless/plugin.json: name: it is redis-monitor"),
        "{text}"
    );
}

#[test]
fn s2_a_broken_manifest_is_missed_by_its_folders_name_and_told_with_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    described(
        folder.path(),
        "Redis_Monitor-1.2",
        &serde_json::json!({"version": "one"}),
    );
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(missed(&passed_over), ["redis-monitor-1-2"]);
    let text = snooze_service_runtime::exit::one_line(&passed_over[0]);
    assert!(
        text.contains("plugin.json: line 1, column ") && text.contains(": version: "),
        "{text}"
    );
    assert_eq!(
        text.matches("plugin.json").count(),
        1,
        "nothing is said twice: {text}"
    );
}

#[test]
fn s2_what_depends_on_what_is_not_there_is_missed_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let needs =
        |name: &str, range: &str| serde_json::json!({"dependencies": [{"name": name, "version": range}]});
    described(folder.path(), "one", &needs("two", "^1"));
    described(folder.path(), "two", &needs("bare", "*"));
    described(folder.path(), "three", &needs("two", ">=2"));
    write(folder.path(), "bare.sh", 0o755);
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["bare", "one", "two"]);
    assert_eq!(missed(&passed_over), ["three"]);
    assert!(
        passed_over[0].to_string().contains("this host has 1.0.0"),
        "{}",
        passed_over[0]
    );
    assert!(passed_over[0].manifest().is_some());
}

#[test]
fn a_folder_that_everybody_may_change_holds_no_plugin() {
    let folder = tempfile::tempdir().expect("a folder");
    described(folder.path(), "open", &serde_json::json!({}));
    fs::set_permissions(folder.path().join("open"), fs::Permissions::from_mode(0o777))
        .expect("sets the mode");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(missed(&passed_over), ["open"]);
}

#[test]
fn s2_a_manifest_that_is_a_fifo_is_missed_and_nobody_waits_for_it() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("waits");
    fs::create_dir(&plugin).expect("makes the folder");
    let mode = Mode::from_raw_mode(0o644);
    mknodat(CWD, plugin.join("plugin.json"), FileType::Fifo, mode, 0).expect("makes the fifo");
    let (found, passed_over) = discover(&[folder.path().to_owned()]);
    assert!(found.is_empty());
    assert_eq!(missed(&passed_over), ["waits"]);
}
