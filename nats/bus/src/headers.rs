//! The headers of a message: what ours say, and which ones only a server adds (rule I3).
//!
//! NATS does not check the reply subject of a publish, so a server or a service can be made to send a
//! message to any subject. What tells such a message from a real one is checked here, for every request.

use async_nats::HeaderMap;
use snooze_schemas::{ErrorCode, Message, Refusal, message};

/// Names the message's type.
pub const KIND: &str = "Snooze-Kind";
/// The version of the message's type.
pub const VERSION: &str = "Snooze-Version";

/// What the inbox of every one of our users begins with.
pub(crate) const INBOX_PREFIX: &str = "_INBOX_";

/// Whether a stream takes the messages of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filed {
    /// One does; a reply subject is where its ack goes.
    InStream,
    /// None does.
    Nowhere,
}

/// The headers that a message of this type goes out with.
pub(crate) fn stamp<M: Message>() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(KIND, M::KIND);
    headers.insert(VERSION, message::VERSION.to_string());
    crate::trace::inject(&mut headers);
    headers
}

/// Whether the headers are those of an `M`.
///
/// A message that has an effect must name kind and version; any other may come bare from a shell, but
/// what it names must be right.
pub(crate) fn check_kind<M: Message>(headers: Option<&HeaderMap>) -> Result<(), Refusal> {
    let value = |name| headers.and_then(|headers| headers.get(name));
    match value(KIND) {
        None if M::HAS_EFFECT => {
            return Err(bad_request(format!(
                "a `{}` has an effect and needs the headers `{KIND}: {0}` and `{VERSION}: {1}`",
                M::KIND,
                message::VERSION
            )));
        }
        Some(kind) if kind.as_str() != M::KIND => {
            return Err(bad_request(format!(
                "expected a `{}`, the header {KIND} says otherwise",
                M::KIND
            )));
        }
        None | Some(_) => {}
    }
    match value(VERSION) {
        None if M::HAS_EFFECT => Err(bad_request(format!(
            "a `{}` has an effect and needs the header `{VERSION}: {}`",
            M::KIND,
            message::VERSION
        ))),
        Some(version) if version.as_str().parse() != Ok(message::VERSION) => Err(Refusal::new(
            ErrorCode::UnknownVersion,
            format!(
                "this service speaks version {} of `{}`",
                message::VERSION,
                M::KIND
            ),
        )),
        None | Some(_) => Ok(()),
    }
}

/// Refuses what carries a header that only a server adds: a stored message that a server was made to
/// deliver here, headers of ours included.
///
/// A message that is heard on its way into a stream may say what it expects of the stream, and what it is known by there.
pub(crate) fn check_no_server_headers(headers: Option<&HeaderMap>, filed: Filed) -> Result<(), Refusal> {
    let begins = |name: &str, prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let forged = headers.into_iter().flat_map(HeaderMap::iter).find(|(name, _)| {
        let name: &str = name.as_ref();
        let for_stream = begins(name, "Nats-Expected-") || name.eq_ignore_ascii_case("Nats-Msg-Id");
        let expects = filed == Filed::InStream && for_stream;
        // Says which account a question came from; a stored message has others as well.
        let came_across = name.eq_ignore_ascii_case("Nats-Request-Info");
        !expects && !came_across && (begins(name, "Nats-") || begins(name, "KV-"))
    });
    match forged {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::new(
            ErrorCode::Forbidden,
            format!(
                "the header {} is one that only a server adds",
                AsRef::<str>::as_ref(name)
            ),
        )),
    }
}

/// Refuses a reply subject that is no inbox of one of our users: an answer there would be a message that
/// the asker may not send itself.
pub(crate) fn check_reply(reply: Option<&str>) -> Result<(), Refusal> {
    match reply {
        Some(subject) if !is_inbox(subject) => Err(Refusal::new(
            ErrorCode::Forbidden,
            format!("answers go only into inboxes that begin with {INBOX_PREFIX}<role>.<name>"),
        )),
        _ => Ok(()),
    }
}

/// Whether a subject is an inbox below the prefix of a role and name, or where the server wants the answer to
/// a question from another account.
pub(crate) fn is_inbox(subject: &str) -> bool {
    let tokens: Vec<&str> = subject.split('.').collect();
    if subject.contains(['*', '>', ' ']) || tokens.contains(&"") {
        return false;
    }
    match tokens[..] {
        ["_R_", _, ..] => true,
        [first, _, _, ..] => first
            .strip_prefix(INBOX_PREFIX)
            .is_some_and(|role| !role.is_empty()),
        _ => false,
    }
}

fn bad_request(message: String) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::{host::Cancel, ops::Query};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    #[test]
    fn i3_a_message_with_an_effect_names_its_kind_and_version() {
        let code = |pairs: &[_]| check_kind::<Cancel>(Some(&headers(pairs))).map_err(|refusal| refusal.code);
        assert_eq!(
            check_kind::<Cancel>(None).map_err(|r| r.code),
            Err(ErrorCode::BadRequest)
        );
        assert_eq!(code(&[(KIND, "cancel")]), Err(ErrorCode::BadRequest));
        assert_eq!(
            code(&[(KIND, "prepare"), (VERSION, "1")]),
            Err(ErrorCode::BadRequest)
        );
        assert_eq!(
            code(&[(KIND, "cancel"), (VERSION, "2")]),
            Err(ErrorCode::UnknownVersion)
        );
        assert_eq!(
            code(&[(KIND, "cancel"), (VERSION, "one")]),
            Err(ErrorCode::UnknownVersion)
        );
        assert_eq!(code(&[(KIND, "cancel"), (VERSION, "1")]), Ok(()));
    }

    #[test]
    fn asking_may_come_bare_but_never_mislabelled() {
        assert_eq!(check_kind::<Query>(None), Ok(()));
        assert!(check_kind::<Query>(Some(&headers(&[(KIND, "cancel")]))).is_err());
        assert!(check_kind::<Query>(Some(&headers(&[(VERSION, "9")]))).is_err());
    }

    #[test]
    fn i3_headers_that_only_a_server_adds_are_refused() {
        for name in [
            "Nats-Stream",
            "nats-sequence",
            "NATS-Expected-Last-Sequence",
            "KV-Operation",
        ] {
            let headers = headers(&[(name, "x")]);
            let refusal = check_no_server_headers(Some(&headers), Filed::Nowhere).expect_err(name);
            assert_eq!(refusal.code, ErrorCode::Forbidden);
        }
        for (name, value) in [("Nats-Expected-Last-Subject-Sequence", "0"), ("Nats-Msg-Id", "a")] {
            let for_stream = headers(&[(name, value)]);
            assert!(check_no_server_headers(Some(&for_stream), Filed::InStream).is_ok());
            assert!(check_no_server_headers(Some(&for_stream), Filed::Nowhere).is_err());
        }
        let stored = headers(&[("Nats-Sequence", "7")]);
        assert!(check_no_server_headers(Some(&stored), Filed::InStream).is_err());
        assert!(
            check_no_server_headers(
                Some(&headers(&[(KIND, "x"), ("traceparent", "y")])),
                Filed::Nowhere
            )
            .is_ok()
        );
        assert!(check_no_server_headers(None, Filed::Nowhere).is_ok());
    }

    #[test]
    fn i3_only_an_inbox_of_a_role_is_answered() {
        for reply in ["_INBOX_host.h1.abc.def", "_INBOX_operator.ann.x", "_R_.x1.y2"] {
            assert!(is_inbox(reply), "{reply}");
        }
        for reply in [
            "snooze.v1.host.h2.runner.cancel",
            "_INBOX.abc.def",
            "_INBOX_host_h1",
            "_INBOX_host.h1",
            "_INBOX_.h1.abc",
            "_INBOX_host..abc",
            "_INBOX_host.h1.>",
            "_R_",
            "_R_.*",
            "_R_.",
            "_R_..x",
            "_R_.x.",
            "_INBOX_host.h1..abc",
            "_INBOX_host.h1.",
            "$JS.ACK.EVENTS_URGENT.x",
            "$KV.snooze_state.gate",
        ] {
            assert!(!is_inbox(reply), "{reply}");
        }
    }
}
