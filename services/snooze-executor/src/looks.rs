//! The hosts that are to be looked at, each at most once: those that said hello, those whose look failed,
//! and, slowly, every enrolled one in turn, so that tags are right in the end (P4).
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
    collections::{HashMap, HashSet, VecDeque},
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
/// The sweep asks a cloud for no more than five hosts a second, however many there are.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

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
}

/// A look that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Due {
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
            at: now,
            launch,
            failures: 0,
        };
        queue.waiting.insert(host.clone(), due);
        drop(queue);
        self.0.more.notify_one();
    }

    /// The next host that is due and not being looked at already.
    fn next(&self, now: Boot) -> Option<(HostId, Due)> {
        let mut queue = self.lock();
        let is_due = |(host, due): &(&HostId, &Due)| due.at <= now && !queue.under_way.contains(*host);
        let (host, _) = queue.waiting.iter().find(is_due)?;
        let host = host.clone();
        let due = queue.waiting.remove(&host)?;
        queue.under_way.insert(host.clone());
        Some((host, due))
    }

    /// A look has ended; one that failed is made again later, unless somebody asked for one meanwhile.
    fn ended(&self, host: HostId, due: Due, looked: Looked, now: Boot) {
        let mut queue = self.lock();
        queue.under_way.remove(&host);
        if looked == Looked::Failed {
            let pause_ms = AGAIN_MS << due.failures.min(DOUBLINGS);
            let again = Due {
                at: now.plus(pause_ms),
                launch: due.launch,
                failures: due.failures.saturating_add(1),
            };
            queue.waiting.entry(host).or_insert(again);
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

/// Has every enrolled host looked at once within `every`, one after the other; at first one of each
/// account and region, so that a missing permission is known at once.
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
            pause = (every / hosts).max(LEAST_PAUSE);
        }
        if let Some(host) = round.pop_front() {
            looks.ask(&host, None, context.now().boot);
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
mod tests {
    use super::*;

    fn host(name: &str) -> HostId {
        name.parse().expect("a host id")
    }

    #[test]
    fn a_host_that_greets_often_is_looked_at_once_and_never_twice_at_a_time() {
        let looks = Looks::default();
        looks.ask(&host("h1"), Some("first".to_owned()), Boot(0));
        looks.ask(&host("h1"), None, Boot(1));
        let (name, due) = looks.next(Boot(1)).expect("it is due");
        assert_eq!(due.launch.as_deref(), Some("first"), "what it said is kept");
        looks.ask(&host("h1"), None, Boot(2));
        assert!(looks.next(Boot(2)).is_none(), "it is being looked at");
        looks.ended(name, due, Looked::Done, Boot(3));
        assert!(looks.next(Boot(3)).is_some(), "and then once more");
    }

    #[test]
    fn a_look_that_failed_is_made_again_ever_later() {
        let looks = Looks::default();
        looks.ask(&host("h1"), None, Boot(0));
        let mut now = Boot(0);
        for pause_ms in [2_000, 4_000, 8_000] {
            let (name, due) = looks.next(now).expect("it is due");
            looks.ended(name, due, Looked::Failed, now);
            assert!(looks.next(now.plus(pause_ms - 1)).is_none());
            now = now.plus(pause_ms);
        }
        assert!(looks.next(now).is_some());
    }

    #[test]
    fn more_hosts_than_are_looked_at_at_once_wait_and_none_is_turned_away() {
        let looks = Looks::default();
        for n in 0..10 * AT_ONCE {
            looks.ask(&host(&format!("h{n}")), None, Boot(0));
        }
        let due = std::iter::from_fn(|| looks.next(Boot(0))).count();
        assert_eq!(due, 10 * AT_ONCE);
    }
}
