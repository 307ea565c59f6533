//! A plugin as a service of a real nats-server, and those who ask it.

use crate::child::{LIMIT, program};
use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt as _;
use snooze_bus::User;
use snooze_plugin::serde_json::{self, Value};
use snooze_test_harness::{NatsServer, Process, wait_for};
use std::{ffi::OsString, fs, path::Path};

/// A plugin that was started to connect to a server.
pub(crate) struct Replica {
    pub(crate) process: Process,
    folder: tempfile::TempDir,
}

impl Replica {
    /// Starts an example as this user, for a host or for the fleet.
    pub(crate) fn start(name: &str, server: &NatsServer, user: Option<&User>, host: Option<&str>) -> Replica {
        let credentials = user.map(|user| server.credentials(user));
        Replica::start_with(name, server, credentials.as_deref(), host)
    }

    /// Starts an example with the credentials in a file.
    pub(crate) fn start_with(
        name: &str,
        server: &NatsServer,
        credentials: Option<&Path>,
        host: Option<&str>,
    ) -> Replica {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let variables = [
            ("SNOOZE_NATS_URL", Some(OsString::from(server.url()))),
            ("SNOOZE_NATS_CREDENTIALS", credentials.map(OsString::from)),
            ("SNOOZE_HOST", host.map(OsString::from)),
        ];
        let environment = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        let [log, errors] = ["log", "errors"].map(|file| folder.path().join(file));
        let process = Process::start_apart(&program(name), &[], &environment, &log, &errors)
            .expect("the plugin starts");
        Replica { process, folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("it has a log")
    }

    /// The code that it ends with.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        wait_for(LIMIT, "the plugin ends", async || self.process.ended())
            .await
            .code()
    }
}

/// A client of this user: on a server with roles behind its fence.
pub(crate) async fn client(server: &NatsServer, user: Option<&User>) -> Client {
    let options = match user {
        None => ConnectOptions::new(),
        Some(user) => ConnectOptions::with_credentials_file(server.credentials(user))
            .await
            .expect("its credentials are there")
            .custom_inbox_prefix(user.role().inbox_prefix(user.name())),
    };
    options.connect(server.url()).await.expect("a server")
}

/// What a question to this subject says of itself.
pub(crate) fn headers(subject: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some((_, method)) = subject.rsplit_once('.') {
        headers.insert("Snooze-Kind", method);
        headers.insert("Snooze-Version", "1");
    }
    headers
}

/// Asks until there is somebody who answers.
pub(crate) async fn ask(client: &Client, subject: &str, body: Vec<u8>) -> Vec<u8> {
    let asked = wait_for(LIMIT, "the plugin answers", async || {
        client
            .request_with_headers(subject.to_owned(), headers(subject), body.clone().into())
            .await
            .ok()
    });
    asked.await.payload.to_vec()
}

/// Asks in JSON.
pub(crate) async fn ask_json(client: &Client, subject: &str, body: &Value) -> Value {
    let answer = ask(client, subject, body.to_string().into_bytes()).await;
    serde_json::from_slice(&answer)
        .unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&answer)))
}

/// What so many services answer to one question.
pub(crate) async fn ask_all(client: &Client, subject: &str, count: usize) -> Vec<Value> {
    wait_for(LIMIT, "all of them answer", async || {
        let inbox = client.new_inbox();
        let answers = client.subscribe(inbox.clone()).await.ok()?;
        client
            .publish_with_reply(subject.to_owned(), inbox, "".into())
            .await
            .ok()?;
        let reading = answers.take(count).collect::<Vec<_>>();
        // One that is not there yet does not answer this question, and may answer the next.
        let answers = tokio::time::timeout(LIMIT / 20, reading).await.ok()?;
        let read = answers
            .iter()
            .map(|answer| serde_json::from_slice(&answer.payload).ok());
        read.collect()
    })
    .await
}
