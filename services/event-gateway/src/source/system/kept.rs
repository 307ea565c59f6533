//! What is raised, kept over restarts: while a disk stays low it is the same happening, whoever restarts (rule E1).
//!
//! A happening is what, boot and number; numbers only rise. One file in a folder of the host, replaced as a whole,
//! holds the last number, what is raised under which, and what the desk does not have on its disk yet: a gateway
//! that is killed in between tells it after its start, under the same identity. Nothing in it is older than this
//! boot. A file that is lost or cannot be understood begins anew; since the first number is the time
//! since the boot at which the counting began, and nothing is counted more often than once a millisecond, no
//! happening ever gets the identity of an older one.

use super::watched::Change;
use crate::{
    happening::{Happening, State},
    source::kept::Untold,
};
use serde::{Deserialize, Serialize};
use snooze_service_runtime::whole_file::{self, Durability};
use std::{collections::BTreeMap, io, path::Path};

/// Who noticed it.
pub(super) const SOURCE: &str = "system";

/// Twice what 64 disks with paths of the greatest length take.
const LARGEST: u64 = 2 << 20;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    boot_id: String,
    /// The last number that was given.
    number: u64,
    /// Whether there was a network to lose.
    pub(super) had_network: bool,
    raised: BTreeMap<String, Raised>,
    /// What the desk may not have yet.
    untold: Untold,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Raised {
    number: u64,
    parts: Vec<String>,
}

impl Kept {
    /// Nothing yet, in this boot, so long after it began.
    pub(super) fn anew(boot_id: &str, boottime_ms: u64) -> Kept {
        Kept {
            boot_id: boot_id.to_owned(),
            number: boottime_ms,
            had_network: false,
            raised: BTreeMap::new(),
            untold: Untold::default(),
        }
    }

    /// Which parts of which things are raised.
    pub(super) fn standing(&self) -> BTreeMap<String, Vec<String>> {
        let raised = self.raised.iter();
        raised
            .map(|(what, raised)| (what.clone(), raised.parts.clone()))
            .collect()
    }

    /// Gives changes their identity, and notes them and what stands now; what is to be told of them.
    pub(super) fn note(
        &mut self,
        changes: Vec<Change>,
        standing: &BTreeMap<String, Vec<String>>,
    ) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for change in changes {
            let known = match change.state {
                State::Raised => None,
                State::Cleared | State::Cancelled => self.raised.remove(&change.what),
            };
            let number = known.map_or_else(
                || {
                    self.number = self.number.saturating_add(1);
                    self.number
                },
                |raised| raised.number,
            );
            if standing.contains_key(&change.what) {
                let raised = Raised {
                    number,
                    parts: Vec::new(),
                };
                self.raised.insert(change.what.clone(), raised);
            }
            happenings.push(Happening {
                event_type: change
                    .event_type
                    .parse()
                    .expect("a type of the table of severities"),
                source: SOURCE,
                occurrence: format!("{} {} {number}", change.what, self.boot_id),
                launch: None,
                state: change.state,
                happened_at: None,
                deadline: None,
                data: change.data,
            });
        }
        self.untold.add(&happenings);
        self.raised.retain(|what, _| standing.contains_key(what));
        for (what, raised) in &mut self.raised {
            raised.parts.clone_from(&standing[what]);
        }
        happenings
    }

    /// What the desk may not have yet.
    pub(super) fn untold(&self) -> Vec<Happening> {
        self.untold.by(SOURCE)
    }

    /// The desk has these.
    pub(super) fn told(&mut self, kept: &[Happening]) {
        self.untold.remove(kept);
    }

    /// Reads the file, if there is one of this boot.
    ///
    /// # Errors
    /// When there is one that cannot be read or understood.
    pub(super) fn read(path: &Path, boot_id: &str) -> io::Result<Option<Kept>> {
        let Some(bytes) = whole_file::read(path, LARGEST)? else {
            return Ok(None);
        };
        let kept: Kept = serde_json::from_slice(&bytes)?;
        if !kept
            .untold
            .all(|event_type| event_type.as_str().starts_with("system."))
        {
            return Err(io::Error::other("it tells of what no system has"));
        }
        Ok(Some(kept).filter(|kept| kept.boot_id == boot_id))
    }

    /// Replaces the file. It is not synced: it is of no use after the next boot, and survives the end of this process
    /// all the same.
    ///
    /// # Errors
    /// When it could not be replaced; the old one is still there.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            whole_file::private_folder(folder)?;
        }
        whole_file::replace(path, &serde_json::to_vec(self)?, Durability::Plain).map(drop)
    }
}
