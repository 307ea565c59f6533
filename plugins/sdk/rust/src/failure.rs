//! What is answered where there is no result: a text of bounded length, and JSON-RPC's code for it.

use crate::plugin::{Error, Unknown};
use std::any::Any;

/// More is no longer a message, and no asker keeps it.
const MAX_CHARS: usize = 500;

/// JSON-RPC 2.0, section 5.1: what is no JSON.
pub(crate) const NO_JSON: i32 = -32700;
/// What is no request.
pub(crate) const NO_REQUEST: i32 = -32600;
/// A method that is not known.
pub(crate) const UNKNOWN_METHOD: i32 = -32601;
/// Params that do not fit the method.
pub(crate) const WRONG_PARAMS: i32 = -32602;
/// The plugin itself is broken: it panicked.
pub(crate) const BROKEN: i32 = -32603;
/// The first code that is left to servers: the plugin's own errors.
pub(crate) const FAILED: i32 = -32000;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: i32, text: &str) -> Failure {
        let text = text.chars().take(MAX_CHARS).collect();
        Failure { code, text }
    }

    pub(crate) fn unknown_method(name: &str) -> Failure {
        Failure::new(UNKNOWN_METHOD, &format!("Unknown method: {name}"))
    }

    /// What a method named so returned.
    pub(crate) fn of(method: &str, error: &Error) -> Failure {
        if error.is::<Unknown>() {
            Failure::unknown_method(method)
        } else {
            Failure::new(FAILED, &text_of(error.as_ref()))
        }
    }

    /// What a method panicked with.
    pub(crate) fn of_panic(payload: &(dyn Any + Send)) -> Failure {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Failure::new(
            BROKEN,
            &format!("the plugin panicked: {}", text.unwrap_or("with no text")),
        )
    }
}

/// An error's text with those of its sources.
pub(crate) fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    // A chain that bites its own tail ends with the bound, too.
    while let Some(cause) = source.filter(|_| text.len() < MAX_CHARS * 4) {
        let told = cause.to_string();
        // Many errors tell their source's text as their own.
        if !text.ends_with(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    if text.is_empty() {
        text.push_str("an error without a text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_sources_once() {
        let io = std::io::Error::other(std::fmt::Error);
        let error: Error = Box::new(io);
        assert_eq!(text_of(error.as_ref()), std::fmt::Error.to_string());
        assert_eq!(
            Failure::of("CheckIdle", &"".into()).text,
            "an error without a text"
        );
    }

    #[test]
    fn a_long_text_is_cut_at_500_characters_and_between_two_of_them() {
        let failure = Failure::of("CheckIdle", &"ä".repeat(501).into());
        assert_eq!(failure.text, "ä".repeat(500));
    }

    #[test]
    fn only_what_is_left_out_is_an_unknown_method() {
        assert_eq!(Failure::of("CheckIdle", &Unknown.into()).code, UNKNOWN_METHOD);
        assert_eq!(Failure::of("CheckIdle", &"Unknown method".into()).code, FAILED);
    }
}
