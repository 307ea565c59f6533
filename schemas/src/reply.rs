//! The envelope of every reply: `{ok: true, …}` or `{ok: false, code, message}`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Why a request was refused, from one closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body or the headers cannot be understood.
    BadRequest,
    /// The version in the header is not one that this service speaks.
    UnknownVersion,
    /// The asker may not do this, or the subject and the body disagree.
    Forbidden,
    /// There is no such host, plugin or event.
    NotFound,
    /// Something else is in the way; the message says what.
    Conflict,
    /// The stop call may already have been made.
    TooLate,
    /// Too many requests; ask again later.
    RateLimited,
    /// What is needed for an answer is out of reach now.
    Unavailable,
    /// What was asked did not answer in time.
    Timeout,
    /// A fault of the service itself.
    Internal,
}

/// A refusal: a code for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what happened, to what, and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What a service answers: the body with `ok: true`, or a refusal with `ok: false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(untagged, bound = "T: Serialize + DeserializeOwned")]
pub enum Reply<T> {
    /// `{ok: false, code, message}`; tried first, because a body without required fields fits anything.
    Refused {
        /// Always false.
        ok: No,
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// `{ok: true, …}`
    Done {
        /// Always true.
        ok: Yes,
        /// The fields of the answer, beside `ok`.
        #[serde(flatten)]
        body: T,
    },
}

impl<T> Reply<T> {
    /// The body, or the refusal.
    ///
    /// # Errors
    /// The refusal, where the service refused.
    pub fn into_result(self) -> Result<T, Refusal> {
        match self {
            Self::Done { body, .. } => Ok(body),
            Self::Refused { code, message, .. } => Err(Refusal { code, message }),
        }
    }
}

impl<T> From<Result<T, Refusal>> for Reply<T> {
    fn from(result: Result<T, Refusal>) -> Self {
        match result {
            Ok(body) => Self::Done { ok: Yes, body },
            Err(Refusal { code, message }) => Self::Refused {
                ok: No,
                code,
                message,
            },
        }
    }
}

/// An answer that says nothing but `ok: true`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Empty {}

macro_rules! constant {
    ($type:ident, $value:literal) => {
        #[doc = concat!("The constant `", stringify!($value), "` on the wire.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "bool", into = "bool")]
        pub struct $type;

        impl From<$type> for bool {
            fn from(_: $type) -> bool {
                $value
            }
        }

        impl TryFrom<bool> for $type {
            type Error = &'static str;

            fn try_from(value: bool) -> Result<Self, &'static str> {
                if value == $value {
                    Ok(Self)
                } else {
                    Err(concat!("expected ", stringify!($value)))
                }
            }
        }
    };
}
constant!(Yes, true);
constant!(No, false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_never_read_as_an_answer() {
        let text = r#"{"ok":false,"code":"too_late","message":"the stop call was made"}"#;
        let reply: Reply<Empty> = serde_json::from_str(text).expect("reads");
        assert_eq!(
            reply.into_result(),
            Err(Refusal::new(ErrorCode::TooLate, "the stop call was made"))
        );
        assert!(serde_json::from_str::<Reply<Empty>>(r#"{"ok":false}"#).is_err());
    }

    #[test]
    fn an_answer_carries_its_fields_beside_ok() {
        let text = serde_json::to_string(&Reply::from(Ok::<_, Refusal>(Empty {}))).expect("writes");
        assert_eq!(text, r#"{"ok":true}"#);
    }
}
