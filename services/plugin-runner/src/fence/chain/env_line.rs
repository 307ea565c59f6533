//! What `env` runs for a script whose first line names it.
//!
//! It follows only what is plain: `-S`, `-i`, `NAME=value` and then the program. `env` knows more, and whoever
//! guesses at the rest would grant another program than the one that is run.

use super::path;
use std::path::PathBuf;

/// Where it looks without a `PATH` (`_CS_PATH` of confstr(3)).
const WITHOUT_PATH: &str = "/bin:/usr/bin";

/// What is looked up, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// A plain name or an absolute path.
    pub program: PathBuf,
    /// Where.
    pub search_path: &'a str,
}

/// Reads what stands behind the interpreter, which the kernel hands over as one argument.
pub(super) fn read<'a>(argument: &[u8], search_path: &'a str) -> Result<Wanted<'a>, String> {
    // `env` splits, replaces and skips by these, and the kernel ends the line at a zero.
    let is_plain = |byte: &u8| !byte.is_ascii_control() && !b"'\"\\$#".contains(byte);
    if let Some(byte) = argument.iter().find(|byte| !is_plain(byte) && **byte != b'\t') {
        return Err(format!("{:?} is not understood", char::from(*byte)));
    }
    let mut words = argument
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty())
        .peekable();
    let is_split = words.next_if_eq(&&b"-S"[..]).is_some();
    let mut search_path = search_path;
    while is_split && words.next_if_eq(&&b"-i"[..]).is_some() {
        search_path = WITHOUT_PATH;
    }
    while let Some(variable) = words.next_if(|word| is_split && word.contains(&b'=')) {
        if variable.starts_with(b"-") || variable.starts_with(b"PATH=") {
            return Err(not_understood(variable));
        }
    }
    let program = words.next().ok_or("it names no program")?;
    if program.starts_with(b"-") || program.contains(&b'=') {
        return Err(not_understood(program));
    }
    if !is_split && words.next().is_some() {
        return Err("more than one word takes -S".to_owned());
    }
    let program = path(program);
    if !program.is_absolute() && program.components().count() != 1 {
        return Err(format!(
            "{} is neither a name nor an absolute path",
            program.display()
        ));
    }
    Ok(Wanted { program, search_path })
}

fn not_understood(word: &[u8]) -> String {
    format!("{} is not understood", String::from_utf8_lossy(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/usr/local/bin:/usr/bin";

    #[test]
    fn what_is_plain_is_followed() {
        for (argument, program, search_path) in [
            ("python3", "python3", PATH),
            (" /opt/bin/python3\t", "/opt/bin/python3", PATH),
            ("-S python3 -u -X x=y", "python3", PATH),
            ("-S  A=b LANG=C.UTF-8 python3", "python3", PATH),
            ("-S -i A=b python3 -i", "python3", WITHOUT_PATH),
        ] {
            let wanted = Wanted {
                program: program.into(),
                search_path,
            };
            assert_eq!(read(argument.as_bytes(), PATH), Ok(wanted), "{argument}");
        }
    }

    #[test]
    fn what_is_not_plain_is_refused_by_its_name() {
        for (argument, told) in [
            ("-S -u /var/bin/x ld.so python3", "-u is not understood"),
            ("-S -C / python3", "-C is not understood"),
            ("-S -- python3", "-- is not understood"),
            ("-S A=b -i python3", "-i is not understood"),
            ("-S --unset=x python3", "--unset=x is not understood"),
            ("-S PATH=/var/bin python3", "PATH=/var/bin is not understood"),
            ("-Spython3 -u", "-Spython3 is not understood"),
            ("-vS python3", "-vS is not understood"),
            ("-i", "-i is not understood"),
            ("A=b", "A=b is not understood"),
            ("python3 -u", "more than one word takes -S"),
            ("-S", "it names no program"),
            ("-S -i A=b", "it names no program"),
            ("", "it names no program"),
            (
                "-S bin/python3",
                "bin/python3 is neither a name nor an absolute path",
            ),
            (
                "-S ../python3",
                "../python3 is neither a name nor an absolute path",
            ),
            ("-S ${X} python3", "'$' is not understood"),
            ("-S 'python3'", "'\\'' is not understood"),
            ("-S python3\\_x", "'\\\\' is not understood"),
            ("-S #python3", "'#' is not understood"),
            ("python3\r", "'\\r' is not understood"),
            ("python3\0", "'\\0' is not understood"),
        ] {
            assert_eq!(
                read(argument.as_bytes(), PATH),
                Err(told.to_owned()),
                "{argument}"
            );
        }
    }
}
