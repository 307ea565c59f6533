//! The headers of a question: what has an effect says what it is.
//!
//! A server can be made to send a message that it stores to a subject whose sender may not publish there, so a body
//! alone proves nothing. This refuses such messages and looks at no body.

use crate::{
    dispatch::Method,
    failure::{Failure, NO_REQUEST},
};
use async_nats::HeaderMap;

const KIND: &str = "Snooze-Kind";
const VERSION: &str = "Snooze-Version";

/// The only version of the messages so far.
const SPOKEN: &str = "1";

/// What the headers begin with that a server adds to what it stores, whatever the case of their letters.
const OF_A_SERVER: [&str; 2] = ["nats-", "kv-"];

/// Says from which account a question came, and is no sign of a stored message.
const OF_ANOTHER_ACCOUNT: &str = "nats-request-info";

/// Whether a question is one to this method. Asking may come bare, and never mislabelled.
pub(super) fn check(method: Method, headers: Option<&HeaderMap>) -> Result<(), Failure> {
    let refused = |text: String| Err(Failure::new(NO_REQUEST, &text));
    for (name, _) in headers.into_iter().flat_map(HeaderMap::iter) {
        let lower = AsRef::<str>::as_ref(name).to_lowercase();
        if OF_A_SERVER.iter().any(|begin| lower.starts_with(begin)) && lower != OF_ANOTHER_ACCOUNT {
            return refused(format!("the header {name} is one that only a server adds"));
        }
    }
    let (method, has_effect) = (method.token(), method.has_effect());
    let value = |name| headers.and_then(|headers| headers.get(name));
    for (name, expected) in [(KIND, method), (VERSION, SPOKEN)] {
        if has_effect && value(name).is_none() {
            return refused(format!(
                "{method} has an effect and needs the header {name}: {expected}"
            ));
        }
    }
    match (value(KIND), value(VERSION)) {
        (Some(kind), _) if kind.as_str() != method => {
            refused(format!("the header {KIND} says {kind}, and the subject {method}"))
        }
        (_, Some(version)) if version.as_str() != SPOKEN => refused(format!(
            "version {version} of {method} is not known, this plugin speaks version {SPOKEN}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: Method, pairs: &[(&'static str, &'static str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        check(method, Some(&headers)).map_err(|failure| failure.text)
    }

    #[test]
    fn i3_what_has_an_effect_needs_its_kind_and_version() {
        let event = Method::HandleEvent;
        let right = [(KIND, "handle_event"), (VERSION, "1")];
        assert_eq!(checked(event, &right), Ok(()));
        for (pairs, missing) in [(&right[1..], KIND), (&right[..1], VERSION), (&[], KIND)] {
            let told = checked(event, pairs).expect_err("it is refused");
            assert!(told.contains(missing), "{told}");
        }
        let told = checked(event, &[(KIND, "check_idle"), (VERSION, "1")]).expect_err("another kind");
        assert!(told.contains("check_idle"), "{told}");
        let told = checked(event, &[(KIND, "handle_event"), (VERSION, "2")]).expect_err("another version");
        assert!(told.contains("version 2"), "{told}");
        let having: Vec<_> = Method::ALL
            .into_iter()
            .filter(|method| check(*method, None).is_err())
            .collect();
        let expected = [
            Method::Configure,
            Method::Initialize,
            Method::HandleEvent,
            Method::Shutdown,
        ];
        assert_eq!(having, expected, "asking may come bare");
        assert!(checked(Method::CheckIdle, &[(VERSION, "2")]).is_err());
    }

    #[test]
    fn i3_what_a_server_stored_is_refused() {
        for name in ["Nats-Sequence", "nats-stream", "KV-Operation"] {
            let pairs = [(KIND, "handle_event"), (VERSION, "1"), (name, "7")];
            let told = checked(Method::HandleEvent, &pairs).expect_err(name);
            assert!(told.contains(name), "{told}");
        }
        assert_eq!(checked(Method::Info, &[("Nats-Request-Info", "{}")]), Ok(()));
    }
}
