//! Tells people at this host's terminals that it is about to be stopped (S12).
//!
//! It never waits for a terminal: one that does not take the line at once is passed over. Like `wall`,
//! it leaves those alone that do not want messages, except as the superuser.

use snooze_service_runtime::plain::plain;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// So many terminals are written to at most.
const TERMINALS: usize = 256;

/// The longest notice, in bytes; the reason in it comes from outside.
const TEXT_LIMIT: usize = 512;

/// Others of the terminal's group, `tty`, may write to it: `mesg y`.
const WANTS_MESSAGES: u32 = 0o020;

/// Writes the text to every terminal below this folder, and to the log.
pub(super) async fn tell(devices: PathBuf, text: String) {
    tracing::info!(text, "notice");
    let line = line_of(&text);
    let told = tokio::task::spawn_blocking(move || {
        terminals(&devices)
            .iter()
            .filter(|path| write_to(path, line.as_bytes()))
            .count()
    });
    if let Ok(count) = told.await {
        tracing::debug!(count, "terminals were told");
    }
}

/// The text without anything that a terminal would take as a command.
fn line_of(text: &str) -> String {
    let clean = plain(text);
    let end = clean.floor_char_boundary(TEXT_LIMIT);
    format!("\r\n{}\r\n", &clean[..end])
}

/// The pseudo-terminals and the first consoles.
fn terminals(devices: &Path) -> Vec<PathBuf> {
    let numbered = |folder: &Path, prefix: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_one = |name: &str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.parse::<u16>().is_ok())
        };
        entries
            .filter(|entry| entry.file_name().to_str().is_some_and(is_one))
            .map(|entry| entry.path())
            .collect()
    };
    let mut found = numbered(&devices.join("pts"), "");
    found.extend(numbered(devices, "tty").into_iter().take(12));
    found.truncate(TERMINALS);
    found
}

fn write_to(path: &Path, line: &[u8]) -> bool {
    let Ok(found) = fs::metadata(path) else {
        return false;
    };
    let welcome = found.mode() & WANTS_MESSAGES != 0 || rustix::process::geteuid().is_root();
    if !found.file_type().is_char_device() || !welcome {
        return false;
    }
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let is_terminal = |file: &File| rustix::termios::isatty(file);
    match opened {
        Ok(mut file) if is_terminal(&file) => file.write_all(line).is_ok(),
        Ok(_) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn s12_a_notice_cannot_carry_commands_to_a_terminal() {
        let line = line_of(&format!("idle\u{1b}]0;evil\u{7}\nnext{}", "ä".repeat(1000)));
        let inner = line.trim();
        assert!(!inner.contains(|c: char| c.is_control()), "{inner:?}");
        assert!(line.len() <= TEXT_LIMIT + 4);
    }

    #[test]
    fn s12_only_terminals_are_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("pts")).expect("makes");
        for name in ["pts/0", "pts/ptmx", "tty1", "sda"] {
            fs::write(folder.path().join(name), "").expect("writes");
        }
        let mut found: Vec<_> = terminals(folder.path());
        found.sort();
        assert_eq!(found, [folder.path().join("pts/0"), folder.path().join("tty1")]);
        assert!(
            found.iter().all(|path| !write_to(path, b"x")),
            "plain files are no terminals"
        );
        assert_eq!(fs::read(folder.path().join("pts/0")).expect("reads"), b"");
    }

    #[tokio::test]
    async fn s12_people_at_a_terminal_read_the_notice() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("pts")).expect("makes");
        // It makes a terminal, says its name, and then says what appears on it.
        let script = "#!/usr/bin/env python3\nimport os, pty\nmaster, slave = pty.openpty()\nos.fchmod(slave, 0o620)\nprint(os.ttyname(slave), flush=True)\nprint(os.read(master, 4096).decode().strip(), flush=True)\n";
        let path = folder.path().join("terminal");
        fs::write(&path, script).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        let search_path = crate::SEARCH_PATH.to_owned();
        let program = process::Program {
            path,
            search_path,
            home: folder.path().to_owned(),
            fence: None,
        };
        let (_process, mut said, _errors) = process::start(&program).expect("it starts");
        let name = String::from_utf8(said.read_line().await.expect("it says the name")).expect("text");
        std::os::unix::fs::symlink(name, folder.path().join("pts/7")).expect("links");
        tell(folder.path().to_owned(), "h1 will be stopped in 60 s".to_owned()).await;
        let notice = said.read_line().await.expect("it says what it read");
        assert_eq!(notice, b"h1 will be stopped in 60 s");
    }
}
