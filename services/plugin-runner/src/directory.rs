//! Which plugins this runner hosts, for people with the public `nats` tool: the runner is one service, and each
//! plugin that it runs and that is switched on is an endpoint of it.
//!
//! It only shows. Whoever serves a plugin lists it here; what it is asked is counted where it is asked.

use crate::{
    listening,
    plugin::{Plugin, Runtime},
    stdio::Stage,
};
use snooze_bus::{Bus, BusError, Endpoint, RUNNER_SERVICE, Service, SubjectFilter};
use snooze_schemas::{HostId, PluginName, Timestamp};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The plugins that are served on the bus.
#[derive(Debug)]
pub(crate) struct Directory {
    host: HostId,
    served: Mutex<BTreeMap<PluginName, Arc<Plugin>>>,
}

/// A plugin is listed as long as this lives.
#[derive(Debug)]
pub(crate) struct Listed {
    directory: Arc<Directory>,
    name: PluginName,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.directory.served().remove(&self.name);
    }
}

impl Directory {
    /// Nobody is served yet.
    #[must_use]
    pub(crate) fn new(host: HostId) -> Arc<Directory> {
        Arc::new(Directory {
            host,
            served: Mutex::default(),
        })
    }

    /// Lists a plugin whose subjects are subscribed to.
    #[must_use]
    pub(crate) fn list(self: &Arc<Self>, plugin: Arc<Plugin>) -> Listed {
        let name = plugin.name();
        self.served().insert(name.clone(), plugin);
        Listed {
            directory: self.clone(),
            name,
        }
    }

    /// Answers `nats micro` until shutdown.
    ///
    /// # Errors
    /// When the connection is closed for good.
    pub(crate) async fn show(
        self: Arc<Self>,
        bus: Bus,
        started: Timestamp,
        shutdown: CancellationToken,
    ) -> Result<(), BusError> {
        let service = Service {
            name: RUNNER_SERVICE,
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION"),
            description: "The plugins that CloudSnooze runs on one host",
            started,
        };
        let Some(announcement) = listening::announce(&bus, &service, &shutdown).await? else {
            return Ok(());
        };
        tokio::select! {
            // Nothing is lost but answers to people, who see the runner go.
            () = shutdown.cancelled() => {}
            () = announcement.answer(|| self.endpoints()) => shutdown.cancelled().await,
        }
        Ok(())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let served = self.served().clone();
        let shown = served
            .into_iter()
            .filter_map(|(name, plugin)| self.endpoint(name, &plugin));
        shown.collect()
    }

    /// What is shown of a plugin; nothing while it is switched off or has ended for good.
    fn endpoint(&self, name: PluginName, plugin: &Plugin) -> Option<Endpoint> {
        let Runtime::Process(process) = plugin.runtime() else {
            return None;
        };
        let state = *process.stage().borrow();
        if matches!(state, Stage::Disabled | Stage::Held | Stage::Stopped) {
            return None;
        }
        let mut metadata = BTreeMap::from([
            ("runtime".to_owned(), process.runtime().to_owned()),
            ("state".to_owned(), state.as_str().to_owned()),
        ]);
        let info = process.info();
        if let Some(version) = info
            .borrow()
            .as_ref()
            .and_then(|info| info.get("version")?.as_str())
        {
            metadata.insert("version".to_owned(), version.to_owned());
        }
        Some(Endpoint {
            filter: SubjectFilter::PluginOnHost {
                host: self.host.clone(),
                plugin: name.clone(),
            },
            name,
            metadata,
            counts: plugin.counts(),
        })
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<PluginName, Arc<Plugin>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
