//! The queue of looks on a clock of its own: pace, back-off, and what is kept.

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
fn a_fleet_that_greets_is_looked_at_five_a_second_and_no_host_is_turned_away() {
    let looks = Looks::default();
    for n in 0..100 {
        let name = host(&format!("h{n}"));
        looks.ask(&name, None, Boot(0));
        looks.sweep(&name, Boot(0));
    }
    let begun = |now: u64| std::iter::from_fn(|| looks.next(Boot(now))).count();
    assert_eq!(begun(0), 5, "a few at once");
    for second in 1..20 {
        let ticks = (1..=4).map(|tick| begun((second - 1) * 1_000 + tick * 250));
        assert_eq!(ticks.sum::<usize>(), 5, "second {second}");
    }
    assert_eq!(begun(20_000), 0, "all were looked at");
}

#[test]
fn looks_that_are_made_again_keep_the_pace_as_well() {
    let looks = Looks::default();
    for n in 0..100 {
        looks.ask(&host(&format!("h{n}")), None, Boot(0));
    }
    let mut begun = 0;
    for tick in 0..400 {
        let now = Boot(tick * 250);
        while let Some((name, due)) = looks.next(now) {
            looks.ended(name, due, Looked::Failed, now);
            begun += 1;
        }
    }
    assert!(begun <= 505, "{begun} looks in 100 s");
}

#[test]
fn the_sweep_never_shortens_a_back_off_and_goes_last() {
    let looks = Looks::default();
    looks.ask(&host("h1"), None, Boot(0));
    let (name, due) = looks.next(Boot(0)).expect("it is due");
    looks.sweep(&host("h1"), Boot(0));
    looks.ended(name, due, Looked::Failed, Boot(0));
    looks.sweep(&host("h1"), Boot(1));
    assert!(looks.next(Boot(1_999)).is_none(), "it failed just now");
    looks.sweep(&host("h2"), Boot(1_999));
    let next = || looks.next(Boot(2_000)).map(|(name, _)| name);
    assert_eq!((next(), next()), (Some(host("h1")), Some(host("h2"))));
}

#[test]
fn e1_a_launch_whose_look_failed_is_kept_though_somebody_asked_meanwhile() {
    let looks = Looks::default();
    looks.ask(&host("h1"), Some("first".to_owned()), Boot(0));
    let (name, due) = looks.next(Boot(0)).expect("it is due");
    looks.ask(&host("h1"), None, Boot(1));
    looks.ended(name, due, Looked::Failed, Boot(2));
    let (_, due) = looks.next(Boot(2)).expect("it was asked for");
    assert_eq!(due.launch.as_deref(), Some("first"));
}
