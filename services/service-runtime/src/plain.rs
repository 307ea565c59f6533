//! Text from elsewhere as a person may see it: what is shown is what is there.
//!
//! It changes nothing but characters, and knows no terminal.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Whether a character shows as itself and does nothing else: it steers no terminal, ends no line, turns no text
/// around and is not invisible.
#[must_use]
pub fn is_plain(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    !matches!(
        get_general_category(c),
        Control | Format | LineSeparator | ParagraphSeparator
    )
}

/// The text with a blank for each control character and a mark for each other one that does not show as itself.
#[must_use]
pub fn plain(text: &str) -> String {
    let shown = |c: char| match (is_plain(c), c.is_control()) {
        (true, _) => c,
        (false, true) => ' ',
        (false, false) => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_turns_or_hides_is_not_shown_and_all_else_is() {
        assert_eq!(
            plain("Größe 7 µs, 日本, 🙂\u{301}"),
            "Größe 7 µs, 日本, 🙂\u{301}"
        );
        assert_eq!(plain("a\u{1b}[2J\nb\u{9b}c"), "a [2J b c");
        // Turned around, another line, nothing to see, a tag.
        for odd in [
            '\u{202e}',
            '\u{2066}',
            '\u{2028}',
            '\u{2029}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{e0041}',
        ] {
            assert_eq!(plain(&format!("/var/{odd}x")), "/var/\u{fffd}x", "{odd:?}");
        }
    }
}
