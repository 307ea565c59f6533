//! A plugin that puts links where it may write, to have what was approved become something else.
//!
//! What the kernel itself fences is tried in `fences`, and what is remembered of it in `writers`. None of this takes a
//! bus: it is tried in a virtual machine too, which has none.

use crate::greedy::{FILES, Greedy, config, landlock, open_to_all, place};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// What is none of a plugin's, with a folder that one may be granted.
struct Outside {
    folder: tempfile::TempDir,
}

impl Outside {
    fn new() -> Outside {
        let folder = place();
        let outside = Outside { folder };
        for made in ["data", "state"] {
            fs::create_dir(outside.path(made)).expect("makes");
        }
        open_to_all(&outside.path("data"));
        fs::write(outside.path("state/secret"), "text").expect("writes");
        fs::write(outside.path("data/conf"), "plain").expect("writes");
        outside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn read(path: &Path) -> String {
    format!("open({path:?}).read()")
}

fn says_not_granted(greedy: &Greedy, words: &[&str]) {
    let said = greedy.plugin.fenced().not_granted;
    let told = said
        .iter()
        .any(|said| words.iter().all(|word| said.contains(word)));
    assert!(told, "{words:?}: {said:?}");
}

/// Waits for the start after this, as it ended.
async fn starts_again(greedy: &Greedy) {
    greedy.is_killed_and_runs_again().await;
}

#[tokio::test]
async fn a_granted_path_that_became_a_link_opens_nothing_at_the_next_start() {
    let outside = Outside::new();
    let (data, conf) = (outside.path("data"), outside.path("data/conf"));
    let granted = json!({"write": [data], "read": [conf]});
    let greedy = Greedy::granted(granted).await;
    let secret = outside.path("state/secret");
    let has = landlock().await >= 1;
    assert_eq!(greedy.may(&read(&conf)).await, "plain");
    greedy
        .may(&format!(
            "os.unlink({conf:?}) or os.symlink({secret:?}, {conf:?})"
        ))
        .await;
    greedy.fenced(has, FILES, &read(&conf)).await;
    starts_again(&greedy).await;
    greedy.fenced(has, FILES, &read(&conf)).await;
    greedy.fenced(has, FILES, &read(&secret)).await;
    says_not_granted(
        &greedy,
        &[
            "read ",
            "data/conf: a link",
            "leads out of ",
            "it is not followed",
        ],
    );
}

#[tokio::test]
async fn a_granted_folder_in_the_working_folder_opens_nothing_as_a_link() {
    let outside = Outside::new();
    let state = outside.path("state");
    let own = place();
    let cache = own.path().join("home/cache");
    let greedy = Greedy::granted_in(own, json!({"write": [cache]})).await;
    greedy.may(&format!("os.symlink({state:?}, 'cache')")).await;
    starts_again(&greedy).await;
    let has = landlock().await >= 1;
    greedy.fenced(has, FILES, &read(&state.join("secret"))).await;
    let new = format!("open({:?}, 'w').write('x')", cache.join("new"));
    // Its modes may keep it from it as well.
    if has {
        greedy.may_not(&new).await;
    }
    says_not_granted(
        &greedy,
        &["write ", "home/cache: a link", "home; it is not followed"],
    );
}

#[tokio::test]
async fn no_link_and_no_mode_of_a_plugins_makes_it_stay_the_superuser() {
    if !rustix::process::geteuid().is_root() {
        // There is no other user to be made of it, whatever it does.
        let greedy = Greedy::granted(json!({})).await;
        assert!(greedy.says_not_enforced("a user of its own"));
        return;
    }
    let outside = Outside::new();
    let (data, conf) = (outside.path("data"), outside.path("data/conf"));
    let closed = outside.path("state");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("sets the mode");
    let own = place();
    let cache = own.path().join("home/cache");
    let greedy = Greedy::granted_in(own, json!({"write": [data, cache], "read": [conf]})).await;
    let has_own = async |what: &str| {
        starts_again(&greedy).await;
        assert!(!greedy.says_not_enforced("a user of its own"), "{what}");
        assert_ne!(greedy.may("os.getuid()").await, json!(0), "{what}");
    };
    fs::remove_file(&conf).expect("removes");
    for to in [closed.clone(), closed.join("missing"), closed.join("../data/x")] {
        greedy.may(&format!("os.symlink({to:?}, {conf:?})")).await;
        has_own(&format!("a link to {}", to.display())).await;
        greedy.may(&format!("os.unlink({conf:?})")).await;
    }
    greedy
        .may(&format!("os.mkdir({conf:?}, 0) or os.mkdir({cache:?}, 0)"))
        .await;
    has_own("folders that it closed").await;
    // Its user's own it opens again; what is closed to it is told.
    assert_eq!(greedy.plugin.fenced().not_granted, Vec::<String>::new());
    greedy.may(&format!("os.rmdir({conf:?})")).await;
    fs::write(&conf, "closed").expect("writes");
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o600)).expect("sets the mode");
    has_own("a file that another plugin could have closed").await;
    says_not_granted(
        &greedy,
        &["data/conf is closed to others, and a plugin may have closed it"],
    );
}

#[tokio::test]
async fn what_another_plugin_writes_is_neither_followed_nor_run() {
    let outside = Outside::new();
    let (spool, program) = (outside.path("data"), outside.path("data/b.json"));
    let config = config();
    let one = Greedy::named("spoola", json!({"write": [spool]}), config.clone()).await;
    one.may(&format!("os.symlink('/bin/sh', {program:?})")).await;
    let file = outside.path("data/file");
    let secret = outside.path("state/secret");
    one.may(&format!("os.symlink({secret:?}, {file:?})")).await;
    let granted = json!({"run": [program], "read": [file]});
    let other = Greedy::named("spoolb", granted, config).await;
    let has = landlock().await >= 1;
    let run = format!("subprocess.run([{program:?}, '-c', 'exit']).returncode");
    other.fenced(has, FILES, &run).await;
    other.fenced(has, FILES, &read(&file)).await;
    says_not_granted(&other, &["run ", "data/b.json: a link", "it is not followed"]);
    says_not_granted(&other, &["read ", "data/file: a link"]);
    // No link, and not what was approved either.
    let copied = format!(
        "os.unlink({program:?}) or os.write(os.open({program:?}, os.O_WRONLY | os.O_CREAT, 0o755), \
         open('/bin/true', 'rb').read())"
    );
    one.may(&copied).await;
    starts_again(&other).await;
    let run = format!("subprocess.run([{program:?}]).returncode");
    other.fenced(has, FILES, &run).await;
    says_not_granted(
        &other,
        &["run ", "data/b.json: another plugin may write ", "is not run"],
    );
}

#[tokio::test]
async fn what_a_plugin_writes_itself_brings_no_program_along() {
    let outside = Outside::new();
    let tool = outside.path("data/tool");
    let inner = outside.path("state/inner");
    fs::copy("/bin/true", &inner).expect("copies");
    let granted = json!({"write": [outside.path("data")], "run": [tool]});
    let greedy = Greedy::granted(granted).await;
    let line = format!("#!{}\n", inner.display());
    greedy
        .may(&format!(
            "os.write(os.open({tool:?}, os.O_WRONLY | os.O_CREAT, 0o755), {line:?}.encode())"
        ))
        .await;
    starts_again(&greedy).await;
    let has = landlock().await >= 1;
    greedy
        .fenced(has, FILES, &format!("subprocess.run([{inner:?}]).returncode"))
        .await;
}

#[tokio::test]
async fn links_of_the_system_and_of_who_runs_it_are_followed() {
    let outside = Outside::new();
    let (link, folder) = (outside.path("link"), outside.path("folder"));
    symlink(outside.path("state/secret"), &link).expect("links");
    symlink("data", &folder).expect("links");
    let (made, other) = (outside.path("folder/conf"), outside.path("state/other"));
    fs::write(&other, "quiet").expect("writes");
    let granted: Value = json!({"read": [link, made], "write": [folder], "run": ["/bin/true", "sh"]});
    let greedy = Greedy::granted(granted).await;
    assert_eq!(greedy.may(&read(&link)).await, "text");
    let new = outside.path("folder/new");
    greedy.may(&format!("open({new:?}, 'w').write('x')")).await;
    assert!(outside.path("data/new").exists());
    for program in ["/bin/true", "/usr/bin/true"] {
        assert_eq!(
            greedy
                .may(&format!("subprocess.run([{program:?}]).returncode"))
                .await,
            0
        );
    }
    assert_eq!(
        greedy
            .may("subprocess.run(['/bin/sh', '-c', 'exit 3']).returncode")
            .await,
        3
    );
    assert_eq!(greedy.may(&read(&made)).await, "plain");
    assert_eq!(greedy.plugin.fenced().not_granted, Vec::<String>::new());
    // The folder is known by its end: a link in it is the plugin's.
    greedy
        .may(&format!("os.unlink({made:?}) or os.symlink({other:?}, {made:?})"))
        .await;
    starts_again(&greedy).await;
    assert_eq!(greedy.may(&read(&link)).await, "text");
    let has = landlock().await >= 1;
    greedy.fenced(has, FILES, &read(&made)).await;
    let (end, data) = (outside.path("data/conf"), outside.path("data"));
    let led = format!("{}, leads out of {};", end.display(), data.display());
    let granted = format!("read {}: ", made.display());
    says_not_granted(&greedy, &[&granted, &led, "it is not followed"]);
}
