//! Which sources run on a host, and how each is started: the one place that knows all of them.
//!
//! A source is switched on by the host's configuration, and by nothing on the bus.

use crate::source::Notices;
use futures_util::future::BoxFuture;
use snooze_service_runtime::{CancellationToken, Clocks, LocalConfig};
use std::{convert::Infallible, fmt};

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

/// All that the configuration of this host switches on.
#[must_use]
pub fn switched_on(_local: &LocalConfig) -> Vec<Source> {
    Vec::new()
}
