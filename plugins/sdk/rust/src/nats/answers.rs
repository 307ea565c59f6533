//! Bodies: MessagePack maps, or JSON where the first byte says so, and an answer in the form of its question.

use super::{address::Address, headers};
use crate::{
    dispatch::Method,
    failure::{BROKEN, Failure, WRONG_PARAMS},
};
use async_nats::{Client, service::Request};
use serde_json::{Map, Value, json};

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    MessagePack,
}

impl Form {
    fn of(body: &[u8]) -> Form {
        // No MessagePack map begins with this byte, and a shell sends nothing where it has nothing to say.
        match body.first() {
            None | Some(b'{') => Form::Json,
            Some(_) => Form::MessagePack,
        }
    }

    fn read(self, body: &[u8]) -> Result<Value, Failure> {
        let params = match self {
            Form::Json if body.is_empty() => Ok(Value::Object(Map::new())),
            Form::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Form::MessagePack => rmp_serde::from_slice(body).map_err(|error| error.to_string()),
        };
        match params {
            Ok(params @ Value::Object(_)) => Ok(params),
            Ok(_) => Err(Failure::new(WRONG_PARAMS, "a body has to be a map")),
            Err(error) => Err(Failure::new(WRONG_PARAMS, &format!("read the body: {error}"))),
        }
    }

    fn write(self, answer: &Value) -> Result<Vec<u8>, Failure> {
        let written = match self {
            Form::Json => serde_json::to_vec(answer).map_err(|error| error.to_string()),
            Form::MessagePack => rmp_serde::to_vec_named(answer).map_err(|error| error.to_string()),
        };
        written.map_err(|error| Failure::new(BROKEN, &format!("write the answer: {error}")))
    }
}

/// Asks and answers, where the question wants an answer and wants it in an inbox.
pub(super) async fn answer(
    client: &Client,
    address: &Address,
    method: Method,
    request: &Request,
    ask: impl AsyncFnOnce(Value) -> Result<Value, Failure>,
) {
    if !request
        .message
        .reply
        .as_ref()
        .is_some_and(|reply| is_inbox(reply))
    {
        eprintln!("snooze-plugin: a question without an inbox for its answer was passed over");
        return;
    }
    let body = &request.message.payload;
    let form = Form::of(body);
    let checked = headers::check(method, request.message.headers.as_ref());
    let read = checked.and_then(|()| form.read(body));
    let about_us = read.and_then(|params| address.check_host(&params).map(|()| params));
    let result = match about_us {
        Ok(params) => ask(params).await,
        Err(failure) => Err(failure),
    };
    let bounded = result.and_then(|result| {
        let written = form.write(&result)?;
        let most = client.server_info().max_payload;
        if written.len() > most {
            let text = format!(
                "the answer has {} bytes, and the server takes {most}",
                written.len()
            );
            return Err(Failure::new(BROKEN, &text));
        }
        Ok(written)
    });
    let written = bounded.or_else(|failure| form.write(&json!({ "error": failure.text })));
    let sent = match written {
        Ok(written) => request
            .respond(Ok(written.into()))
            .await
            .map_err(|error| error.to_string()),
        Err(failure) => Err(failure.text),
    };
    if let Err(error) = sent {
        eprintln!("snooze-plugin: an answer was not sent: {error}");
    }
}

/// An asker's inbox, or the way back to one in another account.
fn is_inbox(reply: &str) -> bool {
    reply.starts_with("_INBOX") || reply.starts_with("_R_.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_form() {
        assert_eq!(Form::of(b""), Form::Json);
        assert_eq!(Form::of(b"{}"), Form::Json);
        assert_eq!(Form::of(&[0x80]), Form::MessagePack);
    }

    #[test]
    fn only_a_map_is_a_body() {
        for body in [&b"{"[..], &[0x91, 1], &[1], b"text", &[0x81, 1, 2], &[0xc1]] {
            assert!(Form::of(body).read(body).is_err(), "{body:?}");
        }
        assert_eq!(
            Form::MessagePack.read(&[0x81, 0xa1, b'a', 1]).expect("a map"),
            json!({ "a": 1 })
        );
    }

    #[test]
    fn answers_go_into_inboxes_only() {
        for subject in [
            "snooze.v1.host.h.runner.prepare",
            "$JS.API.STREAM.DELETE.AUDIT",
            "",
            "_R",
        ] {
            assert!(!is_inbox(subject), "{subject}");
        }
        assert!(is_inbox("_INBOX_host.h.abc.1") && is_inbox("_INBOX.abc") && is_inbox("_R_.x.y"));
    }
}
