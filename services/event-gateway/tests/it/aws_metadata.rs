//! What the AWS metadata service announces: over AWS's own mock, and over one that fails in every way.

mod announced;
mod failing;

use snooze_event_gateway::{
    happening::{Happening, Whose},
    source::{
        Notices, Told,
        aws_metadata::{Settings, watch},
    },
};
use snooze_schemas::EventId;
use snooze_service_runtime::Clocks;
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

const SPOT: &str = "/latest/meta-data/spot/instance-action";
const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";
const SCHEDULED: &str = "/latest/meta-data/events/maintenance/scheduled";
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const TOKEN: &str = "/latest/api/token";

const INTERRUPTION: &str = r#"{"action": "terminate", "time": "2030-01-01T00:02:00Z"}"#;

/// A source that runs, and what it tells.
struct Source {
    told: Told,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Source {
    /// One that waits for answers for longer than any machine needs: nothing that is answered is late.
    fn of(url: String, clocks: Clocks) -> Source {
        let settings = Settings {
            patience: LIMIT,
            ..hasty(url)
        };
        Source::with(settings, clocks)
    }

    fn with(settings: Settings, clocks: Clocks) -> Source {
        let (notices, told) = Notices::channel();
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone();
        let running = tokio::spawn(async move {
            let Ok(()) = watch(settings, clocks, notices, stopped).await;
        });
        Source {
            told,
            shutdown,
            running,
        }
    }

    async fn next(&mut self) -> Happening {
        let told = timeout(LIMIT, self.told.recv()).await;
        told.expect("something is told in time").expect("the source runs")
    }

    fn has_told_nothing_else(&mut self) -> bool {
        self.told.try_recv().is_err()
    }

    async fn end(self) {
        self.shutdown.cancel();
        let ended = timeout(LIMIT, self.running).await;
        ended.expect("it ends in time").expect("it ends in order");
    }
}

/// For a service that does not answer.
fn hasty(url: String) -> Settings {
    Settings {
        endpoint: url,
        poll: POLL,
        ..Settings::default()
    }
}

fn id(happening: &Happening) -> EventId {
    happening.id(&Whose {
        host: "i-0abc".parse().expect("a host"),
        launch: "2029-12-31T00:00:00Z".to_owned(),
    })
}
