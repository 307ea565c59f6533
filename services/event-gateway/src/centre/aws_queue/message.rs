//! What becomes of one message: read, filed for each host that it concerns, removed.

use super::{Office, hook, instances::Wanted, queue::Received};
use crate::{
    happening::{Happening, Whose},
    host::filing::{self, Filed},
    source::aws_queue::{self, Notice, Read, Unreadable},
};
use futures_util::future::join_all;
use snooze_schemas::{
    HostId,
    event::{Event, Scope},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};

/// How often a message that cannot be read is left to the queue's redrive policy before it is removed. Policies have
/// three to five; while gateways are being replaced, one of a later version may read it.
const TRIES: u64 = 10;

/// How often is looked whether an instance that comes is enrolled by now; a look costs nothing.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is accounted for.
    Remove,
    /// It comes again by itself.
    Leave,
}

/// Sees one message to its end. When the gateway ends before, whoever asks next has it.
pub(super) async fn see_to(office: Arc<Office>, message: Received, place: OwnedSemaphorePermit) {
    let work = office
        .shutdown
        .run_until_cancelled(settle(&office, &message, place));
    let done = match office.queue.keep_while(&message, work).await {
        Some(End::Remove) => office.queue.remove(&message).await,
        Some(End::Leave) => Ok(()),
        None => office.queue.give_back(&message).await,
    };
    if let Err(error) = done {
        tracing::warn!(%error, message = message.id, "a message comes again, and what was done is known then");
    }
}

async fn settle(office: &Office, message: &Received, place: OwnedSemaphorePermit) -> End {
    let notice = match aws_queue::read(message.body.as_bytes(), office.config.clocks.wall()) {
        Ok(Read::Notice(notice)) => *notice,
        Ok(Read::Nothing(what)) => {
            if let Some(count) = office.nothing.count() {
                tracing::info!(
                    count,
                    what,
                    "messages of the queue are no events, and are removed"
                );
            }
            return End::Remove;
        }
        Err(error) => return refuse(office, message, &error),
    };
    // Who waits for a host holds up nobody else.
    let mut place = Some(place);
    let mut concerned = concerned(office, &notice).await;
    if let (Some(hook), true) = (&notice.hook, concerned.is_empty())
        && hook::is_launch(office, hook)
        && let Ok(_coming) = office.coming.try_acquire()
    {
        place = None;
        concerned = until_enrolled(office, &notice).await;
    }
    if concerned.is_empty()
        && let Some(count) = office.unknown.count()
    {
        let instance = notice.about.first().map(|(instance, _)| instance);
        tracing::info!(
            count,
            instance,
            "events are about instances that the roster does not know, and are not filed"
        );
    }
    let events = file(office, concerned).await;
    if let (Some(hook), false) = (&notice.hook, events.is_empty()) {
        let waiting = office.waiting.acquire().await;
        drop(place);
        hook::answer(office, hook, &events).await;
        drop(waiting);
    }
    End::Remove
}

/// What happened to each host that the roster knows.
async fn concerned(office: &Office, notice: &Notice) -> Vec<(Whose, Happening)> {
    let mut concerned = Vec::new();
    for (instance, happening) in &notice.about {
        let wanted = Wanted {
            account: notice.account.as_deref(),
            region: notice.region.as_deref(),
            instance,
            otherwise: &notice.id,
        };
        let hosts = office.instances.of(wanted).await.into_iter();
        concerned.extend(hosts.map(|whose| (whose, happening.clone())));
    }
    concerned
}

/// The same of an instance that is being launched, whose host may be enrolled while its hook waits. It is waited for as
/// long as for a host that is away; the hook's own time goes on.
async fn until_enrolled(office: &Office, notice: &Notice) -> Vec<(Whose, Happening)> {
    let begun = office.config.clocks.boottime_ms();
    let patience = u64::try_from(office.config.patience.as_millis()).unwrap_or(u64::MAX);
    loop {
        let waited = office.config.clocks.boottime_ms().saturating_sub(begun);
        let concerned = concerned(office, notice).await;
        if !concerned.is_empty() || waited >= patience {
            return concerned;
        }
        sleep(LOOK).await;
    }
}

/// Files what happened to each host, and says which events those are; waits for the broker.
async fn file(office: &Office, concerned: Vec<(Whose, Happening)>) -> Vec<(HostId, Event)> {
    let event = |(whose, happening): (Whose, Happening)| {
        let event = happening.into_event(&whose, office.config.clocks.wall());
        (whose.host, event)
    };
    let events: Vec<(HostId, Event)> = concerned.into_iter().map(event).collect();
    let filing = events.iter().map(async |(host, event)| {
        match filing::file(&office.bus, &office.lanes, event).await {
            Filed::Yes => {
                tracing::info!(event = %event.id, %host, r#type = %event.event_type, "what the queue tells is filed, now or before");
            }
            Filed::Never(why) => {
                tracing::error!(event = %event.id, %host, why, "an event can never be filed, and is not tried again");
            }
        }
    });
    // As many at once as a severity has places.
    join_all(filing).await;
    events
}

fn refuse(office: &Office, message: &Received, error: &Unreadable) -> End {
    let is_over = message.deliveries >= TRIES;
    if let Some(count) = office.unreadable.count() {
        tracing::warn!(
            count,
            %error,
            message = message.id,
            removed = is_over,
            "messages of the queue cannot be read; its redrive policy takes them elsewhere, or they are removed in the end"
        );
    }
    if is_over { End::Remove } else { End::Leave }
}

/// The scope of a host's events.
pub(super) fn scope(host: &HostId) -> Scope {
    Scope::Host(host.clone())
}
