//! Two executors as processes of their own, one of which is killed with SIGKILL while it holds a claim.

use super::support::{Ec2World, ExecutorProcess};
use crate::support::quick_but;
use serde_json::{Value, json};
use snooze_schemas::audit::AuditKind;

/// Two executors; whichever holds a host's claim can be killed, and is replaced by a new one.
pub(super) struct Pair {
    executors: Vec<ExecutorProcess>,
    started: usize,
}

impl Pair {
    pub(super) async fn start(ec2: &Ec2World) -> Pair {
        let mut pair = Pair {
            executors: Vec::new(),
            started: 0,
        };
        pair.fill_up(ec2).await;
        ec2.world.wait_for_an_answer().await;
        pair
    }

    pub(super) async fn fill_up(&mut self, ec2: &Ec2World) {
        while self.executors.len() < 2 {
            self.started += 1;
            let name = format!("executor-{}", self.started);
            self.executors.push(ec2.process(&name).await);
        }
    }

    /// SIGKILL to the one that made the host's claim.
    pub(super) async fn kill_holder(&mut self, ec2: &Ec2World, host: &str) {
        let intent = ec2.world.wait_for_audit(host, AuditKind::Intent).await;
        let place = self
            .executors
            .iter()
            .position(|executor| executor.actor == intent.actor);
        let mut holder = self
            .executors
            .remove(place.expect("one of the two holds the claim"));
        holder.process.kill();
    }
}

/// A policy under which a step lasts for long enough to be seen.
pub(super) fn policy() -> Value {
    quick_but(json!({"notice_seconds": 0.6, "settle_seconds": 0.6}))
}

/// Waits until the claim is taken over, given up and undone, and says why it was.
pub(super) async fn wait_until_freed(ec2: &Ec2World, host: &str) -> String {
    ec2.world.wait_for_audit(host, AuditKind::Takeover).await;
    ec2.world
        .wait_for_record(host, "the host is free", |record| record.claim.is_none())
        .await;
    ec2.world.wait_for_audit(host, AuditKind::Cancelled).await.message
}
