//! One lane: takes the events of a severity, begins as many as its window holds, and which of them next says `turns`.

use super::{Desk, Lanes, STILL_WORKING, dispatch, turns, turns::Turns, unreadable};
use crate::GatewayError;
use snooze_bus::{EventConsumer, Taken};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tracing::Instrument;

/// For how long there may be no consumer to take from. A server that starts again answers before its streams
/// are there, a big one for many seconds.
const MISSING_FOR: Duration = Duration::from_secs(60);

/// Between two tries to take from a consumer that is not there.
const MISSING_PAUSE: Duration = Duration::from_millis(500);

/// Takes events of one severity and hands them on until shutdown; then lets those in hand end.
pub(crate) async fn lane(
    desk: Desk,
    mut events: EventConsumer,
    lanes: Lanes,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let severity = events.severity();
    let desk = Arc::new(desk);
    let mut begun = JoinSet::new();
    let mut turns = Turns::new();
    let mut missing_since_ms = None;
    let mut still = tokio::time::interval(STILL_WORKING);
    still.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while begun.len() < lanes.room(severity)
            && let Some(taken) = turns.next()
        {
            begin(&desk, taken, &mut begun);
        }
        lanes.say(severity, !begun.is_empty());
        let count = begun.len();
        // Cancelling any branch loses nothing: an event that was not yet given comes again by itself.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = begun.join_next() => note_panic(ended),
            () = lanes.more_than(count, severity), if turns.len() > 0 => {}
            taken = next(&desk, &mut events, &mut missing_since_ms), if turns.len() < turns::AT_MOST => {
                let taken = taken?;
                let (deadline, sequence) = match &taken {
                    Taken::Event(delivery) => (delivery.event().deadline, delivery.sequence()),
                    Taken::Unreadable(unreadable) => (None, unreadable.sequence()),
                };
                turns.push(deadline, sequence, taken);
            }
            _ = still.tick() => keep(&turns).await,
        }
    }
    for taken in turns.into_all() {
        give_back(taken).await;
    }
    while let Some(ended) = begun.join_next().await {
        note_panic(ended);
    }
    Ok(())
}

fn begin(desk: &Arc<Desk>, taken: Taken, begun: &mut JoinSet<()>) {
    let desk = Arc::clone(desk);
    match taken {
        Taken::Event(delivery) => {
            let span = delivery.span();
            begun.spawn(dispatch(desk, delivery).instrument(span));
        }
        Taken::Unreadable(unreadable) => {
            begun.spawn(async move { unreadable::end(&desk, *unreadable).await });
        }
    }
}

/// Keeps what has not begun from other gateways; what cannot be read may be ended twice without harm.
async fn keep(turns: &Turns<Taken>) {
    for taken in turns.iter() {
        if let Taken::Event(delivery) = taken
            && let Err(error) = delivery.working().await
        {
            tracing::debug!(%error, "the server was not told that an event waits here");
        }
    }
}

/// Lets others have at once what will not begin here.
async fn give_back(taken: Taken) {
    let given = match taken {
        Taken::Event(delivery) => delivery.retry_after(Duration::ZERO).await,
        Taken::Unreadable(unreadable) => unreadable.retry_after(Duration::ZERO).await,
    };
    if let Err(error) = given {
        tracing::debug!(%error, "an event was not given back; it comes again");
    }
}

/// The next event; waits a while for a consumer that is not there.
async fn next(
    desk: &Desk,
    events: &mut EventConsumer,
    missing_since_ms: &mut Option<u64>,
) -> Result<Taken, GatewayError> {
    loop {
        let source = match events.next().await {
            Ok(taken) => {
                *missing_since_ms = None;
                return Ok(taken);
            }
            Err(source) => source,
        };
        let now = desk.dead.clocks.boottime_ms();
        let missing_for = now.saturating_sub(*missing_since_ms.get_or_insert(now));
        if !source.is_missing() || Duration::from_millis(missing_for) >= MISSING_FOR {
            let severity = events.severity().into();
            return Err(GatewayError::Consume { severity, source });
        }
        tracing::warn!(
            error = one_line(&source),
            "there is nothing to take events from; tried again"
        );
        tokio::time::sleep(MISSING_PAUSE).await;
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a dispatch ended without finishing; its event comes again");
    }
}
