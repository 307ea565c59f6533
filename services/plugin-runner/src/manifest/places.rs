//! Where in a text of JSON each value stands, and which key stands there twice.
//!
//! It understands no values and reports no mistakes of the text: it is given only what a parser took.

use std::{collections::BTreeMap, fmt};

/// A place in a text; both count from one, the column in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

/// The places of all values of a text, by their JSON pointers (RFC 6901). A member's is that of its key.
#[derive(Debug, Default)]
pub(super) struct Places {
    at: BTreeMap<String, Place>,
    /// The members whose key stands there more than once.
    pub twice: Vec<String>,
}

impl Places {
    /// Those of a text that a parser took.
    pub(super) fn of(text: &str) -> Places {
        let mut scanner = Scanner {
            text: text.as_bytes(),
            at: 0,
            line: 1,
            line_begins: 0,
            found: Places::default(),
        };
        scanner.skip_space();
        let place = scanner.place();
        scanner.note("", place);
        scanner.value("");
        scanner.found
    }

    /// That of a value; of the innermost one around it that is there, where it is not.
    pub(super) fn find(&self, pointer: &str) -> Option<Place> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.at.get(pointer) {
                return Some(*place);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// A pointer to a member or an element.
pub(crate) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A pointer as people write a path: `permissions.tcp[0].port`.
pub(crate) fn shown(pointer: &str) -> String {
    let mut path = String::new();
    for part in names(pointer) {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

/// The names and indexes that a pointer goes through.
pub(super) fn names(pointer: &str) -> impl Iterator<Item = String> {
    pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    line_begins: usize,
    found: Places,
}

impl Scanner<'_> {
    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.at - self.line_begins + 1,
        }
    }

    fn note(&mut self, pointer: &str, place: Place) {
        if self.found.at.insert(pointer.to_owned(), place).is_some() {
            self.found.twice.push(pointer.to_owned());
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek().filter(u8::is_ascii_whitespace) {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_begins = self.at;
            }
        }
    }

    /// The parser has bounded how deep values stand in each other.
    fn value(&mut self, pointer: &str) {
        match self.peek() {
            Some(b'{') => self.members(pointer),
            Some(b'[') => self.elements(pointer),
            Some(b'"') => drop(self.string()),
            _ => {
                while self
                    .peek()
                    .is_some_and(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace())
                {
                    self.at += 1;
                }
            }
        }
        self.skip_space();
    }

    fn members(&mut self, pointer: &str) {
        loop {
            self.at += 1;
            self.skip_space();
            if self.peek() != Some(b'"') {
                break;
            }
            let place = self.place();
            let pointer = below(pointer, &self.string());
            self.note(&pointer, place);
            self.skip_space();
            // The colon.
            self.at += 1;
            self.skip_space();
            self.value(&pointer);
            if self.peek() != Some(b',') {
                break;
            }
        }
        self.at += 1;
    }

    fn elements(&mut self, pointer: &str) {
        for index in 0_usize.. {
            self.at += 1;
            self.skip_space();
            if self.peek().is_none_or(|byte| byte == b']') {
                break;
            }
            let place = self.place();
            let pointer = below(pointer, &index.to_string());
            self.note(&pointer, place);
            self.value(&pointer);
            if self.peek() != Some(b',') {
                break;
            }
        }
        self.at += 1;
    }

    fn string(&mut self) -> String {
        let begin = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        let written = self.text.get(begin..self.at).unwrap_or_default();
        serde_json::from_slice(written).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let text = "{\n  \"a\": [1, {\"b/c\": \"x\\\"]\"}],\n\t\"d\" : {}, \"a\": 2\n}";
        let places = Places::of(text);
        let at = |pointer| places.find(pointer).map(|place| (place.line, place.column));
        assert_eq!(at(""), Some((1, 1)));
        assert_eq!(at("/a/0"), Some((2, 9)));
        assert_eq!(at("/a/1/b~1c"), Some((2, 13)));
        assert_eq!(at("/d"), Some((3, 2)));
        assert_eq!(
            at("/d/nothing/here"),
            Some((3, 2)),
            "what is not there is where it should be"
        );
        assert_eq!(places.twice, ["/a"]);
    }

    #[test]
    fn a_path_reads_as_people_write_it() {
        assert_eq!(shown("/permissions/tcp/0/port"), "permissions.tcp[0].port");
        assert_eq!(
            shown("/events/cloud.spot.interrupt"),
            "events.cloud.spot.interrupt"
        );
        assert_eq!(shown(""), "");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn pointers(value: &serde_json::Value, pointer: &str, found: &mut Vec<String>) {
        found.push(pointer.to_owned());
        match value {
            serde_json::Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointers(item, &below(pointer, &index.to_string()), found);
                }
            }
            serde_json::Value::Object(map) => {
                for (name, item) in map {
                    pointers(item, &below(pointer, name), found);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn every_value_of_every_text_has_a_place(value in any_json()) {
            let text = serde_json::to_string_pretty(&value).expect("it is JSON");
            let places = Places::of(&text);
            let mut all = Vec::new();
            pointers(&value, "", &mut all);
            all.sort();
            let found: Vec<String> = places.at.keys().cloned().collect();
            prop_assert_eq!(found, all);
            prop_assert!(places.twice.is_empty());
        }
    }
}
