//! The part of Compute Engine's metadata server that tells of preemption and maintenance, as it is documented
//! ("View and query VM metadata", "Query metadata server for maintenance event notices").
//!
//! Its ETags are drawn from the value alone: a client that takes one for a name of the happening is found out.

use super::serve::{Answer, MetadataFault, MetadataQuestion, Provider, Serving};
use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    io,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// The server of one machine. Gone on drop.
#[derive(Debug)]
pub struct GcpMetadata {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug)]
struct State {
    preempted: watch::Sender<String>,
    maintenance: watch::Sender<String>,
    flavor: watch::Sender<String>,
}

impl GcpMetadata {
    /// A server on which nothing is announced.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> GcpMetadata {
        let begun = GcpMetadata::try_start().await;
        begun.expect("loopback has free ports")
    }

    /// The same.
    ///
    /// # Errors
    /// When there is no free port, or no more files can be opened.
    pub async fn try_start() -> io::Result<GcpMetadata> {
        let state = Arc::new(State {
            preempted: watch::Sender::new("FALSE".to_owned()),
            maintenance: watch::Sender::new("NONE".to_owned()),
            flavor: watch::Sender::new("Google".to_owned()),
        });
        let serving = Serving::start(Arc::clone(&state)).await?;
        Ok(GcpMetadata { state, serving })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// What `instance/preempted` says: `TRUE` or `FALSE`.
    pub fn set_preempted(&self, value: &str) {
        self.state.preempted.send_replace(value.to_owned());
    }

    /// What `instance/maintenance-event` says: `NONE`, `MIGRATE_ON_HOST_MAINTENANCE` or
    /// `TERMINATE_ON_HOST_MAINTENANCE`.
    pub fn set_maintenance(&self, value: &str) {
        self.state.maintenance.send_replace(value.to_owned());
    }

    /// What stands in `Metadata-Flavor` of answers; anything but `Google` is somebody else's server.
    pub fn set_flavor(&self, value: &str) {
        self.state.flavor.send_replace(value.to_owned());
    }

    /// Spoils every answer until it is mended, those that are waited for now too.
    pub fn spoil(&self, fault: MetadataFault) {
        self.serving.spoil(fault);
    }

    /// Answers as documented again.
    pub fn mend(&self) {
        self.serving.mend();
    }

    /// All questions so far.
    #[must_use]
    pub fn questions(&self) -> Vec<MetadataQuestion> {
        self.serving.questions()
    }

    /// How many connections were made, those that ended at once too.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.serving.connections()
    }
}

impl Provider for State {
    async fn answer(&self, question: &MetadataQuestion) -> Answer {
        let flavor = self.flavor.borrow().clone();
        let said = |status, etag: Option<String>, body: &str| {
            let mut headers = vec![
                ("Metadata-Flavor", flavor.clone()),
                ("Content-Type", "application/text".to_owned()),
                ("Server", "Metadata Server for VM".to_owned()),
            ];
            headers.extend(etag.map(|etag| ("ETag", etag)));
            let body = body.as_bytes().to_vec();
            Answer {
                status,
                headers,
                body,
            }
        };
        if question.header("metadata-flavor") != Some("Google") {
            return said(403, None, "Missing Metadata-Flavor:Google header.");
        }
        let mut value = match (question.method.as_str(), question.path.as_str()) {
            ("GET", "/computeMetadata/v1/instance/preempted") => self.preempted.subscribe(),
            ("GET", "/computeMetadata/v1/instance/maintenance-event") => self.maintenance.subscribe(),
            _ => return said(404, None, "Not Found"),
        };
        if question.parameter("wait_for_change") == Some("true") {
            let last = question.parameter("last_etag").map(str::to_owned);
            let before = etag_of(&value.borrow());
            // Without an ETag the server waits for the next change from now on.
            let last = last.unwrap_or(before);
            let changed = value.wait_for(|value| etag_of(value) != last);
            let limit = question
                .parameter("timeout_sec")
                .and_then(|text| text.parse().ok());
            if let Some(seconds) = limit {
                // After the time-out the value is said as it is.
                drop(tokio::time::timeout(Duration::from_secs(seconds), changed).await);
            } else {
                // The value lives as long as the server.
                drop(changed.await);
            }
        }
        let now = value.borrow().clone();
        said(200, Some(etag_of(&now)), &now)
    }
}

fn etag_of(value: &str) -> String {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
