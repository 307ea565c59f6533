//! Everything on this one machine: a private broker, the four services, and a live view of them.
//!
//! The services are the same code, with the same credentials each, that run as four processes elsewhere;
//! nothing is passed between them but over the bus.

pub mod broker;
pub mod demonstration;
mod director;
mod ground;
mod host;
mod plan;
mod services;

use crate::{
    NAME,
    arguments::Up,
    print,
    session::of_bus,
    state_folder::Home,
    view::{
        feed,
        model::Model,
        show::{Ended, Show},
        text,
    },
};
use ground::Ground;
use plan::{Plan, Power};
use snooze_service_runtime::{
    CancellationToken, Exit, Failure, TelemetryConfig, Threads, exit::one_line, run_service,
};
use std::{path::Path, process::ExitCode, time::Duration};
use tokio::sync::{mpsc, watch};

/// For how long the services may finish what is in flight; a stop on its way is given up in less.
const GRACE: Duration = Duration::from_secs(16);
/// Keys that nobody took yet; a person does not type faster.
const KEYS: usize = 8;
/// How much of the audit trail stays on the person's own screen at the end.
const TRAIL: usize = 16;

/// Runs everything until Ctrl-C.
#[must_use]
pub fn run(arguments: &Up, state: Option<&Path>, home: &Home) -> ExitCode {
    let plan = match Plan::make(arguments, state, home) {
        Ok(plan) => plan,
        Err(failure) => return failure.report(NAME),
    };
    let log_file = match plan.state.reserve("snooze.log") {
        Ok(path) => path,
        Err(error) => return Failure::from_error(Exit::Failed, &error).report(NAME),
    };
    let telemetry = TelemetryConfig {
        log_file: Some(log_file),
        ..plan.local.telemetry()
    };
    run_service(NAME, Threads::PerCore, &telemetry, async |shutdown| {
        let mut ground = Ground::lay(&plan).await?;
        let outcome = tokio::select! {
            outcome = live(&plan, &ground.place, shutdown.clone()) => outcome,
            status = ground.broker.ended() => Err(Failure::new(Exit::Failed, match status {
                Ok(status) => format!("the broker ended by itself ({status}); see {}", plan.state.path("nats-server.log").display()),
                Err(error) => one_line(&error),
            })),
        };
        let stopped = ground.broker.stop().await;
        outcome.and(stopped.map_err(|error| Failure::from_error(Exit::Failed, &error)))
    })
}

/// The services and the view, until one of them ends.
async fn live(plan: &Plan, place: &ground::Place, shutdown: CancellationToken) -> Result<(), Failure> {
    let administrator = place.connect(&place.administrator).await?;
    place.set_up(plan, &administrator).await?;
    let mut preface = plan.preface();
    preface.essential.extend(plan.permission().await);
    let (switch, power) = watch::channel(Power::On);
    let mut tasks = services::start(plan, place, power, &shutdown).await?;
    let (sender, news) = feed::channel();
    let (keys, pressed) = mpsc::channel(KEYS);
    let feed = feed::feed(administrator.clone(), plan.host.id.clone(), sender.clone()).await;
    let feed = feed.map_err(|error| of_bus(&error))?;
    tasks.start("feed", {
        let stop = shutdown.clone();
        async move {
            // The end is looked at first: a view that has ended takes no news, which is no failure.
            tokio::select! {
                biased;
                () = stop.cancelled() => Ok(()),
                () = feed => Err("the view hears nothing any more"),
            }
        }
    });
    let director = director::Director::new(plan, administrator, switch, sender, pressed);
    tasks.start("director", director.run(shutdown.clone()));
    let show = Show {
        model: Model::new(plan.host.id.clone(), preface, plan.keys()),
        news,
        keys,
        clocks: plan.clocks.clone(),
    };
    // The view ends by a key, by the signal, or because the output is gone; each ends everything.
    let view = async {
        let ended = show.run(shutdown.clone()).await;
        shutdown.cancel();
        ended
    };
    let (ended, services) = tokio::join!(view, tasks.run(GRACE));
    let ended = ended.map_err(|error| Failure::new(Exit::Failed, format!("show: {error}")))?;
    farewell(plan, &ended)?;
    services.map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// What is left on the person's own screen.
fn farewell(plan: &Plan, ended: &Ended) -> Result<(), Failure> {
    let mut lines = Vec::new();
    if ended.on_screen {
        let trail = &ended.model.audit;
        let skipped = trail.len().saturating_sub(TRAIL);
        lines.extend(
            trail
                .iter()
                .skip(skipped)
                .map(|record| format!("audit    {}", text::audit(record))),
        );
    }
    lines.push(format!(
        "ended    log and state are in {}",
        plan.state.root().display()
    ));
    print::lines(lines)
}
