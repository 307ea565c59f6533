//! Everything on this one machine: a private broker, the four services, and a live view of them.
//!
//! The services are the same code, with the same credentials each, that run as four processes elsewhere;
//! nothing is passed between them but over the bus.

pub(crate) mod alone;
pub mod broker;
pub mod demonstration;
mod director;
mod ground;
mod host;
mod plan;
mod services;
mod store_watch;

use crate::{
    NAME,
    arguments::Up,
    home::Home,
    session::of_bus,
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
    CancellationToken, Exit, Failure, TelemetryConfig, Threads, exit::one_line, run_service, service::GRACE,
};
use std::{path::Path, process::ExitCode, time::Duration};
use store_watch::{StoreWatch, VerdictWatch};
use tokio::sync::{mpsc, watch};

/// For how long the services may finish what is in flight: as long as the slowest of them takes, and a
/// moment for the others to see its end.
const SERVICES_GRACE: Duration = snooze_executor::ENDS_WITHIN.saturating_add(Duration::from_millis(500));
const _: () = assert!(
    SERVICES_GRACE.as_millis() + broker::STOP_LIMIT.as_millis() < GRACE.as_millis(),
    "services and broker have to end within what the process has"
);
/// Keys that nobody took yet; a person does not type faster.
const KEYS: usize = 8;
/// How much of the audit trail stays on the person's own screen at the end.
const TRAIL: usize = 16;
/// A log longer than this goes aside at the next start.
const LONGEST_LOG: u64 = 8 * 1024 * 1024;

/// Runs everything until Ctrl-C.
#[must_use]
pub fn run(arguments: &Up, state: Option<&Path>, home: &Home) -> ExitCode {
    let plan = match Plan::make(arguments, state, home) {
        Ok(plan) => plan,
        Err(failure) => return failure.report(NAME),
    };
    let log_file = plan.state.rotate("snooze.log", LONGEST_LOG);
    let log_file = match log_file.and_then(|()| plan.state.reserve("snooze.log")) {
        Ok(path) => path,
        Err(error) => return Failure::from_error(Exit::Failed, &error).report(NAME),
    };
    if let Err(error) = keep_capabilities() {
        let text = format!("keep capabilities from plugins: {error}");
        return Failure::new(Exit::Failed, text).report(NAME);
    }
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
        outcome
            .and(stopped.map_err(|error| Failure::from_error(Exit::Failed, &error)))
            .and(plan.clean_up())
    })
}

/// Keeps what this process may do from the processes that it starts. The systemd unit gives it ambient
/// capabilities, to look at other people's processes; those are handed on to every program that is run, and
/// a plugin is to have none. Threads take after the one that starts them, so this comes before there are any.
fn keep_capabilities() -> std::io::Result<()> {
    match rustix::thread::clear_ambient_capability_set() {
        // A kernel that knows none hands on none.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The services and the view, until one of them ends.
async fn live(plan: &Plan, place: &ground::Place, shutdown: CancellationToken) -> Result<(), Failure> {
    let administrator = place.connect(&place.administrator).await?;
    place.set_up(plan, &administrator).await?;
    let mut preface = plan.preface();
    preface.essential.extend(plan.permission().await);
    let (switch, power) = watch::channel(Power::On);
    let (mut tasks, mut connections) = services::start(plan, place, power, &shutdown).await?;
    connections.push(administrator.clone());
    let folder = plan.state.root().to_owned();
    let verdicts = VerdictWatch::begin(administrator.clone(), plan.host.id.clone()).await;
    let verdicts = verdicts.map_err(|error| of_bus(&error))?;
    let prober = place.connect(&place.executor).await?;
    let store = StoreWatch::new(prober, connections, verdicts, folder);
    tasks.start("store watch", store.run(shutdown.clone()));
    let (sender, news) = feed::channel();
    let (keys, pressed) = mpsc::channel(KEYS);
    let feed = feed::feed(administrator.clone(), plan.host.id.clone(), sender.clone()).await;
    let feed = feed.map_err(|error| of_bus(&error))?;
    tasks.start("feed", {
        let stop = shutdown.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                // A view that has ended takes no news, and ends everything in its own time.
                heard = feed => {
                    heard?;
                    stop.cancelled().await;
                }
            }
            Ok::<(), feed::Deaf>(())
        }
    });
    let director = director::Director::new(plan, administrator, switch, sender, pressed);
    tasks.start("director", director.run(shutdown.clone()));
    let show = Show {
        model: Model::new(plan.host.id.clone(), preface, plan.keys()),
        news,
        keys,
        clocks: plan.clocks.clone(),
        look: plan.look,
        standing_every: plan.standing_every(),
    };
    // The view ends by a key, by the signal, or because the output is gone; each ends everything.
    let view = async {
        let mut ended = show.run(shutdown.clone()).await;
        shutdown.cancel();
        if let Ok(ended) = &mut ended {
            ended.say(&ending(ended));
        }
        ended
    };
    let (ended, services) = tokio::join!(view, tasks.run(SERVICES_GRACE));
    // A service that failed is why the view ended; it must not be hidden by what the view says of it.
    services.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let mut ended = ended.map_err(|error| Failure::new(Exit::Failed, format!("show: {error}")))?;
    ended.say(&[format!(
        "ended    log and state are in {}",
        plan.state.root().display()
    )]);
    ended.close().await;
    Ok(())
}

/// What is left on the person's own screen while everything ends.
fn ending(ended: &Ended) -> Vec<String> {
    let mut lines = Vec::new();
    if ended.on_screen {
        let trail = &ended.model.audit;
        let skipped = trail.len().saturating_sub(TRAIL);
        lines.extend(ended.model.preface.lines().cloned());
        lines.extend(
            trail
                .iter()
                .skip(skipped)
                .map(|record| format!("audit    {}", text::audit(record))),
        );
    }
    lines.push(format!(
        "ending   claims are undone and services end, within {} s",
        SERVICES_GRACE.as_secs()
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{
        CapabilitySet, capabilities, capability_is_in_ambient_set, configure_capability_in_ambient_set,
        set_capabilities,
    };

    #[test]
    fn no_capability_is_handed_on_to_what_is_started() {
        const PTRACE: CapabilitySet = CapabilitySet::SYS_PTRACE;
        // Capabilities are those of a thread. Where this one has none, there is nothing to hand on.
        let mut sets = capabilities(None).expect("one's own can be read");
        if sets.permitted.contains(PTRACE) {
            sets.inheritable |= PTRACE;
            set_capabilities(None, sets).expect("what is permitted may be inherited");
            configure_capability_in_ambient_set(PTRACE, true).expect("it is permitted and inheritable");
        }
        keep_capabilities().expect("a thread may give up its own");
        assert!(!capability_is_in_ambient_set(PTRACE).expect("it can be asked"));
    }
}
