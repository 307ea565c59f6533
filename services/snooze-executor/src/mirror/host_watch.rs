//! What one claim hears of the buckets while it is under way.

use super::Mirror;
use snooze_decision::claim::{Entry, Gate, HostRecord, Input};
use snooze_schemas::HostId;
use std::sync::Arc;
use tokio::sync::watch;

/// Hears of what may change under one claim. It keeps only the newest of each; a claim needs no more.
#[derive(Debug)]
pub(crate) struct HostWatch {
    pub(super) mirror: Mirror,
    pub(super) host: HostId,
    pub(super) key: watch::Receiver<Arc<Entry<HostRecord>>>,
    pub(super) gate: watch::Receiver<Arc<Entry<Gate>>>,
    pub(super) configuration: watch::Receiver<u64>,
    pub(super) policy_revision: String,
}

impl HostWatch {
    /// The next change. Cancelling loses nothing.
    pub(crate) async fn changed(&mut self) -> Input {
        loop {
            tokio::select! {
                Ok(()) = self.key.changed() => {
                    let entry = self.key.borrow_and_update().clone();
                    return Input::KeyChanged(Box::new(entry.as_ref().clone()));
                }
                Ok(()) = self.gate.changed() => {
                    let entry = self.gate.borrow_and_update().clone();
                    return Input::GateChanged(entry.as_ref().clone());
                }
                Ok(()) = self.configuration.changed() => {
                    self.configuration.borrow_and_update();
                    if let Some(revision) = self.other_policy() {
                        self.policy_revision.clone_from(&revision);
                        return Input::PolicyChanged { revision };
                    }
                }
                // All senders live in the mirror, which this holds.
                else => std::future::pending().await,
            }
        }
    }

    /// The revision of the policy that holds now, where it is another one.
    fn other_policy(&self) -> Option<String> {
        if !self.mirror.is_ready() {
            return None;
        }
        let revision = match self.mirror.view(&self.host).policy {
            Ok(policy) => policy.revision.clone(),
            Err(error) => error.to_string(),
        };
        (revision != self.policy_revision).then_some(revision)
    }
}
