//! The host that this very process runs on says so in the roster, so that every executor knows that it is
//! not to be stopped (S25), not only this one.
//!
//! It only ever sets the mark. Taking it away is for an administrator, who knows that the executor has
//! moved.

use crate::{context::Context, perform::chain, store::StoreError};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// Between two attempts to write the mark.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes the mark anew whenever the roster changes: the record may come later, or be written without it.
pub(crate) async fn keep_marked(context: Context, shutdown: CancellationToken) -> Result<(), Infallible> {
    let Some(own) = context.own.clone() else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let mut changes = context.mirror.configuration();
    loop {
        let record = context.mirror.record(&own.host);
        if record.is_some_and(|record| !record.carries_executor) {
            mark(&context, &shutdown).await;
        }
        // Cancelling the wait loses nothing: the newest count is kept.
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            changed = changes.changed() => if changed.is_err() {
                return Ok(());
            }
        }
    }
}

/// Returns once the roster's record says that executor and host are one, or there is no record, which
/// nobody can claim by; or at shutdown.
pub(crate) async fn mark(context: &Context, shutdown: &CancellationToken) {
    loop {
        match try_mark(context).await {
            Ok(()) => return,
            // Somebody else wrote the record, or nobody knows: it is read again.
            Err(error @ (StoreError::Moved | StoreError::Ambiguous)) => {
                tracing::debug!(error = %chain(&error), "the roster's mark is not certain yet");
            }
            Err(error) => {
                tracing::warn!(
                    error = %chain(&error),
                    "the roster could not be told that an executor runs on its own host"
                );
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn try_mark(context: &Context) -> Result<(), StoreError> {
    let Some(own) = &context.own else {
        return Ok(());
    };
    let Some((revision, mut record)) = context.store.roster(&own.host).await? else {
        return Ok(());
    };
    if record.carries_executor {
        return Ok(());
    }
    record.carries_executor = true;
    context.store.update_roster(&own.host, &record, revision).await?;
    tracing::info!(host = %own.host, "the roster says now that an executor runs on this host");
    Ok(())
}
