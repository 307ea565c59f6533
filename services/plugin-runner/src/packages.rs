//! Plugins that are installed from the fleet's store of packages: fetched, unpacked, and taken away again.
//!
//! A package is known by its SHA-256; another version lies beside it. What is not as it was unpacked is fetched again
//! and takes its own place. It runs nothing, and grants nothing. What is here stays here without a broker.

mod attempts;
mod shelf;
mod standing;

pub(crate) use shelf::{Shelf, Shelved, installed};
pub(crate) use standing::Standing;

use crate::{
    backoff::Restarts,
    manifest::sha256_of_bytes,
    policy::{PolicyInForce, PolicyOrigin},
    stdio::StdioPlugin,
};
use attempts::Attempts;
use snooze_bus::Bus;
use snooze_package::Package;
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
        let mut attempts = Attempts::default();
        let mut news = self.shelf.news();
        loop {
            let policy = self.policy.borrow_and_update().clone();
            news.mark_unchanged();
            let wanted = installed(&policy);
            attempts.forget_all_but(&wanted);
            self.shelf.forget_all_but(&wanted);
            if policy.origin == PolicyOrigin::Bus {
                self.tidy(&wanted).await;
            }
            let mut next = Instant::now() + IDLE;
            for (name, package) in &wanted {
                match self.standing(name, package).await {
                    // Whoever looks at it again tells when it is known.
                    Standing::Here | Standing::Unread(_) => continue,
                    Standing::Absent | Standing::Damaged(_) => attempts.lost(name, &self.restarts),
                }
                if let Some(again) = attempts.is_too_early(name) {
                    next = next.min(again);
                    continue;
                }
                match self.fetch(name, package).await {
                    Ok(()) => {
                        tracing::info!(plugin = %name, version = package.version, sha256 = package.sha256, "a plugin's package is here");
                        attempts.succeeded(name, package);
                        self.shelf.arrived(name);
                    }
                    Err(why) => {
                        tracing::warn!(plugin = %name, why, "a plugin's package could not be fetched; it is tried again");
                        self.shelf.failed(name, why);
                        next = next.min(attempts.failed(name, package, &self.restarts));
                    }
                }
            }
            // Cancelling these loses nothing: all of them only say "look again".
            tokio::select! {
                changed = self.policy.changed() => if changed.is_err() { return },
                Ok(()) = self.alive.changed() => {}
                Ok(()) = news.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn standing(&self, name: &PluginName, package: &Installed) -> Standing {
        let (shelf, name, package) = (self.shelf.clone(), name.clone(), package.clone());
        let looked = tokio::task::spawn_blocking(move || shelf.standing(&name, &package));
        let lost = |_| Standing::Unread("it was not looked at to the end".to_owned());
        looked.await.unwrap_or_else(lost)
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
        let unpacked = tokio::task::spawn_blocking(move || unpack(bytes, &name, &sha256, &place));
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

/// Unpacks a package, where it is what was asked for, in place of whatever lies there.
fn unpack(bytes: Vec<u8>, name: &PluginName, sha256: &str, place: &Path) -> Result<(), String> {
    let found = sha256_of_bytes(&bytes);
    if found != sha256 {
        return Err(format!("the store gave another package: its SHA-256 is {found}"));
    }
    let package = Package::read(bytes).map_err(|error| one_line(&error))?;
    if package.name != *name {
        return Err(format!("it is the package of another plugin than {name}"));
    }
    // A plugin that has a user of its own passes through them, and nobody else puts anything there.
    let above: Vec<&Path> = place.ancestors().skip(1).take(2).collect();
    for folder in above.into_iter().rev() {
        let made = fs::create_dir_all(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)));
        made.map_err(|error| format!("make {}: {error}", folder.display()))?;
    }
    snooze_package::install(&package.bytes, place).map_err(|error| one_line(&error))
}
