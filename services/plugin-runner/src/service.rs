//! The service: puts the parts together and runs them until shutdown.

use crate::{
    Config,
    config_book::ConfigBook,
    directory::Directory,
    discovery::{self, Found},
    engine::{self, Engine},
    events::{self, Desk, JournalError},
    fence::{self, ControlGroups, Fence},
    files::{self, FileError},
    hosting,
    inspect::Inspector,
    keep::Keep,
    leftovers::Leftovers,
    listening,
    plugins::{Expected, Plugins},
    policy::{PolicyError, PolicyInForce, PolicySource},
    prepare::{self, Preparations},
    process::Program,
    samples::SampleFeed,
    stdio::{Settings, StdioPlugin},
    verbs::{Places, Verbs},
    verify::Verifier,
};
use snooze_bus::{Bus, BusError, BusStatus, Subject, SubjectFilter, serve};
use snooze_schemas::plugin::permissions::Permissions;
use snooze_service_runtime::{AgentId, CancellationToken, TaskError, Tasks, exit::one_line};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// How long the parts have to end after shutdown: plugins get two seconds to end by themselves.
const GRACE: Duration = Duration::from_secs(8);

/// How long the start waits for the policy on the bus before it goes on with what it has.
const FIRST_POLICY: Duration = Duration::from_secs(2);

/// So many requests are looked at at once; each kind has far fewer places, and those beyond them are turned
/// away at once.
const VERBS: usize = 1024;

/// How long answers that are under way may take after shutdown.
const VERBS_GRACE: Duration = Duration::from_secs(2);

/// Why the runner could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The folder of its journals is of no use.
    #[error("make the runner's state folder")]
    StateFolder(#[source] FileError),
    /// The journal of events is of no use, and without it events could be handled twice.
    #[error("open the journal of events")]
    EventJournal(#[source] JournalError),
    /// The journal of preparations is of no use, and without it an old claim could not be refused.
    #[error("open the journal of preparations")]
    PrepareJournal(#[source] FileError),
    /// The policy of the host's own file cannot hold.
    #[error("read the host's own policy")]
    LocalPolicy(#[source] PolicyError),
    /// The bus denies what the runner needs.
    #[error("listen on the bus")]
    Listen(#[source] BusError),
    /// The bus was lost for good.
    #[error("the bus denies what the runner needs: {0}")]
    Denied(String),
    /// A part of it ended.
    #[error(transparent)]
    Part(#[from] TaskError),
}

/// Runs the service until `shutdown`.
///
/// # Errors
/// When it cannot start, when a part of it fails, or when the bus denies what it needs.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), RunnerError> {
    files::state_folders(&config.state, &config.plugin_home()).map_err(RunnerError::StateFolder)?;
    let local = PolicyInForce::local(&config.local_policy).map_err(RunnerError::LocalPolicy)?;
    let samples = SubjectFilter::Exactly(Subject::Metrics(config.host.clone()));
    let samples = listening::subscribe(&bus, &samples, &shutdown).await;
    let Some(samples) = samples.map_err(RunnerError::Listen)? else {
        return Ok(());
    };

    let mut tasks = Tasks::new(shutdown.clone());
    let source = PolicySource::new(bus.clone(), config.host.clone(), config.state.join("policy.json"));
    let (policy_in, mut policy) = watch::channel(Arc::new(source.kept_or(local)));
    tasks.start("policy", source.follow(policy_in, shutdown.clone()));
    tasks.start("bus", not_denied(bus.clone(), shutdown.clone()));

    let plugins = plugins_of(&config, &bus);
    let keep = Keep::below(&config.runtime, &config.host);
    if keep.is_some() {
        let leftovers = Leftovers::below(&config.runtime, &config.host, &config.boot_id);
        leftovers.end();
        let noting = leftovers.note(plugins.processes().cloned().collect(), shutdown.clone());
        tasks.start("leftovers", ends_well(noting));
    }
    // What is switched off is not even started, nor started with a configuration that is none any more.
    plugins.apply(&policy.borrow());
    for process in plugins.processes() {
        let (process, shutdown) = (process.clone(), shutdown.clone());
        let name = format!("plugin {}", process.name());
        tasks.start(name, async move {
            let supervised = process.clone().supervise();
            tokio::pin!(supervised);
            tokio::select! {
                () = &mut supervised => {}
                () = shutdown.cancelled() => {
                    process.stop();
                    supervised.await;
                }
            }
            Ok::<(), Infallible>(())
        });
    }

    // A first policy within a moment spares a verdict under none; without a broker it never comes.
    drop(tokio::time::timeout(FIRST_POLICY, policy.changed()).await);
    let agent = AgentId::fresh().to_string();
    let (requests_in, requests) = mpsc::channel(engine::REQUESTS);
    serve_verbs(&config, &bus, &plugins, &policy, &agent, requests_in, &mut tasks).await?;
    let engine = Engine {
        host: config.host.clone(),
        boot_id: config.boot_id.clone(),
        agent,
        launch: config.launch.clone(),
        bus: bus.clone(),
        clocks: config.clocks.clone(),
        policy: policy.clone(),
        plugins: plugins.clone(),
        keep,
        requests,
        samples: SampleFeed::new(bus.clone(), config.host.clone(), samples),
    };
    tasks.start("votes", engine.run(shutdown.clone()));

    let outcome = tasks.run(GRACE).await;
    if let BusStatus::Fatal(why) = &*bus.status().borrow() {
        return Err(RunnerError::Denied(why.clone()));
    }
    Ok(outcome?)
}

/// Everything that can be asked of the runner: verbs, events, and the plugins that it hosts.
async fn serve_verbs(
    config: &Config,
    bus: &Bus,
    plugins: &Arc<Plugins>,
    policy: &watch::Receiver<Arc<PolicyInForce>>,
    agent: &str,
    engine: mpsc::Sender<engine::Request>,
    tasks: &mut Tasks,
) -> Result<(), RunnerError> {
    let shutdown = tasks.shutdown();
    let parts = events::Parts {
        host: config.host.clone(),
        boot_id: config.boot_id.clone(),
        clocks: config.clocks.clone(),
        plugins: plugins.clone(),
        policy: policy.clone(),
        journal: config.state.join("events.jsonl"),
        shutdown: shutdown.clone(),
    };
    let (desk, outcomes) = Desk::open(parts).map_err(RunnerError::EventJournal)?;
    let reporting = events::report(
        desk.clone(),
        bus.clone(),
        agent.to_owned(),
        outcomes,
        shutdown.clone(),
    );
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
    let verbs = Arc::new(Verbs {
        places: Places::default(),
        desk,
        preparations,
        verifier,
        inspector: Arc::new(Inspector {
            host: config.host.clone(),
            clocks: config.clocks.clone(),
            plugins: plugins.clone(),
            policy: policy.clone(),
            engine,
        }),
    });
    let asked = SubjectFilter::RunnerOf(config.host.clone());
    let asked = listening::subscribe(bus, &asked, &shutdown).await;
    let Some(asked) = asked.map_err(RunnerError::Listen)? else {
        return Ok(());
    };
    let stop = shutdown.clone().cancelled_owned();
    let handler = move |delivery| verbs.clone().answer(delivery);
    tasks.start(
        "verbs",
        ends_well(serve(asked, VERBS, VERBS_GRACE, stop, handler)),
    );
    let directory = Directory::new(config.host.clone());
    let showing = directory
        .clone()
        .show(bus.clone(), config.clocks.wall(), shutdown.clone());
    tasks.start("directory", showing);
    for process in plugins.processes() {
        let hosting = hosting::host(
            bus.clone(),
            config.host.clone(),
            plugins.clone(),
            process.clone(),
            directory.clone(),
            shutdown.clone(),
        );
        tasks.start(format!("hosting {}", process.name()), hosting);
    }
    Ok(())
}

/// Ends with an error when the bus denies something that is needed: what it withholds would never be missed.
async fn not_denied(bus: Bus, shutdown: CancellationToken) -> Result<(), RunnerError> {
    let mut status = bus.status();
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        denied = status.wait_for(|status| matches!(status, BusStatus::Fatal(_))) => match denied.as_deref() {
            Ok(BusStatus::Fatal(why)) => Err(RunnerError::Denied(why.clone())),
            Ok(_) | Err(_) => Err(RunnerError::Denied("the connection is gone".to_owned())),
        },
    }
}

/// A part that cannot fail.
async fn ends_well(part: impl Future<Output = ()>) -> Result<(), Infallible> {
    part.await;
    Ok(())
}

fn plugins_of(config: &Config, bus: &Bus) -> Arc<Plugins> {
    let (found, passed_over) = discovery::discover(&config.plugin_folders);
    let mut expected = Expected {
        on_bus: config.named_on_bus(),
        configured: config.configured(),
        disabled: config.disabled(),
        ..Expected::default()
    };
    for why in passed_over {
        let text = one_line(&why);
        tracing::warn!(why = text, "a plugin is passed over");
        if let Some(manifest) = why.manifest() {
            expected
                .manifests
                .insert(manifest.name().clone(), manifest.clone());
        }
        expected.passed_over.insert(why.name(), text);
    }
    for found in &found {
        if found.is_on_bus() {
            expected.on_bus.insert(found.name.clone());
        }
        if let Some(manifest) = &found.manifest {
            expected.manifests.insert(found.name.clone(), manifest.clone());
        }
    }
    // What a plugin may do is no part of what it is configured with.
    let mut written = config.plugin_configs.clone();
    written.values_mut().for_each(|config| {
        config.remove(fence::PERMISSIONS);
    });
    let configs = ConfigBook::new(written);
    let configs = Arc::new(configs.with_manifests(expected.manifests.values().cloned()));
    let groups = Arc::new(ControlGroups::prepare(
        &config.fence.control_groups,
        fence::scope_of(&config.state),
    ));
    if let Err(why) = groups.as_ref() {
        tracing::info!(why, "plugins run without control groups");
    }
    let fences = Arc::new(config.fence.clone());
    let mut processes = Vec::new();
    for found in found.into_iter().filter(|found| !found.is_on_bus()) {
        tracing::info!(plugin = %found.name, path = %found.path.display(), "a plugin was found");
        let permissions = match permissions_of(config, &found) {
            Ok(permissions) => permissions,
            Err(why) => {
                tracing::error!(plugin = %found.name, why, "a plugin is not run");
                expected.passed_over.insert(found.name, why);
                continue;
            }
        };
        let program = Program {
            path: found.path,
            search_path: config.search_path.clone(),
            home: config.plugin_home().join(found.name.as_str()),
            fence: Some(Fence {
                plugin: found.name.clone(),
                folder: found
                    .manifest
                    .as_ref()
                    .map(|manifest| manifest.folder().to_owned()),
                permissions,
                config: fences.clone(),
                control_groups: groups.clone(),
            }),
        };
        let settings = Settings {
            program,
            provisional: found.name,
            manifest: found.manifest,
            handshake_limit: config.handshake_limit,
            restarts: config.restarts,
        };
        processes.push(StdioPlugin::new(settings, configs.clone()));
    }
    Plugins::new(bus.clone(), config.host.clone(), configs, processes, expected)
}

/// What the host's own file grants a plugin, by the name of its file or of its manifest's folder: by a name that it
/// gives itself it could take what was meant for another.
fn permissions_of(config: &Config, found: &Found) -> Result<Permissions, String> {
    let placed = match &found.manifest {
        Some(manifest) => {
            let folder = manifest.folder().file_name();
            folder.and_then(|name| discovery::sanitised(&name.to_string_lossy()))
        }
        None => Some(found.name.clone()),
    };
    let mut configs = config.plugin_configs.iter();
    let own = configs
        .find(|(name, own)| own.contains_key(fence::PERMISSIONS) && discovery::sanitised(name) == placed);
    let Some((name, own)) = own else {
        return Ok(Permissions::default());
    };
    let told = |mistake| format!("plugins.plugin_configs.{name}.{mistake}");
    let (permissions, unknown) = fence::granted(own).map_err(told)?;
    for key in unknown {
        tracing::warn!(plugin = %found.name, key, "a permission is not known, and not granted");
    }
    Ok(permissions)
}
