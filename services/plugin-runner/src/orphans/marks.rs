//! What a process cannot rid itself of, and what it says of itself.
//!
//! It signals nobody.

use crate::fence::{FILE_BYTES, OPEN_FILES};
use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::PathBuf};

/// Under how many filters of system calls this process is; nothing before Linux 5.9, which does not say.
pub(super) fn filters_of_this_process() -> Option<u64> {
    filters(&status("self")?)
}

/// Whether it is under more filters than this process, and under a fence's limits: those are never raised, and who
/// only filters itself, as some programs do, has others.
pub(super) fn is_fenced(process: i32) -> bool {
    let name = process.to_string();
    let filters = |process: &str| status(process).and_then(|status| filters(&status));
    let (Some(its), Some(ours)) = (filters(&name), filters_of_this_process()) else {
        return false;
    };
    its > ours && has_limits(&name).unwrap_or(false)
}

/// Its real user.
pub(super) fn user_of(process: i32) -> Option<u32> {
    field(&status(&process.to_string())?, "Uid:")?.parse().ok()
}

/// Its `HOME`, as it was when its program was started or as it has made it since; nothing where it has no environment, as
/// while it becomes another program.
pub(super) fn home_of(process: i32) -> Option<PathBuf> {
    let environment = fs::read(format!("/proc/{process}/environ")).ok()?;
    if environment.is_empty() {
        return None;
    }
    let home = environment
        .split(|byte| *byte == 0)
        .find_map(|one| one.strip_prefix(b"HOME="));
    Some(OsString::from_vec(home.unwrap_or_default().to_vec()).into())
}

fn status(process: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/status")).ok()
}

fn filters(status: &str) -> Option<u64> {
    field(status, "Seccomp_filters:")?.parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()
}

fn has_limits(process: &str) -> Option<bool> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    // The first number is the one that it may raise itself, up to the second.
    let hard = |name: &str| -> Option<u64> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    Some(hard("Max open files")? <= OPEN_FILES && hard("Max file size")? <= FILE_BYTES)
}
