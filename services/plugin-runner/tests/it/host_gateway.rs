//! A host that handles what it noticed itself: its gateway, its runner and a plugin, with and without a broker.

use crate::{
    alone,
    events::{SUCCESS, all_run, handler, noted, outcomes, send},
    neighbour::socket,
    stage::{SOON, Stage},
};
use serde_json::{Map, json};
use snooze_bus::{Bus, Stream, SubjectFilter, User};
use snooze_event_gateway::{
    GatewayError,
    happening::{Happening, State},
    host::{Config, run, sources::Source},
};
use snooze_schemas::event::{Event, Scope};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, path::PathBuf, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

/// From the notice to the first handler, at a poll a second: the tenth that is left of it is ours.
const PROMPT: Duration = Duration::from_millis(1_100);

/// The gateway of the stage's host, and a source that tells what the test tells it.
struct Gateway {
    notices: mpsc::Sender<Happening>,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    async fn start(stage: &Stage, socket: PathBuf) -> Gateway {
        let user = User::host(&stage.host);
        let bus = Bus::begin(stage.server.bus_config(&user)).await;
        let bus = bus.expect("nobody is waited for");
        let config = Config {
            launch: Some("2030-01-01T00:00:00Z".to_owned()),
            ..Config::new(
                stage.host.clone(),
                stage.boot_id.clone(),
                stage.file("gateway"),
                socket,
            )
        };
        let (notices, mut told) = mpsc::channel(8);
        let source = Source::new("test", move |_, desk, stop| async move {
            while let Some(Some(happening)) = stop.run_until_cancelled(told.recv()).await {
                desk.tell(happening).await;
            }
            stop.cancelled().await;
            Ok(())
        });
        let task = tokio::spawn(run(config, bus, vec![source], CancellationToken::new()));
        Gateway { notices, task }
    }

    async fn notices(&self, occurrence: &str) {
        self.notices
            .send(spot(occurrence))
            .await
            .expect("the gateway runs");
    }

    /// Ends it as a crash would.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}

fn spot(occurrence: &str) -> Happening {
    let deadline = snooze_service_runtime::Clocks::real().wall() + Duration::from_secs(120);
    let mut data = Map::new();
    data.insert("volume".to_owned(), json!("a"));
    Happening {
        event_type: "cloud.spot.interrupt".parse().expect("a type"),
        source: "test",
        occurrence: occurrence.to_owned(),
        launch: None,
        state: State::Raised,
        happened_at: None,
        deadline: Some(deadline),
        data,
    }
}

/// A runner with a handler of spot interruptions.
fn configured(stage: &Stage) -> snooze_plugin_runner::Config {
    let mut config = stage.config();
    let own = json!({"events": {"cloud.spot.interrupt": {}}});
    config
        .plugin_configs
        .insert("saver".to_owned(), own.as_object().expect("a map").clone());
    config
}

async fn filed(stage: &Stage) -> Vec<Event> {
    let filter = SubjectFilter::EventsOf(Scope::Host(stage.host.clone()));
    let found = stage
        .executor
        .history::<Event>(Stream::EventsUrgent, &filter, 100)
        .await
        .unwrap_or_default();
    found.into_iter().map(|stored| stored.message).collect()
}

async fn first_filed(stage: &Stage) -> Event {
    wait_for(SOON, "it is filed", async || filed(stage).await.pop()).await
}

#[tokio::test]
async fn e7_a_broker_that_is_away_delays_no_handler_and_all_is_filed_once_when_it_is_back() {
    let mut stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let runner = stage.runner_with(configured(&stage)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    let gateway = Gateway::start(&stage, socket(&stage)).await;
    stage.server.kill();
    gateway.notices("").await;
    wait_until(PROMPT, "a handler runs", async || !noted(&stage).is_empty()).await;
    // As at the next poll.
    gateway.notices("").await;
    stage.server.restart().await;
    let event = first_filed(&stage).await;
    wait_until(SOON, "its outcome is filed", async || {
        !outcomes(&stage).await.is_empty()
    })
    .await;
    // What a dispatcher does with what was filed.
    let again = wait_for(SOON, "the runner is back on the bus", async || {
        send(&stage, event.clone(), Some(60_000)).await.ok()
    });
    assert!(again.await.duplicate);
    // What is noticed after it comes after it.
    gateway.notices("another").await;
    wait_until(SOON, "the other one is over", async || {
        outcomes(&stage).await.len() == 2 && filed(&stage).await.len() == 2
    })
    .await;
    assert_eq!(noted(&stage), ["saver begins", "saver ends"].repeat(2));
    gateway.kill().await;
    runner.stop().await;
}

#[tokio::test]
async fn e7_a_gateway_that_died_before_it_filed_files_once_and_nothing_runs_twice() {
    let mut stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let runner = stage.runner_with(configured(&stage)).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    stage.server.kill();
    // It starts without a broker too.
    let gateway = Gateway::start(&stage, socket(&stage)).await;
    gateway.notices("").await;
    wait_until(SOON, "it is handled", async || noted(&stage).len() == 2).await;
    gateway.kill().await;
    // Nobody tells the next one, which knows it by its journal.
    let gateway = Gateway::start(&stage, socket(&stage)).await;
    stage.server.restart().await;
    let event = first_filed(&stage).await;
    gateway.kill().await;
    // And the one after that is told it again.
    let gateway = Gateway::start(&stage, socket(&stage)).await;
    gateway.notices("").await;
    gateway.notices("another").await;
    wait_until(SOON, "the other one is over", async || {
        outcomes(&stage).await.len() == 2 && filed(&stage).await.len() == 2
    })
    .await;
    let same = filed(&stage).await.into_iter().filter(|one| one.id == event.id);
    assert_eq!(same.count(), 1);
    assert_eq!(noted(&stage), ["saver begins", "saver ends"].repeat(2));
    gateway.kill().await;
    runner.stop().await;
}

#[tokio::test]
async fn e6_a_runner_that_died_while_a_handler_ran_says_so_and_runs_it_no_second_time() {
    let stage = Stage::set().await;
    // It waits for what never comes, so that it is killed in the middle.
    let go = stage.file("go");
    let does =
        format!("[None for _ in iter(lambda: os.path.exists({go:?}) or linger(0.01), True)] or {SUCCESS}");
    let supports = r#"    elif method == "GetSupportedEvents":
        result = {"events": ["cloud.spot.interrupt"]}
    elif method == "HandleEvent":
"#;
    let script = handler(&stage, "saver", &does);
    stage.plugin(
        "saver.py",
        &script.replace("    elif method == \"HandleEvent\":\n", supports),
    );
    let command = alone::command(&stage, &["saver"], &json!({"events": ["cloud.spot.interrupt"]}));
    let own = snooze_service_runtime::places::own_runtime_folder(&stage.file("runtime-of-process"));
    let socket = snooze_service_runtime::places::runner_socket(&own, stage.host.as_str());
    let mut process = alone::start(&stage, &command);
    stage.until_it_answers().await;
    all_run(&stage).await;
    let gateway = Gateway::start(&stage, socket).await;
    gateway.notices("").await;
    wait_until(SOON, "a handler is at work", async || {
        noted(&stage) == ["saver begins"]
    })
    .await;
    process.kill();
    gateway.notices("").await;
    let process = alone::start(&stage, &command);
    wait_until(SOON, "its outcome is filed", async || {
        !outcomes(&stage).await.is_empty()
    })
    .await;
    let outcome = outcomes(&stage).await.remove(0);
    assert_eq!(outcome.handlers.len(), 1);
    assert!(
        outcome.handlers[0].result.message.contains("interrupted"),
        "{outcome:?}"
    );
    assert_eq!(noted(&stage), ["saver begins"]);
    assert_eq!(filed(&stage).await.len(), 1);
    fs::write(&go, "").expect("writes");
    gateway.kill().await;
    alone::ask_to_end(&process);
}
