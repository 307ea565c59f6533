//! A greedy plugin that stays the runner's user: what it tries on that user's other files and processes.
//!
//! What a user of its own may do with what is its own is tried beside it.

use crate::greedy::{Greedy, landlock, open_to_all, place};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// What the file of another plugin, or the runner's own, must not lose.
fn kept(path: &Path) -> (u32, u32, i64, u64) {
    let found = fs::metadata(path).expect("it is there");
    (found.mode(), found.uid(), found.mtime(), found.len())
}

#[tokio::test]
async fn modes_owners_times_and_attributes_of_its_users_files_are_out_of_reach() {
    let outside = place();
    let victim = outside.path().join("policy.json");
    fs::write(&victim, "{}").expect("writes");
    open_to_all(&victim);
    let before = kept(&victim);
    // It may even read it, so that it can name it by an open file as well.
    let greedy = Greedy::sharing_user(json!({"read": [outside.path()]})).await;
    let opened = format!("os.open({victim:?}, 0)");
    for code in [
        format!("os.chmod({victim:?}, 0)"),
        format!("os.fchmod({opened}, 0)"),
        format!("os.chmod('/proc/self/fd/' + str({opened}), 0)"),
        format!(
            "os.chmod({:?}, 0, dir_fd=os.open({:?}, 0))",
            "policy.json",
            outside.path()
        ),
        format!("os.chown({victim:?}, os.getuid(), os.getgid())"),
        format!("os.lchown({victim:?}, os.getuid(), os.getgid())"),
        format!("os.fchown({opened}, os.getuid(), os.getgid())"),
        format!("os.utime({victim:?}, (1, 1))"),
        format!("os.utime({opened}, (1, 1))"),
        format!("os.utime({opened})"),
        format!("os.setxattr({victim:?}, 'user.x', b'1')"),
        format!("os.setxattr({opened}, 'user.x', b'1')"),
        format!("os.removexattr({victim:?}, 'user.x')"),
        // FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY.
        format!("__import__('fcntl').ioctl({opened}, 0x40086602, bytes(8))"),
        format!("__import__('fcntl').ioctl({opened}, 0x401c5820, bytes(28))"),
        format!("__import__('fcntl').ioctl({opened}, 0x40806685, bytes(128))"),
        format!("os.truncate({victim:?}, 0)"),
        format!("os.open({victim:?}, os.O_RDONLY | os.O_TRUNC)"),
        format!("os.open({victim:?}, 3 | os.O_TRUNC)"),
    ] {
        greedy.may_not(&code).await;
    }
    // Newer calls and rarer ones: EPERM alone is the filter's, as all that they are given is wrong.
    for number in [
        452,
        463,
        466,
        469,
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_utimensat,
    ] {
        let asked = greedy.tries(&format!("call({number}, 0, 0, 0, 0, 0)")).await;
        assert_eq!(asked, Err(json!(1)), "{number}");
    }
    assert_eq!(kept(&victim), before);
}

#[tokio::test]
async fn another_process_of_its_user_keeps_its_priorities() {
    let greedy = Greedy::sharing_user(json!({})).await;
    let me = std::process::id();
    let of_disks = libc::SYS_ioprio_set;
    for code in [
        format!("os.setpriority(os.PRIO_PROCESS, {me}, 19)"),
        "os.setpriority(os.PRIO_USER, 0, 19)".to_owned(),
        "os.setpriority(os.PRIO_USER, os.getuid(), 19)".to_owned(),
        format!("os.setpriority(os.PRIO_PGRP, os.getpgid({me}), 19)"),
        format!("os.sched_setaffinity({me}, os.sched_getaffinity(0))"),
        format!("os.sched_setscheduler({me}, os.SCHED_IDLE, os.sched_param(0))"),
        format!("call({of_disks}, 1, {me}, 3 << 13)"),
        format!("call({of_disks}, 3, 0, 3 << 13)"),
    ] {
        greedy.may_not(&code).await;
    }
    for code in [
        "os.setpriority(os.PRIO_PROCESS, 0, min(19, 1 + os.getpriority(os.PRIO_PROCESS, 0)))",
        "os.sched_setaffinity(0, os.sched_getaffinity(0))",
        "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    ] {
        greedy.may(code).await;
    }
}

#[tokio::test]
async fn programs_do_without_what_is_out_of_reach() {
    let greedy = Greedy::sharing_user(json!({"run": ["sh", "cp", "mkdir", "mktemp", "python3"]})).await;
    let shell = "cp ../own/greedy copy && mkdir -p a/b && echo x >>copy && mktemp -d -p . && umask 077 && echo y >new";
    for code in [
        "open('beside.py', 'w').write('x = 1')",
        "sys.path.insert(0, '.') or __import__('beside').x",
        "__import__('py_compile').compile('beside.py', cfile='beside.pyc', doraise=True)",
        "__import__('tempfile').NamedTemporaryFile(dir='.').write(b'x')",
        "__import__('shutil').copyfile('beside.py', 'copied.py')",
        "__import__('sqlite3').connect('data').execute('create table t (x)') and 1",
        &format!("subprocess.run(['sh', '-ec', {shell:?}], check=True, capture_output=True).returncode"),
        "subprocess.run(['python3', '-c', 'import json'], check=True).returncode",
    ] {
        let done = greedy.tries(code).await;
        assert!(done.is_ok(), "{code}: {done:?}");
    }
}

#[tokio::test]
async fn a_user_of_its_own_does_as_it_likes_with_its_own() {
    let greedy = Greedy::granted(json!({})).await;
    greedy.may("open('own', 'w').write('x')").await;
    let has_own_user = !greedy.says_not_enforced("a user of its own");
    assert_eq!(has_own_user, rustix::process::geteuid().is_root());
    for code in ["os.chmod('own', 0o600)", "os.utime('own', (1, 1))"] {
        if has_own_user {
            assert_eq!(greedy.may(code).await, Value::Null);
        } else {
            greedy.may_not(code).await;
        }
    }
    // Without a fence of files that sees it nobody cuts off by name, and everybody what is open to be written.
    if landlock().await >= 3 {
        greedy.may("os.truncate('own', 0)").await;
    } else {
        greedy.may_not("os.truncate('own', 0)").await;
    }
    greedy.may("os.truncate(os.open('own', os.O_RDWR), 0)").await;
    greedy.may("open('own', 'w').write('y')").await;
}

#[tokio::test]
async fn what_it_wrote_goes_with_it_from_user_to_user() {
    let greedy = Greedy::sharing_user(json!({})).await;
    greedy
        .may("os.mkdir('folder') or open('folder/own', 'w').write('x')")
        .await;
    let user = greedy.may("os.getuid()").await;
    let anew = async |mode| {
        fs::set_permissions(greedy.folder.path(), fs::Permissions::from_mode(mode)).expect("sets the mode");
        greedy.is_killed_and_runs_again().await;
        greedy.may("open('folder/own', 'r+').write('y')").await;
        greedy.may("os.getuid()").await
    };
    let is_another = anew(0o755).await != user;
    assert_eq!(is_another, rustix::process::geteuid().is_root());
    assert_eq!(anew(0o700).await, user);
}
