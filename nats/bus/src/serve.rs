//! Handling many messages at once, within a bound.
//!
//! A handler is never awaited inside the receive loop, so that a slow one delays nobody; and what comes
//! when all hands are full is turned away at once, with an answer that says so.

use crate::subscription::{Delivery, Subscription};
use snooze_schemas::{ErrorCode, Refusal, reply::Empty};
use std::{future::Future, time::Duration};
use tokio::task::JoinSet;

/// Refusals on their way at once; they take no hand from those who work. What comes while even these are
/// out, as in a flood with the connection away, is only counted.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// Handles what a subscription delivers, at most `limit` messages at a time, until `stop` is done or the
/// connection is closed; then lets what is in flight end within `grace`.
///
/// What comes beyond the limit is turned away with an answer, within a bound of its own.
///
/// A handler that panics is logged and takes nothing else down: its asker runs into a time-out.
pub async fn serve<H, F>(
    mut subscription: Subscription,
    limit: usize,
    grace: Duration,
    stop: impl Future<Output = ()>,
    handler: H,
) where
    H: Fn(Delivery) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut turned_away = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        // Cancelling any branch loses nothing: deliveries and ended handlers stay where they are.
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = running.join_next() => note(ended),
            Some(ended) = turned_away.join_next() => note(ended),
            delivery = subscription.next() => match delivery {
                None => break,
                Some(delivery) if running.len() < limit => {
                    let span = delivery.span();
                    running.spawn(tracing::Instrument::instrument(handler(delivery), span));
                }
                Some(delivery) => {
                    subscription.count_overload();
                    if turned_away.len() < TURNED_AWAY_AT_ONCE {
                        turned_away.spawn(turn_away(delivery));
                    }
                }
            },
        }
    }
    drop(subscription);
    let drained = async {
        while let Some(ended) = running.join_next().await {
            note(ended);
        }
        while let Some(ended) = turned_away.join_next().await {
            note(ended);
        }
    };
    if tokio::time::timeout(grace, drained).await.is_err() {
        tracing::warn!("handlers were still running when the grace was over");
    }
}

async fn turn_away(delivery: Delivery) {
    let refusal = Refusal::new(
        ErrorCode::RateLimited,
        "too many requests are being handled; ask again later",
    );
    if let Err(cause) = delivery.answer::<Empty>(Err(refusal)).await {
        tracing::debug!(%cause, "a request was turned away without an answer");
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(cause) = ended {
        tracing::error!(%cause, "a handler ended without finishing");
    }
}
