//! Names that become parts of subjects and keys: checked once, where they enter.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Why a text is not a name of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct InvalidToken {
    /// What it should have been, as `host id`.
    pub kind: &'static str,
    /// What was given, cut to 80 characters.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

fn invalid(kind: &'static str, text: &str, rule: &'static str) -> InvalidToken {
    InvalidToken {
        kind,
        text: text.chars().take(80).collect(),
        rule,
    }
}

fn is_token(text: &str, allowed: fn(u8) -> bool) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidToken;

            fn from_str(text: &str) -> Result<Self, InvalidToken> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(invalid($kind, text, $rule)) }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidToken;

            fn try_from(text: String) -> Result<Self, InvalidToken> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The id of a host: the EC2 instance id where there is one, else a name given by the operator.
    HostId, "host id", "1 to 64 of A-Z a-z 0-9 _ -, and not the word fleet",
    |text| text != "fleet" && is_token(text, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);
name!(
    /// The name of a plugin.
    PluginName, "plugin name", "1 to 64 of a-z 0-9 -, and not the name of a built-in voter",
    |text| is_token(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !VoterName::BUILT_IN.contains(&text) && text != VoterName::INSTANCE
);
name!(
    /// The name of a group of hosts that share a policy and limits.
    GroupName, "group name", "1 to 64 of a-z 0-9 -",
    |text| is_token(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
name!(
    /// The name of a source of custom events.
    SourceName, "source name", "1 to 64 of A-Z a-z 0-9 _ -",
    |text| is_token(text, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);
name!(
    /// One who votes: a built-in monitor or a plugin.
    VoterName, "voter name", "1 to 64 of a-z 0-9 _ -",
    |text| is_token(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
);
name!(
    /// The id of an event, derived from what happened.
    EventId, "event id", "1 to 64 of A-Z a-z 0-9 _ -",
    |text| is_token(text, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);
name!(
    /// The type of an event, as `cloud.spot.interrupt` or `custom.backup`.
    EventType, "event type", "1 to 8 words of a-z 0-9 _ - joined by dots, 128 characters at most",
    |text| text.len() <= 128 && (1..=8).contains(&text.split('.').count())
        && text.split('.').all(|word| is_token(word, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-'))
);

impl VoterName {
    /// The built-in voters; a plugin may not take one of these names.
    pub const BUILT_IN: [&'static str; 7] = ["cpu", "memory", "network", "disk_io", "input", "people", "gpu"];

    /// Who votes, unknown, while an event says that the cloud takes the instance away. It is required in every mode,
    /// and no policy says otherwise.
    pub const INSTANCE: &'static str = "instance";

    /// Who votes, unknown, while the folders of plugins do not answer: anybody might be in them. Required likewise.
    pub const FOLDERS: &'static str = "folders-of-plugins";

    /// Whether no policy can weigh what it says.
    #[must_use]
    pub fn is_beyond_policy(&self) -> bool {
        [Self::INSTANCE, Self::FOLDERS].contains(&self.as_str())
    }

    /// Whether this is a built-in monitor and not a plugin.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        Self::BUILT_IN.contains(&self.as_str()) || self.as_str() == Self::INSTANCE
    }
}

impl From<PluginName> for VoterName {
    fn from(plugin: PluginName) -> VoterName {
        VoterName(plugin.0)
    }
}

impl From<&PluginName> for VoterName {
    fn from(plugin: &PluginName) -> VoterName {
        VoterName(plugin.0.clone())
    }
}

impl HostId {
    /// A host id made of a machine's own name: what is not allowed becomes `-`.
    ///
    /// Off a cloud nothing better is known. An empty name becomes `localhost`.
    #[must_use]
    pub fn from_host_name(name: &str) -> HostId {
        let first = name.split('.').next().unwrap_or_default();
        let clean: String = first
            .chars()
            .take(64)
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        clean.parse().unwrap_or_else(|_| HostId("localhost".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleet_is_a_reserved_host_name() {
        assert!("fleet".parse::<HostId>().is_err());
        assert!("i-0abc".parse::<HostId>().is_ok());
    }

    #[test]
    fn a_name_cannot_break_out_of_its_subject_token() {
        for text in ["", "a.b", "*", ">", "a b", "a\n", "ä", &"x".repeat(65)] {
            assert!(text.parse::<HostId>().is_err(), "{text:?}");
            assert!(text.parse::<PluginName>().is_err(), "{text:?}");
            assert!(text.parse::<EventId>().is_err(), "{text:?}");
        }
        for text in ["", ".", "a..b", "a.*", ">", "a.b.c.d.e.f.g.h.i"] {
            assert!(text.parse::<EventType>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_told_in_words_that_fit_every_kind() {
        let wrong = "Backup".parse::<EventType>().expect_err("it has a capital");
        assert!(
            wrong
                .to_string()
                .starts_with(r#""Backup" is no event type: 1 to 8 words"#),
            "{wrong}"
        );
    }

    #[test]
    fn a_plugin_cannot_take_the_name_of_a_built_in_voter() {
        for name in VoterName::BUILT_IN.into_iter().chain([VoterName::INSTANCE]) {
            assert!(name.parse::<PluginName>().is_err(), "{name}");
        }
    }

    #[test]
    fn every_host_name_becomes_a_host_id() {
        assert_eq!(HostId::from_host_name("db-1.example.org").as_str(), "db-1");
        assert_eq!(HostId::from_host_name("müller").as_str(), "m-ller");
        assert_eq!(HostId::from_host_name("").as_str(), "localhost");
        assert_eq!(HostId::from_host_name("fleet").as_str(), "localhost");
    }
}
