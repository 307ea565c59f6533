//! What plugins say as opinions, and what happens to votes as lines of the log.

use crate::{line::PluginOpinion, tally::Remark, votes::Opinion};
use snooze_schemas::{VoterName, verdict::VoteState};

/// The longest piece of evidence of a plugin, in bytes; a longer one is left out.
const EVIDENCE_LIMIT: usize = 512;

/// A plugin's answer as an opinion, its details as evidence.
pub(crate) fn opinion_of(said: PluginOpinion) -> Opinion {
    let (vote, default) = if said.is_idle {
        (VoteState::Idle, "idle")
    } else {
        (VoteState::Busy, "busy")
    };
    let reason = if said.reason.is_empty() {
        default.to_owned()
    } else {
        said.reason
    };
    let opinion = Opinion::new(vote, reason);
    said.details
        .into_iter()
        .filter(|(name, value)| name.len() <= 64 && is_small(value))
        .fold(opinion, |opinion, (name, value)| opinion.with(&name, value))
}

/// A verdict has to fit into a message beside those of all other plugins.
fn is_small(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.len() <= EVIDENCE_LIMIT,
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            value.to_string().len() <= EVIDENCE_LIMIT
        }
        _ => true,
    }
}

pub(super) fn log(remarks: Vec<Remark>) {
    for remark in remarks {
        match remark {
            Remark::Objected(why) => {
                tracing::warn!(why, "samples are not built upon; nothing counts as idle");
            }
            Remark::Jumped(jump) => {
                tracing::info!(%jump, "every run of idleness breaks, and boot grace begins again");
            }
            Remark::Changed(voters) => {
                let voters = voters.iter().map(VoterName::as_str).collect::<Vec<_>>().join(" ");
                tracing::info!(
                    voters,
                    "voters came, went or changed; every run of idleness breaks"
                );
            }
        }
    }
}
