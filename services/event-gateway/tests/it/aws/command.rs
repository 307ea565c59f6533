//! `snooze-event-gateway aws setup` as people and programs use it.

use super::found::*;
use crate::aws_command::{Ended, aws_setup};
use serde_json::{Value, json};
use snooze_test_harness::{AwsFront, FrontAnswer, MotoServer};

#[tokio::test]
async fn the_command_says_each_thing_on_a_line_and_what_to_configure() {
    let moto = MotoServer::start().await;
    let arguments = ["--region", REGION, "--endpoint", &moto.url()];
    let made = aws_setup(&arguments).await;
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = made.out.lines().collect();
    assert_eq!(lines.len(), 2 + 2 * RULES.len() + 1, "{}", made.out);
    assert_eq!(lines[0], "made: queue cloudsnooze-events-dead");
    assert_eq!(
        lines[3],
        "made: target cloudsnooze-spot-interruption -> cloudsnooze-events"
    );
    let url = queue_url(&moto, "cloudsnooze-events").await;
    let last = lines.last().copied().unwrap_or_default();
    assert!(
        last.ends_with(&format!("event_sources.aws_queue.queue_url = {url}")),
        "{last}"
    );

    let again = aws_setup(&arguments).await;
    assert_eq!(again.code, Some(0));
    let things = again.out.lines().take(lines.len() - 1);
    assert!(
        things.clone().all(|line| line.starts_with("was there: ")),
        "{}",
        again.out
    );

    let removed = aws_setup(&[&arguments[..], &["--remove"]].concat()).await;
    assert_eq!(removed.code, Some(0), "{}", removed.err);
    assert!(
        removed.out.lines().all(|line| line.starts_with("removed: ")),
        "{}",
        removed.out
    );
    assert_eq!(names(&moto).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_command_tells_programs_the_same() {
    let moto = MotoServer::start().await;
    let arguments = [
        "--region",
        REGION,
        "--endpoint",
        &moto.url(),
        "--json",
        "--name",
        "x",
        "--dry-run",
    ];
    let ended = aws_setup(&arguments).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let told: Value = serde_json::from_str(&ended.out).expect("JSON");
    let expected = json!({"kind": "queue", "name": "x-events-dead", "outcome": "made", "dry_run": true});
    assert_eq!(told["steps"][0], expected);
    assert_eq!(told.get("queue_url"), None, "there is none");
    let ended = aws_setup(&arguments[..arguments.len() - 1]).await;
    let told: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(told["queue_url"], queue_url(&moto, "x-events").await);
}

#[tokio::test]
async fn a_run_that_breaks_off_says_what_was_done_and_why_it_ended() {
    let moto = MotoServer::start().await;
    let front = AwsFront::before(moto.address()).await;
    let said = json!({"__type": "AccessDeniedException", "message": "not authorized"});
    front.always("AWSEvents.PutRule", FrontAnswer::Status(400, said));
    let ended = aws_setup(&["--region", REGION, "--endpoint", &front.url()]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let expected = "made: queue cloudsnooze-events-dead\nmade: queue cloudsnooze-events\n";
    assert_eq!(ended.out, expected);
    for part in [
        "PutRule",
        "cloudsnooze-spot-interruption",
        "events:PutRule",
        "iam-policy-aws-setup.json",
    ] {
        assert!(ended.err.contains(part), "{part} in {}", ended.err);
    }
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

#[tokio::test]
async fn what_cannot_be_meant_is_a_mistake_and_asks_nobody() {
    let moto = MotoServer::start().await;
    let front = AwsFront::before(moto.address()).await;
    let url = front.url();
    let wrong: [&[&str]; 4] = [
        &["--name", "no name"],
        &[
            "--event-bus",
            "arn:aws:events:eu-central-1:123456789012:event-bus/own",
        ],
        &["--event-bus", ""],
        &["--unknown"],
    ];
    for arguments in wrong {
        let ended = aws_setup(&[arguments, &["--region", REGION, "--endpoint", &url]].concat()).await;
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(64), ""),
            "{arguments:?}: {}",
            ended.err
        );
    }
    let nowhere = aws_setup(&["--endpoint", &url]).await;
    assert_eq!(nowhere.code, Some(64), "{}", nowhere.err);
    assert!(nowhere.err.contains("--region"), "{}", nowhere.err);
    assert_eq!(front.actions(), Vec::<String>::new());
}

/// Runs it with a configuration file of these keys.
async fn configured(file: &Value, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("snooze.json");
    std::fs::write(&path, file.to_string()).expect("it can be written");
    let config = ["--config", path.to_str().expect("a text")];
    aws_setup(&[&config[..], arguments].concat()).await
}

#[tokio::test]
async fn where_aws_is_either_part_of_the_configuration_says() {
    let moto = MotoServer::start().await;
    let here = json!({"region": REGION, "endpoint": moto.url()});
    for file in [
        json!({"event_sources": {"aws_queue": here}}),
        json!({"event_publish": {"aws": here}}),
        json!({"event_sources": {"aws_queue": here}, "event_publish": {"aws": here}}),
        json!({"event_sources": {"aws_queue": {"region": REGION}}, "event_publish": {"aws": {"endpoint": moto.url()}}}),
    ] {
        let ended = configured(&file, &["--dry-run"]).await;
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.err);
        assert!(ended.out.starts_with("would be made: "), "{}", ended.out);
    }
}

#[tokio::test]
async fn two_parts_of_the_configuration_that_disagree_are_a_mistake_unless_the_argument_says_which() {
    let moto = MotoServer::start().await;
    for (key, other) in [("region", "eu-west-1"), ("endpoint", "http://127.0.0.1:1")] {
        let front = AwsFront::before(moto.address()).await;
        let mut file = json!({
            "event_sources": {"aws_queue": {"region": REGION, "endpoint": front.url()}},
            "event_publish": {"aws": {"region": REGION, "endpoint": front.url()}},
        });
        file["event_publish"]["aws"][key] = other.into();
        let ended = configured(&file, &[]).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{}", ended.err);
        for named in ["event_sources.aws_queue", "event_publish.aws"] {
            let named = format!("{named}.{key}");
            assert!(ended.err.contains(&named), "{named} in {}", ended.err);
        }
        assert_eq!(front.actions(), Vec::<String>::new(), "nobody was asked");
        let meant = file["event_sources"]["aws_queue"][key].as_str().expect("a text");
        let said = configured(&file, &["--dry-run", &format!("--{key}"), meant]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
}
