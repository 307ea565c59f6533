//! What an instance's tags have against a stop (S8). Whose tags these are, and how old, is the caller's business.

use crate::obstacle::Obstacle;
use crate::policy::Policy;
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// What these tags have against a stop. Asked at the decision and again before the stop.
#[must_use]
pub fn tag_obstacles(policy: &Policy, tags: &BTreeMap<String, String>) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if tags.contains_key(&policy.opt_out_tag) {
        obstacles.push(Obstacle::OptedOut {
            tag: policy.opt_out_tag.clone(),
        });
    }
    if let Some(tag) = &policy.opt_in_tag
        && !tags.get(tag).is_some_and(|value| means_yes(value))
    {
        obstacles.push(Obstacle::NotOptedIn { tag: tag.clone() });
    }
    obstacles
}

/// Any value but the ones with which people say no.
fn means_yes(value: &str) -> bool {
    let value = value.trim();
    !["", "0", "no", "false"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no))
}
