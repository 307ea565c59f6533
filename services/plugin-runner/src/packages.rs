//! Plugins that are installed from the fleet's store of packages: fetched, unpacked, and taken away again.
//!
//! A package is known by its SHA-256, and what is unpacked is never written again: another version lies beside it. It
//! runs nothing, and grants nothing. What is here stays here without a broker.

mod shelf;

pub(crate) use shelf::{Shelf, installed};

use crate::{
    backoff::{Backoff, Restarts},
    manifest::sha256_of_bytes,
    policy::{PolicyInForce, PolicyOrigin},
    stdio::StdioPlugin,
};
use snooze_bus::Bus;
use snooze_schemas::{PluginName, plugin::approval::Installed};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// How long fetching one package may take: the largest one over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// How long nothing is due where nothing fails.
const IDLE: Duration = Duration::from_secs(3600);

/// What fetching works with.
#[derive(Debug)]
pub(crate) struct Packages {
    /// The bus.
    pub bus: Bus,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// The processes that have not ended.
    pub alive: watch::Receiver<Vec<Arc<StdioPlugin>>>,
    /// Where packages lie.
    pub shelf: Arc<Shelf>,
    /// How attempts are spaced.
    pub restarts: Restarts,
}

/// A package that could not be fetched, and when it is tried again.
#[derive(Debug)]
struct Failed {
    sha256: String,
    backoff: Backoff,
    again: Instant,
}

impl Packages {
    /// Has those packages here that the policy says, until shutdown.
    pub(crate) async fn keep(mut self, shutdown: CancellationToken) {
        // What is cut off half way is begun anew: a package is there as a whole or not at all.
        tokio::select! {
            () = self.follow() => shutdown.cancelled().await,
            () = shutdown.cancelled() => {}
        }
    }

    async fn follow(&mut self) {
        let mut failed: BTreeMap<PluginName, Failed> = BTreeMap::new();
        loop {
            let policy = self.policy.borrow_and_update().clone();
            let wanted = installed(&policy);
            failed.retain(|name, failed| wanted.get(name).is_some_and(|one| one.sha256 == failed.sha256));
            self.shelf.forget_all_but(&wanted);
            if policy.origin == PolicyOrigin::Bus {
                self.tidy(&wanted).await;
            }
            let mut next = Instant::now() + IDLE;
            for (name, package) in &wanted {
                if self.shelf.has(name, package) {
                    continue;
                }
                if let Some(failed) = failed.get(name)
                    && failed.again > Instant::now()
                {
                    next = next.min(failed.again);
                    continue;
                }
                match self.fetch(name, package).await {
                    Ok(()) => {
                        tracing::info!(plugin = %name, version = package.version, sha256 = package.sha256, "a plugin's package is here");
                        failed.remove(name);
                        self.shelf.arrived(name);
                    }
                    Err(why) => {
                        tracing::warn!(plugin = %name, why, "a plugin's package could not be fetched; it is tried again");
                        self.shelf.failed(name, why);
                        let entry = failed.entry(name.clone()).or_insert_with(|| Failed {
                            sha256: package.sha256.clone(),
                            backoff: Backoff::default(),
                            again: Instant::now(),
                        });
                        entry.again =
                            Instant::now() + entry.backoff.failed_after(Duration::ZERO, &self.restarts);
                        next = next.min(entry.again);
                    }
                }
            }
            // Cancelling these loses nothing: all of them only say "look again".
            tokio::select! {
                changed = self.policy.changed() => if changed.is_err() { return },
                Ok(()) = self.alive.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn fetch(&self, name: &PluginName, package: &Installed) -> Result<(), String> {
        let Some(place) = self.shelf.place(name, package) else {
            return Err(format!("{:?} is no SHA-256 of a package", package.sha256));
        };
        let artifacts = self.bus.artifacts();
        let limit = usize::try_from(snooze_package::PACKED_LIMIT).unwrap_or(usize::MAX);
        let bytes = timeout(FETCH_LIMIT, artifacts.get(&package.sha256, limit))
            .await
            .map_err(|_| format!("the store did not give it within {} s", FETCH_LIMIT.as_secs()))?
            .map_err(|error| one_line(&error))?;
        let (name, sha256) = (name.clone(), package.sha256.clone());
        let unpacked = tokio::task::spawn_blocking(move || unpack(&bytes, &name, &sha256, &place));
        unpacked
            .await
            .map_err(|_| "it was not unpacked to the end".to_owned())?
    }

    /// Removes what is not wanted any more, unless somebody still runs from it.
    async fn tidy(&mut self, wanted: &BTreeMap<PluginName, Installed>) {
        let alive = self.alive.borrow_and_update().clone();
        let used: Vec<PathBuf> = alive.iter().map(|process| process.path().clone()).collect();
        let (shelf, wanted) = (self.shelf.clone(), wanted.clone());
        let tidied = tokio::task::spawn_blocking(move || shelf.tidy(&wanted, &used));
        if tidied.await.is_err() {
            tracing::warn!("packages that nobody wants are still there");
        }
    }
}

/// Unpacks a package, where it is what was asked for.
fn unpack(bytes: &[u8], name: &PluginName, sha256: &str, place: &Path) -> Result<(), String> {
    let found = sha256_of_bytes(bytes);
    if found != sha256 {
        return Err(format!("the store gave another package: its SHA-256 is {found}"));
    }
    if let Some(folder) = place.parent() {
        // A plugin that has a user of its own passes through it.
        let made = fs::create_dir_all(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)));
        made.map_err(|error| format!("make {}: {error}", folder.display()))?;
    }
    snooze_package::unpack(bytes, place).map_err(|error| one_line(&error))?;
    if place.join(name.as_str()).is_dir() {
        return Ok(());
    }
    // It would stand in the way of the right one.
    fs::remove_dir_all(place).map_err(|error| format!("remove {}: {error}", place.display()))?;
    Err(format!("it is the package of another plugin than {name}"))
}
