//! What should be there and is not run, and why.
//!
//! It only names reasons; what follows from them is decided elsewhere.

use snooze_schemas::plugin::approval::Rights;

/// One that should be there and is not run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Missed {
    /// Why, for its vote.
    pub why: String,
    /// What kind of reason it is.
    pub cause: Cause,
    /// What it wants and may do, where its files can be read.
    pub rights: Option<Box<Rights>>,
}

/// Why one is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is not there, or nothing that could be run.
    Missing,
    /// Somebody unloaded it.
    Unloaded,
    /// What it was granted cannot be granted, or was not granted to a native one.
    Held,
    /// Its files are others than were approved.
    OtherFiles,
    /// Its files are not those of the package that was installed.
    Damaged,
    /// Nobody can tell just now: something cannot be read.
    Unread,
    /// Somebody else might change its files.
    Exposed,
    /// Its files change again and again.
    Changing,
}

impl Cause {
    /// What it is called where people see it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unloaded => "unloaded",
            Self::Held => "held",
            Self::OtherFiles => "changed",
            Self::Damaged => "damaged",
            Self::Unread => "unread",
            Self::Exposed => "exposed",
            Self::Changing => "changing",
        }
    }

    /// Whether it may pass without anything changing in a folder of plugins.
    pub(super) const fn may_pass(self) -> bool {
        matches!(self, Self::Unread | Self::Exposed)
    }
}

impl Missed {
    pub(super) fn over(why: String, cause: Cause) -> Missed {
        let rights = None;
        Missed { why, cause, rights }
    }
}
