//! What a server denied to somebody, from its own words, and whose credentials do it by the role table: for people, who
//! have to be told. Nothing is decided by it.

use super::Role;
use crate::subject::{CONFIG_PREFIX, PREFIX, Subject};

/// What a direct get of a stream's message begins with.
const GET: &str = "$JS.API.DIRECT.GET.";

/// A server's denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    way: Way,
    subject: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Publish,
    Subscribe,
}

/// What was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// To say or ask this.
    Say(Subject),
    /// To read a key of the configuration.
    ReadConfig(String),
    /// To read the audit trail.
    ReadAudit,
    /// To read events, or what became of them.
    ReadEvents,
    /// To read verdicts.
    ReadVerdicts,
    /// To read the store of packages.
    ReadPackages,
    /// To change the store of packages.
    WritePackages,
    /// To hear events as they come.
    HearEvents,
    /// To hear the audit trail as it grows.
    HearAudit,
    /// Something that nobody does by hand, by its subject.
    Other(String),
}

impl Denial {
    /// From the server's text, as `Permissions Violation for Publish to "subject"`; nothing where it is none.
    #[must_use]
    pub fn read(why: &str) -> Option<Denial> {
        let (before, rest) = why.split_once('"')?;
        let (subject, _) = rest.split_once('"')?;
        let way = match before.to_ascii_lowercase().contains("subscription") {
            true => Way::Subscribe,
            false => Way::Publish,
        };
        Some(Denial {
            way,
            subject: subject.to_owned(),
        })
    }

    /// Whether a role lets its user of this name do it.
    #[must_use]
    pub fn is_let(&self, role: Role, user: &str) -> bool {
        let permissions = role.permissions();
        match self.way {
            Way::Publish => permissions.let_publish(user, &self.subject),
            Way::Subscribe => permissions.let_subscribe(user, &self.subject),
        }
    }

    /// What it was.
    #[must_use]
    pub fn what(&self) -> Denied {
        if let Ok(subject) = self.subject.parse() {
            return Denied::Say(subject);
        }
        if let Some(read) = self.subject.strip_prefix(GET) {
            return self.of_reading(read);
        }
        let heard = self.subject.strip_prefix(PREFIX).unwrap_or_default();
        match heard.split('.').next() {
            _ if self.subject.starts_with("$O.snooze_artifacts.") => Denied::WritePackages,
            Some("event") => Denied::HearEvents,
            Some("audit") => Denied::HearAudit,
            Some(_) | None => Denied::Other(self.subject.clone()),
        }
    }

    fn of_reading(&self, read: &str) -> Denied {
        let (stream, key) = read.split_once('.').unwrap_or((read, ""));
        match stream {
            "KV_snooze_config" => {
                Denied::ReadConfig(key.strip_prefix(CONFIG_PREFIX).unwrap_or(key).to_owned())
            }
            "AUDIT" => Denied::ReadAudit,
            "EVENTS_URGENT" | "EVENTS_ROUTINE" | "DEAD" | "KV_snooze_open" => Denied::ReadEvents,
            "VERDICTS" => Denied::ReadVerdicts,
            "OBJ_snooze_artifacts" => Denied::ReadPackages,
            _ => Denied::Other(self.subject.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(way: &str, subject: &str) -> Denied {
        let why = format!("Permissions Violation for {way} \"{subject}\"");
        Denial::read(&why).expect("it is one").what()
    }

    #[test]
    fn i5_what_is_denied_is_known_by_the_servers_words() {
        let read = |what| format!("$JS.API.DIRECT.GET.{what}");
        for (subject, denied) in [
            (
                read("KV_snooze_config.$KV.snooze_config.host.web"),
                Denied::ReadConfig("host.web".to_owned()),
            ),
            (read("AUDIT"), Denied::ReadAudit),
            (read("EVENTS_URGENT.snooze.v1.event.>"), Denied::ReadEvents),
            (
                read("OBJ_snooze_artifacts.$O.snooze_artifacts.M.a"),
                Denied::ReadPackages,
            ),
            ("$O.snooze_artifacts.C.a".to_owned(), Denied::WritePackages),
            (
                "$JS.API.STREAM.DELETE.AUDIT".to_owned(),
                Denied::Other("$JS.API.STREAM.DELETE.AUDIT".to_owned()),
            ),
        ] {
            assert_eq!(what("Publish to", &subject), denied);
        }
        let reload = "snooze.v1.host.web.runner.reload";
        assert_eq!(
            what("Publish to", reload),
            Denied::Say(reload.parse().expect("a subject"))
        );
        assert_eq!(what("Subscription to", "snooze.v1.event.>"), Denied::HearEvents);
        assert_eq!(what("Subscription to", "snooze.v1.audit.>"), Denied::HearAudit);
        assert_eq!(Denial::read("gone"), None);
    }

    #[test]
    fn i5_whose_credentials_do_it_is_known_by_the_table() {
        let is_let = |way: &str, subject: &str, role| {
            let why = format!("Permissions Violation for {way} \"{subject}\"");
            Denial::read(&why).expect("it is one").is_let(role, "ada")
        };
        for (subject, roles) in [
            ("snooze.v1.host.web.runner.reload", &[Role::Administrator][..]),
            ("snooze.v1.ops.freeze", &[Role::Operator, Role::Administrator]),
            (
                "snooze.v1.custom.ada.build",
                &[Role::Operator, Role::Administrator, Role::Source],
            ),
            ("snooze.v1.custom.bob.build", &[]),
        ] {
            for role in [Role::Operator, Role::Administrator, Role::Source, Role::Dashboard] {
                assert_eq!(
                    is_let("Publish to", subject, role),
                    roles.contains(&role),
                    "{role}: {subject}"
                );
            }
        }
        assert!(is_let("Subscription to", "snooze.v1.audit.>", Role::Dashboard));
        assert!(!is_let("Subscription to", "snooze.v1.event.>", Role::Dashboard));
    }
}
