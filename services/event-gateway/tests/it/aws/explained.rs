//! What keeps a set-up from going on is told so that a person can mend it.

use super::found::*;
use serde_json::json;
use snooze_event_gateway::aws::setup::SetupError;
use snooze_service_runtime::Exit;
use snooze_test_harness::{AwsFront, FrontAnswer, MotoServer};

#[tokio::test]
async fn who_is_denied_is_told_which_call_and_which_permission() {
    let moto = MotoServer::start().await;
    let denials = [
        ("AmazonSQS.GetQueueUrl", "AccessDenied", "sqs:GetQueueUrl"),
        (
            "AmazonSQS.CreateQueue",
            "AccessDeniedException",
            "sqs:CreateQueue with sqs:TagQueue",
        ),
        ("AmazonSQS.ListQueueTags", "AccessDenied", "sqs:ListQueueTags"),
        (
            "AmazonSQS.GetQueueAttributes",
            "AccessDenied",
            "sqs:GetQueueAttributes",
        ),
        (
            "AWSEvents.DescribeRule",
            "AccessDeniedException",
            "events:DescribeRule",
        ),
        (
            "AWSEvents.PutRule",
            "AccessDeniedException",
            "events:PutRule with events:TagResource",
        ),
        (
            "AWSEvents.ListTargetsByRule",
            "AccessDeniedException",
            "events:ListTargetsByRule",
        ),
        (
            "AWSEvents.PutTargets",
            "AccessDeniedException",
            "events:PutTargets",
        ),
    ];
    for (number, (action, code, permission)) in denials.into_iter().enumerate() {
        let front = AwsFront::before(moto.address()).await;
        let said = json!({"__type": code, "message": "User x is not authorized to perform this"});
        front.always(
            action,
            FrontAnswer::Status(if action.contains("SQS") { 403 } else { 400 }, said),
        );
        let (_, ended) = try_set_up(&setup(&front.url(), &format!("n{number}"))).await;
        let error = ended.expect_err("it is denied");
        assert_eq!(error.exit(), Exit::Refused, "{action}: {error}");
        let text = error.to_string();
        let call = action.rsplit('.').next().expect("a name");
        for part in [call, permission, &format!("n{number}"), "is not authorized"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn a_name_that_aws_holds_back_for_a_minute_is_explained() {
    let moto = MotoServer::start().await;
    let front = AwsFront::before(moto.address()).await;
    let said = json!({"__type": "com.amazonaws.sqs#QueueDeletedRecently", "message": "wait 60 seconds"});
    front.answer("AmazonSQS.CreateQueue", FrontAnswer::Status(400, said));
    let (_, ended) = try_set_up(&setup(&front.url(), "cs")).await;
    assert!(
        matches!(ended, Err(SetupError::DeletedRecently { .. })),
        "{ended:?}"
    );
}
