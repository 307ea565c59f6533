//! What was made is removed, and nothing else.

use super::found::*;
use serde_json::json;
use snooze_event_gateway::aws::setup::Outcome;
use snooze_test_harness::{AwsFront, FrontAnswer, MotoServer};

#[tokio::test]
async fn all_that_was_made_goes_and_what_others_made_stays() {
    let moto = MotoServer::start().await;
    let mine = setup(&moto.url(), "mine");
    set_up(&mine).await;
    set_up(&setup(&moto.url(), "other")).await;
    // Of the same beginning, and not ours.
    let theirs = json!({"QueueName": "mine-events-copy"});
    moto.api(REGION, "AmazonSQS.CreateQueue", &theirs)
        .await
        .expect("makes");
    let pattern = json!({"source": ["x"]}).to_string();
    let theirs = json!({"Name": "mine-own", "EventPattern": pattern});
    moto.api(REGION, "AWSEvents.PutRule", &theirs)
        .await
        .expect("puts");
    let other = all_of(&moto, "other").await;

    let removed = remove(&mine).await;
    assert_eq!(removed.steps.len(), 2 + 2 * RULES.len());
    assert!(
        removed.steps.iter().all(|step| step.outcome == Outcome::Removed),
        "{removed:?}"
    );
    let left = names(&moto).await;
    let of_mine: Vec<&String> = left.iter().filter(|name| name.starts_with("mine")).collect();
    assert_eq!(of_mine, ["mine-events-copy", "mine-own"]);
    assert_eq!(all_of(&moto, "other").await, other);

    let again = remove(&mine).await;
    assert!(
        again
            .steps
            .iter()
            .all(|step| step.outcome == Outcome::WasNotThere),
        "{again:?}"
    );
    assert_eq!(names(&moto).await, left);
}

#[tokio::test]
async fn what_lacks_the_tag_is_kept_and_said_to_be() {
    let moto = MotoServer::start().await;
    let pattern = json!({"source": ["x"]}).to_string();
    let theirs = json!({"Name": "cs-rebalance", "EventPattern": pattern});
    moto.api(REGION, "AWSEvents.PutRule", &theirs)
        .await
        .expect("puts");
    let theirs = json!({"QueueName": "cs-events"});
    moto.api(REGION, "AmazonSQS.CreateQueue", &theirs)
        .await
        .expect("makes");
    let done = remove(&setup(&moto.url(), "cs")).await;
    let kept: Vec<&str> = done
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::Kept)
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(kept, ["cs-rebalance", "cs-events"]);
    assert_eq!(names(&moto).await, ["cs-events", "cs-rebalance"]);
}

#[tokio::test]
async fn a_rule_that_somebody_gave_another_target_is_kept_with_it() {
    let moto = MotoServer::start().await;
    let setup = setup(&moto.url(), "cs");
    set_up(&setup).await;
    let theirs = json!([{"Id": "theirs", "Arn": "arn:aws:sqs:eu-central-1:123456789012:theirs"}]);
    let put = json!({"Rule": "cs-lifecycle", "Targets": theirs});
    moto.api(REGION, "AWSEvents.PutTargets", &put)
        .await
        .expect("puts");
    let done = remove(&setup).await;
    let kept: Vec<String> = done
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::Kept)
        .map(ToString::to_string)
        .collect();
    let expected = "kept: rule cs-lifecycle (it has a target that is not ours, \
        arn:aws:sqs:eu-central-1:123456789012:theirs)";
    assert_eq!(kept, [expected]);
    assert_eq!(rule(&moto, "cs-lifecycle").await["Targets"], theirs);
    assert_eq!(names(&moto).await, ["cs-lifecycle"]);
}

#[tokio::test]
async fn a_removal_that_broke_off_is_finished_by_the_next() {
    let moto = MotoServer::start().await;
    let broken = FrontAnswer::Status(500, json!({"__type": "InternalException", "message": "away"}));
    // The first of its kind, and the last.
    let calls = [
        ("AWSEvents.RemoveTargets", [0, 4]),
        ("AWSEvents.DeleteRule", [0, 4]),
        ("AmazonSQS.DeleteQueue", [0, 1]),
    ];
    for (action, times) in calls {
        for time in times {
            for answer in [broken.clone(), FrontAnswer::Lost] {
                set_up(&setup(&moto.url(), "cs")).await;
                let front = AwsFront::before(moto.address()).await;
                for _ in 0..time {
                    front.answer(action, FrontAnswer::Pass);
                }
                front.answer(action, answer);
                let setup = setup(&front.url(), "cs");
                let mut done = Default::default();
                let error = setup
                    .remove(&mut done)
                    .await
                    .expect_err("it breaks off")
                    .to_string();
                let call = action.rsplit('.').next().expect("a name");
                assert!(error.starts_with(&format!("{call} of the ")), "{error}");
                remove(&setup).await;
                assert_eq!(names(&moto).await, Vec::<String>::new(), "{action} {time}");
            }
        }
    }
}

#[tokio::test]
async fn messages_that_go_with_a_queue_are_counted() {
    let moto = MotoServer::start().await;
    let setup = setup(&moto.url(), "cs");
    set_up(&setup).await;
    let message = json!({"QueueUrl": queue_url(&moto, "cs-events-dead").await, "MessageBody": "x"});
    for _ in 0..3 {
        moto.api(REGION, "AmazonSQS.SendMessage", &message)
            .await
            .expect("sends");
    }
    let done = remove(&setup).await;
    let notes: Vec<String> = done
        .steps
        .iter()
        .filter(|step| step.note.is_some())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        notes,
        ["removed: queue cs-events-dead (with about 3 messages in it)"]
    );
}
