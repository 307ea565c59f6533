//! What the server said that it denies on one connection.

use std::collections::VecDeque;

/// So many are remembered, many more than a service has subjects that it is ever denied; beyond them the oldest is
/// forgotten, and told again.
const REMEMBERED: usize = 64;

/// What the server said, in its words. On another connection it may say something else.
#[derive(Debug, Default)]
pub(crate) struct Denials(VecDeque<String>);

impl Denials {
    /// Whether this is said for the first time.
    pub(super) fn add(&mut self, text: &str) -> bool {
        let is_new = !self.0.iter().any(|said| said == text);
        if is_new {
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            self.0.push_back(text.to_owned());
        }
        is_new
    }

    /// Whether there was anything.
    pub(super) fn clear(&mut self) -> bool {
        let had_some = !self.0.is_empty();
        self.0.clear();
        had_some
    }

    /// What was said of publishing to a subject.
    pub(crate) fn of_publishing(&self, subject: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let named = format!("Publish to \"{subject}\"");
        self.0
            .iter()
            .find(|said| said.contains(&named))
            .map(String::as_str)
    }

    /// What was said of the subscription that brings the answers to questions: these are credentials of another user.
    pub(super) fn of_answers(&self) -> Option<&str> {
        let is_inbox = |said: &&String| said.to_ascii_lowercase().contains("subscription to \"_inbox_");
        self.0.iter().find(is_inbox).map(String::as_str)
    }

    /// Whether no answer arrives.
    pub(super) fn withhold_answers(&self) -> bool {
        self.of_answers().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_told_once_a_connection_and_only_so_much_is_remembered() {
        let mut denials = Denials::default();
        let denied = |number: usize| format!("Permissions Violation for Publish to \"a.{number}\"");
        assert!(denials.add(&denied(0)));
        assert!(!denials.add(&denied(0)));
        for number in 1..=REMEMBERED {
            assert!(denials.add(&denied(number)));
        }
        assert_eq!(denials.of_publishing("a.0"), None, "the oldest is forgotten");
        assert_eq!(denials.of_publishing("a.1"), Some(denied(1).as_str()));
        assert_eq!(denials.of_publishing("a"), None);
        assert!(denials.clear() && !denials.clear());
        assert!(denials.add(&denied(1)), "on another connection it is news");
    }

    #[test]
    fn a_denied_inbox_is_told_from_other_denials() {
        let mut denials = Denials::default();
        denials.add("Permissions Violation for Publish to \"_INBOX_host.h2.x\"");
        denials.add("Permissions Violation for Subscription to \"snooze.v1.host.h1.metrics\"");
        assert!(!denials.withhold_answers());
        denials.add("Permissions Violation for Subscription to \"_INBOX_host.h1.x.*\"");
        assert!(denials.withhold_answers());
    }
}
