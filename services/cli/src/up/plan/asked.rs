//! What a person asks `snooze up` for: the configuration that holds, and the cloud.

use crate::arguments::{Cloud, Up};
use serde_json::{Map, Value};
use snooze_executor::provider::{Clouds, simulated::SimulatedCloud};
use snooze_schemas::policy::{ConfigLayer, Policy};
use snooze_service_runtime::{
    Exit, Failure, LoadedConfig,
    config::{self, RealSource},
};
use std::sync::Arc;

/// The configuration that holds, or none for the demonstration.
pub(super) fn load(arguments: &Up) -> Result<Option<LoadedConfig>, Failure> {
    let loaded = match (&arguments.config, arguments.cloud) {
        (Some(path), _) => config::load(&RealSource, Some(path)),
        (None, Cloud::Aws) => config::load(&RealSource, None),
        (None, Cloud::Simulated) => return Ok(None),
    };
    loaded.map(Some).map_err(Failure::from)
}

/// The policy as a layer, after the keys were seen to make one.
pub(super) fn layer_of(policy: Map<String, Value>) -> Result<ConfigLayer, Failure> {
    let layer = ConfigLayer {
        policy,
        ..ConfigLayer::default()
    };
    match Policy::from_layers([&layer]) {
        Ok(_) => Ok(layer),
        Err(error) => Err(Failure::from_error(Exit::Usage, &error)),
    }
}

/// The clouds that the executor reaches, and the simulated one where it is meant.
pub(super) fn clouds(cloud: Cloud) -> Result<(Clouds, Option<Arc<SimulatedCloud>>), Failure> {
    match cloud {
        Cloud::Simulated => {
            let simulated = SimulatedCloud::default();
            let clouds = Clouds::default().with_simulated(simulated.clone());
            Ok((clouds, Some(Arc::new(simulated))))
        }
        #[cfg(feature = "aws")]
        Cloud::Aws => {
            let aws = snooze_executor::provider::aws::AwsCloud::new(None);
            Ok((Clouds::default().with_aws(aws), None))
        }
        #[cfg(not(feature = "aws"))]
        Cloud::Aws => Err(Failure::new(
            Exit::Usage,
            "this program was built without EC2: run `make build CLOUD=aws`, or use --cloud simulated",
        )),
    }
}
