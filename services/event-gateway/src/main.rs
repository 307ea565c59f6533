//! The event gateway as a process of its own.

use clap::Parser;
use snooze_bus::{Bus, BusConfig, BusErrorKind, Role};
use snooze_event_gateway::centre;
use snooze_service_runtime::{
    Exit, Failure, ServiceArgs, Threads, args,
    config::{self, RealSource},
    exit::one_line,
    identity, run_service,
};
use std::{process::ExitCode, time::Duration};

const NAME: &str = "snooze-event-gateway";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Files people's own events and hands every event to the host that it concerns.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
struct Arguments {
    #[command(flatten)]
    service: ServiceArgs,
    /// The name of this gateway's user on the bus
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    name: String,
}

fn main() -> ExitCode {
    let Arguments { service, name } = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let loaded = match config::load(&RealSource, service.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let lines: Vec<String> = mistakes.iter().map(|mistake| one_line(mistake)).collect();
            return Failure::new(Exit::Usage, lines.join("\n")).report(NAME);
        }
    };
    run_service(
        NAME,
        Threads::PerCore,
        &loaded.local.telemetry(),
        async |shutdown| {
            loaded.log_notices();
            let connecting = Bus::connect(BusConfig {
                servers: service
                    .server
                    .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()),
                credentials: service.credentials,
                role: Role::Gateway,
                name: name.clone(),
                service: NAME.to_owned(),
                connect_timeout: CONNECT_TIMEOUT,
            });
            // Given up half way it has told nobody anything, so there is nothing to end in order.
            let Some(bus) = shutdown.run_until_cancelled(connecting).await else {
                return Ok(());
            };
            let bus = bus.map_err(|error| Failure::from_error(exit_of(error.kind()), &error))?;
            let actor = format!("gateway {} on {}", name, identity::host_name());
            let run = centre::run(centre::Config::new(actor), bus, shutdown).await;
            run.map_err(|error| Failure::from_error(exit_of(error.kind()), &error))
        },
    )
}

/// The exit code that tells whoever starts it whether trying again helps.
fn exit_of(kind: BusErrorKind) -> Exit {
    match kind {
        BusErrorKind::Credentials => Exit::Usage,
        BusErrorKind::Denied => Exit::Refused,
        BusErrorKind::Unreachable => Exit::BusUnreachable,
        BusErrorKind::Failed => Exit::Failed,
    }
}
