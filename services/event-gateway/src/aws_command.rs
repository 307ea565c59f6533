//! `snooze-event-gateway aws …`: what a person types once, before gateways take AWS's events.
//!
//! What was done is data, on stdout; it needs no bus and no running service.

use clap::{Args, Subcommand};
use snooze_service_runtime::{Failure, LoadedConfig};
use std::path::PathBuf;

/// What concerns AWS.
#[derive(Debug, Args)]
pub(crate) struct AwsArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the queue and the rules that bring AWS's events to the gateways, and say what was made
    Setup(SetupArguments),
}

#[derive(Debug, Args)]
struct SetupArguments {
    /// Remove what was made under this name, and nothing else
    #[arg(long)]
    remove: bool,
    /// Change nothing: say what would be made, changed or removed
    #[arg(long)]
    dry_run: bool,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
    /// What all names begin with, and the value of the tag `cloudsnooze`
    #[arg(long, value_name = "NAME", default_value = "cloudsnooze")]
    name: String,
    /// The region [default: the configuration's `event_sources.aws_queue.region` or `event_publish.aws.region`, else
    /// AWS_REGION or the instance's]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The event bus whose rules they are; AWS's own events come to `default`
    #[arg(long, value_name = "NAME", default_value = "default")]
    event_bus: String,
    /// Where EventBridge and SQS are [default: the configuration's `event_sources.aws_queue.endpoint` or
    /// `event_publish.aws.endpoint`, else the region's own]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Configuration file [default: /etc/snooze/snooze.json, if it exists]
    #[arg(long, value_name = "PATH", env = "SNOOZE_CONFIG")]
    config: Option<PathBuf>,
}

impl AwsArguments {
    /// The configuration file that was named.
    pub(crate) fn config(&self) -> Option<&PathBuf> {
        let What::Setup(setup) = &self.what;
        setup.config.as_ref()
    }
}

/// Does what was asked for.
#[cfg(feature = "aws")]
pub(crate) async fn run(arguments: AwsArguments, loaded: &LoadedConfig) -> Result<(), Failure> {
    use snooze_event_gateway::aws::{
        Connection,
        setup::{Done, Effect, Setup, SetupName},
    };
    use snooze_service_runtime::Exit;

    let What::Setup(arguments) = arguments.what;
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Usage, error);
    let name: SetupName = arguments.name.parse().map_err(|error| usage(&error))?;
    if arguments.event_bus.is_empty() || arguments.event_bus.contains(['/', ':']) {
        let said = "--event-bus is the name of an event bus of this account, and no ARN";
        return Err(Failure::new(Exit::Usage, said));
    }
    let (queue, publish) = (
        &loaded.local.event_sources.aws_queue,
        &loaded.local.event_publish.aws,
    );
    let setup = Setup {
        connection: Connection::to(
            given(
                "region",
                arguments.region,
                (queue.region.as_deref(), publish.region.as_deref()),
            )?,
            given(
                "endpoint",
                arguments.endpoint,
                (queue.endpoint.as_deref(), publish.endpoint.as_deref()),
            )?,
        ),
        name,
        event_bus: arguments.event_bus,
        effect: match arguments.dry_run {
            true => Effect::DryRun,
            false => Effect::Real,
        },
    };
    let mut done = Done::default();
    let ended = match arguments.remove {
        true => setup.remove(&mut done).await,
        false => setup.set_up(&mut done).await,
    };
    // What was done is told also where it did not come to an end.
    match arguments.json {
        true => print([serde_json::to_string(&done).map_err(|error| usage(&error))?])?,
        false => print(lines(&done))?,
    }
    ended.map_err(|error| Failure::from_error(error.exit(), &error))
}

/// What the argument says, else the keys of the two parts that use AWS; where these differ, only a person knows which is
/// meant.
#[cfg(feature = "aws")]
fn given(
    what: &str,
    argument: Option<String>,
    (queue, publish): (Option<&str>, Option<&str>),
) -> Result<Option<String>, Failure> {
    if argument.is_some() {
        return Ok(argument);
    }
    match (queue, publish) {
        (Some(queue), Some(publish)) if queue != publish => Err(Failure::new(
            snooze_service_runtime::Exit::Usage,
            format!(
                "event_sources.aws_queue.{what} is {queue:?} and event_publish.aws.{what} is {publish:?}: say with \
                 --{what} which of them is meant"
            ),
        )),
        (queue, publish) => Ok(queue.or(publish).map(str::to_owned)),
    }
}

/// For people, one thing a line.
#[cfg(feature = "aws")]
fn lines(done: &snooze_event_gateway::aws::setup::Done) -> Vec<String> {
    let steps = done.steps.iter().map(ToString::to_string);
    let take = |url| format!("gateways take from it with event_sources.aws_queue.queue_url = {url}");
    steps.chain(done.queue_url.as_ref().map(take)).collect()
}

/// A reader that has read enough, as `head` does, is no failure.
#[cfg(feature = "aws")]
fn print(lines: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write as _};
    let mut out = std::io::stdout().lock();
    let written = lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "{line}"))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(
            snooze_service_runtime::Exit::Failed,
            format!("print: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Says that it cannot.
#[cfg(not(feature = "aws"))]
pub(crate) async fn run(arguments: AwsArguments, _: &LoadedConfig) -> Result<(), Failure> {
    let What::Setup(_) = arguments.what;
    Err(Failure::new(
        snooze_service_runtime::Exit::Usage,
        "this program was built without AWS: build it with the feature `aws`",
    ))
}
