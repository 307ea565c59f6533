//! Which sources run on a host, and how each is started: the one place that knows all of them.
//!
//! A source is switched on by the host's configuration, and by nothing on the bus.

use crate::source::{Notices, aws_metadata, azure, gcp, system};
use futures_util::future::BoxFuture;
use snooze_service_runtime::{CancellationToken, Clocks, LocalConfig, exit::one_line, identity};
use std::{collections::BTreeMap, convert::Infallible, fmt, path::Path, time::Duration};

type Watching = BoxFuture<'static, Result<(), Infallible>>;
type Watch = Box<dyn FnOnce(Clocks, Notices, CancellationToken) -> Watching + Send>;

/// A source that is to run: its name, and what watches until shutdown.
pub struct Source {
    name: &'static str,
    watch: Watch,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").field("name", &self.name).finish()
    }
}

impl Source {
    /// One of this name, as its task is called. What watches ends at shutdown and not before.
    pub fn new<F>(
        name: &'static str,
        watch: impl FnOnce(Clocks, Notices, CancellationToken) -> F + Send + 'static,
    ) -> Source
    where
        F: Future<Output = Result<(), Infallible>> + Send + 'static,
    {
        Source {
            name,
            watch: Box::new(move |clocks, notices, shutdown| Box::pin(watch(clocks, notices, shutdown))),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn watch(self, clocks: Clocks, notices: Notices, shutdown: CancellationToken) -> Watching {
        (self.watch)(clocks, notices, shutdown)
    }
}

/// All that the configuration of this host switches on. What they remember is kept below `state`.
#[must_use]
pub fn switched_on(local: &LocalConfig, state: &Path) -> Vec<Source> {
    let config = &local.event_sources;
    let mut sources = Vec::new();
    if config.aws_metadata.enabled {
        let settings = of_aws(local);
        sources.push(Source::new("aws-metadata", |clocks, notices, stop| {
            aws_metadata::watch(settings, clocks, notices, stop)
        }));
    }
    if config.azure.enabled {
        let settings = azure::Settings {
            kept: Some(state.join("azure.json")),
            ..azure::Settings::from(&config.azure).asking_for(&poll_of(local))
        };
        sources.push(Source::new("azure", |clocks, notices, stop| {
            azure::watch(settings, clocks, notices, stop)
        }));
    }
    if config.gcp.enabled {
        let settings = gcp::Settings {
            kept: in_this_boot(state),
            ..gcp::Settings::from(&config.gcp)
        };
        sources.push(Source::new("gcp", |clocks, notices, stop| {
            gcp::watch(settings, clocks, notices, stop)
        }));
    }
    if config.system.enabled {
        let settings = system::Settings {
            thresholds: config.system.clone(),
            kept: state.join("system.json"),
            ..system::Settings::default()
        };
        sources.push(Source::new("system", |clocks, notices, stop| {
            system::watch(settings, clocks, notices, stop)
        }));
    }
    sources
}

/// Nowhere where the boot has no id: what was seen in another one would be taken for this one's.
fn in_this_boot(state: &Path) -> Option<gcp::InThisBoot> {
    let boot_id = identity::boot_id().inspect_err(|error| {
        tracing::warn!(
            error = one_line(error),
            "what Google's metadata server says is not kept over restarts"
        );
    });
    Some(gcp::InThisBoot {
        folder: state.to_owned(),
        boot_id: boot_id.ok()?,
    })
}

/// The metadata service that knows in which launch of its instance this host is, where one is asked at all.
#[must_use]
pub fn knowing_the_launch(local: &LocalConfig) -> Option<aws_metadata::Settings> {
    let config = &local.event_sources.aws_metadata;
    config.enabled.then(|| of_aws(local))
}

fn of_aws(local: &LocalConfig) -> aws_metadata::Settings {
    aws_metadata::Settings {
        poll_of: poll_of(local),
        ..aws_metadata::Settings::from(&local.event_sources.aws_metadata)
    }
}

/// How often each type of event is asked for, where that is said by type.
fn poll_of(local: &LocalConfig) -> BTreeMap<String, Duration> {
    let said = local.event_handlers.polling_intervals();
    said.map(|(event_type, interval)| (event_type.to_owned(), interval))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_service_runtime::config::HandlingConfig;

    #[test]
    fn each_source_runs_where_it_is_switched_on_and_nowhere_else() {
        let names = |local: &LocalConfig| -> Vec<&str> {
            let sources = switched_on(local, Path::new("/s"));
            sources.iter().map(Source::name).collect()
        };
        let mut local = LocalConfig::default();
        assert_eq!(names(&local), [""; 0]);
        local.event_sources.azure.enabled = true;
        assert_eq!(names(&local), ["azure"]);
        local.event_sources.aws_metadata.enabled = true;
        local.event_sources.gcp.enabled = true;
        local.event_sources.system.enabled = true;
        assert_eq!(names(&local), ["aws-metadata", "azure", "gcp", "system"]);
    }

    #[test]
    fn what_is_said_by_type_sets_how_often_the_paths_of_that_type_are_asked() {
        let mut local = LocalConfig::default();
        let often = HandlingConfig {
            polling_interval: Some(Duration::from_secs(5)),
            ..HandlingConfig::default()
        };
        local
            .event_handlers
            .types
            .insert("cloud.spot.interrupt".to_owned(), often);
        local
            .event_handlers
            .types
            .insert("cloud.spot.rebalance".to_owned(), HandlingConfig::default());
        let settings = of_aws(&local);
        let only = [("cloud.spot.interrupt".to_owned(), Duration::from_secs(5))];
        assert_eq!(settings.poll_of, only.into());
        assert_eq!(settings.poll, Duration::from_secs(1));
    }
}
