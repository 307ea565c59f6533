//! What is raised, kept over restarts: while a disk stays low it is the same happening, whoever restarts (rule E1).
//!
//! A happening is what, boot and number; numbers only rise. One file in a folder of the host, replaced as a whole,
//! holds the last number, what is raised under which, and what may not have been told yet: a gateway that is
//! killed between noticing and filing tells it after its start, under the same identity. Nothing in it is older
//! than this boot. A file that is lost or cannot be understood begins anew; since the first number is the time
//! since the boot at which the counting began, and nothing is counted more often than once a millisecond, no
//! happening ever gets the identity of an older one.

use super::watched::Change;
use crate::happening::{Happening, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_schemas::EventType;
use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

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
    /// What may not have reached the desk yet.
    untold: Vec<Untold>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Raised {
    number: u64,
    parts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Untold {
    event_type: String,
    occurrence: String,
    cleared: bool,
    data: Map<String, Value>,
}

impl Kept {
    /// Nothing yet, in this boot, so long after it began.
    pub(super) fn anew(boot_id: &str, boottime_ms: u64) -> Kept {
        Kept {
            boot_id: boot_id.to_owned(),
            number: boottime_ms,
            had_network: false,
            raised: BTreeMap::new(),
            untold: Vec::new(),
        }
    }

    /// Which parts of which things are raised.
    pub(super) fn standing(&self) -> BTreeMap<String, Vec<String>> {
        let raised = self.raised.iter();
        raised
            .map(|(what, raised)| (what.clone(), raised.parts.clone()))
            .collect()
    }

    /// Gives changes their identity, and notes them and what stands now.
    pub(super) fn note(
        &mut self,
        changes: Vec<Change>,
        standing: &BTreeMap<String, Vec<String>>,
    ) -> Vec<Happening> {
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
            self.untold.push(Untold {
                event_type: change.event_type.to_owned(),
                occurrence: format!("{} {} {number}", change.what, self.boot_id),
                cleared: change.state != State::Raised,
                data: change.data,
            });
        }
        self.raised.retain(|what, _| standing.contains_key(what));
        for (what, raised) in &mut self.raised {
            raised.parts.clone_from(&standing[what]);
        }
        self.untold()
    }

    /// What may not have been told yet.
    pub(super) fn untold(&self) -> Vec<Happening> {
        let untold = self.untold.iter().filter_map(|untold| {
            Some(Happening {
                event_type: untold.event_type.parse().ok()?,
                source: SOURCE,
                occurrence: untold.occurrence.clone(),
                launch: None,
                state: if untold.cleared {
                    State::Cleared
                } else {
                    State::Raised
                },
                deadline: None,
                data: untold.data.clone(),
            })
        });
        untold.collect()
    }

    /// All of it has reached the desk.
    pub(super) fn told(&mut self) {
        self.untold.clear();
    }

    /// Reads the file, if there is one of this boot.
    ///
    /// # Errors
    /// When there is one that cannot be read or understood.
    pub(super) fn read(path: &Path, boot_id: &str) -> io::Result<Option<Kept>> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        let kept: Kept = serde_json::from_slice(&bytes)?;
        let is_ours = |text: &String| text.starts_with("system.") && text.parse::<EventType>().is_ok();
        if !kept.untold.iter().all(|untold| is_ours(&untold.event_type)) {
            return Err(io::Error::other("it tells of what no system has"));
        }
        Ok(Some(kept).filter(|kept| kept.boot_id == boot_id))
    }

    /// Replaces the file. A reader sees the old one or the new one. It is not synced: it is of no use after the
    /// next boot, and survives the end of this process all the same.
    ///
    /// # Errors
    /// When it could not be replaced; the old one is still there.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&beside, path)
    }
}
