//! A real nats-server with JetStream on a free loopback port, with or without the roles' fences.

use crate::{
    process::{Process, nats_server},
    wait::wait_for,
};
use snooze_bus::{Bus, BusConfig, Keys, ServerConfig, User, listening};
use snooze_schemas::Timestamp;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// A cold nats-server listens after some 50 ms; the rest is for a machine that compiles meanwhile.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running nats-server. Killed, waited for and its files removed on drop.
#[derive(Debug)]
pub struct NatsServer {
    folder: tempfile::TempDir,
    address: SocketAddr,
    keys: Option<Keys>,
    process: Option<Process>,
}

impl NatsServer {
    /// A server that lets everybody do everything, for tests of what is not about permissions.
    ///
    /// # Panics
    /// When there is no nats-server or it does not start; the message holds what it said.
    pub async fn open() -> NatsServer {
        let folder = new_folder();
        // Synced at every write, as the product's is; a test against a faster server would prove less.
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: {ports:?}\nmax_payload: 1MB\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always }}\n",
            ports = folder.path(),
            store = folder.path().join("store"),
        );
        NatsServer::start(folder, &text, None).await
    }

    /// A server with the product's own configuration: every role behind its fence.
    ///
    /// # Panics
    /// When there is no nats-server or it does not start; the message holds what it said.
    pub async fn with_roles() -> NatsServer {
        let folder = new_folder();
        let keys = Keys::generate();
        let trust = keys.trust(Timestamp::now()).expect("new keys can sign");
        let text = ServerConfig {
            port: None,
            name: "snooze-test",
            store: &folder.path().join("store"),
            ports_folder: folder.path(),
            trust: &trust,
        }
        .render();
        NatsServer::start(folder, &text, Some(keys)).await
    }

    async fn start(folder: tempfile::TempDir, settings: &str, keys: Option<Keys>) -> NatsServer {
        fs::write(folder.path().join("nats-server.conf"), settings)
            .expect("the temporary folder can be written");
        let mut server = NatsServer {
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            keys,
            process: None,
        };
        server.begin(None).await;
        server
    }

    /// Starts the process on a port, or on any free one, and waits until it listens.
    async fn begin(&mut self, port: Option<u16>) {
        let program = nats_server();
        let path = self.folder.path();
        let mut arguments = vec![
            "--config".to_owned(),
            path.join("nats-server.conf").to_string_lossy().into_owned(),
        ];
        if let Some(port) = port {
            arguments.extend(["--port".to_owned(), port.to_string()]);
        }
        let mut process = Process::start(&program, &arguments, &self.log())
            .unwrap_or_else(|cause| panic!("{} does not start: {cause}", program.display()));
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let ports = path.join(format!("{name}_{}.ports", process.id()));
        self.address = wait_for(START_LIMIT, "nats-server listens", async || {
            if let Some(status) = process.ended() {
                panic!("nats-server ended at once with {status}:\n{}", process.said());
            }
            listening(&fs::read_to_string(&ports).ok()?)
        })
        .await;
        self.process = Some(process);
    }

    /// The file with a user's credentials.
    ///
    /// # Panics
    /// On a server without roles.
    #[must_use]
    pub fn credentials(&self, user: &User) -> PathBuf {
        self.keys
            .as_ref()
            .expect("only a server with roles knows users")
            .credentials_file(&self.folder.path().join("creds"), user, Timestamp::now())
            .expect("credentials can be written to the temporary folder")
    }

    /// A connection of a user: with its credentials on a server with roles, without on an open one.
    ///
    /// # Panics
    /// When the server does not let it in.
    pub async fn bus(&self, user: &User) -> Bus {
        Bus::connect(self.bus_config(user))
            .await
            .unwrap_or_else(|cause| panic!("{} {} is not let in: {cause:?}", user.role(), user.name()))
    }

    /// What [`bus`](NatsServer::bus) connects with, for tests that change it, as to go through a proxy.
    #[must_use]
    pub fn bus_config(&self, user: &User) -> BusConfig {
        BusConfig {
            servers: self.url(),
            credentials: self.keys.is_some().then(|| self.credentials(user)),
            role: user.role(),
            name: user.name().to_owned(),
            service: format!("test-{}", user.role()),
            connect_timeout: START_LIMIT,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a client wants it: `nats://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The file that holds what it says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("nats-server.log")
    }

    /// Its temporary folder, gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL, as a crash would; its store stays for [`restart`](NatsServer::restart).
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.process.take().expect("the server is running").kill();
    }

    /// Starts it again on the same port with the same store; kills it first where it still runs.
    ///
    /// # Panics
    /// When it does not start; the message holds what it said.
    pub async fn restart(&mut self) {
        self.process = None;
        self.begin(Some(self.address.port())).await;
    }
}

fn new_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("snooze-nats-")
        .tempdir()
        .expect("a temporary folder can be made")
}
