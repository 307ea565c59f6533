//! What an instance's metadata service on AWS announces: interruption, rebalance, maintenance, leaving its group.
//!
//! Every path is asked once a second over one kept connection, with a token of version 2 of the service and never
//! without one. A notice stands there until the instance is gone, and is told once; what its occurrence is, is in
//! [`aws`](super::aws). An interruption that is taken back is said in the log and is no event: whoever was told of
//! it has saved what there was to save, and would do it again.
//!
//! Paths are asked one after the other, those that answer first; of those that do not, one is tried in a round, with
//! growing pauses. So a path that answers is asked again after its interval and what one that fails is waited for (two
//! seconds at most), and a quarter of a second more for each that begins to fail just then, whatever the others do. What cannot be read is said once and changes nothing.
//!
//! Sources: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata", "Spot Instance
//! interruption notices", "EC2 instance rebalance recommendations", "View scheduled events"; Amazon EC2 Auto Scaling
//! User Guide, "Retrieve the target lifecycle state through instance metadata".

mod identity;
mod lifecycle;
mod maintenance;
mod memory;
mod paths;
mod session;
mod spot;

pub use super::field::Unreadable;
pub use identity::Identity;
pub use session::SessionError;

use super::{Notices, field};
use crate::happening::{Happening, State};
use paths::Paths;
use serde_json::{Map, Value};
use session::Session;
use snooze_service_runtime::{Clocks, config::AwsMetadataSourceConfig, exit::one_line};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The service's address.
    pub endpoint: String,
    /// How often each path is asked.
    pub poll: Duration,
    /// How often those of a type are asked, where it is not `poll`.
    pub poll_of: BTreeMap<String, Duration>,
    /// How long a first answer is waited for; after failures longer, up to two seconds or this.
    pub patience: Duration,
}

/// The service answers within some milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);

impl Default for Settings {
    fn default() -> Self {
        Settings::from(&AwsMetadataSourceConfig::default())
    }
}

impl From<&AwsMetadataSourceConfig> for Settings {
    fn from(config: &AwsMetadataSourceConfig) -> Self {
        Settings {
            endpoint: config.endpoint.clone(),
            poll: config.poll_interval,
            poll_of: BTreeMap::new(),
            patience: PATIENCE,
        }
    }
}

/// Tells what is announced until the shutdown.
///
/// Cancelling loses nothing: what stands there is noticed again after the next start, under the same id.
///
/// # Errors
/// Never: what cannot be read is said in the log, and tried again.
pub async fn watch(
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut paths = match Paths::new(&settings, clocks) {
        Ok(paths) => paths,
        Err(error) => {
            tracing::error!(
                error = one_line(&error),
                "nothing is asked of the metadata service: correct event_sources.aws_metadata.endpoint"
            );
            shutdown.cancelled().await;
            return Ok(());
        }
    };
    let round = async {
        loop {
            sleep_until(paths.next()).await;
            paths.round(&notices).await;
        }
    };
    shutdown.run_until_cancelled(round).await;
    Ok(())
}

/// Reads which instance this is, with some tries; an instance that has just started has it within a second or two.
///
/// # Errors
/// Why the last try failed. Cancelling loses nothing.
pub async fn identity(settings: &Settings, clocks: &Clocks) -> Result<Identity, SessionError> {
    let at = Session::at(&settings.endpoint, clocks.clone());
    let mut session = at.map_err(|source| SessionError::Http {
        path: identity::PATH,
        source,
    })?;
    identity::tried(&mut session, &identity::PAUSES).await
}

/// A happening of this source's, with what its data always holds.
fn notice(event_type: &str, occurrence: &str, state: State, identity: Option<&Identity>) -> Happening {
    let mut data = Map::new();
    if let Some(identity) = identity {
        data.insert(
            "instanceID".to_owned(),
            Value::from(identity.instance_id.as_str()),
        );
        data.insert(
            "instanceType".to_owned(),
            Value::from(identity.instance_type.as_str()),
        );
    }
    Happening {
        event_type: event_type.parse().expect("a type of the table"),
        source: "aws.ec2.metadata-service",
        occurrence: occurrence.to_owned(),
        launch: identity.map(|identity| identity.launch.clone()),
        state,
        happened_at: None,
        deadline: None,
        data,
    }
}

#[cfg(test)]
mod malformed;
