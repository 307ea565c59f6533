//! Which sources run at the centre: those that the configuration switches on, and that this program was built with.

use super::Config;
use snooze_service_runtime::LocalConfig;

/// Why a source that is switched on cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not in this program.
    #[error(
        "this program was built without AWS: build it with the feature `aws`, or switch event_sources.aws_queue off"
    )]
    NotBuilt,
    /// It lacks something.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    NoQueue(#[from] super::aws_queue::NoQueue),
}

impl Config {
    /// With the sources that are switched on.
    ///
    /// # Errors
    /// When one of them cannot run: a fleet that believes it is watched is worse off than one that knows it is not.
    pub fn with_sources(self, local: &LocalConfig) -> Result<Config, SourceError> {
        #[cfg(feature = "aws")]
        {
            let aws_queue = super::aws_queue::Settings::from_config(&local.event_sources.aws_queue)?;
            Ok(Config { aws_queue, ..self })
        }
        #[cfg(not(feature = "aws"))]
        if local.event_sources.aws_queue.enabled {
            Err(SourceError::NotBuilt)
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_switched_on_runs_or_is_an_error_at_the_start() {
        let config = || Config::new("gateway".to_owned());
        let mut local = LocalConfig::default();
        assert!(config().with_sources(&local).is_ok());
        local.event_sources.aws_queue.enabled = true;
        local.event_sources.aws_queue.queue_url = Some("http://127.0.0.1:5000/1/q".to_owned());
        let settled = config().with_sources(&local);
        #[cfg(feature = "aws")]
        assert!(settled.is_ok_and(|config| config.aws_queue.is_some()));
        #[cfg(not(feature = "aws"))]
        assert_eq!(settled.map(drop), Err(SourceError::NotBuilt));
    }
}
