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

use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Weather, World};

const SEEDS: u64 = 1_200;

/// What happened in some seeds, to be sure that anything did.
#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    stops: u64,
    takeovers: u64,
    cancelled: u64,
    unknown: u64,
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Seen>>(all: I) -> Seen {
        all.fold(Seen::default(), |sum, one| Seen {
            calls: sum.calls + one.calls,
            stops: sum.stops + one.stops,
            takeovers: sum.takeovers + one.takeovers,
            cancelled: sum.cancelled + one.cancelled,
            unknown: sum.unknown + one.unknown,
        })
    }
}

fn run(seed: u64, weather: Weather) -> Seen {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, weather);
        world.run();
        world.ledger.seen()
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
    println!("{} seeds: {seen:?}", seeds.len());
    if seeds.len() > 1 {
        // A simulation in which nothing happens proves nothing.
        assert!(
            seen.calls > 1_000 && seen.stops > 1_000,
            "too little happened: {seen:?}"
        );
        assert!(
            seen.takeovers > 1_000 && seen.unknown > 500,
            "too little happened: {seen:?}"
        );
    }
}

#[test]
fn without_faults_every_idle_host_is_stopped_once() {
    for seed in 1..=100 {
        let seen = run(seed, Weather::Calm);
        assert!(seen.calls > 0, "seed {seed}: an idle host was not stopped");
        assert_eq!(seen.calls, seen.stops, "seed {seed}: a call without a stop");
        assert_eq!(seen.takeovers, 0, "seed {seed}: a needless takeover");
        assert_eq!(seen.unknown, 0, "seed {seed}: an outcome was lost");
    }
}
