//! The collector as a process of its own.

use clap::Parser;
use snooze_bus::{Bus, BusConfig, Role};
use snooze_collector::{Config, Settings};
use snooze_schemas::{
    HostId,
    policy::{ConfigLayer, Policy},
};
use snooze_service_runtime::{
    Exit, Failure, LoadedConfig, ServiceArgs, Threads, args,
    config::{self, RealSource},
    exit::one_line,
    identity, run_service,
};
use std::{process::ExitCode, time::Duration};

const NAME: &str = "snooze-collector";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Measures this host and publishes samples.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
struct Arguments {
    #[command(flatten)]
    service: ServiceArgs,
}

fn main() -> ExitCode {
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments.service,
        Err(exit) => return exit,
    };
    let loaded = match config::load(&RealSource, arguments.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let lines: Vec<String> = mistakes.iter().map(|mistake| one_line(mistake)).collect();
            return Failure::new(Exit::Usage, lines.join("\n")).report(NAME);
        }
    };
    let telemetry = loaded.local.telemetry();
    run_service(NAME, Threads::One, &telemetry, async |shutdown| {
        loaded.log_notices();
        let config = settle(&arguments, &loaded)?;
        let bus = Bus::connect(BusConfig {
            servers: arguments
                .server
                .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()),
            credentials: arguments.credentials,
            role: Role::Host,
            name: config.host.to_string(),
            service: NAME.to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
        })
        .await
        .map_err(|error| Failure::bus(&error))?;
        let run = snooze_collector::run(config, bus, shutdown).await;
        run.map_err(|error| Failure::from_error(Exit::Failed, &error))
    })
}

fn settle(arguments: &ServiceArgs, loaded: &LoadedConfig) -> Result<Config, Failure> {
    let named = arguments.host.as_ref().or(loaded.local.host_id.as_ref());
    let host = match named {
        Some(name) => name
            .parse::<HostId>()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?,
        None => HostId::from_host_name(&identity::host_name()),
    };
    let boot_id = identity::boot_id().map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let layer = ConfigLayer {
        policy: loaded.policy.clone(),
        ..ConfigLayer::default()
    };
    let policy = Policy::from_layers([&layer]).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    Ok(Config {
        settings: Settings::from(&policy),
        ..Config::new(host, boot_id)
    })
}
