//! Printing to stdout, where an output that is gone is a failure and no panic.

use serde::Serialize;
use snooze_service_runtime::{Exit, Failure};
use std::io::Write;

/// Prints lines.
pub(crate) fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    let written = lines
        .into_iter()
        .try_for_each(|line| writeln!(output, "{}", line.as_ref()))
        .and_then(|()| output.flush());
    written.map_err(|error| Failure::new(Exit::Failed, format!("print: {error}")))
}

/// Prints a value as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    lines([text])
}

/// Columns that line up, two spaces apart; the last one is as long as it is.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let mut widths = header.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows
        .iter()
        .map(|row| line(std::array::from_fn(|at| row[at].as_str())));
    std::iter::once(line(header)).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
