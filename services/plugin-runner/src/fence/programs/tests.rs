//! What programs bring along, and which of them are opened.

use super::*;
use crate::fence::reach::Plan;
use landlock::AccessFs;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, symlink};

/// What a program brings along by itself.
fn brought(program: &Path, by: By, places: &Places) -> Vec<PathBuf> {
    let programs = Programs {
        all: [(program.to_owned(), by)].into(),
        not_granted: Vec::new(),
    };
    let libraries = programs.libraries(places).into_iter();
    libraries.map(|(path, _)| path).collect()
}

fn executable(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    fs::write(path, "").expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
}

#[test]
fn only_an_interpreter_that_is_there_and_can_be_run_brings_its_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bin, lib) = (folder.path().join("bin"), folder.path().join("lib"));
    for made in [&bin, &lib] {
        fs::create_dir(made).expect("makes");
    }
    let brought = |path: &Path| brought(path, By::Author, &Places::default());
    let program = bin.join("x");
    assert!(brought(&program).is_empty(), "it is not there");
    fs::create_dir(&program).expect("makes");
    assert!(brought(&program).is_empty(), "it is a folder");
    fs::remove_dir(&program).expect("removes");
    fs::write(&program, "").expect("writes");
    for (mode, is_one) in [(0o644, false), (0o757, false), (0o755, true)] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("sets the mode");
        let expected: Vec<PathBuf> = is_one.then(|| lib.clone()).into_iter().collect();
        assert_eq!(brought(&program), expected, "{mode:o}");
    }
}

#[test]
fn i4_a_library_lies_beside_the_program_that_was_found_and_no_link_of_a_plugins_brings_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(folder.path()).expect("it is there");
    executable(&root.join("real/bin/x"));
    executable(&root.join("tools/bin/y"));
    for made in ["real/lib", "tools/lib", "data"] {
        fs::create_dir(root.join(made)).expect("makes");
    }
    symlink("real/bin/x", root.join("x")).expect("links");
    symlink("../real/bin/x", root.join("data/x")).expect("links");
    let places = Places::of(&orders(&root));
    let lib = vec![root.join("real/lib")];
    assert_eq!(brought(&root.join("x"), By::Operator, &places), lib);
    let none = Vec::<PathBuf>::new();
    assert_eq!(brought(&root.join("data/x"), By::Operator, &places), none);
    // Another plugin writes there: who runs the host is not asked for what lies beside it.
    assert_eq!(brought(&root.join("tools/bin/y"), By::Operator, &places), none);
}

#[test]
fn i4_what_another_plugin_puts_there_between_two_looks_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(folder.path()).expect("it is there");
    for made in ["tools", "data", "own/home"] {
        fs::create_dir_all(root.join(made)).expect("makes");
    }
    let (tool, later) = (root.join("tool"), root.join("later"));
    symlink("tools/tool", &tool).expect("links");
    let mut orders = orders(&root);
    orders.permissions.run = [tool.clone(), later.clone()].into();
    let plan = Plan::make(&orders).expect("nothing is refused yet");
    executable(&root.join("tools/tool"));
    executable(&later);
    let mut opened = Vec::new();
    let not_granted = plan.openings(&orders, &mut |found, access| {
        opened.push((found.spot.path, access));
        Ok(())
    });
    let why = format!(
        "run {}: another plugin may write {}; what it writes is not run",
        tool.display(),
        root.join("tools").display()
    );
    assert_eq!(not_granted, Ok(vec![why]));
    let run = |path: &Path| {
        let mut ones = opened.iter().filter(|(opened, _)| opened == path);
        ones.any(|(_, access)| access.contains(AccessFs::Execute))
    };
    assert!(run(&later), "it is of who runs the host, and came in time");
    assert!(!run(&root.join("tools/tool")), "{opened:?}");
}

#[test]
fn i4_where_another_writes_is_known_by_its_end_and_the_process_looks_at_none_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(folder.path()).expect("it is there");
    for made in ["spool", "data", "own/home"] {
        fs::create_dir_all(root.join(made)).expect("makes");
    }
    executable(&root.join("spool/tool"));
    symlink("spool", root.join("tools")).expect("links");
    let name = |text: &str| text.parse().expect("a name");
    let writers = crate::fence::Writers::default();
    let noted = writers.note(&name("other"), &[root.join("tools")].into());
    noted.expect("there is room");
    let mut orders = orders(&root);
    let refused = |orders: &Orders| {
        let places = Places::of(orders);
        let tool = places.find(&root.join("spool/tool")).expect("it is there");
        By::Operator.lets(&tool, &places).is_err()
    };
    assert!(!refused(&orders), "nobody has looked");
    let others = writers.others(&name("own"), &orders.permissions.write, &orders.home);
    assert_eq!(others.not_enforced().count(), 0);
    orders.others_ends = others.ends;
    assert!(refused(&orders), "another plugin may write it, by another path");
}

/// Those of a plugin that writes `data`, beside one that writes `tools`.
fn orders(root: &Path) -> Orders {
    let orders = json!({
        "path": "/bin/true", "seen": null, "folder": null, "home": root.join("own/home"), "search_path": "/usr/bin",
        "permissions": {}, "own_write": [root.join("data")], "others_write": [root.join("tools")], "others_ends": [], "user": 1_900_000_007,
        "control_group": null, "memory_is_limited": false, "processes_are_limited": false,
        "require_isolation": false, "not_enforced": [],
    });
    serde_json::from_value(orders).expect("they are orders")
}
