//! A host's gateway on a broker, a source that tells what a test tells it, and a runner's socket on which the test
//! answers.

use crate::centre::{LIMIT, host};
use serde_json::{Map, Value, json};
use snooze_bus::{Bus, User};
use snooze_event_gateway::{
    GatewayError,
    happening::{Happening, State},
    host::{Config, run, sources::Source},
    source::aws_metadata::Settings,
};
use snooze_schemas::event::{HandOver, HandleEvent};
use snooze_service_runtime::{CancellationToken, Clocks, ManualClocks};
use snooze_test_harness::{NatsServer, wait_until};
use std::{path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

/// What a host's gateway has around it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) clocks: ManualClocks,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("a folder"),
            clocks: Clocks::manual(),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("runner.sock")
    }

    /// Loses the journal.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(self.folder.path().join("state")).expect("it is there");
    }

    /// Has a journal that says this, as an earlier gateway left it.
    pub(crate) fn remember(&self, lines: &[Value]) {
        let state = self.folder.path().join("state");
        std::fs::create_dir(&state).expect("makes the folder");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(state.join("events.jsonl"), text).expect("writes");
    }

    /// Waits until the journal says of the one event in it that it is handed over and filed.
    pub(crate) async fn until_nothing_is_open(&self) {
        let path = self.folder.path().join("state/events.jsonl");
        wait_until(LIMIT, "the journal says that it is over", async || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.contains("\"handed\"") && text.contains("\"filed\"")
        })
        .await;
    }

    pub(crate) fn listen(&self) -> Runner {
        Runner(UnixListener::bind(self.socket()).expect("binds"))
    }

    pub(crate) async fn gateway(&self, server: &NatsServer) -> Gateway {
        let begun = Bus::begin(server.bus_config(&User::host(&host("h1")))).await;
        self.gateway_on(begun.expect("nobody is waited for"))
    }

    pub(crate) fn gateway_on(&self, bus: Bus) -> Gateway {
        self.gateway_with(bus, None)
    }

    /// One that tells of its launch what this metadata service says.
    pub(crate) fn gateway_with(&self, bus: Bus, metadata: Option<Settings>) -> Gateway {
        let state = self.folder.path().join("state");
        let config = Config {
            launch: Some("2029-12-31T00:00:00Z".to_owned()),
            metadata,
            clocks: self.clocks.clocks(),
            ..Config::new(host("h1"), "boot".to_owned(), state, self.socket())
        };
        let (notices, mut told) = mpsc::channel(64);
        let source = Source::new("test", move |_, desk, stop| async move {
            while let Some(Some(happening)) = stop.run_until_cancelled(told.recv()).await {
                desk.tell(happening).await;
            }
            stop.cancelled().await;
            Ok(())
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(config, bus, vec![source], stop.clone()));
        Gateway { notices, stop, task }
    }
}

pub(crate) struct Gateway {
    notices: mpsc::Sender<Happening>,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    pub(crate) async fn notices(&self, happening: Happening) {
        self.notices.send(happening).await.expect("the gateway runs");
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        let ended = timeout(LIMIT, self.task).await.expect("in time");
        ended.expect("no panic").expect("no failure");
    }
}

/// A runner's socket.
pub(crate) struct Runner(UnixListener);

/// What was handed over, and is to be answered.
pub(crate) struct Asked {
    pub(crate) request: HandleEvent,
    stream: UnixStream,
}

impl Runner {
    pub(crate) async fn asked(&self) -> Asked {
        let taken = timeout(LIMIT, self.0.accept()).await;
        let (mut stream, _) = taken.expect("it is asked").expect("it listens");
        let mut line = String::new();
        BufReader::new(&mut stream)
            .read_line(&mut line)
            .await
            .expect("a line");
        let said: HandOver = serde_json::from_str(&line).expect("a hand-over");
        Asked {
            request: said.into_body().expect("of this version"),
            stream,
        }
    }
}

impl Asked {
    pub(crate) fn id(&self) -> &str {
        self.request.event.id.as_str()
    }

    pub(crate) async fn answer(mut self, answer: &Value) -> HandleEvent {
        let line = format!("{answer}\n");
        self.stream.write_all(line.as_bytes()).await.expect("it waits");
        self.request
    }

    pub(crate) async fn accept(self) -> HandleEvent {
        self.answer(&json!({"ok": true, "accepted": true, "duplicate": false}))
            .await
    }

    pub(crate) async fn refuse(self, code: &str) -> HandleEvent {
        self.answer(&json!({"ok": false, "code": code, "message": "as the test wants it"}))
            .await
    }
}

pub(crate) fn happening(event_type: &str, occurrence: &str) -> Happening {
    Happening {
        event_type: event_type.parse().expect("a type"),
        source: "test",
        occurrence: occurrence.to_owned(),
        launch: None,
        state: State::Raised,
        happened_at: None,
        deadline: None,
        data: Map::new(),
    }
}

/// An interruption that has two minutes by these clocks.
pub(crate) fn spot(place: &Place) -> Happening {
    Happening {
        deadline: Some(place.clocks.clocks().wall() + Duration::from_secs(120)),
        ..happening("cloud.spot.interrupt", "")
    }
}
