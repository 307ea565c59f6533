//! The executor as a process of its own.

use clap::{Parser, ValueEnum};
use snooze_bus::{Bus, BusConfig, BusError, BusErrorKind, OnDenial, Role};
use snooze_executor::{
    Config, ExecutorError,
    provider::{Clouds, simulated::SimulatedCloud},
};
use snooze_schemas::HostId;
use snooze_service_runtime::{
    Exit, Failure, LoadedConfig, ServiceArgs, Threads, args,
    config::{self, RealSource},
    run_service,
};
use std::{process::ExitCode, time::Duration};

const NAME: &str = "snooze-executor";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Decides, by the verdicts of all hosts, which of them are stopped, and stops them.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
struct Arguments {
    #[command(flatten)]
    service: ServiceArgs,
    /// The cloud that calls go to; the simulated one records them and stops nothing
    #[arg(long, value_enum, default_value_t = CloudChoice::Simulated)]
    cloud: CloudChoice,
    /// EC2 endpoint in place of the region's own [default: AWS_ENDPOINT_URL_EC2]
    #[arg(long, value_name = "URL")]
    ec2_endpoint: Option<String>,
    /// The name in this executor's credentials
    #[arg(long, value_name = "NAME", default_value = "executor")]
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CloudChoice {
    Simulated,
    Aws,
}

fn main() -> ExitCode {
    let arguments = match args::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let loaded = match config::load(&RealSource, arguments.service.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(mistakes) => return Failure::from(mistakes).report(NAME),
    };
    let telemetry = loaded.local.telemetry();
    run_service(NAME, Threads::PerCore, &telemetry, async |shutdown| {
        loaded.log_notices();
        let config = settle(&arguments, &loaded)?;
        let connecting = Bus::connect(BusConfig {
            servers: arguments
                .service
                .server
                .unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()),
            credentials: arguments.service.credentials,
            role: Role::Executor,
            name: arguments.name,
            service: NAME.to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            on_denial: OnDenial::End,
        });
        // Given up half way it has told nobody anything, so there is nothing to end in order.
        let Some(bus) = shutdown.run_until_cancelled(connecting).await else {
            return Ok(());
        };
        let bus = bus.map_err(|error| Failure::from_error(of_bus(&error), &error))?;
        let run = snooze_executor::run(config, bus, shutdown).await;
        run.map_err(|error| Failure::from_error(of_run(&error), &error))
    })
}

fn settle(arguments: &Arguments, loaded: &LoadedConfig) -> Result<Config, Failure> {
    let config = Config::new(clouds(arguments)?);
    // Only where somebody says which host this machine is: by itself an executor runs anywhere.
    match arguments.service.host.as_ref().or(loaded.local.host_id.as_ref()) {
        Some(name) => {
            let host = name.parse::<HostId>();
            host.map(|host| config.on_host(host))
                .map_err(|error| Failure::from_error(Exit::Usage, &error))
        }
        None => Ok(config),
    }
}

fn clouds(arguments: &Arguments) -> Result<Clouds, Failure> {
    match arguments.cloud {
        CloudChoice::Simulated => Ok(Clouds::default().with_simulated(SimulatedCloud::default())),
        #[cfg(feature = "aws")]
        CloudChoice::Aws => {
            let cloud = snooze_executor::provider::aws::AwsCloud::new(arguments.ec2_endpoint.clone());
            Ok(Clouds::default().with_aws(cloud))
        }
        #[cfg(not(feature = "aws"))]
        CloudChoice::Aws => Err(Failure::new(
            Exit::Usage,
            "this program was built without EC2: build it with the feature `aws`, or use `--cloud simulated`",
        )),
    }
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

/// The same of an executor that was connected.
fn of_run(error: &ExecutorError) -> Exit {
    match error {
        ExecutorError::Denied(_) => Exit::Refused,
        ExecutorError::Subscribe(error) => of_bus(error),
        ExecutorError::Identity(_) | ExecutorError::Task(_) => Exit::Failed,
    }
}
