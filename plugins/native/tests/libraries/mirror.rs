//! Answers a line with itself turned round, and panics where it is asked to: for the tests.

use snooze_native::Exported;

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("at the end");
    }
}

/// Counts, so that two that are open can be told apart.
fn mirror() -> Exported {
    let (mut lines, mut grenade) = (0_u64, None);
    Exported::new(move |line| {
        lines += 1;
        match line {
            b"panic" => panic!("in a line"),
            b"panic with what panics" => std::panic::panic_any(Grenade),
            b"panic at the end" => grenade = Some(Grenade),
            b"none" => return None,
            b"count" => return Some(lines.to_string().into_bytes()),
            b"held" => return Some(grenade.is_some().to_string().into_bytes()),
            _ => {}
        }
        Some(line.iter().rev().copied().collect())
    })
}

snooze_native::export!(mirror());
