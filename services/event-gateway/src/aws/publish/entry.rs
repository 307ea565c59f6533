//! An entry of the audit trail as EventBridge is told of it. Pure: the same entry gives the same event every time.

use super::batch::MOST_BYTES;
use serde::Serialize;
use serde_json::{Map, Value};
use snooze_schemas::{
    Timestamp,
    audit::{AuditKind, AuditRecord},
    roster::{Provider, RosterRecord},
};

/// The source of all that is published.
pub(super) const SOURCE: &str = "cloudsnooze";
/// The version of the detail: fields may be added without another one.
const DETAIL_VERSION: u32 = 1;
/// What is left of a sentence where the whole entry is too large.
const SHORTENED: usize = 1_000;
/// What EventBridge counts for the time of an entry (User guide, "Calculating event entry size for PutEvents").
const TIME_BYTES: usize = 14;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    id: String,
    /// When it was written, on the clock of who wrote it.
    pub(super) at: Timestamp,
    /// What rules tell kinds of events apart by.
    pub(super) detail_type: &'static str,
    /// A JSON object.
    pub(super) detail: String,
    /// The ARN of the instance, where it is one of EC2.
    pub(super) resource: Option<String>,
}

#[derive(Serialize)]
struct Detail<'a> {
    version: u32,
    id: &'a str,
    sequence: u64,
    kind: AuditKind,
    host: &'a str,
    at: Timestamp,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<u64>,
    message: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_left_out_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Instance<'a>>,
}

#[derive(Serialize)]
struct Instance<'a> {
    provider: Provider,
    account: &'a str,
    region: &'a str,
    id: &'a str,
}

impl Entry {
    /// The event of an entry, by its place in the trail and when the broker took it.
    pub(super) fn of(
        record: &AuditRecord,
        sequence: u64,
        filed_at: Timestamp,
        roster: Option<&RosterRecord>,
    ) -> Entry {
        // The number alone would come again in a trail that was made anew.
        let id = format!("audit-{sequence}-{}", filed_at.as_nanosecond());
        let mut detail = Detail {
            version: DETAIL_VERSION,
            id: &id,
            sequence,
            kind: record.kind,
            host: record.host.as_str(),
            at: record.at,
            actor: &record.actor,
            claim: record.claim,
            message: &record.message,
            details: &record.details,
            details_left_out_bytes: None,
            instance: roster.map(|roster| Instance {
                provider: roster.provider,
                account: &roster.account,
                region: &roster.region,
                id: &roster.instance,
            }),
        };
        let mut entry = Entry {
            at: record.at,
            detail_type: detail_type(record.kind),
            detail: written(&detail),
            resource: roster.and_then(arn),
            id: id.clone(),
        };
        if entry.bytes() >= MOST_BYTES {
            let nothing = Map::new();
            detail.details = &nothing;
            detail.details_left_out_bytes = serde_json::to_vec(&record.details).ok().map(|bytes| bytes.len());
            detail.message = shortened(&record.message);
            detail.actor = shortened(&record.actor);
            entry.detail = written(&detail);
        }
        entry
    }

    /// The id in its detail: the same each time that it is told.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// How large it is, as EventBridge counts.
    pub(super) fn bytes(&self) -> usize {
        let resource = self.resource.as_ref().map_or(0, String::len);
        TIME_BYTES + SOURCE.len() + self.detail_type.len() + self.detail.len() + resource
    }
}

fn written(detail: &Detail<'_>) -> String {
    serde_json::to_string(detail).expect("all of it has been JSON before")
}

/// The beginning of a text, whole characters only.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHORTENED)]
}

/// What each kind is called; documented, so never changed.
fn detail_type(kind: AuditKind) -> &'static str {
    match kind {
        AuditKind::Decision => "Decision Changed",
        AuditKind::Intent => "Stop Intended",
        AuditKind::Notice => "Stop Announced",
        AuditKind::Verified => "Stop Verified",
        AuditKind::Committed => "Stop Committed",
        AuditKind::Call => "Stop Called",
        AuditKind::Stopped => "Instance Stopped",
        AuditKind::Cancelled => "Stop Cancelled",
        AuditKind::Takeover => "Stop Taken Over",
        AuditKind::Alarm => "Alarm",
        AuditKind::Gate => "Freeze Changed",
        AuditKind::Lease => "Lease Changed",
        AuditKind::Wake => "Wake",
        AuditKind::Tags => "Tags Mended",
        AuditKind::Event => "Event Ended",
        AuditKind::Plugin => "Plugin",
    }
}

/// `arn:aws:ec2:<region>:<account>:instance/<id>`; nothing where a part of it is not known.
fn arn(roster: &RosterRecord) -> Option<String> {
    let RosterRecord {
        account,
        region,
        instance,
        ..
    } = roster;
    if roster.provider != Provider::Aws || account.is_empty() || region.is_empty() {
        return None;
    }
    let partition = partition_of(region);
    Some(format!(
        "arn:{partition}:ec2:{region}:{account}:instance/{instance}"
    ))
}

/// The partition that a region belongs to, as the SDKs' own list tells them apart.
fn partition_of(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let known = PARTITIONS.iter().find(|(begins, _)| region.starts_with(begins));
    known.map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(details: &Value) -> AuditRecord {
        let record = json!({
            "at": "2030-01-01T00:00:00Z", "host": "i-0abc", "kind": "stopped", "actor": "executor 1",
            "claim": 7, "message": "The instance is stopped.", "details": details,
        });
        serde_json::from_value(record).expect("a record")
    }

    fn roster(provider: &str, region: &str) -> RosterRecord {
        let roster = json!({
            "provider": provider, "account": "123456789012", "region": region, "instance": "i-0abc",
            "enrolled_at": "2030-01-01T00:00:00Z",
        });
        serde_json::from_value(roster).expect("a record")
    }

    fn filed_at() -> Timestamp {
        "2030-01-01T00:00:01.5Z".parse().expect("a time")
    }

    fn detail(entry: &Entry) -> Value {
        serde_json::from_str(&entry.detail).expect("it is JSON")
    }

    #[test]
    fn an_entry_is_told_as_it_stands_in_the_trail() {
        let record = record(&json!({"idle_ms": 5}));
        let entry = Entry::of(&record, 118, filed_at(), Some(&roster("aws", "eu-central-1")));
        let expected = json!({
            "version": 1, "id": "audit-118-1893456001500000000", "sequence": 118, "kind": "stopped",
            "host": "i-0abc", "at": "2030-01-01T00:00:00Z", "actor": "executor 1", "claim": 7,
            "message": "The instance is stopped.", "details": {"idle_ms": 5},
            "instance": {"provider": "aws", "account": "123456789012", "region": "eu-central-1", "id": "i-0abc"},
        });
        assert_eq!(detail(&entry), expected);
        assert_eq!(entry.detail_type, "Instance Stopped");
        assert_eq!(entry.at, record.at);
        let arn = "arn:aws:ec2:eu-central-1:123456789012:instance/i-0abc";
        assert_eq!(entry.resource.as_deref(), Some(arn));
    }

    const DOCUMENT: &str = include_str!("../../../../../deploy/AWS.md");

    #[test]
    fn what_the_document_shows_is_what_is_told() {
        let shown = DOCUMENT
            .split("```json\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let shown: Value = serde_json::from_str(shown.expect("it shows a detail")).expect("JSON");
        let record = record(&json!({"idle_ms": 5}));
        let entry = Entry::of(&record, 118, filed_at(), Some(&roster("aws", "eu-central-1")));
        assert_eq!(shown, detail(&entry));
    }

    #[test]
    fn the_document_has_each_kind_that_can_be_told_with_its_detail_type_and_whether_it_is() {
        let default = snooze_service_runtime::config::AwsPublishConfig::default().kinds;
        let rows: Vec<String> = snooze_bus::DECISIONS
            .into_iter()
            .map(|kind| {
                let is_default = default.iter().any(|word| word == kind.as_str());
                let when = if is_default {
                    "by default"
                } else {
                    "where asked for"
                };
                format!("| `{}` | `{}` | {when} |", kind.as_str(), detail_type(kind))
            })
            .collect();
        let shown: Vec<&str> = DOCUMENT
            .lines()
            .filter(|line| line.ends_with("by default |") || line.ends_with("where asked for |"))
            .collect();
        assert_eq!(shown, rows);
    }

    #[test]
    fn the_same_entry_has_the_same_id_each_time_and_no_other_has_it() {
        let record = record(&json!({}));
        let id = |sequence, at| Entry::of(&record, sequence, at, None).id().to_owned();
        assert_eq!(id(1, filed_at()), id(1, filed_at()));
        assert_ne!(id(1, filed_at()), id(2, filed_at()));
        assert_ne!(
            id(1, filed_at()),
            id(1, Timestamp::UNIX_EPOCH),
            "a trail that was made anew counts from 1"
        );
    }

    #[test]
    fn only_an_instance_of_ec2_has_an_arn_and_each_partition_its_own() {
        let of = |provider, region| arn(&roster(provider, region)).unwrap_or_default();
        assert!(of("aws", "cn-north-1").starts_with("arn:aws-cn:ec2:cn-north-1:"));
        assert!(of("aws", "us-gov-west-1").starts_with("arn:aws-us-gov:ec2:"));
        assert!(of("aws", "us-isob-east-1").starts_with("arn:aws-iso-b:ec2:"));
        assert!(of("aws", "eusc-de-east-1").starts_with("arn:aws-eusc:ec2:"));
        assert!(of("aws", "us-east-1").starts_with("arn:aws:ec2:"));
        assert_eq!(of("simulated", "us-east-1"), "");
        assert_eq!(of("aws", ""), "");
    }

    #[test]
    fn what_is_too_large_is_told_without_its_details_and_says_how_much_is_missing() {
        let mut large = record(&json!({"x": "y".repeat(MOST_BYTES)}));
        large.message = "ä".repeat(MOST_BYTES);
        let entry = Entry::of(&large, 1, filed_at(), Some(&roster("aws", "eu-central-1")));
        assert!(entry.bytes() < MOST_BYTES, "{}", entry.bytes());
        let detail = detail(&entry);
        assert_eq!(detail.get("details"), None);
        assert_eq!(detail["details_left_out_bytes"], MOST_BYTES + r#"{"x":""}"#.len());
        assert_eq!(
            detail["message"].as_str().map(|text| text.chars().count()),
            Some(500)
        );
    }
}
