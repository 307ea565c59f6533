//! Patterns of what an event's data must be for a handler to get it, as in Amazon EventBridge's event patterns
//! ("Creating Amazon EventBridge event patterns"; "Comparison operators"): whether they can be, and whether they match.
//!
//! Every key of a pattern must match. Below a key stands a pattern of what lies there, or a list of alternatives: a
//! value that is equal, or a test, as `{"prefix": "a"}`, `{"anything-but": ["a"]}`, `{"numeric": [">=", 30, "<", 60]}`.
//! A value alone is a list of one. Of a list in the data one element has to match. **Invariant:** what the data does not
//! have matches nothing; so the test `exists` is left out.

use crate::manifest::{below, found, unknown_key};
use serde_json::{Map, Value};

/// No data is as deep by reason; each level costs a call.
const DEPTH: usize = 8;

/// What can be tested beside equality.
const TESTS: [&str; 3] = ["prefix", "anything-but", "numeric"];

/// How numbers are compared.
const COMPARISONS: [&str; 5] = ["<", "<=", "=", ">=", ">"];

/// Something that is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The JSON pointer of where it is.
    pub pointer: String,
    /// What was expected, and what is there.
    pub text: String,
}

/// Whether data is as a pattern says. One that has flaws matches what it happens to.
pub(crate) fn matches(pattern: &Map<String, Value>, data: &Map<String, Value>) -> bool {
    pattern
        .iter()
        .all(|(key, wanted)| data.get(key).is_some_and(|there| fits(wanted, there)))
}

fn fits(wanted: &Value, there: &Value) -> bool {
    if let Value::Array(elements) = there {
        return elements
            .iter()
            .any(|element| !element.is_array() && fits(wanted, element));
    }
    match wanted {
        Value::Object(inner) => there.as_object().is_some_and(|there| matches(inner, there)),
        Value::Array(alternatives) => alternatives.iter().any(|one| passes(one, there)),
        alone => equal(alone, there),
    }
}

fn passes(alternative: &Value, there: &Value) -> bool {
    let Some((test, than)) = alternative.as_object().and_then(|test| test.iter().next()) else {
        return equal(alternative, there);
    };
    match test.as_str() {
        "prefix" => {
            let prefix = than.as_str();
            let begins = |text: &str| prefix.is_some_and(|prefix| text.starts_with(prefix));
            there.as_str().is_some_and(begins)
        }
        "anything-but" => match than {
            Value::Array(others) => !others.iter().any(|other| equal(other, there)),
            other => !equal(other, there),
        },
        "numeric" => {
            let pairs = than.as_array().map_or(&[][..], Vec::as_slice);
            let number = there.as_f64();
            number.is_some_and(|number| pairs.chunks(2).all(|pair| compares(number, pair)))
        }
        _ => false,
    }
}

fn compares(number: f64, pair: &[Value]) -> bool {
    let [comparison, than] = pair else {
        return false;
    };
    let (Some(comparison), Some(than)) = (comparison.as_str(), than.as_f64()) else {
        return false;
    };
    match comparison {
        "<" => number < than,
        "<=" => number <= than,
        "=" => number.total_cmp(&than).is_eq(),
        ">=" => number >= than,
        ">" => number > than,
        _ => false,
    }
}

/// 30 and 30.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// Everything that is wrong with one.
pub(crate) fn flaws(pointer: &str, pattern: &Value) -> Vec<Flaw> {
    let mut flaws = Flaws(Vec::new());
    match pattern {
        Value::Object(pattern) => flaws.pattern(pointer, pattern, 0),
        other => flaws.expected(
            pointer,
            r#"a map by what the event's data has, as {"volume":["a"]}"#,
            other,
        ),
    }
    flaws.0
}

struct Flaws(Vec<Flaw>);

impl Flaws {
    fn pattern(&mut self, pointer: &str, pattern: &Map<String, Value>, depth: usize) {
        if depth == DEPTH {
            return self.tell(pointer, format!("it is deeper than {DEPTH} levels"));
        }
        if let Some(test) = TESTS.iter().find(|test| pattern.contains_key(**test)) {
            return self.tell(
                pointer,
                format!(r#"a test stands in a list, as [{{"{test}":…}}]"#),
            );
        }
        for (key, wanted) in pattern {
            let pointer = below(pointer, key);
            match wanted {
                Value::Object(inner) => self.pattern(&pointer, inner, depth + 1),
                Value::Array(none) if none.is_empty() => {
                    self.tell(&pointer, "an empty list matches nothing".to_owned());
                }
                Value::Array(alternatives) => self.alternatives(&pointer, alternatives),
                _ => {}
            }
        }
    }

    fn alternatives(&mut self, pointer: &str, alternatives: &[Value]) {
        for (at, one) in alternatives.iter().enumerate() {
            let pointer = below(pointer, &at.to_string());
            match one {
                Value::Object(test) if test.len() == 1 => {
                    test.iter()
                        .for_each(|(name, than)| self.test(&pointer, name, than));
                }
                Value::Object(_) | Value::Array(_) => {
                    let tests = format!("a value or one test ({})", TESTS.join(", "));
                    self.expected(&pointer, &tests, one);
                }
                _ => {}
            }
        }
    }

    fn test(&mut self, pointer: &str, name: &str, than: &Value) {
        let inner = below(pointer, name);
        match name {
            "prefix" if !than.is_string() => self.expected(&inner, "a text", than),
            "anything-but" => {
                let is_plain = |value: &Value| !value.is_object() && !value.is_array();
                let are_plain = than
                    .as_array()
                    .map_or(is_plain(than), |list| list.iter().all(is_plain));
                if !are_plain {
                    self.expected(&inner, "a value or a list of values", than);
                }
            }
            "numeric" if !is_range(than) => {
                let range = format!(
                    r#"one or two comparisons ({}), as [">=",30,"<",60]"#,
                    COMPARISONS.join(" ")
                );
                self.expected(&inner, &range, than);
            }
            name if TESTS.contains(&name) => {}
            other => self.tell(&inner, unknown_key(other, &TESTS)),
        }
    }

    fn expected(&mut self, pointer: &str, what: &str, value: &Value) {
        self.tell(pointer, format!("expected {what}, found {}", found(value)));
    }

    fn tell(&mut self, pointer: &str, text: String) {
        let pointer = pointer.to_owned();
        self.0.push(Flaw { pointer, text });
    }
}

fn is_range(value: &Value) -> bool {
    let is_pair = |pair: &[Value]| match pair {
        [comparison, than] => {
            let comparison = comparison.as_str();
            than.is_number() && comparison.is_some_and(|name| COMPARISONS.contains(&name))
        }
        _ => false,
    };
    let pairs = value.as_array().map(|list| list.chunks(2));
    pairs.is_some_and(|mut pairs| (1..=2).contains(&pairs.len()) && pairs.all(is_pair))
}

#[cfg(test)]
mod tests;
