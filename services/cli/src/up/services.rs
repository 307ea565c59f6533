//! The four services, each with its own connection and its own role, in this process; the event gateway in both its
//! parts.
//!
//! Collector, runner and the host's own event gateway belong to the host: while its simulated instance is stopped they
//! are off, as the machine would be, and come back as after a start.

use super::{
    ground::Place,
    plan::{Plan, Power},
};
use snooze_bus::Bus;
use snooze_event_gateway::{
    centre,
    host::{self as host_gateway, sources},
};
use snooze_service_runtime::{CancellationToken, Exit, Failure, Tasks, places};
use tokio::sync::watch;

/// Starts them, and returns their connections too. One that ends before shutdown ends all.
pub(super) async fn start(
    plan: &Plan,
    place: &Place,
    power: watch::Receiver<Power>,
    shutdown: &CancellationToken,
) -> Result<(Tasks, Vec<Bus>), Failure> {
    let mut tasks = Tasks::new(shutdown.clone());
    let mut connections = Vec::new();
    let host = &plan.host;

    let collector = snooze_collector::Config::new(host.id.clone(), host.boot_id.clone());
    let bus = place.connect(&place.host).await?;
    connections.push(bus.clone());
    tasks.start("collector", {
        let run = move |stop| snooze_collector::run(collector.clone(), bus.clone(), stop);
        while_on(run, power.clone(), shutdown.clone())
    });

    let runner = snooze_plugin_runner::Config {
        launch: host.record.launch.clone(),
        fence: snooze_plugin_runner::fence::FenceConfig::of_this_process(),
        terminals: plan.terminals.clone(),
        ..snooze_plugin_runner::Config::new(
            host.id.clone(),
            host.boot_id.clone(),
            plan.state.path("runner"),
            plan.runtime.clone(),
        )
    };
    let runner = runner
        .with_plugins(&plan.local.plugins)
        .with_event_handlers(&plan.local.event_handlers);
    let bus = place.connect(&place.host).await?;
    connections.push(bus.clone());
    tasks.start("plugin-runner", {
        let run = move |stop| snooze_plugin_runner::run(runner.clone(), bus.clone(), stop);
        while_on(run, power.clone(), shutdown.clone())
    });

    let noticing = host_gateway::Config {
        launch: host.record.launch.clone(),
        ..host_gateway::Config::new(
            host.id.clone(),
            host.boot_id.clone(),
            plan.state.path("gateway"),
            places::runner_socket(&plan.runtime, host.id.as_str()),
        )
    };
    let bus = place.connect(&place.host).await?;
    connections.push(bus.clone());
    tasks.start("host-event-gateway", {
        let local = plan.local.clone();
        let run = move |stop| {
            let sources = sources::switched_on(&local, &noticing.state);
            host_gateway::run(noticing.clone(), bus.clone(), sources, stop)
        };
        while_on(run, power, shutdown.clone())
    });

    let gateway = centre::Config {
        http: centre::http::Front::open(&plan.local.event_http)
            .map_err(|error| Failure::from_error(error.exit(), &error))?,
        ..centre::Config::new(format!("gateway on {}", host.id))
    };
    let gateway = gateway
        .publishing(&plan.local.event_publish)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))?
        .with_sources(&plan.local)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    let bus = place.connect(&place.gateway).await?;
    connections.push(bus.clone());
    tasks.start("event-gateway", centre::run(gateway, bus, shutdown.clone()));

    let executor = snooze_executor::Config::new(plan.clouds.clone()).on_host(host.id.clone());
    let bus = place.connect(&place.executor).await?;
    connections.push(bus.clone());
    tasks.start(
        "snooze-executor",
        snooze_executor::run(executor, bus, shutdown.clone()),
    );
    Ok((tasks, connections))
}

/// Runs a service of the host while the instance is on, and again each time that it comes back.
async fn while_on<F, E>(
    run: impl Fn(CancellationToken) -> F,
    mut power: watch::Receiver<Power>,
    shutdown: CancellationToken,
) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    loop {
        let is_on = tokio::select! {
            is_on = turned(&mut power, Power::On) => is_on,
            () = shutdown.cancelled() => return Ok(()),
        };
        if !is_on {
            // Nobody switches any more: as at the end, the state is what it was.
            shutdown.cancelled().await;
            return Ok(());
        }
        let stop = shutdown.child_token();
        let service = run(stop.clone());
        tokio::pin!(service);
        // The service is pinned outside: switching off loses nothing, it ends in order below.
        tokio::select! {
            ended = &mut service => return ended,
            _ = turned(&mut power, Power::Off) => {}
        }
        stop.cancel();
        service.await?;
    }
}

/// Waits until the power is as wanted; says whether it is, or nobody switches any more.
async fn turned(power: &mut watch::Receiver<Power>, wanted: Power) -> bool {
    power.wait_for(|power| *power == wanted).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_service_of_a_stopped_host_is_off_until_the_host_is_on_again() {
        let (switch, power) = watch::channel(Power::On);
        let (starts, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = |stop: CancellationToken| {
            starts.fetch_add(1, Ordering::SeqCst);
            let running = &running;
            async move {
                running.fetch_add(1, Ordering::SeqCst);
                stop.cancelled().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, std::convert::Infallible>(())
            }
        };
        let shutdown = CancellationToken::new();
        let steps = async {
            let settle = async |wanted: usize| {
                while running.load(Ordering::SeqCst) != wanted {
                    tokio::task::yield_now().await;
                }
            };
            settle(1).await;
            switch.send_replace(Power::Off);
            settle(0).await;
            switch.send_replace(Power::On);
            settle(1).await;
            shutdown.cancel();
        };
        let (ended, ()) = tokio::join!(while_on(run, power, shutdown.clone()), steps);
        ended.expect("ends well");
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
