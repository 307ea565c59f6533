//! Ten thousand messages of each kind that nobody should send.

use super::{tests::*, *};
use crate::source::malformed::Random;
use serde_json::json;

const MESSAGES: usize = 10_000;

fn kinds() -> Vec<Value> {
    let entities = json!([{"entityValue": INSTANCE, "status": "PENDING"}]);
    let leaving = action("autoscaling:EC2_INSTANCE_TERMINATING", "EC2");
    vec![
        spot("terminate"),
        state("shutting-down"),
        scheduled("upcoming", &entities),
        event(
            "aws.autoscaling",
            "EC2 Instance-terminate Lifecycle Action",
            &leaving,
        ),
        leaving,
        json!({"Type": "Notification", "TopicArn": "t", "Message": spot("stop").to_string()}),
    ]
}

fn now() -> Timestamp {
    "2030-01-01T00:00:05Z".parse().expect("a time")
}

/// A part of a good message, or noise: never one that can be read, since its end or its beginning is missing.
fn broken(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let noise = |random: &mut Random| u8::try_from(random.below(256)).expect("below 256");
    match random.below(4) {
        0 => whole[..random.below(whole.len())].to_vec(),
        1 => whole[1 + random.below(whole.len() - 1)..].to_vec(),
        // A bracket that is never closed is no JSON, whatever follows.
        2 => (0..random.below(300)).fold(vec![b'['], |mut bytes, _| {
            bytes.push(match noise(random) {
                b']' => b'[',
                byte => byte,
            });
            bytes
        }),
        _ => "[".repeat(1 + random.below(5_000)).into_bytes(),
    }
}

#[test]
fn ten_thousand_broken_messages_of_each_kind_are_refused_with_a_reason() {
    for (seed, whole) in (1_u64..).zip(kinds()) {
        let whole = whole.to_string().into_bytes();
        let good = read(&whole, now());
        assert!(matches!(good, Ok(Read::Notice(_))), "{good:?}");
        let mut random = Random::new(seed);
        for _ in 0..MESSAGES {
            let message = broken(&mut random, &whole);
            let refused = read(&message, now()).expect_err("it is no message");
            assert!(refused.to_string().len() > "the message cannot be read: ".len());
        }
        assert_eq!(read(&whole, now()), good, "what was refused has changed nothing");
    }
}

/// What is changed here and there may still be a message. Then it is one like any other.
#[test]
fn ten_thousand_spoiled_messages_of_each_kind_say_nothing_that_could_not_be_filed() {
    for (seed, whole) in (1_u64..).zip(kinds()) {
        let whole = whole.to_string().into_bytes();
        let mut random = Random::new(seed);
        for _ in 0..MESSAGES {
            let Ok(Read::Notice(notice)) = read(&random.spoil(&whole), now()) else {
                continue;
            };
            assert!(!notice.id.is_empty() && !notice.about.is_empty());
            for (instance, happening) in notice.about {
                assert!(field::is_instance(&instance), "{instance}");
                assert!(snooze_schemas::event::severity_of(&happening.event_type).is_some());
                let bytes = serde_json::to_vec(&happening.data).expect("JSON").len();
                assert!(bytes < snooze_schemas::event::MAX_DATA_BYTES);
            }
        }
    }
}
