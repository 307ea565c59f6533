//! What an author writes: a [`Plugin`], and what its methods may fail with.

use crate::messages::{Config, Event, Info, Metrics, Opinion, Outcome};
use std::fmt;

/// Whatever a method fails with. Its text, with those of its sources, is the error that is answered.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a method returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A plugin. Needed are [`info`](Plugin::info) and one of [`check_idle`](Plugin::check_idle) and
/// [`handle_event`](Plugin::handle_event).
///
/// Its methods are called one at a time, in one thread, and may block: nothing else is asked meanwhile, and who
/// takes longer than the asker waits has no vote. An error is an unknown vote, and unknown is never idle. A panic
/// is answered as an error as well, and the plugin is asked again as it is.
pub trait Plugin: Send + 'static {
    /// Its name and version; the same at every call.
    fn info(&self) -> Info;

    /// Takes a configuration: the whole of it, at the start and whenever it changes. An error refuses it, and the
    /// one before has to stay in force, so look first and change after.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    fn configure(&mut self, config: Config) -> Result<()> {
        drop(config);
        Ok(())
    }

    /// Makes ready for questions; called once before the first one, whether the asker says so or not. Where it
    /// fails, that question has this error as its answer and the next one tries again.
    ///
    /// # Errors
    /// What is missing.
    fn initialize(&mut self) -> Result<()> {
        Ok(())
    }

    /// Says whether nobody uses what it watches. A reading that is not known is `None`, never 0.
    ///
    /// # Errors
    /// Why it cannot tell.
    fn check_idle(&mut self, metrics: &Metrics) -> Result<Opinion> {
        let _ = metrics;
        Err(Unknown.into())
    }

    /// Handles an event of a type that [`supported_events`](Plugin::supported_events) names.
    ///
    /// # Errors
    /// Why nothing came of it.
    fn handle_event(&mut self, event: &Event) -> Result<Outcome> {
        let _ = event;
        Err(Unknown.into())
    }

    /// The types of events that it handles; `custom` stands for every `custom.*` too.
    ///
    /// # Errors
    /// Why it cannot tell.
    fn supported_events(&mut self) -> Result<Vec<String>> {
        Err(Unknown.into())
    }

    /// Ends what it has begun; called once, when it is asked to or at the end of the program. It has two seconds.
    ///
    /// # Errors
    /// What is left behind.
    fn shutdown(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The plugin does not know the method that it was asked: what the methods return that an author leaves out. Who
/// answers `check_idle` with it has no vote; any other error is an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Unknown method")
    }
}

impl std::error::Error for Unknown {}
