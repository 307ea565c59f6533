//! Printing to stdout, where an output that is gone is no panic. A reader that has read enough, as `head`
//! does, is no failure either.

use crate::NAME;
use serde::Serialize;
use snooze_service_runtime::{Exit, Failure};
use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    ops::ControlFlow,
};

/// Prints lines.
pub(crate) fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<(), Failure> {
    write_lines(&mut io::stdout().lock(), lines).map(|_| ())
}

/// Prints one line, and says whether anybody reads it.
pub(crate) fn line(text: &str) -> Result<ControlFlow<()>, Failure> {
    write_lines(&mut io::stdout().lock(), [text])
}

/// Prints a value as JSON on one line, and says whether anybody reads it.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<ControlFlow<()>, Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    write_lines(&mut io::stdout().lock(), [text])
}

/// Says something to the person, on stderr. Where nobody hears it, nobody needs it.
pub(crate) fn talk(text: &str) {
    writeln!(io::stderr(), "{NAME}: {text}").ok();
}

/// Shows lines to the person, on stderr, as what a question is about.
pub(crate) fn tell<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) {
    write_lines(&mut io::stderr().lock(), lines).ok();
}

/// What a command is at, on stderr: on a terminal one line, which the next one takes the place of and which is gone when
/// this is dropped; elsewhere a line each.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub(crate) fn begin() -> Progress {
        Progress {
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows what is begun now.
    pub(crate) fn at(&self, text: &str) {
        match self.is_terminal {
            true => write!(io::stderr(), "{AWAY}{NAME}: {text}").ok(),
            false => writeln!(io::stderr(), "{NAME}: {text}").ok(),
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            write!(io::stderr(), "{AWAY}").ok();
        }
    }
}

/// What takes away the line in which a terminal's cursor stands (ECMA-48, CR and EL).
const AWAY: &str = "\r\u{1b}[K";

fn write_lines<L: AsRef<str>>(
    output: &mut impl Write,
    lines: impl IntoIterator<Item = L>,
) -> Result<ControlFlow<()>, Failure> {
    let written = lines
        .into_iter()
        .try_for_each(|line| writeln!(output, "{}", line.as_ref()))
        .and_then(|()| output.flush());
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Failure::new(Exit::Failed, format!("print: {error}"))),
    }
}

/// Prints a value as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    lines([text])
}

/// Columns that line up, two spaces apart; the last one is as long as it is.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    columns(&header, rows)
}

/// The same, where how many columns there are is known later.
pub(crate) fn columns(header: &[&str], rows: &[impl AsRef<[String]>]) -> Vec<String> {
    let mut widths: Vec<usize> = header.iter().map(|title| title.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[&str]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| {
        let cells: Vec<&str> = row.as_ref().iter().map(String::as_str).collect();
        line(&cells)
    });
    std::iter::once(line(header)).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_read_enough_is_no_failure() {
        struct Gone(ErrorKind);
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let head = write_lines(&mut Gone(ErrorKind::BrokenPipe), ["a"]);
        assert_eq!(head, Ok(ControlFlow::Break(())));
        let full = write_lines(&mut Gone(ErrorKind::StorageFull), ["a"]);
        assert_eq!(full.map_err(|failure| failure.exit), Err(Exit::Failed));
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["a".to_owned(), "long text".to_owned()],
            ["bcdef".to_owned(), "x".to_owned()],
        ];
        assert_eq!(
            table(["H", "T"], &rows),
            ["H      T", "a      long text", "bcdef  x"]
        );
    }
}
