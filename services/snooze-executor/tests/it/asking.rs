//! What a test asks of the executors, as a person does.

use crate::support::{ANSWER, World, id};
use snooze_bus::{OpsVerb, Subject};
use snooze_schemas::{
    Refusal,
    ops::{FreezeRequest, HostReport, LeaseRequest, Query, QueryResult, ThawRequest},
    reply::Empty,
};
use std::time::Duration;

impl World {
    pub(crate) async fn lease(&self, host: &str, duration: Duration) -> Result<Empty, Refusal> {
        let request = LeaseRequest {
            host: id(host),
            id: "test".to_owned(),
            duration_ms: u64::try_from(duration.as_millis()).expect("short"),
            reason: "a test needs it".to_owned(),
            holder: "ada".to_owned(),
        };
        self.ask(OpsVerb::Lease, &request).await
    }

    pub(crate) async fn freeze(&self) {
        let request = FreezeRequest {
            reason: "a test".to_owned(),
            by: "ada".to_owned(),
        };
        self.ask::<_, Empty>(OpsVerb::Freeze, &request)
            .await
            .expect("a freeze is never refused");
    }

    pub(crate) async fn thaw(&self) {
        let request = ThawRequest { by: "ada".to_owned() };
        self.ask::<_, Empty>(OpsVerb::Thaw, &request)
            .await
            .expect("a thaw is never refused");
    }

    /// What an executor says of a host.
    pub(crate) async fn report(&self, host: &str) -> HostReport {
        let query = Query {
            host: Some(id(host)),
            ..Query::default()
        };
        let result: QueryResult = self
            .ask(OpsVerb::Query, &query)
            .await
            .expect("a question is answered");
        result.hosts.into_iter().next().expect("one report")
    }

    /// Agent and sequence number of a host's last verdict.
    pub(crate) async fn last_verdict(&self, host: &str) -> Option<(String, u64)> {
        let verdict = self.report(host).await.verdict?;
        Some((verdict.agent, verdict.seq))
    }

    /// Asks the executors as a person does.
    pub(crate) async fn ask<M, R>(&self, verb: OpsVerb, message: &M) -> Result<R, Refusal>
    where
        M: snooze_schemas::Message,
        R: serde::de::DeserializeOwned,
    {
        let answer = self.admin.request(&Subject::Ops(verb), message, ANSWER).await;
        answer.map_err(|error| match error.refusal() {
            Some(refusal) => refusal.clone(),
            None => panic!("{verb:?} was not answered: {error:?}"),
        })
    }
}
