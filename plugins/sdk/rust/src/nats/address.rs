//! Where a plugin answers: its subjects, and its inbox, which nobody else may read. Nothing that could leave its
//! token of a subject becomes part of one, and no body says of another host what its subject says of this one.

use crate::{
    dispatch::Method,
    failure::{Failure, NO_REQUEST},
    plugin::Result,
};
use serde_json::Value;

/// What stands for every host, and is no host's name.
const FLEET: &str = "fleet";

/// The plugin's place on the bus.
#[derive(Debug)]
pub(super) struct Address {
    /// The host that its subjects name; none where it serves the fleet.
    host: Option<String>,
    below: String,
    inbox_prefix: String,
}

impl Address {
    /// The place of a plugin on a host, or of one that serves the fleet.
    ///
    /// # Errors
    /// When the name or the host cannot be a token of its subjects.
    pub(super) fn new(name: &str, host: Option<&str>) -> Result<Address> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !is_token(name, is_name) {
            return Err(format!("a plugin's name is 1 to 64 of a-z 0-9 -, not {name:?}").into());
        }
        let is_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match host {
            None => Ok(Address {
                host: None,
                below: format!("snooze.v1.fleet.plugin.{name}"),
                inbox_prefix: format!("_INBOX_fleet-plugin.{name}"),
            }),
            Some(host) if is_token(host, is_host) && host != FLEET => Ok(Address {
                host: Some(host.to_owned()),
                below: format!("snooze.v1.host.{host}.plugin.{name}"),
                inbox_prefix: format!("_INBOX_plugin.{host}_{name}"),
            }),
            Some(host) => Err(format!("SNOOZE_HOST is 1 to 64 of A-Z a-z 0-9 _ -, not {host:?}").into()),
        }
    }

    pub(super) fn subject(&self, method: Method) -> String {
        format!("{}.{}", self.below, method.token())
    }

    pub(super) fn inbox_prefix(&self) -> &str {
        &self.inbox_prefix
    }

    /// Whether a body is about the host that its subject names, where it names one. Whoever may publish to one
    /// host's subjects could else have another's event handled there.
    ///
    /// # Errors
    /// When the body, or the event in it, names another host.
    pub(super) fn check_host(&self, params: &Value) -> std::result::Result<(), Failure> {
        let Some(served) = &self.host else {
            return Ok(());
        };
        let named = [params.get("host"), params.pointer("/event/host")];
        let another = named
            .into_iter()
            .flatten()
            .find(|named| !named.is_null() && *named != served.as_str() && *named != FLEET);
        match another {
            None => Ok(()),
            Some(named) => {
                let named = named.as_str().map_or_else(|| named.to_string(), str::to_owned);
                let text = format!("the body names the host {named}, and the subject {served}");
                Err(Failure::new(NO_REQUEST, &text))
            }
        }
    }
}

fn is_token(text: &str, is_allowed: impl Fn(char) -> bool) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_leaves_its_token() {
        for name in ["", "a.b", "a*", ">", "a b", "A", "ä", &"a".repeat(65)] {
            assert!(Address::new(name, None).is_err(), "{name:?}");
        }
        for host in ["", "a.b", "*", "fleet", "a\r\n", &"a".repeat(65)] {
            assert!(Address::new("a", Some(host)).is_err(), "{host:?}");
        }
    }

    #[test]
    fn i3_a_body_that_names_another_host_than_its_subject_is_refused() {
        let web = Address::new("a", Some("web-1")).expect("a place");
        let fleet = Address::new("a", None).expect("a place");
        for named in [
            json!("web-2"),
            json!("WEB-1"),
            json!(""),
            json!(7),
            json!(["web-1"]),
        ] {
            for params in [
                json!({"host": named}),
                json!({"host": "web-1", "event": {"host": named}}),
            ] {
                let told = web.check_host(&params).expect_err(&params.to_string());
                assert!(told.text.ends_with("and the subject web-1"), "{}", told.text);
                assert_eq!(fleet.check_host(&params), Ok(()), "it serves every host");
            }
        }
        for right in [
            json!({}),
            json!({"host": "web-1", "event": {"host": "web-1"}}),
            json!({"host": null, "event": {"host": "fleet"}}),
            json!({"event": {"data": {"host": "web-2"}}}),
            json!({"event": 7}),
        ] {
            assert_eq!(web.check_host(&right), Ok(()), "{right}");
        }
    }
}
