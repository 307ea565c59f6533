//! Why a plugin's files are not run as they are, just now or before somebody does something about it.
//!
//! It reads files and changes none. Only what was read to its end can be another file than the one that was approved.

use super::{Cause, Grant};
use crate::{
    discovery::Found,
    packages::Standing,
    trust::{self, Exposed},
};
use snooze_service_runtime::exit::one_line;
use std::{fmt, io, path::Path};

/// Why they are not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    cause: Cause,
    why: String,
}

impl Unfit {
    /// For this cause.
    pub(super) fn new(cause: Cause, why: String) -> Unfit {
        Unfit { cause, why }
    }

    /// A file could not be read.
    pub(super) fn unread(path: &Path, error: &io::Error) -> Unfit {
        Unfit::new(Cause::Unread, format!("read {}: {error}", path.display()))
    }

    /// What it is missed for.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether it stays so until there are other files, or another word of an operator's.
    pub(crate) fn is_lasting(&self) -> bool {
        self.cause == Cause::OtherFiles
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}

/// Looks at a plugin's files right before it is started: that nobody else may change them, that they are those of its
/// package, and that they are those that were approved.
///
/// # Errors
/// Why it is not started.
pub(crate) fn fit_to_start(
    found: &Found,
    grant: &Grant,
    digest: impl Fn(&Path) -> io::Result<String>,
) -> Result<(), Unfit> {
    let manifest = found.manifest.as_ref();
    for path in [
        Some(found.path.as_path()),
        manifest.map(|manifest| manifest.folder()),
    ] {
        path.map_or(Ok(()), trust::check).map_err(|exposed| {
            let cause = match exposed {
                Exposed::Unseen { .. } => Cause::Unread,
                Exposed::Writable { .. } | Exposed::Foreign { .. } => Cause::Exposed,
            };
            Unfit::new(cause, one_line(&exposed))
        })?;
    }
    if let Some(package) = &found.package {
        package.compare().map_err(|(why, standing)| {
            let cause = match standing {
                Standing::Unread(_) => Cause::Unread,
                Standing::Here | Standing::Absent | Standing::Damaged(_) => Cause::Damaged,
            };
            Unfit::new(cause, why)
        })?;
    }
    grant.compare(found, digest)
}
