//! Looks after what nobody looks after any more: abandoned claims, and wakes whose machine is not up yet.
//!
//! It counts on this machine's boot-time clock from when it saw a revision itself (P6). Taking over never
//! calls for a stop; a wake's start is asked for once in a while until the machine is seen running (P2).

use crate::{claims::Claims, context::Context, ops};
use snooze_decision::{
    Boot,
    claim::{Observer, Sighting, start_is_due},
};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    time::Duration,
};
use tokio::task::JoinSet;

/// How often claims are looked at; a tenth of the shortest sensible takeover time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// T for a host whose policy cannot be read: the default of the protocol.
const DEFAULT_TAKEOVER_MS: u64 = 10_000;
/// How often a machine that is to be started is asked for; starting takes the cloud some seconds.
const WAKE_EVERY_MS: u64 = 10_000;
/// Starts asked for at once.
const WAKES: usize = 16;

/// Runs until shutdown.
pub(crate) async fn run(
    context: Context,
    claims: Claims,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut seen: HashMap<HostId, Observer> = HashMap::new();
    let mut waking: HashMap<HostId, Boot> = HashMap::new();
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

fn wake(context: &Context, waking: &mut HashMap<HostId, Boot>, wakes: &mut JoinSet<()>) {
    let woken = context.mirror.woken();
    let wanted: HashSet<&HostId> = woken.iter().map(|(host, _)| host).collect();
    waking.retain(|host, _| wanted.contains(host));
    let now = context.now().boot;
    for (host, entry) in &woken {
        let asked = waking.get(host);
        let due = asked.is_none_or(|asked| now.since(*asked) >= WAKE_EVERY_MS);
        if due && start_is_due(&entry.value) && wakes.len() < WAKES {
            waking.insert(host.clone(), now);
            let (context, host) = (context.clone(), host.clone());
            wakes.spawn(async move { ops::wake::start(&context, &host).await });
        }
    }
}
