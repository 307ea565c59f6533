//! A world whose cloud is moto behind a proxy, and executors as processes.

use crate::support::{World, id};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Role, User, keys};
use snooze_executor::{
    Config,
    provider::{Clouds, Target, aws::AwsCloud},
};
use snooze_schemas::{policy::ConfigLayer, roster::RosterRecord};
use snooze_test_harness::{Ec2Proxy, MotoServer, Process, wait_for};
use std::path::Path;

/// Another one than the original's default `aws_region`, which never counts.
pub(crate) const REGION: &str = "eu-west-1";

/// moto's own account.
const ACCOUNT: &str = "123456789012";

/// A bus, moto, and the proxy between.
pub(crate) struct Ec2World {
    pub(crate) world: World,
    pub(crate) moto: MotoServer,
    pub(crate) proxy: Ec2Proxy,
}

impl Ec2World {
    pub(crate) async fn with(policy: Value) -> Ec2World {
        let world = World::with(policy).await;
        let moto = MotoServer::start().await;
        let proxy = Ec2Proxy::before(moto.address()).await;
        Ec2World { world, moto, proxy }
    }

    /// Starts an instance and enrols it as a host; returns the instance.
    pub(crate) async fn enroll(&self, host: &str) -> String {
        self.enroll_with(host, &[], json!({})).await
    }

    /// As [`Ec2World::enroll`], with more of `RunInstances` and other fields in the roster.
    pub(crate) async fn enroll_with(&self, host: &str, more: &[(&str, &str)], changes: Value) -> String {
        let instance = self.moto.run_instance(REGION, more).await;
        let mut record = json!({
            "provider": "aws", "region": REGION, "account": ACCOUNT, "instance": instance,
            "instance_type": "t3.medium",
        });
        let (Value::Object(fields), Value::Object(changes)) = (&mut record, changes) else {
            panic!("a record is an object");
        };
        fields.extend(changes);
        self.world.enroll(host, record).await;
        instance
    }

    pub(crate) fn cloud(&self) -> AwsCloud {
        AwsCloud::new(Some(self.proxy.url())).with_keys("test", "test")
    }

    /// An executor's configuration with this cloud.
    pub(crate) fn config(&self) -> Config {
        Config::new(Clouds::default().with_aws(self.cloud()))
    }

    /// An executor as a process of its own.
    pub(crate) async fn process(&self, name: &str) -> ExecutorProcess {
        let user = User::named(Role::Executor, name).expect("a name");
        let credentials = self.world.server.credentials(&user);
        let log = self.world.server.folder().join(format!("{name}.log"));
        let arguments = [
            "AWS_ACCESS_KEY_ID=test",
            "AWS_SECRET_ACCESS_KEY=test",
            "AWS_EC2_METADATA_DISABLED=true",
            // Neither this nor any other default says where an instance is: the roster does.
            "AWS_REGION=us-east-1",
            &format!("AWS_ENDPOINT_URL_EC2={}", self.proxy.url()),
            env!("CARGO_BIN_EXE_snooze-executor"),
            "--server",
            &self.world.server.url(),
            "--credentials",
            &credentials.to_string_lossy(),
            "--name",
            name,
            "--cloud",
            "aws",
        ]
        .map(str::to_owned);
        let process =
            Process::start(Path::new("/usr/bin/env"), &arguments, &log).expect("the executor starts");
        let mut executor = ExecutorProcess {
            process,
            actor: String::new(),
        };
        executor.actor = wait_for(crate::support::LONG, "the executor runs", async || {
            let said = executor.process.said_all();
            let at = said.find("executor runs")?;
            let actor = said[at..].find("executor ").map(|_| &said[at..])?;
            let begin = actor.match_indices("executor ").find_map(|(at, word)| {
                let id = actor.get(at + word.len()..at + word.len() + 8)?;
                id.bytes()
                    .all(|byte| byte.is_ascii_hexdigit())
                    .then(|| format!("executor {id}"))
            })?;
            Some(begin)
        })
        .await;
        executor
    }
}

/// An executor that can be killed; killed on drop.
pub(crate) struct ExecutorProcess {
    pub(crate) process: Process,
    /// Who it is in the audit trail.
    pub(crate) actor: String,
}

/// The target of an instance, as the roster would say it.
pub(crate) fn target(instance: &str, changes: Value) -> Target {
    let mut record = json!({
        "provider": "aws", "region": REGION, "account": ACCOUNT, "instance": instance,
        "enrolled_at": "2026-01-01T00:00:00Z",
    });
    let (Value::Object(fields), Value::Object(changes)) = (&mut record, changes) else {
        panic!("a record is an object");
    };
    fields.extend(changes);
    let record: RosterRecord = serde_json::from_value(record).expect("a record");
    Target::from_roster(&"h1".parse().expect("a host id"), &record)
}

impl World {
    /// A policy of a host's own on top of the fleet's; returns the revision that its verdicts carry.
    pub(crate) async fn set_host_policy(&self, host: &str, policy: Value) -> String {
        let layer: ConfigLayer = serde_json::from_value(json!({ "policy": policy })).expect("a layer");
        let config = self.admin.bucket(Bucket::Config);
        let revision = config.put(&keys::host_key(&id(host)), &layer).await;
        let revision = revision.expect("an administrator writes the policy");
        let fleet = self.revision.split('/').next().expect("the fleet's revision");
        format!("{fleet}/0/{revision}")
    }
}
