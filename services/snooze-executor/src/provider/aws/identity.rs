//! Who this machine is, by EC2's own word: the instance identity document of its metadata service.
//!
//! It is asked with a session token (IMDSv2), once, at set-up. No configuration has a say in it.

use aws_config::{imds, provider_config::ProviderConfig};
use aws_smithy_http_client::tls;
use serde::Deserialize;
use std::time::Duration;

/// A page of the EC2 user guide: "Instance identity documents".
const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
/// The service is on the machine itself; elsewhere nobody answers at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const READ_WITHIN: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 2;

/// What the document says; fields as EC2 names them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityDocument {
    /// The account that owns the instance.
    pub account_id: String,
    /// Its region.
    pub region: String,
    /// Its id.
    pub instance_id: String,
    /// As `t3.medium`.
    #[serde(default)]
    pub instance_type: String,
    /// When it was launched or last started: the launch generation.
    #[serde(default)]
    pub pending_time: Option<String>,
}

/// Why this machine does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The metadata service did not answer.
    #[error("this is no EC2 instance, or its metadata service is switched off")]
    Unanswered(#[source] Box<imds::client::error::ImdsError>),
    /// It answered something else.
    #[error("the instance identity document cannot be read")]
    Parse(#[source] serde_json::Error),
}

/// Asks the metadata service, at `AWS_EC2_METADATA_SERVICE_ENDPOINT` where that is set.
///
/// # Errors
/// When it does not answer within a few seconds, or with something else than a document.
pub async fn identity_document() -> Result<IdentityDocument, IdentityError> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let client = imds::Client::builder()
        .configure(&ProviderConfig::without_region().with_http_client(http))
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(READ_WITHIN)
        .max_attempts(ATTEMPTS)
        .build();
    let document = client
        .get(DOCUMENT)
        .await
        .map_err(|error| IdentityError::Unanswered(Box::new(error)))?;
    serde_json::from_str(document.as_ref()).map_err(IdentityError::Parse)
}
