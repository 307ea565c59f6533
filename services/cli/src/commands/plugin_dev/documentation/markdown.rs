//! Markdown of which nothing is but text: whatever an author writes ends no cell, line or block. Pure.

use serde_json::Value;
use snooze_service_runtime::plain::plain;
use std::fmt::Write;

/// A paragraph.
pub(super) fn paragraph(page: &mut String, text: &str) {
    page.push_str(text);
    page.push_str("\n\n");
}

/// A value as it would stand in a file.
pub(super) fn block(page: &mut String, value: &Value) {
    // Control characters are escaped in JSON, so that no line of it can end the block but by these three.
    let text = format!("{value:#}").replace("```", "\\u0060\\u0060\\u0060");
    write!(page, "```json\n{text}\n```\n\n").expect("a text takes whatever is written to it");
}

/// A table.
pub(super) fn table<const N: usize>(
    page: &mut String,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut put = |cells: &[String]| {
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    };
    put(&header.map(str::to_owned));
    put(&[const { String::new() }; N].map(|_| "---".to_owned()));
    rows.for_each(|row| put(&row));
    page.push('\n');
}

/// A text that stays on its line and in its cell, and is nothing but text.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::new();
    for c in plain(text).chars() {
        match c {
            '|' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' => {
                shown.push('\\');
                shown.push(c);
            }
            c => shown.push(c),
        }
    }
    shown.trim().to_owned()
}

/// A text as it is typed.
pub(super) fn code(text: &str) -> String {
    let text = plain(text);
    // Within a table a bar ends the cell even here.
    let text = text.replace('|', "\\|");
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_writes_stays_text() {
        assert_eq!(line("a | <b> `c`\n# d"), "a \\| \\<b\\> \\`c\\` \\# d");
        assert_eq!(code("a|b\n"), "`a\\|b `");
        assert_eq!(code("`"), "`` ` ``");
    }
}
