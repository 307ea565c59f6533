//! What a test finds or leaves on the bus: claims without a holder, an audit trail that takes not everything.

use crate::support::{ANSWER, World, id};
use serde_json::{Value, json};
use snooze_bus::{BatchWrite, Bucket, Bus, Role, Stream, SubjectFilter, User, keys};
use snooze_schemas::{
    audit::AuditKind,
    state::{HostRecord, Slot},
};
use std::time::Duration;

impl World {
    /// A claim whose holder is gone, with some fields set otherwise, and its slot; returns its number.
    pub(crate) async fn leave_claim(&self, host: &str, changes: Value) -> u64 {
        let mut claim = json!({
            "number": 0, "holder": "gone", "phase": "committed", "beat": 9, "freezes": 0,
            "policy_revision": self.revision, "reason": "idle for 1 min", "action": "stop", "agent": "agent-1",
            "boot_id": "boot-1", "group": "default", "slots": [0], "claimed_at": "2026-01-01T00:00:00Z",
            "committed_at": "2026-01-01T00:00:01Z",
        });
        let (Value::Object(fields), Value::Object(changes)) = (&mut claim, changes) else {
            panic!("a claim is an object");
        };
        fields.extend(changes);
        let n = claim["slots"][0].as_u64().expect("a claim takes a slot");
        let n = u32::try_from(n).expect("a slot's number");
        let record: HostRecord = serde_json::from_value(json!({ "claim": claim })).expect("a record");
        let slot = Slot {
            host: host.to_owned(),
            holder: "gone".to_owned(),
        };
        let group = "default".parse().expect("a group");
        let batch = vec![
            BatchWrite::put(keys::slot_key(&group, n), &slot, 0).expect("writes"),
            BatchWrite::put(keys::state_key(&id(host)), &record, 0).expect("writes"),
        ];
        let state = self.reader().await.bucket(Bucket::State);
        let written = state.write_batch(batch, Duration::from_secs(5)).await;
        written.expect("an executor writes the state")
    }

    /// A wish for a host on which nobody has a claim.
    pub(crate) async fn leave_wake(&self, host: &str) {
        let wake = json!({"at": "2026-01-01T00:00:00Z", "reason": "it is needed", "by": "ada"});
        let record: HostRecord = serde_json::from_value(json!({ "wake": wake })).expect("a record");
        let batch = vec![BatchWrite::put(keys::state_key(&id(host)), &record, 0).expect("writes")];
        let state = self.reader().await.bucket(Bucket::State);
        let written = state.write_batch(batch, Duration::from_secs(5)).await;
        written.expect("an executor writes the state");
    }

    /// From now on the audit trail takes everything but these kinds of entries.
    pub(crate) async fn refuse_audit(&self, refused: &[AuditKind]) {
        use AuditKind::{
            Alarm, Call, Cancelled, Committed, Decision, Gate, Intent, Lease, Notice, Stopped, Tags,
            Takeover, Verified, Wake,
        };
        let kinds = [
            Alarm, Call, Cancelled, Committed, Decision, Gate, Intent, Lease, Notice, Stopped, Tags,
            Takeover, Verified, Wake,
        ];
        let subjects: Vec<String> = kinds
            .into_iter()
            .filter(|kind| !refused.contains(kind))
            .map(|kind| SubjectFilter::AuditOfKind(kind).to_string())
            .collect();
        let nanoseconds = |seconds: u64| seconds * 1_000_000_000;
        let config = json!({
            "name": Stream::Audit.name(), "subjects": subjects, "retention": "limits", "storage": "file",
            "max_bytes": 512 * 1024 * 1024, "max_age": nanoseconds(400 * 86_400), "max_msgs": -1,
            "max_msg_size": 1024 * 1024, "max_consumers": 8, "num_replicas": 1, "discard": "old",
            "allow_direct": true, "deny_delete": true, "deny_purge": true,
            "duplicate_window": nanoseconds(120),
        });
        let subject = format!("$JS.API.STREAM.UPDATE.{}", Stream::Audit.name());
        let body = config.to_string();
        let set_up = self.set_up().await;
        let answer = set_up.raw_request(&subject, &[], body.as_bytes(), ANSWER).await;
        let answer = answer.expect("the server answers").payload;
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// From now on the audit trail takes everything again.
    pub(crate) async fn accept_audit(&self) {
        let set_up = self.set_up().await;
        set_up
            .set_up()
            .await
            .expect("the set-up may put everything right");
    }

    async fn set_up(&self) -> Bus {
        self.server
            .bus(&User::named(Role::SetUp, "set-up").expect("a name"))
            .await
    }
}
