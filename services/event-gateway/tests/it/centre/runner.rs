//! A runner on the bus that does what a test says.

use super::LIMIT;
use serde_json::json;
use snooze_bus::{Bus, Delivery, Expect, RunnerVerb, Subject, SubjectFilter, Subscription};
use snooze_schemas::{
    ErrorCode, HostId, Refusal, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Accepted, Event, HandleEvent, Scope},
    host::Hello,
};

pub(crate) struct Runner {
    pub(crate) host: HostId,
    pub(crate) bus: Bus,
    requests: Subscription,
}

impl Runner {
    /// One that hears what is asked of it, and has said nothing.
    pub(super) async fn on(bus: Bus, host: HostId) -> Runner {
        let filter = SubjectFilter::RunnerOf(host.clone());
        let requests = bus.subscribe(&filter, None).await.expect("listens");
        Runner { host, bus, requests }
    }

    /// The next event that it is offered.
    pub(crate) async fn offered(&mut self) -> (Delivery, HandleEvent) {
        let next = tokio::time::timeout(LIMIT, self.requests.next()).await;
        let delivery = next.expect("an offer in time").expect("the connection stands");
        let expected = Subject::Runner {
            host: self.host.clone(),
            verb: RunnerVerb::HandleEvent,
        };
        assert_eq!(*delivery.subject(), expected);
        let offer = delivery.read().expect("a readable offer");
        (delivery, offer)
    }

    /// Says that it is (back) on the bus.
    pub(crate) async fn hello(&self) {
        let hello = Hello {
            boot_id: "boot".to_owned(),
            agent: "agent".to_owned(),
            launch: None,
            version: "0".to_owned(),
        };
        let subject = Subject::HostHello(self.host.clone());
        self.bus.publish(&subject, &hello).await.expect("says hello");
    }

    /// Takes the next event.
    pub(crate) async fn accept(&mut self) -> Event {
        let (delivery, offer) = self.offered().await;
        accept(&delivery).await;
        offer.event
    }

    /// Refuses the next event.
    pub(crate) async fn refuse(&mut self, code: ErrorCode, why: &str) {
        let (delivery, _) = self.offered().await;
        let refusal = Err::<Accepted, _>(Refusal::new(code, why));
        delivery.answer(refusal).await.expect("answers");
    }

    /// Takes all that still comes, until the connection ends with the test.
    pub(crate) fn accept_the_rest(mut self) {
        tokio::spawn(async move {
            while let Some(delivery) = self.requests.next().await {
                accept(&delivery).await;
            }
        });
    }

    /// Reports how an event ended.
    pub(crate) async fn report(&self, event: &Event) {
        let scope = Scope::Host(self.host.clone());
        let record = AuditRecord {
            at: Timestamp::UNIX_EPOCH,
            host: scope.clone(),
            kind: AuditKind::Event,
            actor: "runner".to_owned(),
            claim: None,
            message: "handled".to_owned(),
            details: [("id".to_owned(), json!(event.id))].into_iter().collect(),
        };
        let subject = Subject::Audit {
            scope,
            kind: AuditKind::Event,
        };
        self.bus
            .file(&subject, &record, Expect::Anything, LIMIT)
            .await
            .expect("reports");
    }
}

pub(crate) async fn accept(delivery: &Delivery) {
    let accepted = Accepted {
        accepted: true,
        duplicate: false,
    };
    delivery
        .answer(Ok::<_, Refusal>(accepted))
        .await
        .expect("answers");
}
