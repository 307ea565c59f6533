//! How a service of AWS is reached: region, endpoint, access key, time-outs.
//!
//! Retries of the SDK are off: whoever asks knows what may be asked again, and when. It makes no request of its own,
//! but what the SDK's chain needs to find a region or an access key where none is given.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::{
    config::{Credentials, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls;
use snooze_service_runtime::exit::one_line;
use std::{error::Error, fmt, time::Duration};

/// For so long one call may take. The services answer in a fraction of a second; this is for a bad day.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// For so long connecting may take within that.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// The longest error that is told: the SDK's may hold a whole answer.
const LONGEST_ERROR: usize = 500;

/// Where the services are, and who asks.
#[derive(Clone, Default)]
pub struct Connection {
    /// As `eu-central-1`; the SDK's chain finds one where there is none.
    pub region: Option<String>,
    /// In place of the region's own, for all services.
    pub endpoint: Option<String>,
    keys: Option<Credentials>,
}

impl Connection {
    /// To a region, or to where the SDK's chain says.
    #[must_use]
    pub fn to(region: Option<String>, endpoint: Option<String>) -> Connection {
        Connection {
            region,
            endpoint,
            keys: None,
        }
    }

    /// With this access key in place of what the SDK's chain finds.
    #[must_use]
    pub fn with_keys(mut self, id: &str, secret: &str) -> Connection {
        self.keys = Some(Credentials::new(id, secret, None, None, "given"));
        self
    }

    /// What every client is made from. Finding a region may take some seconds where the metadata service is away;
    /// an access key is looked for at the first call.
    pub async fn sdk_config(&self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_WITHIN)
            .operation_timeout(CALL_WITHIN)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .http_client(http);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(keys) = &self.keys {
            loader = loader.credentials_provider(keys.clone());
        }
        loader.load().await
    }
}

impl fmt::Debug for Connection {
    /// Without the access key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// What an error of a call says, in one bounded line: the service's own words, or why it has none, with the causes.
#[must_use]
pub fn said<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let answer = error.as_service_error();
    let text = match answer.map(|answer| (answer.code(), answer.message())) {
        Some((Some(code), Some(message))) => format!("{code}: {message}"),
        Some((Some(code), None)) => code.to_owned(),
        Some((None, _)) | None => one_line(error),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(LONGEST_ERROR).map(plain).collect()
}
