//! Places and limits of requests.

use super::*;
use crate::Config;
use tokio::{sync::oneshot, time::Instant};

/// What a runner is told where nobody says otherwise.
fn limit() -> Duration {
    let host = "h1".parse().expect("a host id");
    Config::new(host, String::new(), "/nowhere".into(), "/nowhere".into()).verb_limit
}

#[tokio::test(start_paused = true)]
async fn every_verb_answers_within_15_s_whatever_hangs() {
    for verb in RunnerVerb::ALL {
        let (begun, places) = (Instant::now(), Arc::new(Semaphore::new(1)));
        let hangs = std::future::pending::<Result<(), Refusal>>();
        let refused = within_limit(limit(), *verb, &places, hangs).await;
        assert_eq!(refused.expect_err("it hangs").code, ErrorCode::Timeout);
        // The way back is a part of it.
        assert!(begun.elapsed() < Duration::from_millis(14_950), "{verb}");
        // Who asks while nothing is free need not wait to hear it.
        let begun = Instant::now();
        let refused = within_limit(limit(), *verb, &places, async { Ok(()) }).await;
        assert_eq!(refused.expect_err("it is taken").code, ErrorCode::RateLimited);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test]
async fn e4_what_takes_longer_than_an_answer_may_is_done_all_the_same() {
    let places = Arc::new(Semaphore::new(1));
    let (release, released) = oneshot::channel::<()>();
    let (done, is_done) = oneshot::channel();
    let work = async move {
        released.await.expect("it is released");
        done.send(()).expect("somebody looks");
        Ok(())
    };
    let refused = within_limit(Duration::ZERO, RunnerVerb::HandleEvent, &places, work).await;
    assert_eq!(refused.expect_err("too late").code, ErrorCode::Timeout);
    assert_eq!(places.available_permits(), 0, "it still has its place");
    release.send(()).expect("it still waits");
    is_done.await.expect("it was done");
}

#[tokio::test]
async fn e3_a_kind_of_request_fills_only_its_own_places() {
    let places = Places::default();
    let critical = &places.events[usize::from(u8::from(Severity::Critical))];
    let info = &places.events[usize::from(u8::from(Severity::Info))];
    let all = u32::try_from(EVENTS).expect("few");
    let _flood = info.clone().try_acquire_many_owned(all).expect("they are free");
    let nothing = || async { Ok::<_, Refusal>(()) };
    let refused = within_limit(limit(), RunnerVerb::HandleEvent, info, nothing()).await;
    assert_eq!(refused.expect_err("full").code, ErrorCode::RateLimited);
    for others in [critical, &places.stops, &places.lists, &places.checks] {
        within_limit(limit(), RunnerVerb::Verify, others, nothing())
            .await
            .expect("there is a place");
    }
}
