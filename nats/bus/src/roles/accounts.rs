//! Which account a role belongs to, and what crosses from one account to another.
//!
//! Permissions alone do not fence a client: the server checks what is published and not where the reply is
//! wanted, and answers in the asker's account with the server's own rights. A host that asks JetStream for
//! a key that does not exist, with `$JS.API.STREAM.DELETE.…` as its reply subject, deletes that stream; an
//! event with `$KV.…` as its reply subject overwrites that key with the stream's ack (both tried). In an
//! account that has no JetStream those subjects lead nowhere.

use super::Role;

/// A space of subjects of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// JetStream, and the services that keep their state there.
    Centre,
    /// Hosts, plugins and sources of custom events.
    Hosts,
    /// People and programs that look and ask, and those who write configuration; none has JetStream.
    People,
}

impl Account {
    /// Every account.
    pub const ALL: [Account; 3] = [Self::Centre, Self::Hosts, Self::People];

    /// Its name in claims and file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Hosts => "hosts",
            Self::People => "people",
        }
    }
}

impl Role {
    /// The account that its users belong to.
    #[must_use]
    pub const fn account(self) -> Account {
        match self {
            Self::Executor | Self::Gateway | Self::SetUp => Account::Centre,
            Self::Host | Self::Plugin | Self::FleetPlugin | Self::Source => Account::Hosts,
            Self::Operator | Self::Administrator | Self::Dashboard => Account::People,
        }
    }
}

/// How messages cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Questions, each answered once; the answer finds its own way back.
    Asked,
    /// Questions that many answer, or one in many parts.
    AskedOfMany,
    /// What is said to whoever listens.
    Heard,
}

/// Subjects that cross, in the notation of the role table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossing {
    /// Who answers, or speaks.
    pub(crate) from: Account,
    /// Who asks, or listens.
    pub(crate) to: &'static [Account],
    pub(crate) way: Way,
    pub(crate) subjects: &'static str,
}

use Account::{Centre, Hosts, People};
use Way::{Asked, AskedOfMany, Heard};

const fn crossing(from: Account, to: &'static [Account], way: Way, subjects: &'static str) -> Crossing {
    Crossing {
        from,
        to,
        way,
        subjects,
    }
}

/// All that crosses. The role table fences each user within this.
pub(crate) const CROSSINGS: &[Crossing] = &[
    crossing(Hosts, &[Centre, People], Heard, "host.*.{metrics,verdict}"),
    crossing(Hosts, &[Centre], Heard, "host.*.hello"),
    // What a host asks the centre to file is heard by people from the host: the server does not let a
    // message that came as a question go on as something heard.
    crossing(Hosts, &[People], Heard, "{event.>,audit.*.event,audit.*.plugin}"),
    crossing(Hosts, &[Centre, People], Asked, "host.*.runner.*"),
    crossing(Hosts, &[Centre, People], AskedOfMany, "$SRV.>"),
    crossing(Centre, &[Hosts], Asked, "host.*.lease"),
    crossing(Centre, &[Hosts], Asked, "event.>"),
    crossing(Centre, &[Hosts], Asked, "audit.*.{event,plugin}"),
    crossing(
        Centre,
        &[Hosts, People],
        Asked,
        "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.>",
    ),
    crossing(
        Centre,
        &[Hosts, People],
        Asked,
        "$JS.API.DIRECT.GET.OBJ_snooze_artifacts.>",
    ),
    // What an administrator writes. The stream's ack finds its own way back and cannot be sent elsewhere.
    crossing(Centre, &[People], Asked, "$KV.snooze_config.>"),
    crossing(Centre, &[People], Asked, "$O.snooze_artifacts.>"),
    // What the centre is asked to write goes on to nobody, so hosts hear of it from where it was said.
    crossing(People, &[Hosts], Heard, "$KV.snooze_config.>"),
    crossing(Centre, &[Hosts], Heard, "$KV.snooze_config.>"),
    crossing(Centre, &[Hosts, People], Asked, "custom.>"),
    crossing(Centre, &[People], Asked, "ops.*"),
    crossing(Centre, &[People], Asked, "gateway.*"),
    crossing(
        Centre,
        &[People],
        AskedOfMany,
        "$JS.API.DIRECT.GET.{AUDIT,VERDICTS,EVENTS_URGENT,EVENTS_ROUTINE,DEAD}",
    ),
    crossing(
        Centre,
        &[People],
        AskedOfMany,
        "$JS.API.DIRECT.GET.{AUDIT,VERDICTS,EVENTS_URGENT,EVENTS_ROUTINE,DEAD}.>",
    ),
    crossing(
        Centre,
        &[People],
        Asked,
        "$JS.API.DIRECT.GET.KV_snooze_open.$KV.snooze_open.>",
    ),
    crossing(Centre, &[People], Heard, "{event,audit}.>"),
];
