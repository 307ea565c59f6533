//! Which nats-server is new enough, by what it says of itself. Pure.

/// The oldest release with atomic batches, which the limits rest on.
const OLDEST: (u32, u32) = (2, 12);

/// Whether one that says this is new enough.
pub(super) fn is_new_enough(said: &str) -> bool {
    version(said).is_some_and(|version| version >= OLDEST)
}

/// Major and minor of `nats-server: v2.12.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (_, numbers) = text.rsplit_once('v')?;
    let mut numbers = numbers.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_with_atomic_batches_is_new_enough() {
        for (text, new) in [
            ("nats-server: v2.12.0", true),
            ("nats-server: v2.15.1-beta.2", true),
            ("nats-server: v3.0.0", true),
            ("nats-server: v2.9.10", false),
            ("", false),
            ("something else", false),
        ] {
            assert_eq!(is_new_enough(text), new, "{text}");
        }
    }
}
