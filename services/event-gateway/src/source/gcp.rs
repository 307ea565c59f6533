//! Google Compute Engine's metadata server: preemption and host maintenance of this machine.
//!
//! Two values are followed, each over a connection of its own, because a question waits until its value changes
//! (`wait_for_change`): `instance/preempted` and `instance/maintenance-event`. What they say and until when
//! something can be done stands in [`notice`]; the server gives no times. It is told nothing and decides
//! nothing here; `instance/upcoming-maintenance`, which few kinds of machines have, is not read.
//!
//! **What is whose.** `Metadata-Flavor: Google` is sent and wanted back: an answer without it is somebody else's.
//! **Waiting.** A question waits `wait` seconds at the server and a little longer here, so that a server that
//! hangs is noticed within seconds of the thirty that a preemption leaves; a value that changes between two
//! questions is not lost, because the ETag of the last answer makes the server say it at once. A 503 that comes
//! alone is how the server looks for less than a second of each maintenance, and is no trouble.
//! **Identity.** The server names no happening. A preemption is one in a launch. Maintenance is told apart by the
//! ETag of its value and, where that repeats, by the how-manieth it is in this boot. What was seen is kept in a file
//! for each value: after a restart in the same boot what ended meanwhile is told to have ended, and what stands with
//! another ETag is another one.

mod notice;
mod read;

use super::{
    Notices,
    http::{Question, Service},
    kept::Keeper,
    trouble::Trouble,
};
use notice::{SOURCE, Seen, Watched};
use read::{Excuse, Unreadable, read};
use snooze_service_runtime::{Clocks, config::GcpSourceConfig, exit::one_line};
use std::{convert::Infallible, path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How the metadata server is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: String,
    /// How long the server waits for a change before it answers with the value as it is; whole seconds.
    pub wait: Duration,
    /// How much longer than that an answer may take.
    pub grace: Duration,
    /// The shortest time between two questions about one value. Questions are rarer as long as the server waits;
    /// this bounds them when it refuses, breaks, or does not wait.
    pub pace: Duration,
    /// Where what was seen is kept over restarts; nowhere where absent.
    pub kept: Option<InThisBoot>,
}

/// A folder for what is of no use in another boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InThisBoot {
    /// The folder.
    pub folder: PathBuf,
    /// The kernel's boot id.
    pub boot_id: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            // Its address: a name would have to be resolved first, just when the network may go.
            endpoint: "http://169.254.169.254".to_owned(),
            // A question in five seconds costs nothing, and a hanging one is given up early in the thirty of a
            // preemption.
            wait: Duration::from_secs(5),
            grace: Duration::from_secs(2),
            // What the documents' own sample pauses after a 503.
            pace: Duration::from_secs(1),
            kept: None,
        }
    }
}

impl From<&GcpSourceConfig> for Settings {
    fn from(config: &GcpSourceConfig) -> Settings {
        Settings {
            endpoint: config.endpoint.clone(),
            wait: config.wait,
            ..Settings::default()
        }
    }
}

/// Follows both values until shutdown. What is cut off by it is noticed again after the next start.
///
/// # Errors
/// Never: what cannot be read is said, and asked again.
pub async fn watch(
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let services = Service::at(&settings.endpoint)
        .and_then(|one| Service::at(&settings.endpoint).map(|other| (one, other)));
    match services {
        Ok((one, other)) => {
            let follow = async |watched, service| {
                let follower = Follower::begin(watched, service, &settings, &clocks, &notices).await;
                follower.follow().await
            };
            let preempted = Box::pin(follow(Watched::Preempted, one));
            let maintenance = Box::pin(follow(Watched::Maintenance, other));
            let both = async { tokio::join!(preempted, maintenance) };
            shutdown.run_until_cancelled(both).await;
        }
        Err(error) => {
            let error = one_line(&error);
            tracing::error!(
                error,
                "set event_sources.gcp.endpoint; nothing is noticed until then"
            );
            shutdown.cancelled().await;
        }
    }
    Ok(())
}

/// No ETag is this one, so the first question is answered at once.
const FIRST_ETAG: &str = "0";

/// Follows one value.
struct Follower<'a> {
    watched: Watched,
    settings: &'a Settings,
    clocks: &'a Clocks,
    notices: &'a Notices,
    service: Service,
    seen: Seen,
    keeper: Keeper<Seen>,
    last_etag: String,
    trouble: Trouble,
    excuse: Excuse,
}

impl<'a> Follower<'a> {
    /// Takes up what was seen before.
    async fn begin(
        watched: Watched,
        service: Service,
        settings: &'a Settings,
        clocks: &'a Clocks,
        notices: &'a Notices,
    ) -> Follower<'a> {
        let kept = settings.kept.as_ref();
        let boot_id = kept.map_or("", |kept| &kept.boot_id);
        let path = kept.map(|kept| kept.folder.join(watched.file()));
        let (keeper, seen) = Keeper::open(SOURCE, path, |seen: &Seen| seen.is_of(boot_id)).await;
        Follower {
            watched,
            settings,
            clocks,
            notices,
            service,
            seen: seen.map_or_else(|| Seen::nothing_in(boot_id), Seen::resumed),
            keeper,
            last_etag: FIRST_ETAG.to_owned(),
            trouble: Trouble::with(watched.path()),
            excuse: Excuse::default(),
        }
    }

    async fn follow(mut self) -> Infallible {
        // What the desk may not have yet waits for no answer.
        self.keeper.keep(&self.seen, Vec::new(), self.notices).await;
        loop {
            let asked_at = Instant::now();
            let asked = self.ask().await;
            if !self.excuse.holds(&asked) {
                match asked {
                    Ok(()) => drop(self.trouble.over()),
                    Err(error) => drop(self.trouble.met(&error)),
                }
            }
            sleep_until(asked_at + self.settings.pace).await;
        }
    }

    async fn ask(&mut self) -> Result<(), Unreadable> {
        let path = format!(
            "{}?wait_for_change=true&last_etag={}&timeout_sec={}",
            self.watched.path(),
            self.last_etag,
            self.settings.wait.as_secs()
        );
        let within = self.settings.wait + self.settings.grace;
        let question = Question::get(&path, &[("Metadata-Flavor", "Google")]);
        let answer = self.service.ask(question, within).await?;
        let (value, etag) = read(self.watched, &answer)?;
        let noticed = self.seen.take(value, etag.as_deref(), self.clocks.wall());
        self.keeper.keep(&self.seen, noticed, self.notices).await;
        // Without one the next question is answered at once as well, and only the pace holds it back.
        self.last_etag = etag.unwrap_or_else(|| FIRST_ETAG.to_owned());
        Ok(())
    }
}
