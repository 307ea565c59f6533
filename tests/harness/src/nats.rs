//! A real nats-server with JetStream on a free loopback port, with or without the roles' fences.

mod denials;

use crate::{
    listening::{ATTEMPTS, free_port},
    process::{Process, nats_server},
    wait::wait_for,
};
use snooze_bus::{Bus, BusConfig, Keys, OnDenial, ServerConfig, User, listening, server_environment};
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
        NatsServer::open_with("").await
    }

    /// As [`open`](NatsServer::open), with so many MiB for all streams together.
    ///
    /// # Panics
    /// As [`open`](NatsServer::open).
    pub async fn with_store_of_mib(mib: u32) -> NatsServer {
        NatsServer::open_with(&format!(", max_file_store: {mib}MB")).await
    }

    async fn open_with(jetstream: &str) -> NatsServer {
        let folder = new_folder();
        let text = open_settings(folder.path(), jetstream);
        NatsServer::start(folder, &text, None).await
    }

    /// A server with the product's own configuration: every role behind its fence.
    ///
    /// # Panics
    /// When there is no nats-server or it does not start; the message holds what it said.
    pub async fn with_roles() -> NatsServer {
        let folder = new_folder();
        let keys = Keys::generate();
        let settings = settings_of_the_product(folder.path(), &keys, Timestamp::now());
        NatsServer::start(folder, &settings, Some(keys)).await
    }

    async fn start(folder: tempfile::TempDir, settings: &str, keys: Option<Keys>) -> NatsServer {
        write_settings(folder.path(), settings);
        let mut server = NatsServer {
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            keys,
            process: None,
        };
        server.begin(free_port).await;
        server
    }

    /// Starts the process on a port and waits until it listens.
    ///
    /// The port may have become somebody else's, so it has more than one try.
    async fn begin(&mut self, port: impl Fn() -> u16) {
        for attempt in 1..=ATTEMPTS {
            match self.try_at(port()).await {
                Ok(()) => return,
                Err(said) if attempt == ATTEMPTS => panic!("nats-server ended at once:\n{said}"),
                Err(_) => {}
            }
        }
    }

    async fn try_at(&mut self, port: u16) -> Result<(), String> {
        let program = nats_server();
        let path = self.folder.path();
        let config = path.join("nats-server.conf");
        let arguments =
            ["--config", &config.to_string_lossy(), "--port", &port.to_string()].map(str::to_owned);
        let environment = server_environment(std::thread::available_parallelism().map_or(1, usize::from));
        let mut process = Process::start_with(&program, &arguments, &environment, &self.log())
            .unwrap_or_else(|cause| panic!("{} does not start: {cause}", program.display()));
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        // Named after the process: what it says is not another server's.
        let ports = path.join(format!("{name}_{}.ports", process.id()));
        let listens = wait_for(START_LIMIT, "nats-server listens", async || {
            if process.ended().is_some() {
                return Some(None);
            }
            listening(&fs::read_to_string(&ports).ok()?).map(Some)
        })
        .await;
        self.address = listens.ok_or_else(|| process.said())?;
        self.process = Some(process);
        Ok(())
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

    /// Whether its users have credentials.
    #[must_use]
    pub fn has_roles(&self) -> bool {
        self.keys.is_some()
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

    /// What [`bus`](NatsServer::bus) connects with, for tests that change it, as to go through a proxy. A denial is the
    /// end of it.
    #[must_use]
    pub fn bus_config(&self, user: &User) -> BusConfig {
        BusConfig {
            servers: self.url(),
            credentials: self.keys.is_some().then(|| self.credentials(user)),
            role: user.role(),
            name: user.name().to_owned(),
            service: format!("test-{}", user.role()),
            connect_timeout: START_LIMIT,
            on_denial: OnDenial::End,
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

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("the server is running").id()
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
        let port = self.address.port();
        self.begin(|| port).await;
    }

    /// As [`restart`](NatsServer::restart), with new keys: it no longer knows any credentials made before.
    ///
    /// # Panics
    /// On a server without roles, and when it does not start.
    pub async fn restart_with_other_keys(&mut self) {
        assert!(self.keys.is_some(), "only a server with roles knows keys");
        let keys = Keys::generate();
        write_settings(
            self.folder.path(),
            &settings_of_the_product(self.folder.path(), &keys, Timestamp::now()),
        );
        self.keys = Some(keys);
        self.restart().await;
    }
}

/// A configuration without roles, with what is said of its JetStream besides.
fn open_settings(folder: &Path, jetstream: &str) -> String {
    // Synced at every write, as the product's is; a test against a faster server would prove less.
    format!(
        "listen: \"127.0.0.1:-1\"\nports_file_dir: {folder:?}\nmax_payload: 1MB\n\
         jetstream {{ store_dir: {store:?}, sync_interval: always{jetstream} }}\n",
        store = folder.join("store"),
    )
}

/// The product's own configuration with its store and ports file in a folder.
fn settings_of_the_product(folder: &Path, keys: &Keys, issued_at: Timestamp) -> String {
    let trust = keys.trust(issued_at).expect("new keys can sign");
    ServerConfig {
        port: None,
        name: "snooze-test",
        store: &folder.join("store"),
        ports_folder: folder,
        trust: &trust,
    }
    .render()
}

fn write_settings(folder: &Path, settings: &str) {
    fs::write(folder.join("nats-server.conf"), settings).expect("the temporary folder can be written");
}

fn new_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("snooze-nats-")
        .tempdir()
        .expect("a temporary folder can be made")
}
