//! Reading `spot/instance-action` and `events/recommendations/rebalance`: one of each in a launch.
//!
//! Nothing is remembered beyond what was read last; an answer that cannot be read changes nothing.

use super::{
    field::{Unreadable, object, text, time},
    identity::Identity,
    notice,
};
use crate::happening::{Happening, State};
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;

/// Where the interruption is announced. 404 while there is none.
pub(super) const INTERRUPT_PATH: &str = "/latest/meta-data/spot/instance-action";
/// Where the recommendation to leave is. 404 while there is none.
pub(super) const REBALANCE_PATH: &str = "/latest/meta-data/events/recommendations/rebalance";

/// What the answer says that was not known before.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// What was known before.
    Nothing,
    /// It is announced.
    Announced(Box<Happening>),
    /// It is the one that was announced, to another time or with another action.
    Altered {
        /// What the service says now.
        action: String,
        /// When.
        time: Timestamp,
    },
    /// It was announced, and is not any more.
    Withdrawn,
}

/// What was announced last.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    announced: Option<(String, Timestamp)>,
}

impl Interrupt {
    /// Reads an answer; none is a 404.
    pub(super) fn read(
        &mut self,
        answer: Option<&[u8]>,
        now: Timestamp,
        identity: Option<&Identity>,
    ) -> Result<Change, Unreadable> {
        let Some(answer) = answer else {
            return Ok(match self.announced.take() {
                Some(_) => Change::Withdrawn,
                None => Change::Nothing,
            });
        };
        let object = object(answer)?;
        let action = text(&object, "action")?;
        // Another one than terminate, stop and hibernate takes the instance away all the same.
        if !is_word(action) {
            return Err(Unreadable::new("action is no word"));
        }
        let time = time(&object, "time")?;
        let said = (action.to_owned(), time);
        let before = self.announced.replace(said.clone());
        if before.as_ref() == Some(&said) {
            return Ok(Change::Nothing);
        }
        if before.is_some() {
            let (action, time) = said;
            return Ok(Change::Altered { action, time });
        }
        let mut happening = notice("cloud.spot.interrupt", "", State::Raised, identity);
        happening.deadline = Some(time);
        let data = &mut happening.data;
        data.insert("action".to_owned(), Value::from(action));
        data.insert("time".to_owned(), Value::from(time.to_string()));
        let remaining = (time.as_second() - now.as_second()).max(0);
        data.insert("timeRemaining".to_owned(), Value::from(remaining));
        Ok(Change::Announced(Box::new(happening)))
    }
}

/// Whether it may be a word of AWS's, also one of later.
fn is_word(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Whether a recommendation was announced.
#[derive(Debug, Default)]
pub(super) struct Rebalance {
    announced: Option<Timestamp>,
}

impl Rebalance {
    /// Reads an answer; none is a 404, which takes nothing back: a recommendation cannot be withdrawn.
    pub(super) fn read(
        &mut self,
        answer: Option<&[u8]>,
        identity: Option<&Identity>,
    ) -> Result<Option<Happening>, Unreadable> {
        let Some(answer) = answer else {
            return Ok(None);
        };
        let time = time(&object(answer)?, "noticeTime")?;
        if self.announced.replace(time).is_some() {
            return Ok(None);
        }
        let mut happening = notice("cloud.spot.rebalance", "", State::Raised, identity);
        happening.happened_at = Some(time);
        let data: &mut Map<String, Value> = &mut happening.data;
        data.insert("noticeTime".to_owned(), Value::from(time.to_string()));
        Ok(Some(happening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00.7Z".parse().expect("a time")
    }

    const NOTICE: &[u8] = br#"{"action": "terminate", "time": "2030-01-01T00:02:00Z"}"#;

    fn announced(change: Change) -> Happening {
        match change {
            Change::Announced(happening) => *happening,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_interruption_has_the_original_keys_and_its_time_as_deadline() {
        let identity = Identity {
            instance_id: "i-0abc".to_owned(),
            instance_type: "m7g.large".to_owned(),
            launch: "2029-12-31T00:00:00Z".to_owned(),
        };
        let change = Interrupt::default().read(Some(NOTICE), now(), Some(&identity));
        let happening = announced(change.expect("a notice"));
        assert_eq!(happening.source, "aws.ec2.metadata-service");
        assert_eq!(happening.occurrence, "");
        assert_eq!(happening.deadline, "2030-01-01T00:02:00Z".parse().ok());
        assert_eq!(
            Value::Object(happening.data),
            serde_json::json!({"action": "terminate", "time": "2030-01-01T00:02:00Z", "timeRemaining": 120,
                "instanceID": "i-0abc", "instanceType": "m7g.large"})
        );
    }

    #[test]
    fn e1_the_notice_repeats_at_every_poll_and_is_one_happening() {
        let mut interrupt = Interrupt::default();
        announced(interrupt.read(Some(NOTICE), now(), None).expect("a notice"));
        for _ in 0..1_000 {
            assert_eq!(interrupt.read(Some(NOTICE), now(), None), Ok(Change::Nothing));
        }
    }

    #[test]
    fn an_action_that_disappears_is_said_once_and_what_comes_then_is_a_notice_again() {
        let mut interrupt = Interrupt::default();
        assert_eq!(interrupt.read(None, now(), None), Ok(Change::Nothing));
        let first = announced(interrupt.read(Some(NOTICE), now(), None).expect("a notice"));
        assert_eq!(interrupt.read(None, now(), None), Ok(Change::Withdrawn));
        assert_eq!(interrupt.read(None, now(), None), Ok(Change::Nothing));
        assert_eq!(
            announced(interrupt.read(Some(NOTICE), now(), None).expect("one")),
            first
        );
    }

    #[test]
    fn an_action_of_a_later_service_takes_the_instance_away_and_what_is_no_word_says_nothing() {
        let told = |action: &str| {
            let answer = format!(r#"{{"action": "{action}", "time": "2030-01-01T00:02:00Z"}}"#);
            Interrupt::default().read(Some(answer.as_bytes()), now(), None)
        };
        assert_eq!(
            announced(told("suspend-to-disk").expect("one")).data["action"],
            "suspend-to-disk"
        );
        for action in ["Terminate now!", "<html>", "é", &"a".repeat(33)] {
            assert!(told(action).is_err(), "{action}");
        }
    }

    #[test]
    fn another_time_is_said_and_is_the_same_happening() {
        let mut interrupt = Interrupt::default();
        announced(interrupt.read(Some(NOTICE), now(), None).expect("a notice"));
        let moved = br#"{"action": "stop", "time": "2030-01-01T00:03:00Z"}"#;
        let change = interrupt.read(Some(moved), now(), None);
        assert!(matches!(change, Ok(Change::Altered { .. })), "{change:?}");
        assert_eq!(interrupt.read(Some(moved), now(), None), Ok(Change::Nothing));
    }

    #[test]
    fn the_time_that_is_left_is_never_negative() {
        let late = br#"{"action": "stop", "time": "2029-12-31T23:59:00Z"}"#;
        let happening = announced(Interrupt::default().read(Some(late), now(), None).expect("one"));
        assert_eq!(happening.data["timeRemaining"], 0);
    }

    #[test]
    fn a_recommendation_is_told_once_with_its_time() {
        let mut rebalance = Rebalance::default();
        let answer = br#"{"noticeTime": "2030-01-01T00:00:00Z"}"#;
        let happening = rebalance
            .read(Some(answer), None)
            .expect("readable")
            .expect("new");
        assert_eq!(happening.data["noticeTime"], "2030-01-01T00:00:00Z");
        assert_eq!(happening.occurrence, "");
        assert_eq!(happening.deadline, None);
        let later = br#"{"noticeTime": "2030-01-01T00:05:00Z"}"#;
        for answer in [Some(&answer[..]), None, Some(&later[..])] {
            assert_eq!(rebalance.read(answer, None), Ok(None));
        }
    }
}
