//! Reading `autoscaling/target-lifecycle-state`: whether the instance is to leave its group's service.
//!
//! Nothing is remembered beyond how it was to leave last; an answer that cannot be read changes nothing.

use super::{field::Unreadable, identity::Identity, notice};
use crate::{
    happening::{Happening, State},
    source::aws,
};
use serde_json::Value;

/// Where the target state is. 404 outside of a group, and before its first transition.
pub(super) const PATH: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";

/// How the instance was to leave.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    leaving: Option<&'static str>,
}

impl Lifecycle {
    /// Reads an answer; none is a 404, which says nothing about where the instance goes.
    pub(super) fn read(
        &mut self,
        answer: Option<&[u8]>,
        identity: Option<&Identity>,
    ) -> Result<Option<Happening>, Unreadable> {
        let Some(answer) = answer else {
            return Ok(None);
        };
        let target = str::from_utf8(answer.trim_ascii()).unwrap_or_default();
        let leaving = aws::leaving(target);
        // A state that nobody knows is neither a way to leave nor the end of one.
        if leaving.is_none() && !["InService", "Standby", "Detached"].contains(&target) {
            return Err(Unreadable::new(
                "it is no target state of Auto Scaling that is known",
            ));
        }
        let before = std::mem::replace(&mut self.leaving, leaving);
        let (occurrence, state) = match (before, leaving) {
            (before, Some(leaving)) if before != Some(leaving) => (leaving, State::Raised),
            (Some(before), None) => (before, State::Cancelled),
            _ => return Ok(None),
        };
        let mut happening = notice("cloud.autoscaling.scale", occurrence, state, identity);
        happening.data.insert("target".to_owned(), Value::from(target));
        Ok(Some(happening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lifecycle: &mut Lifecycle, answer: &str) -> Option<(String, State)> {
        let happening = lifecycle
            .read(Some(answer.as_bytes()), None)
            .expect("a known state")?;
        assert_eq!(happening.data["target"], answer.trim());
        Some((happening.occurrence, happening.state))
    }

    #[test]
    fn e1_each_way_to_leave_is_one_happening_however_often_it_is_read() {
        for target in [
            "Terminated",
            "Stopped",
            "Hibernated",
            "Warmed:Terminated",
            "Warmed:Stopped",
            "Warmed:Hibernated",
            "Warmed:Running",
        ] {
            let mut lifecycle = Lifecycle::default();
            assert_eq!(read(&mut lifecycle, "InService"), None);
            let (_, state) = read(&mut lifecycle, target).expect(target);
            assert_eq!(state, State::Raised);
            assert_eq!(read(&mut lifecycle, &format!("{target}\n")), None);
            assert_eq!(lifecycle.read(None, None), Ok(None));
            assert_eq!(read(&mut lifecycle, target), None);
        }
    }

    #[test]
    fn an_instance_that_is_to_stay_after_all_is_a_cancelled_happening() {
        let mut lifecycle = Lifecycle::default();
        let (occurrence, _) = read(&mut lifecycle, "Warmed:Stopped").expect("it leaves");
        assert_eq!(
            read(&mut lifecycle, "InService"),
            Some((occurrence, State::Cancelled))
        );
        assert_eq!(read(&mut lifecycle, "InService"), None);
    }

    #[test]
    fn a_state_that_nobody_knows_changes_nothing() {
        let mut lifecycle = Lifecycle::default();
        read(&mut lifecycle, "Terminated").expect("it leaves");
        for answer in ["", "terminated", "InServic", "Terminated InService", "\u{0}"] {
            assert!(lifecycle.read(Some(answer.as_bytes()), None).is_err(), "{answer}");
        }
        assert!(lifecycle.read(Some(&[0xff, 0xfe]), None).is_err());
        assert_eq!(read(&mut lifecycle, "Terminated"), None);
    }
}
