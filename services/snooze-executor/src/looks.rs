//! The hosts that are to be looked at, each at most once: those that said hello, those whose look failed,
//! and, slowly, every enrolled one in turn, so that tags are right in the end (P4).
//!
//! All of them share one pace: a cloud counts the requests of a whole account, stops included. At five looks
//! a second one replica comes to up to three thousand hosts within the ten minutes of a round; where there
//! are more, or many greet at once, a round takes as much longer.
//!
//! It decides when a host is looked at; what is seen and done then is in [`look`](crate::look).

use crate::{
    context::Context,
    look::{Looked, Looker},
};
use snooze_decision::Boot;
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// Hosts looked at at once; a whole fleet greets after the broker was away, and the cloud counts requests.
const AT_ONCE: usize = 64;
/// Hosts that may wait; a hello beyond them is dropped, and the sweep comes to that host.
const WAITING: usize = 100_000;
/// For how long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// For how long looks under way may go on after shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// Between a look that failed and the next; doubled each time.
const AGAIN_MS: u64 = 2_000;
/// How often it is doubled at most: to some four minutes.
const DOUBLINGS: u32 = 7;
/// How often it is seen whether a host is due again.
const TICK: Duration = Duration::from_millis(250);
/// Between two looks in the long run: five a second, for whatever reason a host is looked at.
const EVERY_MS: u64 = 200;
/// So many may begin at once after a lull, so that one host that greets does not wait.
const BURST: u64 = 5;

/// What is to be looked at; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: HashMap<HostId, Due>,
    under_way: HashSet<HostId>,
    pace: Pace,
}

/// When the next look may begin: the generic cell rate algorithm (ITU-T I.371), a token bucket that keeps
/// one time in place of a count.
#[derive(Debug, Default)]
struct Pace {
    /// Up to when the looks that have begun are paid for.
    paid_until: Boot,
}

impl Pace {
    fn may_begin(&mut self, now: Boot) -> bool {
        let paid_until = self.paid_until.max(now);
        let has_room = paid_until.since(now) <= (BURST - 1) * EVERY_MS;
        if has_room {
            self.paid_until = paid_until.plus(EVERY_MS);
        }
        has_room
    }
}

/// Why a host is looked at. What is first here goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// It greeted, or is the first of its account and region.
    #[default]
    Asked,
    /// It is its turn.
    Swept,
}

/// A look that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Due {
    why: Why,
    at: Boot,
    /// The launch generation that the host spoke of.
    pub(crate) launch: Option<String>,
    failures: u32,
}

impl Looks {
    /// Has a host looked at as soon as there is room; one that waits already is looked at once.
    pub(crate) fn ask(&self, host: &HostId, launch: Option<String>, now: Boot) {
        let mut queue = self.lock();
        let launch = launch.or_else(|| queue.waiting.get(host)?.launch.clone());
        if queue.waiting.len() >= WAITING && !queue.waiting.contains_key(host) {
            tracing::warn!(host = %host, "too many hosts wait to be looked at");
            return;
        }
        let due = Due {
            why: Why::Asked,
            at: now,
            launch,
            failures: 0,
        };
        queue.waiting.insert(host.clone(), due);
        drop(queue);
        self.0.more.notify_one();
    }

    /// Has a host looked at in its turn. One that waits, for whatever reason and however long, is left as it
    /// is: a look that failed is not made again any sooner.
    fn sweep(&self, host: &HostId, now: Boot) {
        let mut queue = self.lock();
        if queue.waiting.len() >= WAITING || queue.under_way.contains(host) {
            return;
        }
        queue.waiting.entry(host.clone()).or_insert(Due {
            why: Why::Swept,
            at: now,
            launch: None,
            failures: 0,
        });
        drop(queue);
        self.0.more.notify_one();
    }

    /// The next host that is due and not being looked at already, where the pace allows one.
    fn next(&self, now: Boot) -> Option<(HostId, Due)> {
        let mut queue = self.lock();
        let is_due = |(host, due): &(&HostId, &Due)| due.at <= now && !queue.under_way.contains(*host);
        let due = queue.waiting.iter().filter(is_due);
        let (host, _) = due.min_by_key(|(_, due)| (due.why, due.at))?;
        let host = host.clone();
        if !queue.pace.may_begin(now) {
            return None;
        }
        let due = queue.waiting.remove(&host)?;
        queue.under_way.insert(host.clone());
        Some((host, due))
    }

    /// A look has ended; one that failed is made again later, or sooner where somebody asked for one meanwhile.
    fn ended(&self, host: HostId, due: Due, looked: Looked, now: Boot) {
        let mut queue = self.lock();
        queue.under_way.remove(&host);
        if looked == Looked::Failed {
            let pause_ms = AGAIN_MS << due.failures.min(DOUBLINGS);
            let again = Due {
                why: due.why,
                at: now.plus(pause_ms),
                launch: due.launch,
                failures: due.failures.saturating_add(1),
            };
            match queue.waiting.entry(host) {
                Entry::Vacant(place) => {
                    place.insert(again);
                }
                // What the host said of itself has not been written yet.
                Entry::Occupied(mut asked) if asked.get().launch.is_none() => {
                    asked.get_mut().launch = again.launch;
                }
                Entry::Occupied(_) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every change is one insertion or removal; a panic elsewhere leaves the queue whole.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at hosts until shutdown.
pub(crate) async fn run(
    looks: Looks,
    context: Context,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let looker = Looker::new(context.clone());
    let mut under_way: JoinSet<()> = JoinSet::new();
    loop {
        // A look needs policies; what greets meanwhile waits.
        while context.mirror.is_ready()
            && under_way.len() < AT_ONCE
            && let Some((host, due)) = looks.next(context.now().boot)
        {
            let (looks, looker, context) = (looks.clone(), looker.clone(), context.clone());
            under_way.spawn(async move {
                let looked = one(&looker, &host, &due).await;
                looks.ended(host, due, looked, context.now().boot);
            });
        }
        // Cancelling any branch loses nothing: hosts stay in the queue, ended looks in the set.
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = under_way.join_next() => note(ended),
            () = looks.0.more.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
    let drained = async {
        while let Some(ended) = under_way.join_next().await {
            note(ended);
        }
    };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::debug!("hosts were still looked at when the grace was over");
    }
    Ok(())
}

async fn one(looker: &Looker, host: &HostId, due: &Due) -> Looked {
    let reason = match tokio::time::timeout(LOOK_WITHIN, looker.look(host, due.launch.as_deref())).await {
        Ok(Ok(())) => return Looked::Done,
        Ok(Err(reason)) => reason,
        Err(_) => format!("it took longer than {} s", LOOK_WITHIN.as_secs()),
    };
    // Each failure at first, then ever fewer.
    if (due.failures + 1).is_power_of_two() {
        let failures = due.failures + 1;
        tracing::warn!(host = %host, reason, failures, "a host could not be looked at; it is tried again");
    }
    Looked::Failed
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a look at a host ended without finishing");
    }
}

/// Has every enrolled host looked at once within `every`, one after the other and no faster than the pace
/// allows; at first one of each account and region, so that a missing permission is known at once.
pub(crate) async fn sweep(
    context: Context,
    looks: Looks,
    every: Duration,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        () = context.mirror.ready() => {}
    }
    for host in one_of_each_place(&context) {
        looks.ask(&host, None, context.now().boot);
    }
    let mut round: VecDeque<HostId> = VecDeque::new();
    let mut pause = every;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        if round.is_empty() {
            round = context.mirror.hosts().into();
            let hosts = u32::try_from(round.len()).unwrap_or(u32::MAX).max(1);
            pause = (every / hosts).max(Duration::from_millis(EVERY_MS));
        }
        if let Some(host) = round.pop_front() {
            looks.sweep(&host, context.now().boot);
        }
    }
}

fn one_of_each_place(context: &Context) -> Vec<HostId> {
    let mut places = HashSet::new();
    let mut hosts = context.mirror.hosts();
    hosts.retain(|host| {
        let record = context.mirror.record(host);
        record.is_some_and(|record| {
            places.insert((record.provider, record.account.clone(), record.region.clone()))
        })
    });
    hosts
}

#[cfg(test)]
mod tests;
