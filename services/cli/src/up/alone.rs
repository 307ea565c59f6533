//! One plugin on a private bus: broker, collector and runner, and nothing that decides or stops.
//!
//! It takes what `snooze up` is made of, in a state folder that is gone afterwards.

mod hosts;

pub(crate) use hosts::start_centre;

use super::{
    ground::{Ground, Place},
    plan::Plan,
};
use crate::{
    arguments::{Cloud, Up},
    home::Home,
};
use snooze_bus::Bus;
use snooze_plugin_runner::Restarts;
use snooze_schemas::{HostId, PluginName};
use snooze_service_runtime::{CancellationToken, Exit, Failure, config::PluginsConfig};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Its author is at hand, saves again and again, and waits for it: nothing is quarantined here.
const AT_HAND: Restarts = Restarts {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(5),
    forgiven_after: Duration::from_secs(5),
    crashes: u32::MAX,
    quarantine: Duration::from_secs(5),
};

/// A running broker with what a plugin needs around it.
pub(crate) struct Alone {
    plan: Plan,
    ground: Ground,
    administrator: Bus,
    host: Bus,
}

/// What a collector, a runner or a plugin that runs by itself needs.
pub(crate) struct Around<'a> {
    plan: &'a Plan,
    place: &'a Place,
    host: &'a Bus,
}

/// What a plugin that runs by itself is told of the bus.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// Where it is.
    pub(crate) server: String,
    /// A file with what lets this plugin onto it.
    pub(crate) credentials: PathBuf,
    /// The host that the plugin serves.
    pub(crate) host: HostId,
}

impl Alone {
    /// Starts a broker in a state folder of its own, which is not there yet, and makes everything on it.
    pub(crate) async fn lay(
        state: &Path,
        nats_server: Option<PathBuf>,
        home: &Home,
    ) -> Result<Alone, Failure> {
        let up = Up {
            cloud: Cloud::Simulated,
            config: None,
            nats_server,
            plugins: None,
            host: None,
        };
        let plan = Plan::make(&up, Some(state), home)?;
        let ground = Ground::lay(&plan).await?;
        match Alone::connect(&ground.place, &plan).await {
            Ok((administrator, host)) => Ok(Alone {
                plan,
                ground,
                administrator,
                host,
            }),
            Err(failure) => {
                // Why there is nothing on it matters more than how it ended.
                drop(ground.broker.stop().await);
                Err(failure)
            }
        }
    }

    async fn connect(place: &Place, plan: &Plan) -> Result<(Bus, Bus), Failure> {
        let administrator = place.connect(&place.administrator).await?;
        place.set_up(plan, &administrator).await?;
        let host = place.connect(&place.host).await?;
        Ok((administrator, host))
    }

    /// The host that this machine is on it.
    pub(crate) fn host(&self) -> &HostId {
        &self.plan.host.id
    }

    /// The connection of the host.
    pub(crate) fn as_host(&self) -> &Bus {
        &self.host
    }

    /// The connection of who asks.
    pub(crate) fn administrator(&self) -> &Bus {
        &self.administrator
    }

    /// What collector and runner need, and the end of the broker, which is nobody's wish.
    pub(crate) fn parts(&mut self) -> (Around<'_>, impl Future<Output = Failure>) {
        let around = Around {
            plan: &self.plan,
            place: &self.ground.place,
            host: &self.host,
        };
        let broker = &mut self.ground.broker;
        let ended = async {
            let text = match broker.ended().await {
                Ok(status) => format!("the broker ended by itself ({status})"),
                Err(error) => snooze_service_runtime::exit::one_line(&error),
            };
            Failure::new(Exit::Failed, text)
        };
        (around, ended)
    }

    /// Ends the broker, and removes what does not lie in the state folder.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let stopped = self.ground.broker.stop().await;
        stopped
            .map_err(|error| Failure::from_error(Exit::Failed, &error))
            .and(self.plan.clean_up())
    }
}

impl Around<'_> {
    /// Lets a plugin of this host onto the bus, with credentials that are gone with the state folder.
    pub(crate) fn admit(&self, plugin: &PluginName) -> Result<Admission, Failure> {
        Ok(Admission {
            server: self.place.server().to_owned(),
            credentials: self.place.admit(self.plan, plugin)?,
            host: self.plan.host.id.clone(),
        })
    }

    /// Measures this machine until it is told to stop.
    pub(crate) async fn collect(&self, stop: CancellationToken) -> Result<(), Failure> {
        let host = &self.plan.host;
        let config = snooze_collector::Config::new(host.id.clone(), host.boot_id.clone());
        let ran = snooze_collector::run(config, self.host.clone(), stop).await;
        ran.map_err(|error| Failure::from_error(Exit::Failed, &error))
    }

    /// Runs these plugins until it is told to stop.
    pub(crate) async fn run(&self, plugins: &PluginsConfig, stop: CancellationToken) -> Result<(), Failure> {
        let plan = self.plan;
        let config = snooze_plugin_runner::Config {
            fence: snooze_plugin_runner::fence::FenceConfig::of_this_process(),
            terminals: plan.terminals.clone(),
            restarts: AT_HAND,
            ..snooze_plugin_runner::Config::new(
                plan.host.id.clone(),
                plan.host.boot_id.clone(),
                plan.state.path("runner"),
                plan.runtime.clone(),
            )
        };
        let ran = snooze_plugin_runner::run(config.with_plugins(plugins), self.host.clone(), stop).await;
        ran.map_err(|error| Failure::from_error(Exit::Failed, &error))
    }
}
