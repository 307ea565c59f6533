//! The cases as they lie in `cases/*.json`: which law each asks about, and by which steps.
//!
//! It reads them and runs nothing. What a word of a case means stands in the folder's README.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The files, in the order in which they are asked.
const FILES: [(&str, &str); 9] = [
    ("introduction", include_str!("../cases/introduction.json")),
    ("check-idle", include_str!("../cases/check-idle.json")),
    ("configure", include_str!("../cases/configure.json")),
    ("events", include_str!("../cases/events.json")),
    ("errors", include_str!("../cases/errors.json")),
    ("json-rpc", include_str!("../cases/json-rpc.json")),
    ("framing", include_str!("../cases/framing.json")),
    ("shutdown", include_str!("../cases/shutdown.json")),
    ("nats", include_str!("../cases/nats.json")),
];

/// Whom a case is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Every plugin.
    Contract,
    /// The example plugin that each SDK has, whose behaviour is known exactly.
    Example,
}

/// In which form a plugin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The original's lines on standard input and output.
    Lines,
    /// The same with JSON-RPC 2.0's objects.
    JsonRpc,
    /// On its subjects, in JSON.
    NatsJson,
    /// On its subjects, in MessagePack.
    NatsMessagepack,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 4] = [Self::Lines, Self::JsonRpc, Self::NatsJson, Self::NatsMessagepack];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::JsonRpc => "json-rpc",
            Self::NatsJson => "nats-json",
            Self::NatsMessagepack => "nats-messagepack",
        }
    }

    /// Whether it is asked on the bus, and not through its standard input.
    #[must_use]
    pub fn is_on_nats(self) -> bool {
        matches!(self, Self::NatsJson | Self::NatsMessagepack)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The cases of one file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What they are about: the file's name.
    pub subject: String,
    /// The same for people.
    pub about: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One law, and how it is asked about.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique within its subject.
    pub name: String,
    /// Whom it is asked of.
    pub layer: Layer,
    /// What a plugin has to do, for people.
    pub law: String,
    /// In which forms it can be asked.
    #[serde(default = "every_form")]
    pub over: BTreeSet<Form>,
    /// Whether it is asked of a plugin that serves one host alone, and not of one that serves all.
    #[serde(default)]
    pub on_host: bool,
    /// The questions, in their order.
    pub steps: Vec<Step>,
}

fn every_form() -> BTreeSet<Form> {
    Form::ALL.into()
}

/// One step of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Asks, and awaits the answer with the question's id.
    Ask(Ask),
    /// Asks until one of these is answered as it should be.
    Either {
        /// The questions.
        ways: Vec<Ask>,
    },
    /// Writes to the standard input, all together or cut at these offsets.
    Write {
        /// What is written, one behind the other.
        what: Vec<Piece>,
        /// Where a write ends and the next begins, which waits until the plugin has read what came before.
        #[serde(default)]
        cut: Vec<usize>,
    },
    /// Awaits a line that answers what was written.
    Read {
        /// What it has to be.
        expect: Value,
        /// Lines like this may come before.
        #[serde(default)]
        past: Option<Value>,
    },
    /// Closes the standard input.
    Close,
    /// Sends SIGTERM.
    Terminate,
    /// Awaits the end of the process, by whatever it did.
    End {
        /// Its exit code, where that matters.
        #[serde(default)]
        code: Option<i32>,
    },
    /// Awaits the end of the standard output, and that nothing comes before.
    Silence,
    /// Sends any body to one of its subjects.
    Body {
        /// Which one.
        method: String,
        /// The body.
        what: Vec<Piece>,
        /// What has to come back.
        expect: Value,
    },
    /// Asks as monitoring does, with an empty body on a subject of NATS's services.
    Service {
        /// The subject; `{plugin}` is its name.
        subject: String,
        /// What has to come back.
        expect: Value,
    },
}

/// A question and what has to come back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// By its name on the lines, as `CheckIdle`.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Its id, where it matters.
    #[serde(default)]
    pub id: Option<u64>,
    /// On the bus, its headers in place of those that say its kind and version.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, String>>,
    /// What has to come back.
    pub expect: Value,
}

/// A part of what is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// These bytes.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A request as a whole line of the form.
    Request {
        /// Method, params and id, as they are.
        request: Map<String, Value>,
    },
}

/// A file of cases that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cases/{file}.json cannot be read")]
pub struct CasesError {
    /// Which one.
    pub file: &'static str,
    /// Why.
    pub source: serde_json::Error,
}

/// All cases, file by file.
///
/// # Errors
/// When a file is not of this form.
pub fn subjects() -> Result<Vec<Subject>, CasesError> {
    FILES
        .into_iter()
        .map(|(file, text)| serde_json::from_str(text).map_err(|source| CasesError { file, source }))
        .collect()
}

/// A value in which each `{"$repeat": [text, times]}` is written out.
pub(crate) fn written_out(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(written_out).collect(),
        Value::Object(map) => match map.get("$repeat") {
            Some(Value::Array(repeat)) => match repeat.as_slice() {
                [Value::String(text), times] => {
                    let times = times.as_u64().and_then(|times| usize::try_from(times).ok());
                    Value::String(text.repeat(times.unwrap_or_default()))
                }
                _ => value.clone(),
            },
            Some(_) | None => map
                .iter()
                .map(|(key, value)| (key.clone(), written_out(value)))
                .collect::<Map<_, _>>()
                .into(),
        },
        other => other.clone(),
    }
}
