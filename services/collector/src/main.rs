//! The collector as a process of its own.

use clap::Parser;
use snooze_bus::{Bus, BusConfig, BusError, BusErrorKind, OnDenial, Role};
use snooze_collector::{CollectorError, Config, Settings};
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
/// For the last answers on their way out; a server that is there takes them within milliseconds.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

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
        Err(mistakes) => return Failure::from(mistakes).report(NAME),
    };
    let telemetry = loaded.local.telemetry();
    run_service(NAME, Threads::One, &telemetry, async |shutdown| {
        loaded.log_notices();
        let config = settle(&arguments, &loaded)?;
        // Once it was let in it waits for its credentials to be renewed as for a broker that is away, and keeps its
        // samples meanwhile (T2): so do the runner and the gateway of this host, which have the same.
        let connecting = Bus::connect(BusConfig {
            servers: arguments
                .server
                .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()),
            credentials: arguments.credentials,
            role: Role::Host,
            name: config.host.to_string(),
            service: NAME.to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            on_denial: OnDenial::GoOn,
        });
        // Given up half way it has told nobody anything, so there is nothing to end in order.
        let Some(bus) = shutdown.run_until_cancelled(connecting).await else {
            return Ok(());
        };
        let bus = bus.map_err(|error| Failure::from_error(of_bus(&error), &error))?;
        let run = snooze_collector::run(config, bus.clone(), shutdown).await;
        if let Err(error) = bus.drain(DRAIN_TIMEOUT).await {
            tracing::debug!(error = one_line(&error), "the bus did not take all that was sent");
        }
        run.map_err(|error| Failure::from_error(of_run(&error), &error))
    })
}

/// Whether it is worth trying again, said by the exit code.
fn of_bus(error: &BusError) -> Exit {
    match error.kind() {
        BusErrorKind::Credentials => Exit::Usage,
        BusErrorKind::Denied => Exit::Refused,
        BusErrorKind::Unreachable => Exit::BusUnreachable,
        BusErrorKind::Failed => Exit::Failed,
    }
}

/// The same of a collector that was connected.
fn of_run(error: &CollectorError) -> Exit {
    match error {
        CollectorError::Denied(_) => Exit::Refused,
        CollectorError::Subscribe(error) => of_bus(error),
        CollectorError::OpenRoot(_) | CollectorError::Run(_) => Exit::Failed,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_exit_code_tells_wrong_credentials_from_a_bus_that_is_away() {
        let servers = || "nats://127.0.0.1:4222".to_owned();
        let why = || Box::new(io::Error::other("why"));
        let cases = [
            (
                BusError::Credentials {
                    path: "/no/such.creds".into(),
                    source: why(),
                },
                Exit::Usage,
            ),
            (
                BusError::Denied {
                    servers: servers(),
                    source: why(),
                },
                Exit::Refused,
            ),
            (
                BusError::Unreachable {
                    servers: servers(),
                    source: why(),
                },
                Exit::BusUnreachable,
            ),
        ];
        for (error, exit) in cases {
            assert_eq!(of_bus(&error), exit, "{error}");
            assert_eq!(of_run(&CollectorError::Subscribe(error)), exit);
        }
    }

    #[test]
    fn a_denial_while_it_runs_is_a_refusal() {
        let denied = CollectorError::Denied("permissions violation".to_owned());
        assert_eq!(of_run(&denied), Exit::Refused);
    }
}
