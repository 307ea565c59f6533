//! The kill switch (S22, L3): a freeze and every commit rewrite the same key, so that one of the two wins
//! cleanly, and a freeze holds until somebody thaws it.

use super::{hold::cut, unavailable};
use crate::context::Context;
use snooze_bus::{Delivery, WriteError};
use snooze_decision::claim::{Frozen, Gate, apply_freeze, apply_thaw};
use snooze_schemas::{
    Refusal,
    audit::AuditKind,
    event::Scope,
    ops::{FreezeRequest, ThawRequest},
    reply::Empty,
};

pub(super) async fn freeze(context: &Context, delivery: &Delivery) -> Result<Empty, Refusal> {
    let request: FreezeRequest = delivery.read()?;
    let frozen = Frozen {
        since: context.now().wall,
        reason: cut(&request.reason),
        by: cut(&request.by),
    };
    let message = format!("Frozen by {}: {}", frozen.by, frozen.reason);
    change(context, |gate| apply_freeze(gate, frozen.clone())).await?;
    tracing::info!(by = frozen.by, reason = frozen.reason, "stopping is frozen");
    context.file(Scope::Fleet, AuditKind::Gate, message).await;
    Ok(Empty {})
}

pub(super) async fn thaw(context: &Context, delivery: &Delivery) -> Result<Empty, Refusal> {
    let request: ThawRequest = delivery.read()?;
    let by = cut(&request.by);
    change(context, apply_thaw).await?;
    tracing::info!(by, "stopping is thawed");
    context
        .file(Scope::Fleet, AuditKind::Gate, format!("Thawed by {by}"))
        .await;
    Ok(Empty {})
}

/// Rewrites the switch until it is written: whoever asked for a freeze is not told to ask again because
/// commits were quicker. The answer's own time limit ends it.
async fn change(context: &Context, change: impl Fn(&Gate) -> Gate) -> Result<(), Refusal> {
    loop {
        let entry = context.store.gate().await.map_err(|error| unavailable(&error))?;
        match context
            .store
            .update_gate(change(&entry.value), entry.revision)
            .await
        {
            Ok(_) => return Ok(()),
            Err(WriteError::Conflict { .. } | WriteError::Ambiguous { .. }) => {}
            Err(error) => return Err(unavailable(&error)),
        }
    }
}
