//! What the services stand on: keys, the broker, everybody's credentials, streams, the roster, the policy.

use super::{
    broker::{self, Broker},
    demonstration,
    plan::Plan,
};
use crate::{session::of_bus, state_folder::BusAddress};
use snooze_bus::{Bucket, Bus, BusConfig, Keys, OnDenial, Role, ServerConfig, User, WriteError, keys};
use snooze_schemas::{
    PluginName,
    event::Severity,
    policy::ConfigLayer,
    roster::{RosterRecord, SourceHosts, SourceRecord},
};
use snooze_service_runtime::{Exit, Failure, exit::one_line};
use std::{path::PathBuf, time::Duration};

/// The broker is on this machine.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A running broker, and the way onto it.
pub(super) struct Ground {
    pub(super) broker: Broker,
    pub(super) place: Place,
}

/// Where the broker is, and who may come onto it.
pub(super) struct Place {
    server: String,
    set_up: Member,
    pub(super) administrator: Member,
    pub(super) host: Member,
    pub(super) executor: Member,
    pub(super) gateway: Member,
}

/// A user and its credentials.
pub(super) struct Member {
    user: User,
    credentials: PathBuf,
}

impl Ground {
    /// Makes keys where there are none, starts the broker with them, and leaves its address for others.
    pub(super) async fn lay(plan: &Plan) -> Result<Ground, Failure> {
        let failed = |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Failed, error);
        let nats_server = broker::first_new_enough(&plan.nats_servers)
            .await
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let now = plan.clocks.wall();
        let state = &plan.state;
        let signing = Keys::open(&state.path("keys")).map_err(|error| failed(&error))?;
        let trust = signing.trust(now).map_err(|error| failed(&error))?;
        let text = ServerConfig {
            port: None,
            name: plan.host.id.as_str(),
            store: &state.path("jetstream"),
            ports_folder: &state.path("ports"),
            trust: &trust,
        }
        .render();
        state
            .write_secret("nats-server.conf", text.as_bytes())
            .map_err(|error| failed(&error))?;
        let configuration = state.path("nats-server.conf");
        let broker = Broker::start(state, nats_server, &configuration)
            .await
            .map_err(|error| failed(&error))?;

        let member = |user: User| -> Result<Member, Failure> {
            let credentials = signing.credentials_file(&state.path("creds"), &user, now);
            let credentials = credentials.map_err(|error| failed(&error))?;
            Ok(Member { user, credentials })
        };
        let named = |role, name: &str| User::named(role, name).map_err(|error| failed(&error));
        let place = Place {
            server: broker.url().to_owned(),
            set_up: member(named(Role::SetUp, "set-up")?)?,
            administrator: member(named(Role::Administrator, plan.user.as_str())?)?,
            host: member(host_of(plan))?,
            executor: member(named(Role::Executor, "executor")?)?,
            gateway: member(named(Role::Gateway, "gateway")?)?,
        };
        let address = BusAddress {
            server: place.server.clone(),
            credentials: place.administrator.credentials.clone(),
            user: place.administrator.user.name().to_owned(),
        };
        state.set_bus_address(&address).map_err(|error| failed(&error))?;
        Ok(Ground { broker, place })
    }
}

/// The host, which may ask the plugins that its configuration says are elsewhere.
fn host_of(plan: &Plan) -> User {
    let configs = plan.local.plugins.configs.iter();
    let elsewhere =
        configs.filter(|(_, config)| config.get("runtime").is_some_and(|runtime| runtime == "fleet"));
    let elsewhere = elsewhere.filter_map(|(name, _)| name.parse::<PluginName>().ok());
    elsewhere.fold(User::host(&plan.host.id), |host, plugin| host.granting(&plugin))
}

impl Place {
    /// Where the broker is.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Lets a plugin of this host onto it, and returns the file with its credentials.
    pub(super) fn admit(&self, plan: &Plan, plugin: &PluginName) -> Result<PathBuf, Failure> {
        let signing = Keys::open(&plan.state.path("keys"));
        let signing = signing.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
        credentials_of(plan, &signing, &User::plugin(&plan.host.id, plugin))
    }

    /// Lets others onto it, with credentials in the state folder. Cancelling it leaves some that nobody uses.
    pub(super) async fn enlist(
        &self,
        plan: &Plan,
        users: impl IntoIterator<Item = User>,
    ) -> Result<Vec<Member>, Failure> {
        let signing = Keys::open(&plan.state.path("keys"));
        let signing = signing.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
        let mut members = Vec::new();
        for user in users {
            let credentials = credentials_of(plan, &signing, &user)?;
            members.push(Member { user, credentials });
            // Whoever interrupts the signing of many is heard.
            tokio::task::yield_now().await;
        }
        Ok(members)
    }

    /// A connection of a member.
    pub(super) async fn connect(&self, member: &Member) -> Result<Bus, Failure> {
        Bus::connect(BusConfig {
            servers: self.server.clone(),
            credentials: Some(member.credentials.clone()),
            role: member.user.role(),
            name: member.user.name().to_owned(),
            service: format!("snooze up: {}", member.user.role()),
            connect_timeout: CONNECT_WITHIN,
            on_denial: match member.user.role() {
                Role::Host => OnDenial::GoOn,
                _ => OnDenial::End,
            },
        })
        .await
        .map_err(|error| of_bus(&error))
    }

    /// Makes streams and buckets, enrols this host and writes the policy, where they are not as wanted.
    pub(super) async fn set_up(&self, plan: &Plan, administrator: &Bus) -> Result<(), Failure> {
        let set_up = self.connect(&self.set_up).await?;
        set_up.set_up().await.map_err(|error| of_bus(&error))?;
        enrol(plan, &set_up).await?;
        let record = SourceRecord {
            hosts: SourceHosts::All,
            max_severity: Severity::Critical,
        };
        write(administrator, &keys::source_key(&plan.user), &record).await?;
        let layer = match &plan.layer {
            Some(layer) => layer.clone(),
            None => demonstration::measuring(&plugins()),
        };
        write_policy(administrator, &layer).await
    }
}

/// The file with a user's credentials.
fn credentials_of(plan: &Plan, signing: &Keys, user: &User) -> Result<PathBuf, Failure> {
    let made = signing.credentials_file(&plan.state.path("creds"), user, plan.clocks.wall());
    made.map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// Writes this host's record in the roster, and keeps what others have added to it since.
async fn enrol(plan: &Plan, set_up: &Bus) -> Result<(), Failure> {
    let key = keys::roster_key(&plan.host.id);
    let bucket = set_up.bucket(Bucket::Config);
    let mut record = plan.host.record.clone();
    if let Some(known) = bucket
        .get::<RosterRecord>(&key)
        .await
        .map_err(|error| of_bus(&error))?
    {
        record.enrolled_at = known.value.enrolled_at;
        record.group = known.value.group;
        record.tags = known.value.tags;
        record.launch = record.launch.or(known.value.launch);
    }
    write(set_up, &key, &record).await
}

/// Writes the policy that holds for every host. What people have set for plugins since stays: neither a file nor
/// the demonstration says anything of it in this layer.
pub(super) async fn write_policy(bus: &Bus, policy: &ConfigLayer) -> Result<(), Failure> {
    let bucket = bus.bucket(Bucket::Config);
    // One that cannot be read holds nothing that could be kept.
    let known = bucket.get::<ConfigLayer>(keys::FLEET).await.ok().flatten();
    let layer = ConfigLayer {
        plugins: known.map(|known| known.value.plugins).unwrap_or_default(),
        ..policy.clone()
    };
    write(bus, keys::FLEET, &layer).await
}

/// Writes a key of the configuration, unless it says so already: each revision of a policy ends every run
/// of idleness.
async fn write<T>(bus: &Bus, key: &str, value: &T) -> Result<(), Failure>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    let bucket = bus.bucket(Bucket::Config);
    if let Ok(Some(known)) = bucket.get::<T>(key).await
        && known.value == *value
    {
        return Ok(());
    }
    bucket
        .put(key, value)
        .await
        .map(|_| ())
        .map_err(|error| of_write(key, &error))
}

fn of_write(key: &str, error: &WriteError) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("write the configuration key {key}: {}", one_line(error)),
    )
}

/// The plugins of the demonstration.
pub(super) fn plugins() -> Vec<PluginName> {
    let parse = |name: &str| name.parse().expect("the demonstration's plugins are named so");
    ["keep-awake", "load-average"].map(parse).to_vec()
}
