//! Looks after what nobody looks after any more: abandoned claims, and wakes whose machine is not up yet.
//!
//! It counts on this machine's boot-time clock from when it saw a revision itself (P6). Taking over never
//! calls for a stop. A wake's start is asked for once in a while until the machine is seen running (P2), by
//! one executor at a time: whoever asks rewrites the key first, and the others count anew from there.

use crate::{claims::Claims, context::Context, ops, provider::Target};
use snooze_decision::{
    Boot,
    claim::{Entry, HostRecord, Observer, Revision, Sighting, start_is_due},
};
use snooze_schemas::{HostId, roster::RosterRecord};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// How often claims are looked at; a tenth of the shortest sensible takeover time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// T for a host whose policy cannot be read: the default of the protocol.
const DEFAULT_TAKEOVER_MS: u64 = 10_000;
/// Before the first attempt to start a machine: by then every executor has seen the wish, so that the one
/// whose write goes through is the only one. Doubled for each further attempt.
const WAKE_AFTER_MS: u64 = 1_000;
/// How often it is doubled at most: to some four minutes.
const DOUBLINGS: u32 = 8;
/// Starts asked for at once.
const WAKES: usize = 16;

/// Runs until shutdown.
pub(crate) async fn run(
    context: Context,
    claims: Claims,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut seen: HashMap<HostId, Observer> = HashMap::new();
    let mut waking: HashMap<HostId, Attempts> = HashMap::new();
    let mut wakes: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if !context.mirror.is_ready() {
            // What was seen before a gap says nothing of what happened in it.
            seen.clear();
            continue;
        }
        look(&context, &claims, &mut seen);
        while wakes.try_join_next().is_some() {}
        wake(&context, &mut waking, &mut wakes);
    }
}

fn look(context: &Context, claims: &Claims, seen: &mut HashMap<HostId, Observer>) {
    let claimed = context.mirror.claimed();
    let hosts: HashSet<&HostId> = claimed.iter().map(|(host, _)| host).collect();
    seen.retain(|host, _| hosts.contains(host));
    for (host, entry) in &claimed {
        if claims.hold(host) {
            seen.remove(host);
            continue;
        }
        let view = context.mirror.view(host);
        let takeover_ms = view
            .policy
            .as_ref()
            .map_or(DEFAULT_TAKEOVER_MS, |policy| policy.pure.takeover_ms);
        let observer = seen.entry(host.clone()).or_default();
        if observer.look(entry, takeover_ms, context.now().boot) == Sighting::Abandoned {
            claims.take_over(host, &view, entry);
        }
    }
}

/// What was seen of the attempts to start a machine, by whomever.
#[derive(Debug, Clone, Copy)]
struct Attempts {
    /// The key's, as it was left by the last one.
    revision: Revision,
    seen_at: Boot,
    count: u32,
}

impl Attempts {
    /// Whether the next attempt is due. A key that moved was moved by an attempt, as a rule.
    fn are_due(&mut self, revision: Revision, now: Boot) -> bool {
        if self.revision != revision {
            *self = Self {
                revision,
                seen_at: now,
                count: self.count.saturating_add(1),
            };
        }
        let is_due = now.since(self.seen_at) >= WAKE_AFTER_MS << self.count.min(DOUBLINGS);
        if is_due {
            // Where this attempt writes nothing, the next one is as far away.
            self.seen_at = now;
        }
        is_due
    }
}

fn wake(context: &Context, waking: &mut HashMap<HostId, Attempts>, wakes: &mut JoinSet<()>) {
    let due = |(_, entry): &(HostId, Arc<Entry<HostRecord>>)| start_is_due(&entry.value);
    let woken: Vec<_> = context.mirror.woken().into_iter().filter(due).collect();
    let wanted: HashSet<&HostId> = woken.iter().map(|(host, _)| host).collect();
    waking.retain(|host, _| wanted.contains(host));
    let now = context.now().boot;
    for (host, entry) in woken {
        let is_reachable = |record: Arc<RosterRecord>| {
            let target = Target::from_roster(&host, &record);
            context.reach.check(&target).is_ok()
        };
        if wakes.len() >= WAKES || !context.mirror.record(&host).is_some_and(is_reachable) {
            continue;
        }
        let attempts = waking.entry(host.clone()).or_insert(Attempts {
            revision: entry.revision,
            seen_at: now,
            count: 0,
        });
        if attempts.are_due(entry.revision, now) {
            let context = context.clone();
            wakes.spawn(async move { ops::wake::start(&context, &host, &entry).await });
        }
    }
}
