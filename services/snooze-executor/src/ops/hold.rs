//! Leases and postponements: what keeps a host awake for a time. Both always expire, and both take back a
//! claim that is not committed, in the same write (P5).

use super::{change, refused};
use crate::context::Context;
use snooze_bus::Delivery;
use snooze_decision::{
    claim::{Lease, Postponement, apply_lease, apply_postponement},
    explain::duration,
};
use snooze_schemas::{
    ErrorCode, Refusal,
    audit::AuditKind,
    event::Scope,
    ops::{LeaseRequest, MAX_REASON_CHARS, PostponeRequest},
    reply::Empty,
};

/// Names of leases, as people and plugins make them up.
const ID_LIMIT: usize = 64;

pub(super) async fn lease(context: &Context, delivery: &Delivery) -> Result<Empty, Refusal> {
    let request: LeaseRequest = delivery.read()?;
    if request.id.is_empty() || request.id.chars().count() > ID_LIMIT {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "the id of a lease has 1 to 64 characters",
        ));
    }
    let now = context.now().wall;
    let lease = Lease {
        id: request.id,
        until: now.plus(request.duration_ms),
        reason: cut(&request.reason),
        holder: cut(&request.holder),
    };
    let message = format!(
        "{} keeps it awake for {}: {}",
        lease.holder,
        duration(request.duration_ms),
        lease.reason
    );
    change(context, &request.host, |entry| {
        apply_lease(entry, lease.clone(), now).map_err(|error| refused(&error))
    })
    .await?;
    context
        .file(Scope::Host(request.host), AuditKind::Lease, message)
        .await;
    Ok(Empty {})
}

pub(super) async fn postpone(context: &Context, delivery: &Delivery) -> Result<Empty, Refusal> {
    let request: PostponeRequest = delivery.read()?;
    let now = context.now().wall;
    let postponement = Postponement {
        until: now.plus(request.duration_ms),
        reason: cut(&request.reason),
    };
    let message = format!(
        "Postponed for {}: {}",
        duration(request.duration_ms),
        postponement.reason
    );
    change(context, &request.host, |entry| {
        apply_postponement(entry, postponement.clone(), now).map_err(|error| refused(&error))
    })
    .await?;
    context
        .file(Scope::Host(request.host), AuditKind::Lease, message)
        .await;
    Ok(Empty {})
}

/// A text that is kept, cut to its limit.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_REASON_CHARS).collect()
}
