//! CPU, memory, network and clock: what each edge is made of.

use super::{CALM, Machine, NO_ROUTE, PRESSED, brief, only};
use crate::happening::State;
use std::time::Duration;

/// Half used, half not, and then only used.
fn ticks(machine: &Machine, used: u64, unused: u64) {
    machine.write("proc/stat", format!("cpu  {used} 0 0 {unused} 0 0 0 0 0 0\n"));
}

#[tokio::test]
async fn a_cpu_is_high_when_it_is_used_up_for_its_own_longer_time() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    let mut told = Vec::new();
    for look in 0..31 {
        ticks(&machine, 1_000 + look * 1_000, 1_000);
        told.extend(machine.looks(&mut watch, 1).await);
    }
    assert_eq!(told, [], "300 s have not been seen yet");
    ticks(&machine, 1_000_000, 1_000);
    let raised = only(machine.looks(&mut watch, 1).await, State::Raised);
    assert_eq!(raised.event_type.as_str(), "system.cpu.high");
    assert_eq!(raised.data["value"], 100.0);
    assert_eq!(raised.data["cpu_pressure_percent"], 0.0);
}

#[tokio::test]
async fn memory_that_is_short_in_several_ways_is_one_happening_until_the_last_ends() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.write("proc/pressure/memory", PRESSED);
    let raised = only(machine.looks(&mut watch, 4).await, State::Raised);
    assert_eq!(raised.event_type.as_str(), "system.memory.pressure");
    assert_eq!(raised.data["memory_stall_percent"], 80.0);
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 10 kB\n");
    assert_eq!(machine.looks(&mut watch, 4).await, []);
    machine.write("proc/pressure/memory", CALM);
    watch = machine.begin().await;
    assert_eq!(
        machine.looks(&mut watch, 10).await,
        [],
        "too little is still available"
    );
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n");
    let cleared = only(machine.looks(&mut watch, 10).await, State::Cleared);
    assert_eq!(cleared.occurrence, raised.occurrence);
    assert_eq!(cleared.data["reading"], "memory_available_percent");
}

#[tokio::test]
async fn a_kernel_without_pressure_tells_the_rest_and_that_is_said_once() {
    let machine = Machine::healthy();
    for kind in ["cpu", "memory", "io"] {
        machine.remove(&format!("proc/pressure/{kind}"));
    }
    let mut watch = machine.begin().await;
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 10 kB\n");
    only(machine.looks(&mut watch, 10).await, State::Raised);
    let said = [
        "the CPU's pressure",
        "the memory's pressure",
        "the pressure of IO",
    ];
    assert_eq!(watch.looker.unknown(), said);
}

#[tokio::test]
async fn a_network_is_lost_without_a_route_or_without_a_carrier_and_comes_back() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    assert_eq!(machine.looks(&mut watch, 10).await, []);
    let route = super::FILES[6].1;
    let mut before = String::new();
    for (file, bad, good, why) in [
        ("proc/net/route", NO_ROUTE, route, "no default route"),
        ("sys/class/net/eth0/operstate", "down\n", "up\n", "no carrier"),
    ] {
        machine.write(file, bad);
        let lost = only(machine.looks(&mut watch, 10).await, State::Raised);
        assert_eq!(lost.event_type.as_str(), "system.network.lost");
        assert_eq!(lost.data["value"], why);
        assert_eq!(lost.data["interfaces"][0], "eth0");
        assert_ne!(lost.occurrence, before);
        machine.write(file, good);
        let back = only(machine.looks(&mut watch, 10).await, State::Cleared);
        assert_eq!(back.occurrence, lost.occurrence);
        before = lost.occurrence;
    }
}

#[tokio::test]
async fn a_machine_that_has_only_loopback_never_lost_a_network() {
    let machine = Machine::healthy();
    machine.write("proc/net/route", NO_ROUTE);
    let mut watch = machine.begin().await;
    assert_eq!(machine.looks(&mut watch, 100).await, []);
    machine.write("proc/net/route", super::FILES[6].1);
    // As it is where IPv6 is switched off by sysctl.
    machine.write("proc/net/ipv6_route", "");
    machine.looks(&mut watch, 1).await;
    machine.write("proc/net/route", NO_ROUTE);
    watch = machine.begin().await;
    let lost = machine.looks(&mut watch, 10).await;
    assert_eq!(
        brief(&lost),
        [("network ".to_owned(), "raised")],
        "that it had one is known over a restart"
    );
}

#[tokio::test]
async fn t1_each_clock_jump_is_one_happening_that_is_never_cleared() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.hand.jump_wall_ms(-3_600_000);
    let jump = only(machine.looks(&mut watch, 100).await, State::Raised);
    assert_eq!(jump.event_type.as_str(), "system.clock.jump");
    assert_eq!(
        (&jump.data["kind"], &jump.data["value"]),
        (&"time_set".into(), &(-3_600_000).into())
    );
    machine.hand.suspend(Duration::from_secs(60));
    let sleep = only(machine.looks(&mut watch, 100).await, State::Raised);
    assert_eq!(
        (&sleep.data["kind"], &sleep.data["value"]),
        (&"suspended".into(), &60_000.into())
    );
    assert_ne!(jump.occurrence, sleep.occurrence);
}

#[tokio::test]
async fn what_becomes_unknown_is_neither_raised_nor_cleared() {
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.disk("/", 1, 50);
    machine.write("proc/pressure/memory", PRESSED);
    assert_eq!(machine.looks(&mut watch, 10).await.len(), 2);
    let standing = watch.watched.standing();
    for (path, _) in &super::FILES[1..] {
        machine.remove(path);
    }
    assert_eq!(machine.looks(&mut watch, 100).await, []);
    assert_eq!(watch.watched.standing(), standing);
    for (path, text) in &super::FILES[1..] {
        machine.write(path, text);
    }
    let cleared = only(machine.looks(&mut watch, 10).await, State::Cleared);
    assert_eq!(cleared.event_type.as_str(), "system.memory.pressure");
    assert!(watch.looker.unknown().is_empty());
}
