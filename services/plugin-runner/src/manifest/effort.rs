//! How much work a schema makes of one configuration, counted before any of it is done.
//!
//! A schema that refers to itself from several places makes twice the work of each level that a configuration goes
//! deeper, and the check of one must not keep the runner from its votes. It never says whether a configuration is
//! right, and never works on past its own limit.

use super::{mistakes::Found, places::below, weight::References};
use serde_json::{Map, Value};

/// A configuration may go so deep: what people write has five levels.
const DEPTH: usize = 32;

/// It may come to so many parts with its defaults, each 64 bytes of text one: more than a NATS message holds.
pub(super) const PARTS: usize = 65_536;

/// So many steps are taken for one configuration, which is far below a second. A thousand elements of twenty fields
/// each come to a quarter of it.
const STEPS: usize = 200_000;

/// So many schemas may hold one value and each other: each costs the stack some frames.
const NESTED: usize = 256;

/// Those that hold other schemas for the same value, in lists, alone and by name.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const ALONE: [&str; 4] = ["not", "if", "then", "else"];
const BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// To tell what is wrong, the schemas under these are asked once more than to find out whether something is.
const CHOICES: [&str; 4] = ["anyOf", "oneOf", "not", "if"];

/// Those of every element.
const OF_ELEMENTS: [&str; 4] = ["items", "additionalItems", "contains", "unevaluatedItems"];

/// How much there is of a value.
pub(super) fn parts(value: &Value) -> usize {
    match value {
        Value::Object(map) => map
            .iter()
            .fold(1, |sum, (name, value)| sum + name.len() / 64 + parts(value)),
        Value::Array(list) => list.iter().fold(1, |sum, value| sum + parts(value)),
        Value::String(text) => 1 + text.len() / 64,
        _ => 1,
    }
}

/// Refuses a configuration that the schema could not be asked about soon enough. The pointer is that of the place
/// in the configuration.
pub(super) fn check(schema: &Value, config: &Value) -> Result<(), Found> {
    let mut effort = Effort {
        references: References::of(schema),
        left: STEPS,
    };
    let checked = shallow(config, DEPTH).and_then(|()| {
        if parts(config) > PARTS {
            return Err(TooMuch::of(format!(
                "with its defaults it has more than {PARTS} parts"
            )));
        }
        effort.walk(schema, config, Around::default())
    });
    checked.map_err(|too_much| {
        let names = too_much.names.iter().rev();
        let pointer = names.fold(String::new(), |pointer, name| below(&pointer, name));
        Found::new(pointer, too_much.text)
    })
}

fn shallow(value: &Value, left: usize) -> Result<(), TooMuch> {
    let deeper = |value: &Value, name: String| {
        let left = left
            .checked_sub(1)
            .ok_or_else(|| TooMuch::of(format!("it is more than {DEPTH} levels deep")))?;
        shallow(value, left).map_err(|too_much| too_much.under(name))
    };
    match value {
        Value::Object(map) => map
            .iter()
            .try_for_each(|(name, value)| deeper(value, name.clone())),
        Value::Array(list) => {
            let mut elements = list.iter().enumerate();
            elements.try_for_each(|(index, value)| deeper(value, index.to_string()))
        }
        _ => Ok(()),
    }
}

/// What is too much, and where, from the innermost name out.
struct TooMuch {
    names: Vec<String>,
    text: String,
}

impl TooMuch {
    fn of(text: String) -> TooMuch {
        TooMuch {
            names: Vec::new(),
            text,
        }
    }

    fn under(mut self, name: impl Into<String>) -> TooMuch {
        self.names.push(name.into());
        self
    }
}

/// How many schemas and choices are around one.
#[derive(Clone, Copy, Default)]
struct Around {
    schemas: usize,
    choices: usize,
}

struct Effort<'a> {
    references: References<'a>,
    left: usize,
}

impl<'a> Effort<'a> {
    /// Takes every way that the validation could take.
    fn walk(&mut self, schema: &'a Value, value: &Value, around: Around) -> Result<(), TooMuch> {
        let Value::Object(map) = schema else {
            return self.spend(1);
        };
        let around = self.enter(map, value, around)?;
        for (keyword, inner) in self.beside(map) {
            let choices = around.choices + usize::from(CHOICES.contains(&keyword));
            self.walk(inner, value, Around { choices, ..around })?;
        }
        match value {
            Value::Object(of_value) => self.walk_map(map, of_value, around)?,
            Value::Array(list) => self.walk_list(map, list, around)?,
            _ => {}
        }
        if map.contains_key("unevaluatedProperties") || map.contains_key("unevaluatedItems") {
            self.mark(map, value, around)?;
        }
        Ok(())
    }

    /// What is evaluated is found out by asking every schema beside once more, and those beside them.
    fn mark(&mut self, map: &'a Map<String, Value>, value: &Value, around: Around) -> Result<(), TooMuch> {
        let around = self.enter(map, value, around)?;
        for (_, inner) in self.beside(map) {
            self.walk(inner, value, around)?;
            if let Value::Object(inner) = inner {
                self.mark(inner, value, around)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, map: &Map<String, Value>, value: &Value, around: Around) -> Result<Around, TooMuch> {
        let schemas = around.schemas + 1;
        if schemas > NESTED {
            let text = format!("the schema asks more than {NESTED} times in each other about it");
            return Err(TooMuch::of(text));
        }
        let own: usize = map.iter().map(|(name, said)| cost(name, said, value)).sum();
        self.spend((1 + own).saturating_mul(1 + around.choices))?;
        Ok(Around { schemas, ..around })
    }

    fn spend(&mut self, steps: usize) -> Result<(), TooMuch> {
        let left = self.left.checked_sub(steps);
        self.left =
            left.ok_or_else(|| TooMuch::of(format!("its check would take more than {STEPS} steps")))?;
        Ok(())
    }

    /// The schemas that are asked about the same value, each with the keyword that it is under.
    fn beside(&self, map: &'a Map<String, Value>) -> Vec<(&'static str, &'a Value)> {
        let mut beside = Vec::new();
        for name in LISTS {
            let list = map.get(name).and_then(Value::as_array);
            beside.extend(list.into_iter().flatten().map(|inner| (name, inner)));
        }
        beside.extend(ALONE.iter().filter_map(|name| Some((*name, map.get(*name)?))));
        for name in BY_NAME {
            let named = map.get(name).and_then(Value::as_object);
            beside.extend(named.into_iter().flatten().map(|(_, inner)| (name, inner)));
        }
        for name in REFERENCES {
            let target = map.get(name).and_then(Value::as_str);
            let referred = target.and_then(|target| self.references.to(target));
            beside.extend(referred.map(|inner| (name, inner)));
        }
        beside
    }

    fn walk_map(
        &mut self,
        map: &'a Map<String, Value>,
        value: &Map<String, Value>,
        around: Around,
    ) -> Result<(), TooMuch> {
        let properties = map.get("properties").and_then(Value::as_object);
        let patterns = map.get("patternProperties").and_then(Value::as_object);
        let own = |name: &str| properties.and_then(|properties| properties.get(name));
        for (name, value) in value {
            let others = map.get("additionalProperties").filter(|_| own(name).is_none());
            let asked = own(name)
                .into_iter()
                .chain(patterns.into_iter().flat_map(Map::values))
                .chain(others)
                .chain(map.get("unevaluatedProperties"));
            for inner in asked {
                self.walk(inner, value, around)
                    .map_err(|too_much| too_much.under(name))?;
            }
            if let Some(inner) = map.get("propertyNames") {
                self.walk(inner, &Value::from(name.as_str()), around)
                    .map_err(|too_much| too_much.under(name))?;
            }
        }
        Ok(())
    }

    fn walk_list(
        &mut self,
        map: &'a Map<String, Value>,
        list: &[Value],
        around: Around,
    ) -> Result<(), TooMuch> {
        for (index, value) in list.iter().enumerate() {
            let of_one = ["prefixItems", "items"]
                .iter()
                .filter_map(|name| map.get(*name)?.as_array()?.get(index));
            let of_all = OF_ELEMENTS
                .iter()
                .filter_map(|name| map.get(*name).filter(|inner| !inner.is_array()));
            for inner in of_one.chain(of_all) {
                self.walk(inner, value, around)
                    .map_err(|too_much| too_much.under(index.to_string()))?;
            }
        }
        Ok(())
    }
}

/// What one keyword costs by itself: what it lists is gone through, and what it compares is compared in full.
fn cost(name: &str, said: &Value, value: &Value) -> usize {
    match (name, said, value) {
        ("enum" | "const", _, _) => parts(said) / 8,
        ("uniqueItems", Value::Bool(true), _) => parts(value),
        ("pattern", _, Value::String(text)) => text.len(),
        ("format", _, Value::String(text)) => text.len() / 64,
        ("patternProperties", Value::Object(patterns), Value::Object(of_value)) => {
            let names: usize = of_value.keys().map(|name| 1 + name.len()).sum();
            names.saturating_mul(patterns.len())
        }
        ("default" | "examples", _, _) => 0,
        (_, Value::Object(map), _) => map.len() / 8,
        (_, Value::Array(list), _) => list.len() / 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
