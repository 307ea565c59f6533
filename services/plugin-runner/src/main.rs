//! The plugin runner as a process of its own.

use clap::Parser;
use snooze_bus::{Bus, BusConfig, BusError, BusErrorKind, OnDenial, Role};
use snooze_plugin_runner::{Config, RunnerError, fence};
use snooze_schemas::HostId;
use snooze_service_runtime::{
    Exit, Failure, LoadedConfig, ServiceArgs, Threads, args,
    config::{self, RealSource},
    identity,
    places::HostFolders,
    run_service,
};
use std::{process::ExitCode, time::Duration};

const NAME: &str = "snooze-plugin-runner";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Turns samples into votes and hosts plugins.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
struct Arguments {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    folders: HostFolders,
}

fn main() -> ExitCode {
    if let Some(exit) = fence::become_plugin_if_asked() {
        return exit;
    }
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let loaded = match config::load(&RealSource, arguments.service.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(mistakes) => return Failure::from(mistakes).report(NAME),
    };
    let telemetry = loaded.local.telemetry();
    run_service(NAME, Threads::One, &telemetry, async |shutdown| {
        loaded.log_notices();
        let config = settle(&arguments, &loaded)?;
        let servers = arguments
            .service
            .server
            .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned());
        // Plugins run, and handle what this host notices itself, whether there is a broker that lets it in or not (E7).
        let beginning = Bus::begin(BusConfig {
            servers,
            credentials: arguments.service.credentials,
            role: Role::Host,
            name: config.host.to_string(),
            service: NAME.to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            on_denial: OnDenial::GoOn,
        });
        let bus = beginning.await.map_err(|error| of_bus(&error))?;
        let run = snooze_plugin_runner::run(config, bus, shutdown).await;
        run.map_err(|error| Failure::from_error(exit_of_run(&error), &error))
    })
}

fn settle(arguments: &Arguments, loaded: &LoadedConfig) -> Result<Config, Failure> {
    let host = match arguments.service.host.as_ref().or(loaded.local.host_id.as_ref()) {
        Some(name) => name
            .parse::<HostId>()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?,
        None => HostId::from_host_name(&identity::host_name()),
    };
    let boot_id = identity::boot_id().map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let own = arguments.folders.own_runtime();
    let state = arguments.folders.state.join("runner");
    let config = Config {
        fence: fence::FenceConfig::of_this_process(),
        local_policy: loaded.policy.clone(),
        ..Config::new(host, boot_id, state, own)
    };
    let config = config.with_plugins(&loaded.local.plugins);
    Ok(config.with_event_handlers(&loaded.local.event_handlers))
}

/// A failure to connect, with the exit code that tells whoever starts it whether trying again helps.
fn of_bus(error: &BusError) -> Failure {
    Failure::from_error(exit_of_bus(error), error)
}

fn exit_of_bus(error: &BusError) -> Exit {
    match error.kind() {
        BusErrorKind::Credentials => Exit::Usage,
        BusErrorKind::Denied => Exit::Refused,
        BusErrorKind::Unreachable => Exit::BusUnreachable,
        BusErrorKind::Failed => Exit::Failed,
    }
}

/// The same for a runner that had begun.
fn exit_of_run(error: &RunnerError) -> Exit {
    match error {
        RunnerError::Denied(_) => Exit::Refused,
        RunnerError::Listen(error) => exit_of_bus(error),
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bus_denies_is_a_refusal_also_after_the_start() {
        assert_eq!(
            exit_of_run(&RunnerError::Denied("publish".to_owned())),
            Exit::Refused
        );
    }
}
