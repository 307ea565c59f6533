//! Everybody, connected behind the fences of the product's server, and what they say in these tests.

use super::super::support::*;
use snooze_bus::{Bus, BusStatus, Role, Subject, SubjectFilter, Subscription, User};
use snooze_schemas::{Message, reply::Empty};

/// Everybody, connected.
pub(super) struct Cast {
    pub(super) server: NatsServer,
    pub(super) host: Bus,
    pub(super) executor: Bus,
    pub(super) gateway: Bus,
    pub(super) operator: Bus,
    pub(super) administrator: Bus,
}

pub(super) fn named(role: Role, name: &str) -> User {
    User::named(role, name).expect("a name")
}

pub(super) async fn cast() -> Cast {
    let server = NatsServer::with_roles().await;
    let set_up = fenced(&server, &named(Role::SetUp, "s")).await;
    set_up
        .set_up()
        .await
        .expect("streams, buckets and consumers can be made");
    set_up.set_up().await.expect("making them again changes nothing");
    Cast {
        host: fenced(&server, &User::host(&host("a"))).await,
        executor: fenced(&server, &named(Role::Executor, "e1")).await,
        gateway: fenced(&server, &named(Role::Gateway, "g1")).await,
        operator: fenced(&server, &named(Role::Operator, "ann")).await,
        administrator: fenced(&server, &named(Role::Administrator, "root")).await,
        server,
    }
}

impl Cast {
    /// A denial shows in the status, never where something was sent or subscribed to.
    pub(super) async fn all_are_well(&self) {
        for bus in [
            &self.host,
            &self.executor,
            &self.gateway,
            &self.operator,
            &self.administrator,
        ] {
            bus.flush(LIMIT).await.expect("the server has seen everything");
            let status = bus.status().borrow().clone();
            assert_eq!(status, BusStatus::Connected);
        }
    }
}

/// Answers the next request with nothing but `ok`, once it was read.
pub(super) async fn answer_one<M: Message>(bus: &Bus, filter: SubjectFilter, queue: Option<&str>) {
    let mut heard = bus.subscribe(&filter, queue).await.expect("subscribes");
    tokio::spawn(async move {
        let delivery = heard.next().await.expect("the connection is open");
        let read = delivery.read::<M>().map(|_| Empty {});
        delivery.answer(read).await.expect("answers");
    });
}

/// Asks, and must be answered.
pub(super) async fn ask<M: Message>(bus: &Bus, subject: Subject, message: M) {
    let asked = bus.request::<_, Empty>(&subject, &message, LIMIT).await;
    asked.unwrap_or_else(|cause| panic!("{}: {cause:?}", subject.template()));
}

pub(super) async fn next<M: Message>(heard: &mut Subscription) -> M {
    hear(heard).await.read::<M>().expect("reads")
}
