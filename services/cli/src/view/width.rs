//! How many columns a text takes on a terminal. Pure, and no more than is needed to cut a line where it ends:
//! what is shown here is ASCII but for names and reasons of others.

/// Characters that take two columns: East Asian wide and full-width ones, and emoji (Unicode 16, UAX #11).
const WIDE: [(u32, u32); 14] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x23e9, 0x23ec),
    (0x2614, 0x2615),
    (0x2e80, 0x303e),
    (0x3041, 0xa4cf),
    (0xa960, 0xa97c),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1faff),
    (0x20000, 0x3fffd),
];

/// Characters that take none: they are put onto the one before.
const NONE: [(u32, u32); 6] = [
    (0x0300, 0x036f),
    (0x200b, 0x200f),
    (0x20d0, 0x20ff),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
    (0xe0100, 0xe01ef),
];

/// The columns of a text without control characters.
#[must_use]
pub fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// The beginning of a text that fits into so many columns, and how many it takes.
#[must_use]
pub fn cut(text: &str, columns: usize) -> (&str, usize) {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        let width = of_char(character);
        if used + width > columns {
            return (&text[..at], used);
        }
        used += width;
    }
    (text, used)
}

fn of_char(character: char) -> usize {
    let code = u32::from(character);
    let is_in = |ranges: &[(u32, u32)]| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code))
    };
    match code {
        // Nearly everything, so it is not looked for below.
        0x20..=0x7e => 1,
        _ if is_in(&NONE) => 0,
        _ if is_in(&WIDE) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_take_the_columns_that_terminals_give_them() {
        for (text, columns) in [
            ("", 0),
            ("idle", 4),
            ("日本", 4),
            ("é", 1),
            ("e\u{301}", 1),
            ("🚀", 2),
        ] {
            assert_eq!(of(text), columns, "{text:?}");
        }
    }

    #[test]
    fn half_a_character_is_none() {
        assert_eq!(cut("日本", 3), ("日", 2));
        assert_eq!(cut("abc", 2), ("ab", 2));
        assert_eq!(cut("abc", 9), ("abc", 3));
    }
}
