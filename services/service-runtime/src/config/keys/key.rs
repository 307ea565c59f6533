//! What is known of a key. It names none.

use crate::config::kind::Kind;

/// One known key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Its canonical name, levels joined by dots.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Its default as JSON; `null` where there is none.
    pub default: &'static str,
    /// Other names for its last level, beside those that differ only in case and separators.
    pub also: &'static [&'static str],
    /// What it does.
    pub effect: Effect,
    /// Whether CloudSnooze 0.1 read it.
    pub since: Since,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is part of the policy that decides over hosts.
    Policy,
    /// It concerns only this machine.
    Local,
    /// It is an older name of another key, which beats it.
    OlderNameOf(&'static str),
    /// Nothing; the text says what holds instead.
    None(&'static str),
}

/// Since when there is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The original read it.
    Original,
    /// The original documented it and did not read it, or it is new here.
    Here,
}

impl Key {
    /// The unit of its value, as people know it; the name ends in it, except that `kbps` means KiB/s.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        let unit = self.path.rsplit('_').next()?;
        match unit {
            "percent" => Some("%"),
            "kbps" => Some("KiB/s"),
            "seconds" | "secs" => Some("s"),
            "minutes" => Some("min"),
            _ => None,
        }
    }
}

pub(super) const fn of(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    effect: Effect,
    since: Since,
) -> Key {
    Key {
        path,
        kind,
        default,
        also: &[],
        effect,
        since,
    }
}

pub(super) const fn original(path: &'static str, kind: Kind, default: &'static str) -> Key {
    of(path, kind, default, Effect::Policy, Since::Original)
}

pub(super) const fn policy(path: &'static str, kind: Kind, default: &'static str) -> Key {
    of(path, kind, default, Effect::Policy, Since::Here)
}

pub(super) const fn idle(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    instead: &'static str,
) -> Key {
    of(path, kind, default, Effect::None(instead), Since::Original)
}

pub(super) const fn local(path: &'static str, kind: Kind, default: &'static str) -> Key {
    of(path, kind, default, Effect::Local, Since::Here)
}

impl Key {
    pub(super) const fn also(mut self, names: &'static [&'static str]) -> Key {
        self.also = names;
        self
    }
}
