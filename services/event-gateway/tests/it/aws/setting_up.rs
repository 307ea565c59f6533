//! The queue and the rules are made once, and completed by whoever comes next.

use super::found::*;
use serde_json::{Value, json};
use snooze_event_gateway::aws::setup::{Effect, Outcome, SetupError};
use snooze_test_harness::{AwsFront, FrontAnswer, MotoServer};

#[tokio::test]
async fn what_is_missing_is_made_and_told_thing_by_thing() {
    let moto = MotoServer::start().await;
    let done = set_up(&setup(&moto.url(), "cs")).await;
    assert_eq!(done.steps.len(), 2 + 2 * RULES.len());
    assert!(
        done.steps.iter().all(|step| step.outcome == Outcome::Made),
        "{done:?}"
    );
    assert_eq!(done.queue_url, Some(queue_url(&moto, "cs-events").await));

    let dead = attributes(&moto, "cs-events-dead").await;
    assert_eq!(dead["MessageRetentionPeriod"], "1209600");
    let queue = attributes(&moto, "cs-events").await;
    assert_eq!(queue["ReceiveMessageWaitTimeSeconds"], "20", "long polling");
    assert_eq!(queue["MessageRetentionPeriod"], "345600");
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], dead["QueueArn"]);
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], 100);
    let mut arns = Vec::new();
    for ending in RULES {
        let rule = rule(&moto, &format!("cs-{ending}")).await;
        assert_eq!(rule["State"], "ENABLED");
        assert_eq!(rule["Tags"], json!([{"Key": "cloudsnooze", "Value": "cs"}]));
        assert_eq!(
            rule["Targets"],
            json!([{"Id": "cs-events", "Arn": queue["QueueArn"]}])
        );
        arns.push(rule["Arn"].clone());
    }
    let [statement] = queue["Policy"]["Statement"]
        .as_array()
        .expect("a list")
        .as_slice()
    else {
        panic!("one statement: {queue}");
    };
    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(statement["Action"], "sqs:SendMessage");
    assert_eq!(statement["Resource"], queue["QueueArn"]);
    let condition =
        json!({"ArnEquals": {"aws:SourceArn": arns}, "StringEquals": {"aws:SourceAccount": ACCOUNT}});
    assert_eq!(
        statement["Condition"], condition,
        "these rules of this account, and nothing else"
    );
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let moto = MotoServer::start().await;
    let first = set_up(&setup(&moto.url(), "cs")).await;
    let before = all_of(&moto, "cs").await;
    let front = AwsFront::before(moto.address()).await;
    let second = set_up(&setup(&front.url(), "cs")).await;
    assert_eq!(changed(&second), []);
    assert_eq!(second.steps.len(), first.steps.len());
    let actions = front.actions();
    assert!(
        actions.iter().all(|action| !CHANGES.contains(&action.as_str())),
        "{actions:?}"
    );
    assert_eq!(all_of(&moto, "cs").await, before);
}

#[tokio::test]
async fn a_run_that_broke_off_at_any_call_is_finished_by_the_next() {
    let moto = MotoServer::start().await;
    set_up(&setup(&moto.url(), "whole")).await;
    let whole = all_of(&moto, "whole").await;
    let broken = FrontAnswer::Status(500, json!({"__type": "InternalException", "message": "away"}));
    // The first of its kind, and the last.
    let calls = [
        ("AmazonSQS.CreateQueue", [0, 1]),
        ("AWSEvents.PutRule", [0, 4]),
        ("AWSEvents.PutTargets", [0, 4]),
    ];
    for (number, (action, times)) in calls.into_iter().enumerate() {
        for time in times {
            // Refused, and done without an answer.
            for (kind, answer) in [("refused", broken.clone()), ("lost", FrontAnswer::Lost)] {
                let name = format!("{kind}-{number}-{time}");
                let front = AwsFront::before(moto.address()).await;
                for _ in 0..time {
                    front.answer(action, FrontAnswer::Pass);
                }
                front.answer(action, answer);
                let setup = setup(&front.url(), &name);
                let (done, ended) = try_set_up(&setup).await;
                let error = ended.expect_err("it breaks off").to_string();
                let call = action.rsplit('.').next().expect("a name");
                assert!(error.starts_with(&format!("{call} of the ")), "{error}");
                assert!(
                    error.contains(&name) && error.contains(REGION),
                    "on what, and where: {error}"
                );
                assert!(
                    done.steps.iter().all(|step| step.outcome == Outcome::Made),
                    "{done:?}"
                );
                assert!(done.steps.len() < set_up(&setup).await.steps.len());
                assert_eq!(all_of(&moto, &name).await, whole, "{action} {time} {kind}");
            }
        }
    }
}

#[tokio::test]
async fn what_differs_is_mended_and_what_others_let_send_stays() {
    let moto = MotoServer::start().await;
    let setup = setup(&moto.url(), "cs");
    set_up(&setup).await;
    let mut queue = attributes(&moto, "cs-events").await;
    let theirs = json!({"Sid": "Topic", "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}});
    let statements = queue["Policy"]["Statement"].as_array_mut().expect("a list");
    statements.insert(0, theirs.clone());
    let changes = json!({
        "VisibilityTimeout": "5", "Policy": queue["Policy"].to_string(), "ReceiveMessageWaitTimeSeconds": "0",
        "RedrivePolicy": queue["RedrivePolicy"].to_string(),
    });
    set_attributes(&moto, "cs-events", &changes).await;
    let disabled = json!({"Name": "cs-rebalance"});
    moto.api(REGION, "AWSEvents.DisableRule", &disabled)
        .await
        .expect("disables");
    let removed = json!({"Rule": "cs-lifecycle", "Ids": ["cs-events"]});
    moto.api(REGION, "AWSEvents.RemoveTargets", &removed)
        .await
        .expect("removes");
    let elsewhere = json!({"Rule": "cs-scheduled-change", "Targets": [
        {"Id": "cs-events", "Arn": "arn:aws:sqs:eu-central-1:123456789012:elsewhere"},
        {"Id": "theirs", "Arn": "arn:aws:sqs:eu-central-1:123456789012:theirs"},
    ]});
    moto.api(REGION, "AWSEvents.PutTargets", &elsewhere)
        .await
        .expect("puts");

    let done = set_up(&setup).await;
    let expected = [
        ("cs-events", Outcome::Changed),
        ("cs-rebalance", Outcome::Changed),
        ("cs-scheduled-change -> cs-events", Outcome::Changed),
        ("cs-lifecycle -> cs-events", Outcome::Made),
    ];
    assert_eq!(changed(&done), expected);
    let note = done.steps.iter().find_map(|step| step.note.as_deref());
    assert_eq!(note, Some("ReceiveMessageWaitTimeSeconds, VisibilityTimeout"));
    let queue = attributes(&moto, "cs-events").await;
    assert_eq!(
        (
            &queue["VisibilityTimeout"],
            &queue["ReceiveMessageWaitTimeSeconds"]
        ),
        (&json!("60"), &json!("20"))
    );
    assert_eq!(queue["Policy"]["Statement"].as_array().map(Vec::len), Some(2));
    assert_eq!(queue["Policy"]["Statement"][0], theirs);
    assert_eq!(rule(&moto, "cs-rebalance").await["State"], "ENABLED");
    let targets = rule(&moto, "cs-scheduled-change").await["Targets"].take();
    assert_eq!(targets[0]["Arn"], queue["QueueArn"]);
    assert_eq!(targets[1]["Id"], "theirs");
    assert_eq!(changed(&set_up(&setup).await), []);
}

#[tokio::test]
async fn what_is_not_its_own_is_not_touched() {
    let moto = MotoServer::start().await;
    let theirs = json!({"QueueName": "cs-events", "Attributes": {"VisibilityTimeout": "7"}});
    moto.api(REGION, "AmazonSQS.CreateQueue", &theirs)
        .await
        .expect("makes");
    let before = attributes(&moto, "cs-events").await;
    let (_, ended) = try_set_up(&setup(&moto.url(), "cs")).await;
    let error = ended.expect_err("it is not ours");
    assert!(
        matches!(error, SetupError::Foreign { kind: "queue", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("cloudsnooze=cs"), "{error}");
    assert_eq!(attributes(&moto, "cs-events").await, before);

    // Another set-up's is not ours either.
    let pattern = json!({"source": ["x"]}).to_string();
    let tags = json!([{"Key": "cloudsnooze", "Value": "another"}]);
    let theirs = json!({"Name": "b-rebalance", "EventPattern": pattern, "Tags": tags});
    moto.api(REGION, "AWSEvents.PutRule", &theirs)
        .await
        .expect("puts");
    let before = rule(&moto, "b-rebalance").await;
    let (_, ended) = try_set_up(&setup(&moto.url(), "b")).await;
    assert!(
        matches!(ended, Err(SetupError::Foreign { kind: "rule", .. })),
        "{ended:?}"
    );
    assert_eq!(rule(&moto, "b-rebalance").await, before);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let moto = MotoServer::start().await;
    let front = AwsFront::before(moto.address()).await;
    let mut dry = setup(&front.url(), "cs");
    dry.effect = Effect::DryRun;
    let told = set_up(&dry).await;
    assert_eq!(told.steps.len(), 2 + 2 * RULES.len());
    assert!(
        told.steps
            .iter()
            .all(|step| step.outcome == Outcome::Made && step.dry_run)
    );
    assert_eq!(names(&moto).await, Vec::<String>::new());

    set_up(&setup(&moto.url(), "cs")).await;
    moto.api(REGION, "AWSEvents.DisableRule", &json!({"Name": "cs-lifecycle"}))
        .await
        .expect("disables");
    let before = all_of(&moto, "cs").await;
    assert_eq!(changed(&set_up(&dry).await), [("cs-lifecycle", Outcome::Changed)]);
    let removed = remove(&dry).await;
    assert!(
        removed
            .steps
            .iter()
            .all(|step| step.outcome == Outcome::Removed && step.dry_run)
    );
    assert_eq!(all_of(&moto, "cs").await, before);

    // Half of it is gone.
    for name in ["cs-events", "cs-events-dead"] {
        let gone = json!({"QueueUrl": queue_url(&moto, name).await});
        moto.api(REGION, "AmazonSQS.DeleteQueue", &gone)
            .await
            .expect("deletes");
    }
    let told = set_up(&dry).await;
    let expected = [
        ("cs-events-dead", Outcome::Made),
        ("cs-events", Outcome::Made),
        ("cs-lifecycle", Outcome::Changed),
    ];
    assert_eq!(changed(&told), expected);
    let actions = front.actions();
    assert!(
        actions.iter().all(|action| !CHANGES.contains(&action.as_str())),
        "{actions:?}"
    );
}

#[tokio::test]
async fn rules_of_another_event_bus_are_made_there_once_it_is_there() {
    let moto = MotoServer::start().await;
    let mut setup = setup(&moto.url(), "cs");
    setup.event_bus = "own".to_owned();
    let (done, ended) = try_set_up(&setup).await;
    assert!(matches!(ended, Err(SetupError::NoEventBus { .. })), "{ended:?}");
    assert_eq!(done.steps, []);
    moto.api(REGION, "AWSEvents.CreateEventBus", &json!({"Name": "own"}))
        .await
        .expect("makes");
    set_up(&setup).await;
    assert_eq!(changed(&set_up(&setup).await), []);
    let listed = json!({"EventBusName": "own"});
    let rules = moto
        .api(REGION, "AWSEvents.ListRules", &listed)
        .await
        .expect("lists");
    assert_eq!(rules["Rules"].as_array().map(Vec::len), Some(RULES.len()));
    let policy = attributes(&moto, "cs-events").await["Policy"]["Statement"][0]["Condition"].take();
    let arns: Vec<Value> = rules["Rules"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rule| rule["Arn"].clone())
        .collect();
    let allowed = policy["ArnEquals"]["aws:SourceArn"].as_array().expect("a list");
    assert!(
        arns.iter().all(|arn| allowed.contains(arn)),
        "{allowed:?} {arns:?}"
    );
}
