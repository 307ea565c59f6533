//! Ten thousand answers that nobody should give, thrown at every path.

use super::{
    memory::{Memory, What},
    *,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Enough to mend any of the answers below into another one that can be read, if that were possible.
const ANSWERS: usize = 10_000;

const GOOD: [(What, &str); 5] = [
    (
        What::Interrupt,
        r#"{"action": "terminate", "time": "2030-01-01T00:02:00Z"}"#,
    ),
    (What::Rebalance, r#"{"noticeTime": "2030-01-01T00:00:00Z"}"#),
    (What::Lifecycle, "Terminated"),
    (
        What::Scheduled,
        r#"[{"NotBefore": "21 Jan 2030 09:00:43 GMT", "Code": "system-reboot", "State": "active"}]"#,
    ),
    (
        What::Identity,
        r#"{"instanceId": "i-0abc", "instanceType": "m7g.large", "pendingTime": "2030-01-01T00:00:00Z"}"#,
    ),
];

/// A part of a good answer, or noise: never one that can be read, since its end or its beginning is missing.
fn malformed(random: &mut StdRng, good: &str) -> Vec<u8> {
    match random.random_range(0..5) {
        0 => good.as_bytes()[..random.random_range(0..good.len())].to_vec(),
        1 => good.as_bytes()[random.random_range(1..good.len())..].to_vec(),
        2 => (0..random.random_range(0..300))
            .map(|_| random.random())
            .collect(),
        3 => "[".repeat(random.random_range(1..5_000)).into_bytes(),
        _ => {
            let mut bytes = good.as_bytes().to_vec();
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random_range(0..32);
            bytes.push(b'\\');
            bytes
        }
    }
}

#[test]
fn ten_thousand_malformed_answers_change_nothing_and_each_is_refused_with_a_reason() {
    let now = Clocks::manual().clocks().wall();
    for (seed, (what, good)) in (5_u64..).zip(GOOD) {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut fresh, mut told) = (Memory::default(), Memory::default());
        let (first, trouble) = told.read(what, Some(good.as_bytes()), now);
        assert_eq!(trouble, None, "{what:?}");
        for _ in 0..ANSWERS {
            let answer = malformed(&mut random, good);
            for memory in [&mut fresh, &mut told] {
                let (happenings, trouble) = memory.read(what, Some(&answer), now);
                assert_eq!(happenings, [], "{what:?}: {}", String::from_utf8_lossy(&answer));
                assert!(
                    trouble.is_some(),
                    "{what:?}: {}",
                    String::from_utf8_lossy(&answer)
                );
            }
        }
        let (again, _) = told.read(what, Some(good.as_bytes()), now);
        assert_eq!(again, [], "{what:?}: what was told was forgotten");
        let (late, _) = fresh.read(what, Some(good.as_bytes()), now);
        assert_eq!(late, first, "{what:?}: what was refused is taken for told");
    }
}
