//! This machine, as a host: its id, and the record that says which instance a stop would name (rule I1).

use crate::arguments::Cloud;
use snooze_schemas::{
    HostId,
    roster::{Provider, RosterRecord},
};
use snooze_service_runtime::{Clocks, Exit, Failure, identity};

/// This machine.
pub(super) struct Host {
    /// Its id.
    pub(super) id: HostId,
    /// The kernel's boot id.
    pub(super) boot_id: String,
    /// What the roster will say of it.
    pub(super) record: RosterRecord,
}

impl Host {
    /// From the cloud's own word where it is a real instance, else from the machine's name.
    pub(super) fn of_this_machine(
        cloud: Cloud,
        given: Option<HostId>,
        configured: Option<String>,
    ) -> Result<Host, Failure> {
        let boot_id = identity::boot_id().map_err(|error| Failure::from_error(Exit::Failed, &error))?;
        let configured = match configured {
            Some(text) => Some(
                text.parse::<HostId>()
                    .map_err(|error| Failure::from_error(Exit::Usage, &error))?,
            ),
            None => None,
        };
        let named = given.or(configured);
        let mut record = RosterRecord {
            provider: Provider::Simulated,
            account: String::new(),
            region: String::new(),
            instance: String::new(),
            group: "default".parse().expect("`default` is a group name"),
            instance_type: String::new(),
            carries_executor: true,
            launch: None,
            tags: std::collections::BTreeMap::new(),
            enrolled_at: Clocks::real().wall(),
        };
        let id = match cloud {
            Cloud::Simulated => {
                let id = named.unwrap_or_else(|| HostId::from_host_name(&identity::host_name()));
                record.instance = format!("sim-{id}");
                id
            }
            Cloud::Aws => on_ec2(named, &mut record)?,
        };
        Ok(Host { id, boot_id, record })
    }

    /// The cloud's name.
    pub(super) fn cloud(&self) -> &'static str {
        match self.record.provider {
            Provider::Simulated => "simulated",
            Provider::Aws => "EC2",
        }
    }
}

#[cfg(feature = "aws")]
fn on_ec2(named: Option<HostId>, record: &mut RosterRecord) -> Result<HostId, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("start the runtime: {error}")))?;
    let document = runtime
        .block_on(snooze_executor::provider::aws::identity_document())
        .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    record.provider = Provider::Aws;
    record.account = document.account_id;
    record.region = document.region;
    record.instance = document.instance_id;
    record.instance_type = document.instance_type;
    record.launch = document.pending_time;
    match named {
        Some(id) => Ok(id),
        None => record
            .instance
            .parse()
            .map_err(|error| Failure::from_error(Exit::Failed, &error)),
    }
}

#[cfg(not(feature = "aws"))]
fn on_ec2(_named: Option<HostId>, _record: &mut RosterRecord) -> Result<HostId, Failure> {
    unreachable!("a plan without EC2 ends before it asks who this machine is")
}
