//! Whether a plugin that runs still may, by what is approved for it now.
//!
//! It reads no file: an administrator's word holds also where the disk with the plugin does not answer.

use super::Grant;
use crate::fence::Limits;
use snooze_schemas::plugin::{approval::Approval, permissions::Permissions};

impl Grant {
    /// Why what it was started by holds no more, where this is what is approved for it now; nothing where it holds, or
    /// where more does. What the host's own file grants nobody takes back.
    pub(crate) fn withdrawn(&self, now: Option<&Approval>) -> Option<String> {
        let held = self.approval.as_deref()?;
        let by = format!("{} at {}", held.by, held.at);
        let Some(now) = now else {
            return Some(format!("what was approved by {by} was taken back"));
        };
        let files = |approval: &Approval| (approval.manifest_sha256.clone(), approval.entry_sha256.clone());
        let instead = format!("{} at {}", now.by, now.at);
        if files(held) != files(now) {
            return Some(format!(
                "it was started from the files that were approved by {by}, and others were approved by {instead}"
            ));
        }
        let is_less = (held.native && !now.native) || is_beyond(&held.permissions, &now.permissions);
        is_less.then(|| format!("it may do more by what was approved by {by} than was approved by {instead}"))
    }
}

/// Whether whoever has the one has anything that the other does not give, by the limits that there are for everybody.
fn is_beyond(held: &Permissions, now: &Permissions) -> bool {
    let (limits, now_limits) = (Limits::of(held), Limits::of(now));
    let is_over = limits.memory_bytes > now_limits.memory_bytes
        || limits.cpu_percent > now_limits.cpu_percent
        || limits.processes > now_limits.processes
        || limits.disk_mb > now_limits.disk_mb;
    is_over || !without_limits(held).beyond(&without_limits(now)).is_empty()
}

fn without_limits(permissions: &Permissions) -> Permissions {
    Permissions {
        memory_mb: None,
        cpu_percent: None,
        processes: None,
        disk_mb: None,
        ..permissions.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn approval(permissions: &Value, native: bool, entry: &str) -> Approval {
        serde_json::from_value(json!({
            "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": permissions, "native": native,
            "entry_sha256": entry,
        }))
        .expect("an approval")
    }

    fn started_by(approval: &Approval) -> Grant {
        Grant {
            permissions: approval.permissions.clone(),
            approval: Some(Arc::new(approval.clone())),
            ..Grant::default()
        }
    }

    #[test]
    fn i4_whoever_runs_by_more_than_is_approved_now_has_lost_its_approval() {
        let held = approval(&json!({"read": ["/a"], "memory_mb": 600}), true, "00");
        let grant = started_by(&held);
        let taken_back = grant.withdrawn(None).expect("nothing is approved");
        assert_eq!(
            taken_back,
            "what was approved by alice at 2026-11-26T12:00:00Z was taken back"
        );
        for (permissions, native, entry) in [
            (json!({"memory_mb": 600}), true, "00"),
            (json!({"read": ["/a/b"], "memory_mb": 600}), true, "00"),
            // What everybody has without asking is less.
            (json!({"read": ["/a"]}), true, "00"),
            (json!({"read": ["/a"], "memory_mb": 600}), false, "00"),
            (json!({"read": ["/a"], "memory_mb": 600}), true, "11"),
            (
                json!({"read": ["/a"], "memory_mb": 600, "disk_mb": 1}),
                true,
                "00",
            ),
        ] {
            let now = approval(&permissions, native, entry);
            assert!(grant.withdrawn(Some(&now)).is_some(), "{now:?}");
        }
    }

    #[test]
    fn nobody_is_ended_for_more_than_it_had_or_for_what_the_hosts_file_says() {
        let held = approval(&json!({"read": ["/a/b"], "memory_mb": 1}), false, "00");
        for permissions in [
            json!({"read": ["/a/b"], "memory_mb": 1}),
            json!({"read": ["/a"], "udp": true, "memory_mb": 2}),
            json!({"write": ["/a"]}),
        ] {
            let now = Approval {
                by: "bob".to_owned(),
                ..approval(&permissions, true, "00")
            };
            assert_eq!(started_by(&held).withdrawn(Some(&now)), None, "{now:?}");
        }
        assert_eq!(Grant::default().withdrawn(None), None, "it has nothing to lose");
        assert_eq!(
            Grant::default().withdrawn(Some(&held)),
            None,
            "it was given something"
        );
    }
}
