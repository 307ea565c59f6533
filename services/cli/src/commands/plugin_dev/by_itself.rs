//! A plugin that runs by itself, on the private bus of a command: its own program, told in its environment where that
//! bus is, as every SDK reads it.
//!
//! **Invariant:** nothing fences it, here as on a host, and it is killed with its group at the latest when it is dropped.
//! It sees of this program's environment the path, the home and what its manifest names.

use crate::{home::Home, up::alone::Admission};
use snooze_conformance::{Program, Running};
use snooze_plugin_runner::{PluginManifest, SEARCH_PATH, fence::FenceConfig};
use snooze_service_runtime::exit::one_line;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

/// What is said of it wherever it is started.
pub(super) const NOT_FENCED: &str = "not fenced: it runs by itself, outside of a host's fences, as a program of whoever \
                                     starts it; its permissions keep it from nothing";

/// At SIGTERM it finishes what is under way, and here nothing is.
pub(super) const END_LIMIT: Duration = Duration::from_secs(10);

/// Its process.
pub(super) struct ByItself {
    running: Running,
    /// How it has ended: whoever is reaped has no number of its own any more, and is neither awaited nor told again.
    ending: Option<String>,
    told: u64,
}

impl ByItself {
    /// Starts it.
    ///
    /// # Errors
    /// Why there is no process.
    pub(super) fn start(
        manifest: &PluginManifest,
        admission: &Admission,
        home: &Home,
    ) -> Result<ByItself, String> {
        let search_path = home.search_path.as_ref().and_then(|path| path.to_str());
        let program = Program {
            command: vec![manifest.entry_point().display().to_string()],
            folder: manifest.folder().to_owned(),
            search_path: search_path.unwrap_or(SEARCH_PATH).to_owned(),
            home: home.home.clone().unwrap_or_else(|| manifest.folder().to_owned()),
            environment: environment(manifest, admission),
        };
        let mut running = Running::start(&program).map_err(|error| one_line(&error))?;
        running.close();
        running.listen_to_output();
        Ok(ByItself {
            running,
            ending: None,
            told: 0,
        })
    }

    /// Waits until it has ended by itself and is heard out, and says how. Cancelling it loses nothing.
    pub(super) async fn ended(&mut self) -> String {
        let ending = match &self.ending {
            Some(ending) => ending.clone(),
            None => {
                let ending = self.running.ended().await.to_string();
                self.ending.insert(ending).clone()
            }
        };
        self.running.last_words().await;
        ending
    }

    /// What it has said since this was asked last, line by line.
    pub(super) fn lines(&mut self) -> Vec<String> {
        self.running.lines_since(&mut self.told)
    }

    /// The last that it has said.
    pub(super) fn last_words(&self) -> Vec<String> {
        self.running.log().lines().map(str::to_owned).collect()
    }

    /// Tells it to end, and kills it where it does not.
    ///
    /// # Errors
    /// It had to be killed.
    pub(super) async fn end(mut self) -> Result<(), String> {
        if self.ending.is_some() {
            return Ok(());
        }
        self.running.terminate();
        let ended = timeout(END_LIMIT, self.running.ended()).await;
        ended.map(drop).map_err(|_| "it goes on".to_owned())
    }
}

/// What an SDK reads, and what the manifest names of ours.
fn environment(manifest: &PluginManifest, admission: &Admission) -> BTreeMap<String, String> {
    let ours = FenceConfig::of_this_process().environment;
    let named = manifest.stated().permissions.env.iter();
    let named = named.filter_map(|name| Some((name.clone(), ours.get(name)?.to_str()?.to_owned())));
    let told = told(admission).map(|(name, value)| (name.to_owned(), value));
    named.chain(told).collect()
}

/// Where its bus is, and who it is there, as an SDK reads it.
pub(super) fn told(admission: &Admission) -> [(&'static str, String); 3] {
    [
        ("SNOOZE_NATS_URL", admission.server.clone()),
        (
            "SNOOZE_NATS_CREDENTIALS",
            admission.credentials.display().to_string(),
        ),
        ("SNOOZE_HOST", admission.host.to_string()),
    ]
}
