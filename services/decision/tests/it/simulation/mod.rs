//! A seeded simulation of a fleet: several executors with clocks of their own, a bus that loses, doubles,
//! delays and reorders, a cloud that answers late, never, or refuses, people who change their minds.
//!
//! The same seed gives the same run. `SNOOZE_SIMULATION_SEED=n cargo test -p snooze-decision --test it
//! simulation` runs one seed alone.

mod cloud;
mod executor;
mod ledger;
mod machine;
mod people;
mod process;
mod rng;

mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Weather, World};

const SEEDS: u64 = 1_200;

/// What happened in some seeds and how often, to be sure that anything did.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, u64>);

impl Seen {
    fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Seen>>(all: I) -> Seen {
        all.fold(Seen::default(), |mut sum, one| {
            for (what, count) in one.0 {
                *sum.0.entry(what).or_default() += count;
            }
            sum
        })
    }
}

fn run(seed: u64, weather: Weather) -> Seen {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, weather);
        world.run();
        for _ in &world.machines {
            world.ledger.seen.note("host");
        }
        world.ledger.seen
    }));
    result.unwrap_or_else(|_| {
        panic!(
            "seed {seed} failed; run it alone with\n  SNOOZE_SIMULATION_SEED={seed} cargo test -p snooze-decision --test it simulation"
        )
    })
}

/// Runs seeds on all cores; a seed is one thread's alone, so it is the same every time.
fn run_all(seeds: &[u64], weather: Weather) -> Seen {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = seeds.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let run_share = |seeds: &'_ [u64]| seeds.iter().map(|seed| run(*seed, weather)).sum::<Seen>();
        let threads: Vec<_> = seeds
            .chunks(share)
            .map(|seeds| scope.spawn(move || run_share(seeds)))
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|seen| seen.expect("a seed failed; its number is above"))
            .sum()
    })
}

fn seeds() -> Vec<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own switch, not configuration of a service"
    )]
    let chosen = std::env::var("SNOOZE_SIMULATION_SEED");
    match chosen {
        Ok(seed) => vec![seed.parse().expect("SNOOZE_SIMULATION_SEED is a number")],
        Err(_) => (1..=SEEDS).collect(),
    }
}

#[test]
fn no_fault_makes_a_wrong_call_and_everything_comes_to_rest() {
    let seeds = seeds();
    let seen = run_all(&seeds, Weather::Faults);
    println!("{} seeds: {seen:#?}", seeds.len());
    if seeds.len() == 1 {
        return;
    }
    // A simulation in which nothing happens proves nothing.
    let often = [
        ("call", 1_000),
        ("stop", 1_000),
        ("takeover", 1_000),
        ("unknown", 500),
    ];
    let too_rare = often.iter().filter(|(what, least)| seen.count(what) < *least);
    let never = coverage().into_iter().filter(|what| seen.count(what) == 0);
    let missing: Vec<String> = too_rare
        .map(|(what, _)| (*what).to_owned())
        .chain(never)
        .collect();
    assert!(
        missing.is_empty(),
        "too little happened: {missing:#?} in {seen:#?}"
    );
}

/// What must have happened at least once: a crash before and after every kind of step, a takeover in every
/// phase and at every progress, and every way in which a claim may be given up.
fn coverage() -> Vec<String> {
    let steps = [
        "write claim",
        "write claimed",
        "write commit",
        "write committed",
        "write stopping",
        "write unknown",
        "write stopped",
        "write cancelled",
        "write free",
        "read state",
        "audit",
        "prepare",
        "read protections",
        "verify",
        "call",
        "read instance",
        "write tags",
        "cancel",
    ];
    let phases = ["committed", "stopping", "unknown", "stopped", "cancelled"];
    let progresses = [
        "intent",
        "preparing",
        "noticing",
        "pre-snooze work",
        "protections",
        "settling",
        "verifying",
    ];
    let causes = [
        "after a takeover",
        "by a freeze",
        "by a lease",
        "by a postponement",
        "by a wake",
        "by a start",
        "for two agents",
        "by a change of policy",
        "by a shutdown",
        "by a protection",
        "by a tag",
        "by an unknown vote",
        "for another agent",
        "after a boot",
        "after the quarantine",
    ];
    let crashes = steps
        .iter()
        .flat_map(|step| [format!("crash before {step}"), format!("crash after {step}")]);
    let takeovers = phases
        .iter()
        .chain(&progresses)
        .map(|phase| format!("takeover of {phase}"));
    let cancelled = causes.iter().map(|cause| format!("cancelled {cause}"));
    let others = ["stop of a terminated machine", "a machine that is missing"].map(str::to_owned);
    crashes.chain(takeovers).chain(cancelled).chain(others).collect()
}

#[test]
fn without_faults_every_idle_host_is_stopped_once() {
    for seed in 1..=100 {
        let seen = run(seed, Weather::Calm);
        let hosts = seen.count("host");
        assert!(hosts > 0);
        for host in 0..hosts {
            let (calls, stops) = (format!("call of h{host}"), format!("stop of h{host}"));
            assert_eq!(seen.count(&calls), 1, "seed {seed}: {calls}");
            assert_eq!(seen.count(&stops), 1, "seed {seed}: {stops}");
        }
        assert_eq!(
            (seen.count("call"), seen.count("stop")),
            (hosts, hosts),
            "seed {seed}"
        );
        assert_eq!(seen.count("takeover"), 0, "seed {seed}: a needless takeover");
        assert_eq!(seen.count("unknown"), 0, "seed {seed}: an outcome was lost");
    }
}
