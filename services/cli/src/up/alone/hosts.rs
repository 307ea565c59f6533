//! Hosts that exist only on a private bus, each with its runner and its own event gateway, and the centre that they
//! share.
//!
//! They run what hosts run, each as a user of its own behind the fence of its name. Nothing here measures, decides or
//! stops.

use super::Around;
use futures_util::{StreamExt, TryStreamExt, stream};
use snooze_bus::{Bus, User};
use snooze_event_gateway::{
    centre,
    host::{self as noticing, sources},
};
use snooze_plugin_runner as running;
use snooze_schemas::{HostId, PluginName};
use snooze_service_runtime::{Failure, LocalConfig, Tasks, places};

/// So many come onto the bus at once: a broker waits two seconds for what each says.
const CONNECTING: usize = 8;

/// A host that is on the bus and has not begun.
pub(crate) struct Hosted {
    id: HostId,
    bus: Bus,
    runner: running::Config,
    gateway: noticing::Config,
    sources: Vec<sources::Source>,
}

impl Around<'_> {
    /// Hosts of these ids, each with what a file of its own would say; all may ask this plugin of the fleet. Cancelling it
    /// ends the connections that were made.
    pub(crate) async fn hosts(
        &self,
        asked: Vec<(HostId, LocalConfig)>,
        fleet: Option<&PluginName>,
    ) -> Result<Vec<Hosted>, Failure> {
        let users = asked
            .iter()
            .map(|(id, _)| fleet.into_iter().fold(User::host(id), User::granting));
        let members = self.place.enlist(self.plan, users).await?;
        let hosts = stream::iter(asked.into_iter().zip(&members));
        let hosts = hosts.map(async |((id, local), member)| {
            let bus = self.place.connect(member).await?;
            Ok(self.hosted(id, bus, &local))
        });
        hosts.buffered(CONNECTING).try_collect().await
    }

    fn hosted(&self, id: HostId, bus: Bus, local: &LocalConfig) -> Hosted {
        let (plan, boot_id) = (self.plan, &self.plan.host.boot_id);
        let state = plan.state.path(&format!("host-{id}"));
        let runner = running::Config {
            fence: running::fence::FenceConfig::of_this_process(),
            terminals: plan.terminals.clone(),
            ..running::Config::new(
                id.clone(),
                boot_id.clone(),
                state.join("runner"),
                plan.runtime.clone(),
            )
        };
        let gateway = noticing::Config::new(
            id.clone(),
            boot_id.clone(),
            state.join("gateway"),
            places::runner_socket(&plan.runtime, id.as_str()),
        );
        Hosted {
            id,
            bus,
            runner: runner
                .with_plugins(&local.plugins)
                .with_event_handlers(&local.event_handlers),
            sources: sources::switched_on(local, &gateway.state),
            gateway,
        }
    }

    /// The connection of the event gateway at the centre.
    pub(crate) async fn as_centre(&self) -> Result<Bus, Failure> {
        self.place.connect(&self.place.gateway).await
    }

    /// The connection of a plugin that serves every host.
    pub(crate) async fn as_fleet_plugin(&self, plugin: &PluginName) -> Result<Bus, Failure> {
        let members = self.place.enlist(self.plan, [User::fleet_plugin(plugin)]).await?;
        let member = members.first().expect("one was asked for");
        self.place.connect(member).await
    }
}

impl Hosted {
    /// Starts its runner and its event gateway.
    pub(crate) fn start(self, tasks: &mut Tasks) {
        let (id, bus, stop) = (self.id, self.bus, tasks.shutdown());
        let runner = running::run(self.runner, bus.clone(), stop.clone());
        tasks.start(format!("plugin runner of {id}"), Box::pin(runner));
        let gateway = noticing::run(self.gateway, bus, self.sources, stop);
        tasks.start(format!("event gateway of {id}"), Box::pin(gateway));
    }
}

/// Starts the event gateway at the centre.
pub(crate) fn start_centre(bus: Bus, tasks: &mut Tasks) {
    let config = centre::Config::new("gateway of a private bus".to_owned());
    let run = centre::run(config, bus, tasks.shutdown());
    tasks.start("event gateway of the centre", Box::pin(run));
}
