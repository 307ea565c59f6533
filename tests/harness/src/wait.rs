//! Waiting for something to become true, with a limit. Tests never sleep for a guessed time.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

/// How long to pause between two looks. Short, because a look is cheap and tests add up.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until the condition is true.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(server: snooze_test_harness::NatsServer) {
/// snooze_test_harness::wait_until(Duration::from_secs(5), "the server answers", async || {
///     tokio::net::TcpStream::connect(server.address()).await.is_ok()
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
/// When the condition is not true within the limit, saying what was waited for.
pub async fn wait_until(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    wait_for(limit, what, async || condition().await.then_some(())).await;
}

/// Waits until there is something, and returns it.
///
/// # Panics
/// When there is nothing within the limit, saying what was waited for.
pub async fn wait_for<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        // A look that hangs is cut off at the limit as well, but gets a moment even when it is up.
        if let Ok(Some(found)) = tokio::time::timeout(left.max(PAUSE), pin!(look())).await {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_look_may_be_the_first() {
        let mut looks = 0;
        wait_until(Duration::ZERO, "it is true at once", async || {
            looks += 1;
            true
        })
        .await;
        assert_eq!(looks, 1);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain until pigs fly")]
    async fn a_look_that_hangs_is_cut_off() {
        wait_until(Duration::from_millis(30), "pigs fly", async || {
            std::future::pending().await
        })
        .await;
    }
}
