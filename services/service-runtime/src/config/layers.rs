//! Laying one document over the other with the `config` crate: defaults, then file, then variables.

use super::{
    document::Document,
    keys::{Effect, KEYS, key},
};
use config::{Config, ConfigError, Map as Table, Source, Value as Layered, ValueKind};
use serde_json::{Map, Value};

/// Everything that holds, as one tree under canonical names.
///
/// Policy keys appear only where a document sets them: their defaults belong to the policy itself,
/// because the fleet's and the group's layers lie between them and this file.
pub(super) fn merged(file: &Document, variables: &Document) -> Result<Map<String, Value>, ConfigError> {
    let mut lower = tree(file);
    for (path, _) in variables
        .settings
        .iter()
        .filter(|(path, _)| key(path).is_some_and(|key| key.kind.is_whole()))
    {
        lower.remove(*path);
    }
    Config::builder()
        .add_source(Layer(defaults()))
        .add_source(Layer(lower))
        .add_source(Layer(tree(variables)))
        .build()?
        .try_deserialize()
}

fn defaults() -> Map<String, Value> {
    let mut tree = Map::new();
    for key in KEYS.iter().filter(|key| key.effect == Effect::Local) {
        let default: Value = serde_json::from_str(key.default).expect("a test reads every default");
        if !default.is_null() {
            insert(&mut tree, key.path, default);
        }
    }
    tree
}

fn tree(document: &Document) -> Map<String, Value> {
    let mut tree = Map::new();
    for (path, setting) in &document.settings {
        let counts = key(path).is_some_and(|key| !matches!(key.effect, Effect::None(_)));
        if counts {
            insert(&mut tree, path, setting.value.clone());
        }
    }
    tree
}

fn insert(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = tree.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// One layer. Its top-level names are canonical, so the crate's path syntax never sees a foreign key;
/// it reads no path inside a table.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table<String, Layered>, ConfigError> {
        Ok(table(&self.0))
    }
}

fn table(map: &Map<String, Value>) -> Table<String, Layered> {
    map.iter()
        .map(|(name, value)| (name.clone(), Layered::new(None, layered(value))))
        .collect()
}

fn layered(value: &Value) -> ValueKind {
    match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(value) => ValueKind::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => ValueKind::I64(number),
            (None, Some(number), _) => ValueKind::U64(number),
            (None, None, number) => ValueKind::Float(number.unwrap_or(f64::NAN)),
        },
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(list) => ValueKind::Array(
            list.iter()
                .map(|value| Layered::new(None, layered(value)))
                .collect(),
        ),
        Value::Object(map) => ValueKind::Table(table(map)),
    }
}
