//! What has to be run for a program to run: interpreters of scripts, and the loader of each.
//!
//! It only reads the first bytes of files. `env` is followed to what it looks up, with the plugin's own path.

use std::{
    fs::File,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The kernel itself goes no further than this from script to script.
const DEPTH: usize = 5;
/// Headers of programs lie in their first page, and the first line of a script is shorter.
const HEAD: u64 = 4096;
/// The kind of header that names the loader (ELF: `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// The program and everything that is run for it.
#[must_use]
pub(super) fn of(program: &Path, search_path: &str) -> Vec<PathBuf> {
    let mut chain = vec![program.to_owned()];
    let mut next = Some(program.to_owned());
    for _ in 0..DEPTH {
        let Some(head) = next.take().and_then(|path| head(&path)) else {
            break;
        };
        if let Some(line) = head.strip_prefix(b"#!") {
            let words = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let mut words = words
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|word| !word.is_empty());
            let Some(interpreter) = words.next().map(path) else {
                break;
            };
            chain.push(interpreter.clone());
            if interpreter.file_name().is_some_and(|name| name == "env") {
                chain.extend(self::head(&interpreter).as_deref().and_then(loader));
                // Options and variables of `env` itself come before the name.
                let name = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='));
                next = name.and_then(|name| look_up(&path(name), search_path));
                chain.extend(next.clone());
            } else {
                next = Some(interpreter);
            }
        } else {
            chain.extend(loader(&head));
        }
    }
    chain
}

/// Where a program is: as it stands, or the first of its name on the path.
#[must_use]
pub(super) fn look_up(name: &Path, search_path: &str) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name.to_owned());
    }
    let folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute());
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn head(path: &Path) -> Option<Vec<u8>> {
    // Opening a device or a pipe that an author named would do something or wait for ever.
    if !path.is_file() {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The loader that a program of 64 bits, little-endian, names.
fn loader(head: &[u8]) -> Option<PathBuf> {
    let number = |at: usize, size: usize| {
        let bytes = head.get(at..at.checked_add(size)?)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).ok()
    };
    if head.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let headers = (0..count).map_while(|index| table.checked_add(size.checked_mul(index)?));
    let mut headers = headers.take_while(|at| *at < head.len());
    let at = headers.find(|at| number(*at, 4) == Some(INTERPRETER as usize))?;
    let (start, length) = (number(at + 8, 8)?, number(at + 32, 8)?);
    let text = head.get(start..start.checked_add(length)?)?;
    Some(path(text.strip_suffix(b"\0")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_needs_its_interpreter_and_that_ones_loader() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("plugin");
        std::fs::write(&script, "#!/usr/bin/env -S A=b python3 -u\n").expect("writes");
        let chain = of(&script, "relative:/nonexistent:/usr/bin");
        assert_eq!(chain[..2], [script, "/usr/bin/env".into()]);
        assert!(chain.contains(&"/usr/bin/python3".into()), "{chain:?}");
        let loaders = chain.iter().filter(|path| path.to_string_lossy().contains("ld-"));
        assert_eq!(loaders.count(), 2, "{chain:?}");
    }

    #[test]
    fn what_is_no_program_needs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        for bytes in [
            &b"\x7fELF\x02\x01"[..],
            b"#!",
            b"#!\n",
            b"",
            b"#!  \t\n",
            &[0xff; 9000],
        ] {
            std::fs::write(&file, bytes).expect("writes");
            assert_eq!(of(&file, "/usr/bin"), std::slice::from_ref(&file));
        }
        let mut claims = b"\x7fELF\x02\x01".to_vec();
        claims.resize(64, 0xff);
        std::fs::write(&file, claims).expect("writes");
        assert_eq!(of(&file, "/usr/bin"), std::slice::from_ref(&file));
        std::fs::write(&file, format!("#!{}\n", file.display())).expect("writes");
        assert_eq!(
            of(&file, "/usr/bin").len(),
            DEPTH + 1,
            "a script that is its own interpreter"
        );
    }
}
