//! EC2. Account, region and instance come from the roster's record and from nowhere else.
//!
//! Retries are off for every call: the driver decides what is asked again. A stop goes over a
//! connection of its own ([`one_shot`]) with the last look at the verdict's age after signing. It
//! never chooses a region, never lists instances and never touches a tag that it was not told to.

mod identity;
mod one_shot;
mod outcome;
mod reading;

pub use identity::{IdentityDocument, IdentityError, identity_document};

use super::{
    CallOutcome, Cloud, CloudError, Inspection, InstanceState, Permission, Seen, SendGuard, StopRequest,
    Target,
};
use aws_sdk_ec2::{
    Client,
    config::{
        BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents, SharedHttpClient,
        http::HttpResponse, interceptors::BeforeTransmitInterceptorContextMut, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::Tag,
};
use aws_smithy_http_client::tls;
use futures_util::future::BoxFuture;
use one_shot::OneShot;
use reading::{state_of, tags_of};
use snooze_schemas::host::Action;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};
use tokio::sync::Mutex;

/// For how long a question or a tag write may take. EC2 answers in a fraction of a second; this is for a bad day.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long connecting may take within that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// EC2, through one client a region.
#[derive(Debug)]
pub struct AwsCloud {
    endpoint: Option<String>,
    keys: Option<Credentials>,
    http: SharedHttpClient,
    clients: Mutex<HashMap<String, Client>>,
}

impl AwsCloud {
    /// EC2 with the credentials that the SDK's own chain finds when the first call is made.
    ///
    /// `endpoint` takes the place of the region's own; without it `AWS_ENDPOINT_URL_EC2` does.
    #[must_use]
    pub fn new(endpoint: Option<String>) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        Self {
            endpoint,
            keys: None,
            http,
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// With this access key in place of what the SDK's chain finds.
    #[must_use]
    pub fn with_keys(mut self, id: &str, secret: &str) -> Self {
        self.keys = Some(Credentials::new(id, secret, None, None, "given"));
        self
    }

    /// The client of a region; making one makes no request.
    async fn client(&self, target: &Target) -> Client {
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(target.region()) {
            return client.clone();
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(QUESTION_TIMEOUT)
            .build();
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(target.region().to_owned()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .http_client(self.http.clone());
        let shared = match &self.keys {
            Some(keys) => shared.credentials_provider(keys.clone()).load().await,
            None => shared.load().await,
        };
        let mut config = aws_sdk_ec2::config::Builder::from(&shared);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        let client = Client::from_conf(config.build());
        clients.insert(target.region().to_owned(), client.clone());
        client
    }
}

impl Cloud for AwsCloud {
    fn stop<'a>(&'a self, target: &'a Target, request: StopRequest) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            let connection = OneShot::new(request.guard.clone());
            let call = async {
                let client = self.client(target).await;
                let mut config = aws_sdk_ec2::config::Builder::new()
                    .http_client(connection.clone())
                    .retry_config(RetryConfig::disabled())
                    .interceptor(LastLook(request.guard.clone()));
                config.set_timeout_config(Some(
                    TimeoutConfig::builder().operation_timeout(request.within).build(),
                ));
                client
                    .stop_instances()
                    .instance_ids(target.instance())
                    .set_hibernate((request.action == Action::Hibernate).then_some(true))
                    .customize()
                    .config_override(config)
                    .send()
                    .await
            };
            let late = || CallOutcome::Unknown {
                reason: format!("no answer within {} ms", request.within.as_millis()),
            };
            // Dropping the call at its deadline drops the socket, which resets the connection.
            let outcome = match tokio::time::timeout(request.within, call).await {
                Err(_) => late(),
                Ok(Ok(answer)) => answer
                    .stopping_instances()
                    .iter()
                    .find(|change| change.instance_id() == Some(target.instance()))
                    .map_or_else(
                        || CallOutcome::Unknown {
                            reason: "the answer does not name the instance".to_owned(),
                        },
                        |change| CallOutcome::Accepted {
                            before: state_of(change.previous_state().and_then(|state| state.name())),
                            now: state_of(change.current_state().and_then(|state| state.name())),
                        },
                    ),
                Ok(Err(error)) => failed(&error),
            };
            match outcome {
                CallOutcome::Unknown { reason } if !connection.may_have_sent() => {
                    CallOutcome::NotSent { reason }
                }
                outcome => outcome,
            }
        })
    }

    fn start<'a>(&'a self, target: &'a Target, within: Duration) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            let call = async {
                let client = self.client(target).await;
                client
                    .start_instances()
                    .instance_ids(target.instance())
                    .send()
                    .await
            };
            match tokio::time::timeout(within, call).await {
                Err(_) => CallOutcome::Unknown {
                    reason: format!("no answer within {} ms", within.as_millis()),
                },
                Ok(Ok(_)) => CallOutcome::Accepted {
                    before: InstanceState::Unrecognised,
                    now: InstanceState::Pending,
                },
                Ok(Err(error)) => failed(&error),
            }
        })
    }

    fn see<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Seen, CloudError>> {
        Box::pin(async move {
            let client = self.client(target).await;
            let (instance, _) = self.describe(&client, target).await?;
            Ok(Seen {
                state: state_of(instance.state().and_then(|state| state.name())),
                tags: tags_of(&instance),
            })
        })
    }

    fn inspect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Inspection, CloudError>> {
        Box::pin(async move {
            let client = self.client(target).await;
            let (instance, owner) = self.describe(&client, target).await?;
            let protections = self.protections(&client, target, &instance, owner).await?;
            let hibernation = instance
                .hibernation_options()
                .and_then(aws_sdk_ec2::types::HibernationOptions::configured);
            Ok(Inspection {
                state: state_of(instance.state().and_then(|state| state.name())),
                tags: tags_of(&instance),
                protections,
                can_hibernate: hibernation == Some(true),
            })
        })
    }

    fn permission_check<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Permission, CloudError>> {
        Box::pin(async move {
            let client = self.client(target).await;
            let answer = client
                .stop_instances()
                .instance_ids(target.instance())
                .dry_run(true)
                .send()
                .await;
            let failed = |reason: String| CloudError::CheckPermission {
                instance: target.instance().to_owned(),
                reason,
            };
            match answer {
                // A dry run always ends in an error; this would be a server that ignores the flag.
                Ok(_) => Err(failed("the cloud ignored the dry run".to_owned())),
                Err(error) => match error.code() {
                    Some("DryRunOperation") => Ok(Permission::Granted),
                    Some("UnauthorizedOperation") => Ok(Permission::Denied(
                        error.message().unwrap_or("not authorised").to_owned(),
                    )),
                    _ => Err(failed(DisplayErrorContext(&error).to_string())),
                },
            }
        })
    }

    fn write_tags<'a>(
        &'a self,
        target: &'a Target,
        tags: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move {
            if tags.is_empty() {
                return Ok(());
            }
            let client = self.client(target).await;
            let tags = tags
                .iter()
                .map(|(key, value)| Tag::builder().key(key).value(value).build())
                .collect();
            client
                .create_tags()
                .resources(target.instance())
                .set_tags(Some(tags))
                .send()
                .await
                .map(|_| ())
                .map_err(|error| CloudError::WriteTags {
                    instance: target.instance().to_owned(),
                    reason: DisplayErrorContext(&error).to_string(),
                })
        })
    }
}

/// Looks at the verdict's age after the request is signed and before a connection is made for it.
struct LastLook(SendGuard);

impl fmt::Debug for LastLook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LastLook")
    }
}

impl Intercept for LastLook {
    fn name(&self) -> &'static str {
        "LastLook"
    }

    fn modify_before_transmit(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.0)().map_err(BoxError::from)
    }
}

/// What an error means; that nothing was sent is known to the caller, not here.
fn failed<E>(error: &SdkError<E, HttpResponse>) -> CallOutcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let SdkError::ServiceError(service) = error {
        let status = service.raw().status().as_u16();
        let code = service.err().code();
        if outcome::is_definite_refusal(status, code) {
            return CallOutcome::Refused {
                code: code.unwrap_or_default().to_owned(),
                message: service.err().message().unwrap_or_default().to_owned(),
            };
        }
    }
    CallOutcome::Unknown {
        reason: DisplayErrorContext(error).to_string().chars().take(500).collect(),
    }
}
