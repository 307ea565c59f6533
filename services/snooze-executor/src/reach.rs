//! Which hosts this process can do anything about: those whose cloud it was built and configured for.
//!
//! What it cannot reach it leaves to other executors, and says so once for each host and provider.

use crate::provider::{CloudError, Clouds, Target};
use snooze_schemas::{HostId, roster::Provider};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Hosts that are remembered as said; beyond that many, all are said once more.
const REMEMBERED: usize = 10_000;

/// What this process can reach; clones share what was said.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    clouds: Clouds,
    said: Arc<Mutex<HashSet<(HostId, Provider)>>>,
}

impl Reach {
    pub(crate) fn new(clouds: &Clouds) -> Self {
        Self {
            clouds: clouds.clone(),
            said: Arc::default(),
        }
    }

    /// Whether the cloud of a host can be reached; the error names the provider that is missing.
    pub(crate) fn check(&self, target: &Target) -> Result<(), CloudError> {
        let Err(error) = self.clouds.of(target).map(drop) else {
            return Ok(());
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= REMEMBERED {
            said.clear();
        }
        if said.insert((target.host().clone(), target.provider())) {
            tracing::warn!(host = %target.host(), %error, "this executor leaves the host to others");
        }
        Err(error)
    }
}
