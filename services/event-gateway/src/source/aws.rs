//! What every source that reads AWS must say alike, so that two reports of one happening are one event (rule E1).
//!
//! It reads nothing and asks nobody: it names occurrences.
//!
//! **Spot interruption and rebalance recommendation** happen once in a launch, and the queue's reports name no time
//! of action: their occurrence is empty.
//!
//! **Scheduled maintenance** is told by the metadata service (`Code`, `EventId`, `NotBefore`) and by AWS Health
//! (`eventTypeCode`, `eventArn`, `startTime`). The ids have nothing in common: `instance-event-0d59937288b749b32`
//! is of one instance, an ARN of Health's may cover many. The codes differ as well, and no document maps one to the
//! other: the retirement of an instance on EBS is `AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED` for Health and
//! `instance-stop` or `instance-retirement` for the metadata service. What both state is when it starts, to the
//! second, and what becomes of the instance, in words that both codes contain. So an occurrence is made of those two:
//! *reboot*, *stop* (which a retirement or termination is as well) or *maintenance*, and the start.
//! One that is moved is therefore another one; the old one is cancelled.
//! (Amazon EC2 User Guide, "Scheduled events for your instances"; AWS Health User Guide, "AWS Health events Amazon
//! EventBridge schema".)
//!
//! **Leaving an Auto Scaling group** can happen once in a launch for each way of leaving: terminated, or into a warm
//! pool and launched anew. The queue says only that it is a pool, the metadata service in which state it keeps its
//! instances as well, so that is no part of the occurrence. Only a pool that keeps its instances running can take one
//! out twice; the second time is taken for the first.
//!
//! **Coming into one** is told by the queue alone, and before it is known which launch it is about: the host tells that
//! once it is up, and what came out of a pool had another one before. So it is told apart by the token of its lifecycle
//! action, which is the same however often and by which way the action is told.

use snooze_schemas::Timestamp;

/// What tells a scheduled maintenance from others: from either service's code, and when it starts.
#[must_use]
pub fn maintenance(code: &str, starts: Timestamp) -> String {
    format!("{}@{}", effect(code), starts.as_second())
}

/// What becomes of the instance.
fn effect(code: &str) -> &'static str {
    let code = code.to_ascii_lowercase();
    let says = |word: &str| code.contains(word);
    if says("reboot") {
        "reboot"
    } else if says("stop") || says("retire") || says("terminat") {
        "stop"
    } else {
        "maintenance"
    }
}

/// Leaving a group to be terminated.
pub const TERMINATED: &str = "terminated";
/// Leaving it to wait in its warm pool.
pub const POOLED: &str = "pooled";
/// Coming into it, by one lifecycle action.
#[must_use]
pub fn coming(token: &str) -> String {
    format!("coming@{token}")
}

/// How an instance with this target state leaves its group's service; nothing where it does not.
#[must_use]
pub fn leaving(target: &str) -> Option<&'static str> {
    match target {
        "Terminated" | "Warmed:Terminated" => Some(TERMINATED),
        "Stopped" | "Warmed:Stopped" | "Hibernated" | "Warmed:Hibernated" | "Warmed:Running" => Some(POOLED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_both_services_codes_give_one_maintenance_one_occurrence() {
        let starts: Timestamp = "2030-01-21T09:00:43Z".parse().expect("a time");
        let same = [
            ("instance-reboot", "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED"),
            (
                "instance-reboot",
                "AWS_EC2_INSTANCE_REBOOT_FLEXIBLE_MAINTENANCE_SCHEDULED",
            ),
            ("system-reboot", "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED"),
            ("instance-stop", "AWS_EC2_INSTANCE_STOP_SCHEDULED"),
            (
                "instance-stop",
                "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
            ),
            ("instance-retirement", "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"),
            ("instance-retirement", "AWS_EC2_INSTANCE_TERMINATION_SCHEDULED"),
            (
                "system-maintenance",
                "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
            ),
            (
                "system-maintenance",
                "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
            ),
        ];
        for (metadata, health) in same {
            assert_eq!(
                maintenance(metadata, starts),
                maintenance(health, starts),
                "{health}"
            );
        }
    }

    #[test]
    fn e1_another_start_or_another_effect_is_another_maintenance() {
        let starts: Timestamp = "2030-01-21T09:00:43Z".parse().expect("a time");
        let later: Timestamp = "2030-01-21T09:00:44Z".parse().expect("a time");
        assert_ne!(
            maintenance("system-reboot", starts),
            maintenance("system-reboot", later)
        );
        assert_ne!(
            maintenance("system-reboot", starts),
            maintenance("instance-stop", starts)
        );
        assert_ne!(
            maintenance("system-maintenance", starts),
            maintenance("system-reboot", starts)
        );
    }

    #[test]
    fn who_stays_in_service_does_not_leave() {
        for target in ["InService", "Standby", "Detached", ""] {
            assert_eq!(leaving(target), None, "{target}");
        }
    }
}
