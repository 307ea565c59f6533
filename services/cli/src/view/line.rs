//! A line of the screen: pieces of text, each with its look. Pure.

use super::{terminal::TerminalLook, text, width};
use std::fmt::Write;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As the terminal has it.
    Plain,
    /// A heading.
    Heading,
    /// Less important.
    Faint,
    /// Idle, done, well.
    Good,
    /// Busy: somebody is there.
    Busy,
    /// Unknown, away, failed.
    Bad,
}

impl Look {
    /// The terminal's code for it (ECMA-48, select graphic rendition).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Heading => "1;36",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "1;31",
        }
    }
}

/// One line on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<(Look, String)>);

impl Line {
    pub(super) fn of(look: Look, text: impl Into<String>) -> Line {
        Line(vec![(look, text.into())])
    }

    pub(super) fn and(mut self, look: Look, text: impl Into<String>) -> Line {
        self.0.push((look, text.into()));
        self
    }

    /// The text alone.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Broken between words into lines of so many columns; all but the first are indented. A word that is
    /// longer than a line is left to be cut.
    pub(super) fn wrapped(self, columns: usize, indent: usize) -> Vec<Line> {
        let room = columns.max(indent + 1);
        let mut lines = Vec::new();
        let mut line = Line::default();
        let mut used = 0;
        for (look, text) in self.0 {
            for word in text.split_inclusive(' ') {
                let length = width::of(word);
                let visible = width::of(word.trim_end());
                // Spaces at the start of a line are its own indentation, and no place to break it.
                if used > indent && visible > 0 && used + visible > room {
                    lines.push(std::mem::take(&mut line));
                    line = Line::of(Look::Plain, " ".repeat(indent));
                    used = indent;
                }
                match line.0.last_mut() {
                    Some((last, piece)) if *last == look => piece.push_str(word),
                    _ => line.0.push((look, word.to_owned())),
                }
                used += length;
            }
        }
        lines.push(line);
        lines
    }

    /// With the terminal's codes, cut to so many columns; and how many it takes.
    #[must_use]
    pub fn styled(&self, columns: usize, terminal: TerminalLook) -> (String, usize) {
        let mut used = 0;
        let mut out = String::new();
        for (look, text) in &self.0 {
            let text = text::printable(text);
            let (piece, taken) = width::cut(&text, columns - used);
            used += taken;
            match terminal {
                TerminalLook::Coloured => write!(out, "\x1b[{}m{piece}\x1b[0m", look.code()),
                TerminalLook::Plain | TerminalLook::Lines => write!(out, "{piece}"),
            }
            .expect("a string takes everything");
        }
        (out, used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_with_its_looks() {
        let line = Line::of(Look::Heading, "VERDICT").and(Look::Plain, "  stay: one two three four");
        assert_eq!(
            line.wrapped(20, 9)
                .iter()
                .map(|line| line.text().trim_end().to_owned())
                .collect::<Vec<_>>(),
            ["VERDICT  stay: one", "         two three", "         four"]
        );
        let word = Line::of(Look::Plain, "a-word-that-is-longer-than-a-line");
        assert_eq!(word.clone().wrapped(10, 3), [word]);
    }

    #[test]
    fn a_line_is_cut_to_the_columns_and_keeps_its_codes_closed() {
        let line = Line::of(Look::Good, "idle").and(Look::Plain, "\u{1b}[2J and more");
        let coloured = |columns| line.styled(columns, TerminalLook::Coloured);
        let cut = "\x1b[32midle\x1b[0m\x1b[0m [\x1b[0m".to_owned();
        assert_eq!(coloured(6), (cut, 6));
        assert_eq!(coloured(0), ("\x1b[32m\x1b[0m\x1b[0m\x1b[0m".to_owned(), 0));
    }

    #[test]
    fn who_wants_no_colours_gets_none() {
        let line = Line::of(Look::Good, "idle");
        assert_eq!(line.styled(9, TerminalLook::Plain), ("idle".to_owned(), 4));
    }

    #[test]
    fn wide_characters_are_cut_where_they_end() {
        let line = Line::of(Look::Plain, "日本語");
        assert_eq!(line.styled(5, TerminalLook::Plain), ("日本".to_owned(), 4));
    }
}
