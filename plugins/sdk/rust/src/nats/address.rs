//! Where a plugin answers: its subjects, and its inbox, which nobody else may read. Nothing that could leave its
//! token of a subject becomes part of one.

use crate::{dispatch::Method, plugin::Result};

/// The plugin's place on the bus.
#[derive(Debug)]
pub(super) struct Address {
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
                below: format!("snooze.v1.fleet.plugin.{name}"),
                inbox_prefix: format!("_INBOX_fleet-plugin.{name}"),
            }),
            Some(host) if is_token(host, is_host) && host != "fleet" => Ok(Address {
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
}

fn is_token(text: &str, is_allowed: impl Fn(char) -> bool) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_token() {
        for name in ["", "a.b", "a*", ">", "a b", "A", "ä", &"a".repeat(65)] {
            assert!(Address::new(name, None).is_err(), "{name:?}");
        }
        for host in ["", "a.b", "*", "fleet", "a\r\n", &"a".repeat(65)] {
            assert!(Address::new("a", Some(host)).is_err(), "{host:?}");
        }
    }
}
