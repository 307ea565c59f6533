//! What has to be run for a program to run: interpreters of scripts, and the loader of each.
//!
//! It only reads the first bytes of files. `env` is followed to what it looks up, with the plugin's own path. What
//! is no executable file is run by nobody, and never in the chain.

mod env_line;

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

/// The kernel itself goes no further than this from script to script.
const DEPTH: usize = 5;
/// Headers of programs lie in their first page, and the first line of a script is shorter.
const HEAD: u64 = 4096;
/// So much of a script the kernel looks at, the end of its first line included (`BINPRM_BUF_SIZE`).
const LINE: usize = 256;
/// The kind of header that names the loader (ELF: `PT_INTERP`).
const INTERPRETER: u32 = 3;
/// Where `env` is. Another program of that name does as it likes.
const ENV: [&str; 2] = ["/usr/bin/env", "/bin/env"];

/// What is run for the program, beside itself.
///
/// # Errors
/// A first line that is not understood, by its words, or what it needs and is not there: the kernel would say of the
/// program itself that there is none.
pub(super) fn of(program: &Path, search_path: &str) -> Result<Vec<PathBuf>, String> {
    let mut chain = Vec::new();
    let mut next = Some(program.to_owned());
    for _ in 0..DEPTH {
        let Some(script) = next.take() else {
            break;
        };
        let Some(head) = head(&script) else {
            break;
        };
        let Some(line) = head.strip_prefix(b"#!") else {
            if let Some(loader) = loader(&head) {
                is_there(&loader).map_err(|why| {
                    let (program, loader) = (script.display(), loader.display());
                    format!("{program} is loaded by {loader}, which {why}")
                })?;
                chain.push(loader);
            }
            break;
        };
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.trim_ascii_start();
        let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let (interpreter, argument) = line.split_at(end.unwrap_or(line.len()));
        if interpreter.is_empty() {
            break;
        }
        let refused = |why: String| {
            let line = String::from_utf8_lossy(line);
            format!(
                "the first line of {} is refused: {why}: #!{}",
                script.display(),
                line.trim_ascii_end()
            )
        };
        let interpreter = path(interpreter);
        if !interpreter.is_absolute() {
            // It would be looked for in the plugin's working folder, which it writes.
            return Err(refused(format!("{} is no absolute path", interpreter.display())));
        }
        let lacking = |name: &Path, why: &str| {
            let line = String::from_utf8_lossy(line);
            format!(
                "{} takes the interpreter {}, which {why}: #!{}",
                script.display(),
                name.display(),
                line.trim_ascii_end()
            )
        };
        is_there(&interpreter).map_err(|why| lacking(&interpreter, why))?;
        chain.push(interpreter.clone());
        next = Some(interpreter.clone());
        if ENV.iter().any(|env| interpreter == Path::new(env)) {
            if line.len() + b"#!\n".len() > LINE {
                return Err(refused("it is longer than the kernel reads".to_owned()));
            }
            chain.extend(self::head(&interpreter).as_deref().and_then(loader));
            let wanted = env_line::read(argument, search_path).map_err(refused)?;
            let none = || lacking(&wanted.program, &format!("is not in {}", wanted.search_path));
            let program = look_up(&wanted.program, wanted.search_path).ok_or_else(none)?;
            is_there(&program).map_err(|why| lacking(&program, why))?;
            chain.push(program.clone());
            next = Some(program);
        }
    }
    Ok(chain)
}

/// Whether it can be run, as far as that is seen without running it.
///
/// # Errors
/// Why not, in words that go on after its name.
fn is_there(path: &Path) -> Result<(), &'static str> {
    match fs::metadata(path) {
        _ if is_executable(path) => Ok(()),
        Ok(_) => Err("is no file that anybody may run"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("is not there"),
        Err(_) => Err("cannot be looked at"),
    }
}

/// Whether it is a file that somebody may run.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
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

    fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let file = folder.path().join(name);
        fs::write(&file, bytes).expect("writes");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        file
    }

    #[test]
    fn a_script_needs_its_interpreter_and_that_ones_loader() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = file(&folder, "plugin", b"#!/usr/bin/env -S A=b python3 -u\n");
        let chain = of(&script, "relative:/nonexistent:/usr/bin").expect("it is plain");
        assert_eq!(chain[0], Path::new("/usr/bin/env"));
        assert!(chain.contains(&"/usr/bin/python3".into()), "{chain:?}");
        let loaders = chain.iter().filter(|path| path.to_string_lossy().contains("ld-"));
        assert_eq!(loaders.count(), 2, "{chain:?}");
    }

    #[test]
    fn a_line_that_is_not_understood_is_told_with_its_script() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = file(
            &folder,
            "inner",
            b"#!/usr/bin/env -S -u /var/bin/x ld.so python3\n",
        );
        let outer = file(&folder, "outer", format!("#!{}\n", inner.display()).as_bytes());
        let told = format!(
            "the first line of {} is refused: -u is not understood: #!/usr/bin/env -S -u /var/bin/x ld.so python3",
            inner.display()
        );
        assert_eq!(of(&outer, "/usr/bin"), Err(told));
        let relative = file(&folder, "relative", b"#!bin/x\n");
        let why = of(&relative, "/usr/bin").expect_err("it writes there");
        assert!(why.contains("bin/x is no absolute path"), "{why}");
        let long = format!("#!/usr/bin/env -S A={} sh\n", "x".repeat(300));
        let why = of(&file(&folder, "long", long.as_bytes()), "/usr/bin").expect_err("it is cut off");
        assert!(why.contains("longer than the kernel reads"), "{why}");
        // Another program of that name is not followed: nobody knows what it does.
        let env = file(&folder, "env", b"\x7fELF");
        let other = file(
            &folder,
            "other",
            format!("#!{} -S -u sh\n", env.display()).as_bytes(),
        );
        assert_eq!(of(&other, "/usr/bin"), Ok(vec![env]));
    }

    #[test]
    fn what_is_needed_and_not_there_or_run_by_nobody_is_named_and_not_the_script() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = file(&folder, "secret", b"text");
        let script = file(&folder, "plugin", format!("#!{}\n", secret.display()).as_bytes());
        assert_eq!(of(&script, "/usr/bin"), Ok(vec![secret.clone()]));
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("sets the mode");
        let secret = secret.to_str().expect("a plain name");
        let (nobody, none) = ("is no file that anybody may run", "is not there");
        for (line, named, why) in [
            (secret, secret, nobody),
            ("/dev/null", "/dev/null", nobody),
            ("/usr/bin", "/usr/bin", nobody),
            ("/nonexistent", "/nonexistent", none),
            ("/nonexistent -u", "/nonexistent", none),
            ("/usr/bin/env /nonexistent", "/nonexistent", none),
            ("/usr/bin/env nonesuch", "nonesuch", "is not in /usr/bin"),
            ("/usr/bin/env -S A=b nonesuch", "nonesuch", "is not in /usr/bin"),
        ] {
            let script = file(&folder, "plugin", format!("#!{line}\n").as_bytes());
            let told = format!(
                "{} takes the interpreter {named}, which {why}: #!{line}",
                script.display()
            );
            assert_eq!(of(&script, "/usr/bin"), Err(told));
        }
        // Of a script that another one is the interpreter of, that one is named.
        let inner = file(&folder, "inner", b"#!/nonexistent\n");
        let outer = file(&folder, "outer", format!("#!{}\n", inner.display()).as_bytes());
        let why = of(&outer, "/usr/bin").expect_err("it cannot run");
        assert!(why.starts_with(&inner.display().to_string()), "{why}");
    }

    #[test]
    fn a_loader_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = fs::read("/bin/sh").expect("there is a shell");
        let loader = loader(&program).expect("it has one");
        let name = loader.to_str().expect("a plain name").as_bytes();
        let at = program
            .windows(name.len())
            .position(|bytes| bytes == name)
            .expect("it is named");
        program[at + 1] = b'#';
        let program = file(&folder, "program", &program);
        let why = of(&program, "/usr/bin").expect_err("it cannot run");
        assert!(
            why.contains("is loaded by /#") && why.ends_with("which is not there"),
            "{why}"
        );
    }

    #[test]
    fn what_is_no_program_needs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        for bytes in [
            &b"\x7fELF\x02\x01"[..],
            b"#!",
            b"#!\n",
            b"",
            b"#!  \t\n",
            &[0xff; 9000],
        ] {
            assert_eq!(of(&file(&folder, "file", bytes), "/usr/bin"), Ok(Vec::new()));
        }
        let mut claims = b"\x7fELF\x02\x01".to_vec();
        claims.resize(64, 0xff);
        let claims = file(&folder, "file", &claims);
        assert_eq!(of(&claims, "/usr/bin"), Ok(Vec::new()));
        let own = file(&folder, "file", format!("#!{}\n", claims.display()).as_bytes());
        assert_eq!(
            of(&own, "/usr/bin").expect("it is plain").len(),
            DEPTH,
            "a script that is its own interpreter"
        );
    }
}
