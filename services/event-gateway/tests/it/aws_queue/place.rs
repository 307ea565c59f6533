//! A broker, moto with a queue, an API of Auto Scaling, and messages as AWS sends them.

use crate::centre::{Centre, Gateway, LIMIT, host};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Stream, SubjectFilter, keys};
use snooze_event_gateway::{
    aws::Connection,
    centre::{Config, aws_queue::Settings},
    happening::{Happening, State, Whose},
};
use snooze_schemas::event::{Event, Scope};
use snooze_test_harness::{InQueue, MotoServer, ScalingApi, wait_until};
use std::time::Duration;

pub(super) const REGION: &str = "eu-central-1";
/// moto's.
pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const LAUNCH: &str = "2029-12-31T00:00:00Z";
/// The instance of the host `h1`.
pub(super) const INSTANCE: &str = "i-1234567890abcdef0";

pub(super) struct Place {
    pub(super) centre: Centre,
    pub(super) moto: MotoServer,
    pub(super) scaling: ScalingApi,
    pub(super) queue: String,
}

impl Place {
    pub(super) async fn start() -> Place {
        Place::with(&json!({})).await
    }

    /// With a queue that has attributes of its own.
    pub(super) async fn with(attributes: &Value) -> Place {
        let moto = MotoServer::start().await;
        let place = Place {
            centre: Centre::start().await,
            queue: moto.make_queue(REGION, "snooze", attributes).await,
            scaling: ScalingApi::start().await,
            moto,
        };
        place.enrol("h1", INSTANCE).await;
        place
    }

    pub(super) async fn enrol(&self, name: &str, instance: &str) {
        let record = json!({"provider": "aws", "instance": instance, "account": ACCOUNT, "region": REGION,
            "launch": LAUNCH, "enrolled_at": crate::centre::now()});
        let config = self.centre.administrator.bucket(Bucket::Config);
        let key = keys::roster_key(&host(name));
        config.put(&key, &record).await.expect("enrols");
    }

    /// A gateway that takes from the queue, with what differs.
    pub(super) async fn gateway(&self, change: impl FnOnce(&mut Settings, &mut Config)) -> Gateway {
        let mut settings = Settings {
            scaling: to(self.scaling.url()),
            lifecycle_hooks: vec!["cloudsnooze".to_owned()],
            wait: Duration::from_secs(1),
            ..Settings::of(self.queue.clone(), to(self.moto.url()))
        };
        let take = |config: &mut Config| {
            change(&mut settings, config);
            config.aws_queue = Some(settings);
        };
        self.centre.gateway(take).await
    }

    pub(super) async fn send(&self, message: &Value) {
        let body = message.to_string();
        self.moto.send_message(REGION, &self.queue, &body).await;
    }

    pub(super) async fn in_queue(&self) -> InQueue {
        self.moto.in_queue(REGION, &self.queue).await
    }

    /// Waits until every message was removed.
    pub(super) async fn is_empty(&self) {
        wait_until(LIMIT, "the queue is empty", async || {
            self.in_queue().await == InQueue::EMPTY
        })
        .await;
    }

    /// All events that are filed for a host.
    pub(super) async fn filed(&self, name: &str) -> Vec<Event> {
        let filter = SubjectFilter::EventsOf(Scope::Host(host(name)));
        let mut events = Vec::new();
        for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
            let found = self
                .centre
                .administrator
                .history::<Event>(stream, &filter, 100)
                .await;
            events.extend(found.expect("reads").into_iter().map(|stored| stored.message));
        }
        events
    }
}

/// To what stands for AWS there.
pub(super) fn to(endpoint: String) -> Connection {
    Connection::to(Some(REGION.to_owned()), Some(endpoint)).with_keys("test", "test")
}

/// What the host `h1` notices of the same by its metadata service, as it files it.
pub(super) fn noticed_by_itself(event_type: &str, occurrence: &str) -> Event {
    let happening = Happening {
        event_type: event_type.parse().expect("a type"),
        source: "aws.ec2.metadata-service",
        occurrence: occurrence.to_owned(),
        launch: Some(LAUNCH.to_owned()),
        state: State::Raised,
        happened_at: None,
        deadline: None,
        data: serde_json::Map::new(),
    };
    let whose = Whose {
        host: host("h1"),
        launch: "a boot".to_owned(),
    };
    happening.into_event(&whose, crate::centre::now())
}

/// An event as EventBridge delivers it.
pub(super) fn event(id: &str, source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({"version": "0", "id": id, "detail-type": detail_type, "source": source, "account": ACCOUNT,
        "time": crate::centre::now(), "region": REGION, "resources": [], "detail": detail})
}

pub(super) fn rebalance(id: &str, instance: &str) -> Value {
    let detail = json!({"instance-id": instance});
    event(id, "aws.ec2", "EC2 Instance Rebalance Recommendation", &detail)
}

/// What a lifecycle hook says of the instance of `h1`; its token is the event's id as well.
pub(super) fn action(token: &str, hook: &str, transition: &str) -> Value {
    let detail = json!({"LifecycleActionToken": token, "AutoScalingGroupName": "my asg", "LifecycleHookName": hook,
        "EC2InstanceId": INSTANCE, "LifecycleTransition": format!("autoscaling:EC2_INSTANCE_{transition}"),
        "Origin": "AutoScalingGroup", "Destination": "EC2"});
    let kind = if transition == "LAUNCHING" {
        "launch"
    } else {
        "terminate"
    };
    let detail_type = format!("EC2 Instance-{kind} Lifecycle Action");
    event(token, "aws.autoscaling", &detail_type, &detail)
}
