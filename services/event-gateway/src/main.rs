//! The event gateway as a process of its own: the part at the centre, or the part on a host; and what prepares an
//! account of AWS for it.

mod aws_command;

use aws_command::AwsArguments;
use clap::{Args, Parser, Subcommand};
use snooze_bus::{Bus, BusConfig, BusErrorKind, OnDenial, Role};
use snooze_event_gateway::{
    GatewayError, centre,
    host::{self, sources},
};
use snooze_schemas::HostId;
use snooze_service_runtime::{
    CancellationToken, Exit, Failure, LoadedConfig, ServiceArgs, Threads, args,
    config::{self, RealSource},
    exit::one_line,
    identity,
    places::{self, HostFolders},
    run_service,
};
use std::{process::ExitCode, time::Duration};

const NAME: &str = "snooze-event-gateway";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Turns what happens into events, and sees that each is handled.
#[derive(Debug, Parser)]
#[command(name = NAME, version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    centre: CentreArguments,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// File people's own events and hand every event to the host that it concerns (the default)
    Centre(CentreArguments),
    /// Notice what concerns this host, hand it to its own runner and file it
    Host(HostArguments),
    /// Prepare an account of AWS (it takes a build with the feature `aws`)
    Aws(AwsArguments),
}

#[derive(Debug, Args)]
struct CentreArguments {
    #[command(flatten)]
    service: ServiceArgs,
    /// The name of this gateway's user on the bus
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    name: String,
}

#[derive(Debug, Args)]
struct HostArguments {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    folders: HostFolders,
}

fn main() -> ExitCode {
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let part = arguments.part.unwrap_or(Part::Centre(arguments.centre));
    let (file, threads) = match &part {
        Part::Centre(centre) => (centre.service.config.as_ref(), Threads::PerCore),
        Part::Host(host) => (host.service.config.as_ref(), Threads::One),
        Part::Aws(aws) => (aws.config(), Threads::One),
    };
    let loaded = match config::load(&RealSource, file.map(std::path::PathBuf::as_path)) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let lines: Vec<String> = mistakes.iter().map(|mistake| one_line(mistake)).collect();
            return Failure::new(Exit::Usage, lines.join("\n")).report(NAME);
        }
    };
    run_service(NAME, threads, &loaded.local.telemetry(), async |shutdown| {
        loaded.log_notices();
        match part {
            Part::Centre(arguments) => Box::pin(at_the_centre(arguments, &loaded, shutdown)).await,
            Part::Host(arguments) => on_a_host(arguments, &loaded, shutdown).await,
            // Given up half way, the next run goes on from there.
            Part::Aws(arguments) => shutdown
                .run_until_cancelled(aws_command::run(arguments, &loaded))
                .await
                .unwrap_or_else(|| {
                    Err(Failure::new(
                        Exit::Failed,
                        "ended before it was done: run it again",
                    ))
                }),
        }
    })
}

async fn at_the_centre(
    arguments: CentreArguments,
    loaded: &LoadedConfig,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let CentreArguments { service, name } = arguments;
    let http = centre::http::Front::open(&loaded.local.event_http)
        .map_err(|error| Failure::from_error(error.exit(), &error))?;
    let actor = format!("gateway {} on {}", name, identity::host_name());
    let config = centre::Config {
        http,
        ..centre::Config::new(actor)
    };
    let config = config
        .publishing(&loaded.local.event_publish)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))?
        .with_sources(&loaded.local)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    let connecting = Bus::connect(connection(service, Role::Gateway, name, OnDenial::End));
    // Given up half way it has told nobody anything, so there is nothing to end in order.
    let Some(bus) = shutdown.run_until_cancelled(connecting).await else {
        return Ok(());
    };
    let bus = bus.map_err(|error| Failure::from_error(exit_of(error.kind()), &error))?;
    let run = centre::run(config, bus, shutdown).await;
    run.map_err(|error| ended(&error))
}

/// Does not wait for the bus: what this host notices it handles without one, and without one that lets it in.
async fn on_a_host(
    arguments: HostArguments,
    loaded: &LoadedConfig,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let HostArguments { service, folders } = arguments;
    let host = match service.host.as_ref().or(loaded.local.host_id.as_ref()) {
        Some(name) => name
            .parse::<HostId>()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?,
        None => HostId::from_host_name(&identity::host_name()),
    };
    let boot_id = identity::boot_id().map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let socket = places::runner_socket(&folders.own_runtime(), host.as_str());
    let connection = connection(service, Role::Host, host.to_string(), OnDenial::GoOn);
    let bus = Bus::begin(connection).await;
    let bus = bus.map_err(|error| Failure::from_error(exit_of(error.kind()), &error))?;
    let config = host::Config {
        metadata: sources::knowing_the_launch(&loaded.local),
        ..host::Config::new(host, boot_id, folders.state.join("gateway"), socket)
    };
    let sources = sources::switched_on(&loaded.local, &config.state);
    let run = host::run(config, bus, sources, shutdown).await;
    run.map_err(|error| ended(&error))
}

fn connection(service: ServiceArgs, role: Role, name: String, on_denial: OnDenial) -> BusConfig {
    BusConfig {
        servers: service
            .server
            .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()),
        credentials: service.credentials,
        role,
        name,
        service: NAME.to_owned(),
        connect_timeout: CONNECT_TIMEOUT,
        on_denial,
    }
}

fn ended(error: &GatewayError) -> Failure {
    Failure::from_error(exit_of(error.kind()), error)
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
