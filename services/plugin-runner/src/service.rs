//! The service: puts the parts together and runs them until shutdown.

mod arrival;
mod endings;
mod error;

pub use error::RunnerError;

use crate::{
    Config,
    config_book::ConfigBook,
    directory::Directory,
    engine::{self, Engine},
    events::{self, Desk, Leaving},
    fence::{self, Writers},
    files,
    inspect::{Inspector, RightsReader},
    keep::Keep,
    leftovers::Leftovers,
    neighbour::Neighbour,
    orphans,
    packages::{Packages, Shelf},
    plugins::Plugins,
    policy::{PolicyInForce, PolicySource},
    prepare::{self, Preparations},
    set::{self, Departed, Digests, House, Known},
    trail::{self, Trail},
    usage::pressure,
    verbs::{Places, Verbs},
    verify::Verifier,
};
use endings::{ends_well, not_denied};
use snooze_bus::{Bus, BusStatus, SubjectFilter};
use snooze_service_runtime::{AgentId, CancellationToken, Tasks, exit::one_line};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// How long the parts have to end after shutdown: plugins get two seconds to end by themselves.
const GRACE: Duration = Duration::from_secs(8);

/// How long the start waits for the policy on the bus before it goes on with what it has.
const FIRST_POLICY: Duration = Duration::from_secs(2);

/// Whom the verbs ask.
struct Asked {
    plugins: Arc<Plugins>,
    directory: Arc<Directory>,
    desk: set::Desk,
    digests: Arc<Digests>,
    engine: mpsc::Sender<engine::Request>,
    neighbour: Option<Neighbour>,
}

/// Runs the service until `shutdown`. The bus may be away, now and later; where its connection goes on
/// ([`OnDenial::GoOn`](snooze_bus::OnDenial::GoOn)), a bus that denies this host something is the same to it.
///
/// # Errors
/// When it cannot start, when a part of it fails, or when the connection has ended.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), RunnerError> {
    for mistake in events::unheard_of(&config) {
        tracing::warn!("{mistake}");
    }
    let below = [config.plugin_home(), config.packages()];
    for error in files::state_folders(&config.state, &below).map_err(RunnerError::StateFolder)? {
        let error = one_line(&error);
        tracing::warn!(
            error,
            "a folder of plugins cannot be made; those that need it are unknown and say why"
        );
    }
    let local = PolicyInForce::local(&config.local_policy).map_err(RunnerError::LocalPolicy)?;
    let samples = arrival::hear_samples(&bus, &config.host, &shutdown);

    let mut tasks = Tasks::new(shutdown.clone());
    let source = PolicySource::new(bus.clone(), config.host.clone(), config.state.join("policy.json"));
    let (policy_in, mut policy) = watch::channel(Arc::new(source.kept_or(local)));
    tasks.start("policy", source.follow(policy_in, shutdown.clone()));
    tasks.start("bus", not_denied(bus.clone(), shutdown.clone()));

    let (house, desk) = house(&config, &bus, &policy, &mut tasks)?;
    let (plugins, directory, digests) = house.shared();
    let keep = Keep::below(&config.runtime, &config.host);
    if keep.is_some() {
        let leftovers = Leftovers::below(&config.runtime, &config.host, &config.boot_id);
        leftovers.end();
        let noting = leftovers.note(house.alive(), shutdown.clone());
        tasks.start("leftovers", ends_well(noting));
    }
    orphans::end_earlier(&config.plugin_home());
    tasks.start("orphans", ends_well(orphans::look_after(shutdown.clone())));
    let packages = Packages {
        bus: bus.clone(),
        policy: policy.clone(),
        alive: house.alive(),
        shelf: house.shelf(),
        restarts: config.restarts,
    };
    if config.has_plugins() {
        tasks.start("packages", ends_well(packages.keep(shutdown.clone())));
    }
    let mut begun = house.begun();
    tasks.start("plugins", house.run());
    // Who votes must not depend on how quick the disk is: it is known, or nobody is idle. The end of it ends everything.
    drop(begun.wait_for(|begun| *begun).await);

    let following = pressure::follow(plugins.clone(), policy.clone(), shutdown.clone());
    tasks.start("usage", ends_well(following));

    // A first policy within a moment spares a verdict under none; without a broker it never comes.
    drop(tokio::time::timeout(FIRST_POLICY, policy.changed()).await);
    let agent = AgentId::fresh().to_string();
    let (requests_in, requests) = mpsc::channel(engine::REQUESTS);
    let asked = Asked {
        plugins: plugins.clone(),
        directory,
        desk,
        digests,
        engine: requests_in,
        // Only a folder that is ours alone keeps runs and has the socket.
        neighbour: keep
            .as_ref()
            .and_then(|_| Neighbour::below(&config.runtime, &config.host)),
    };
    let heard = serve_verbs(&config, &bus, asked, &policy, &agent, &mut tasks).await?;
    let on_bus = (bus.clone(), config.host.clone());
    let engine = {
        let bus = bus.clone();
        move |samples| Engine {
            host: config.host,
            boot_id: config.boot_id,
            agent,
            launch: config.launch,
            bus,
            clocks: config.clocks,
            policy,
            plugins,
            keep,
            requests,
            samples,
        }
    };
    let voting = arrival::vote(engine, on_bus, samples, heard, shutdown);
    tasks.start("votes", voting);

    let outcome = tasks.run(GRACE).await;
    orphans::end().await;
    if let BusStatus::Fatal(why) = &*bus.status().borrow() {
        return Err(RunnerError::Denied(why.clone()));
    }
    Ok(outcome?)
}

/// The house of the plugins, empty, and where orders are given to it.
fn house(
    config: &Config,
    bus: &Bus,
    policy: &watch::Receiver<Arc<PolicyInForce>>,
    tasks: &mut Tasks,
) -> Result<(House, set::Desk), RunnerError> {
    let known = Known::open(config.state.join("known-plugins.json")).map_err(RunnerError::KnownPlugins)?;
    let mut config = config.clone();
    config.fence.writers = Writers::open(config.state.join("writers.json")).map_err(RunnerError::Writers)?;
    let (trail, entries) = Trail::new(config.host.clone(), config.clocks.clone());
    let filing = trail::file(entries, bus.clone(), tasks.shutdown());
    tasks.start("trail", ends_well(filing));
    // What a plugin may do is no part of what it is configured with.
    let mut written = config.plugin_configs.clone();
    written.values_mut().for_each(|config| {
        config.remove(fence::PERMISSIONS);
    });
    let plugins = Plugins::new(
        bus.clone(),
        config.host.clone(),
        Arc::new(ConfigBook::of_file(written, config.event_handlers.clone())),
        config.own_word(),
        &policy.borrow(),
    );
    let departed = Departed::open(config.state.join("departed.json"), config.plugin_home());
    tasks.start("departed", ends_well(departed.remove(tasks.shutdown())));
    Ok(House::new(set::Parts {
        bus: bus.clone(),
        departed,
        plugins,
        directory: Directory::new(config.host.clone()),
        policy: policy.clone(),
        known,
        digests: Arc::default(),
        shelf: Arc::new(Shelf::new(config.packages())),
        config,
        trail,
        shutdown: tasks.shutdown(),
    }))
}

/// Everything that can be asked of the runner: verbs, events, and the plugins that it hosts.
async fn serve_verbs(
    config: &Config,
    bus: &Bus,
    asked: Asked,
    policy: &watch::Receiver<Arc<PolicyInForce>>,
    agent: &str,
    tasks: &mut Tasks,
) -> Result<oneshot::Receiver<()>, RunnerError> {
    let Asked {
        plugins,
        directory,
        desk: house,
        digests,
        engine,
        neighbour,
    } = asked;
    let shutdown = tasks.shutdown();
    let file = Keep::below(&config.runtime, &config.host).map(|keep| keep.beside("leaving"));
    let leaving = Arc::new(Leaving::kept_in(
        file,
        &config.boot_id,
        config.clocks.clone(),
        plugins.clone(),
    ));
    tasks.start("leaving", ends_well(leaving.clone().keep_true(shutdown.clone())));
    let parts = events::Parts {
        host: config.host.clone(),
        boot_id: config.boot_id.clone(),
        clocks: config.clocks.clone(),
        plugins: plugins.clone(),
        policy: policy.clone(),
        leaving,
        journal: config.state.join("events.jsonl"),
        shutdown: shutdown.clone(),
    };
    let desk = Desk::open(parts).map_err(RunnerError::EventJournal)?;
    let reporting = events::report(desk.clone(), bus.clone(), agent.to_owned(), shutdown.clone());
    tasks.start("reports", ends_well(reporting));
    let preparations = Preparations::open(prepare::Parts {
        host: config.host.clone(),
        boot_id: config.boot_id.clone(),
        clocks: config.clocks.clone(),
        desk: desk.clone(),
        policy: policy.clone(),
        terminals: config.terminals.clone(),
        journal: config.state.join("prepare.json"),
        shutdown: shutdown.clone(),
    })
    .map_err(RunnerError::PrepareJournal)?;
    desk.resume().await.map_err(RunnerError::EventJournal)?;
    if let Some(neighbour) = neighbour {
        let serving = neighbour.serve(desk.clone(), shutdown.clone());
        tasks.start("neighbour", ends_well(serving));
    }
    tasks.start("preparations", ends_well(preparations.clone().watch()));
    let verifier = Arc::new(Verifier {
        host: config.host.clone(),
        boot_id: config.boot_id.clone(),
        bus: bus.clone(),
        clocks: config.clocks.clone(),
        policy: policy.clone(),
        plugins: plugins.clone(),
        engine: engine.clone(),
        preparations: preparations.clone(),
    });
    let first_handlers = desk.first_handlers();
    let verbs = Arc::new(Verbs {
        limit: config.verb_limit,
        places: Places::default(),
        desk,
        preparations,
        verifier,
        house,
        inspector: Arc::new(Inspector {
            host: config.host.clone(),
            clocks: config.clocks.clone(),
            plugins: plugins.clone(),
            first_handlers,
            policy: policy.clone(),
            digests,
            rights: RightsReader::default(),
            engine,
            limit: config.verb_limit,
        }),
    });
    let (said, heard) = oneshot::channel();
    let asked = SubjectFilter::RunnerOf(config.host.clone());
    let handler = move |delivery| verbs.clone().answer(delivery);
    tasks.start(
        "verbs",
        arrival::answer(bus.clone(), asked, said, handler, shutdown.clone()),
    );
    let showing = directory
        .clone()
        .show(bus.clone(), config.clocks.wall(), shutdown.clone());
    tasks.start("directory", showing);
    Ok(heard)
}
