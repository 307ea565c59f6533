//! What an author reaches by choosing an interpreter: nothing that the interpreter itself does not bring along.

use crate::greedy::{FILES, Greedy, landlock, open_to_all, place};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// Puts an interpreter of its own there: a copy, so that its mode is ours to choose.
fn interpreter(folder: &Path, mode: u32) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("makes");
    open_to_all(&bin);
    let program = bin.join("python3");
    fs::copy("/usr/bin/python3", &program).expect("copies");
    fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("sets the mode");
    program
}

#[tokio::test]
async fn words_of_env_that_name_no_program_open_nothing() {
    let outside = place();
    fs::create_dir(outside.path().join("lib")).expect("makes");
    let named = outside.path().join("bin/x");
    let line = format!("#!/usr/bin/env -S -u {} ld.so python3", named.display());
    let greedy = Greedy::beginning(&line, json!({}));
    let told = format!("greedy is refused: -u is not understood: {line}");
    greedy.does_not_run(&told).await;
}

#[tokio::test]
async fn an_interpreters_library_comes_along_and_nothing_beside_it() {
    let outside = place();
    let program = interpreter(outside.path(), 0o755);
    for folder in ["lib", "etc"] {
        let folder = outside.path().join(folder);
        fs::create_dir(&folder).expect("makes");
        fs::write(folder.join("file"), "text").expect("writes");
    }
    let read = |name: &str| format!("open({:?}).read()", outside.path().join(name));
    let line = format!("#!/usr/bin/env -S LANG=C.UTF-8 {} -u", program.display());
    let greedy = Greedy::beginning(&line, json!({}));
    greedy.running().await;
    assert_eq!(greedy.may(&read("lib/file")).await, "text");
    let has = landlock().await >= 1;
    greedy.fenced(has, FILES, &read("etc/file")).await;
}

#[tokio::test]
async fn no_author_chooses_to_stay_the_superuser() {
    let outside = place();
    let program = interpreter(outside.path(), 0o700);
    let line = format!("#!{}", program.display());
    let chosen = Greedy::beginning(&line, json!({}));
    if rustix::process::geteuid().is_root() {
        chosen.does_not_run("it would stay the superuser").await;
    } else {
        chosen.running().await;
    }
    // Whom the operator grants it may run it, and that it has no user of its own then is said.
    let granted = Greedy::beginning(&line, json!({"run": [program]}));
    granted.running().await;
    assert!(granted.says_not_enforced("a user of its own"));
}

#[tokio::test]
async fn what_a_plugin_wrote_itself_is_not_its_interpreter() {
    // Its own file stays the same: of another one nothing is left in the working folder.
    let beside = tempfile::tempdir().expect("a folder");
    fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let interpreter = beside.path().join("python3");
    symlink("/usr/bin/python3", &interpreter).expect("links");
    let greedy = Greedy::beginning(&format!("#!{}", interpreter.display()), json!({}));
    greedy.running().await;
    greedy
        .may("os.write(os.open('own', os.O_WRONLY | os.O_CREAT, 0o755), open('/bin/true', 'rb').read())")
        .await;
    fs::remove_file(&interpreter).expect("removes");
    symlink(greedy.home().join("own"), &interpreter).expect("links");
    greedy.is_killed();
    greedy.does_not_run("lies in its working folder").await;
}
