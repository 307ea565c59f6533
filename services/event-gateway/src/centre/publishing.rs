//! Whether what was decided is published, in a build that can and in one that cannot.

use super::Config;
use snooze_service_runtime::config::EventPublishConfig;

/// The configuration asks for something that this program was built without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{key} is switched on, and this program was built without AWS: build it with the feature `aws`, or switch it off"
)]
pub struct LacksAws {
    /// The key that asks for it.
    pub key: &'static str,
}

impl Config {
    /// With decisions published where the configuration says so.
    ///
    /// # Errors
    /// When it does and this program cannot.
    #[cfg(feature = "aws")]
    pub fn publishing(self, config: &EventPublishConfig) -> Result<Config, LacksAws> {
        Ok(Config {
            publish: crate::aws::publish::Settings::of(&config.aws),
            ..self
        })
    }

    /// With decisions published where the configuration says so.
    ///
    /// # Errors
    /// When it does and this program cannot.
    #[cfg(not(feature = "aws"))]
    pub fn publishing(self, config: &EventPublishConfig) -> Result<Config, LacksAws> {
        match config.aws.enabled {
            true => Err(LacksAws {
                key: "event_publish.aws.enabled",
            }),
            false => Ok(self),
        }
    }
}

#[cfg(all(test, not(feature = "aws")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_cannot_publish_says_so_where_it_is_asked_to() {
        let mut asked = EventPublishConfig::default();
        let config = || Config::new("gateway".to_owned());
        assert!(config().publishing(&asked).is_ok());
        asked.aws.enabled = true;
        let error = config().publishing(&asked).expect_err("it cannot").to_string();
        assert!(
            error.contains("event_publish.aws.enabled") && error.contains("feature `aws`"),
            "{error}"
        );
    }
}
