//! Against a service that is slow, breaks off, refuses and forgets.

use super::*;
use snooze_test_harness::{ImdsAnswer, ImdsServer, wait_until};

async fn asked(service: &ImdsServer, path: &str, times: usize) {
    let so_far = service.requests_for(path).len();
    wait_until(LIMIT, "it is asked again and again", async || {
        service.requests_for(path).len() >= so_far + times
    })
    .await;
}

#[tokio::test]
async fn e1_the_same_notice_over_many_polls_and_a_restart_has_one_id() {
    let service = ImdsServer::start().await;
    let mut ids = Vec::new();
    service.announce(SPOT, INTERRUPTION);
    for _ in 0..2 {
        let mut source = Source::of(service.url(), Clocks::real());
        ids.push(id(&source.next().await));
        asked(&service, SPOT, 30).await;
        assert!(source.has_told_nothing_else());
        source.end().await;
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn every_question_carries_a_token_and_all_go_over_one_connection() {
    let service = ImdsServer::start().await;
    let source = Source::of(service.url(), Clocks::real());
    asked(&service, SCHEDULED, 30).await;
    let requests = service.requests();
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("PUT", TOKEN)
    );
    let all_after = requests[1..].iter().all(|request| request.token.is_some());
    assert!(all_after, "version 1 was asked");
    assert_eq!(service.tokens_asked(), 1);
    assert_eq!(service.connections(), 1);
    for path in [SPOT, REBALANCE, LIFECYCLE] {
        assert!(service.requests_for(path).len() >= 29, "{path}");
    }
    source.end().await;
}

#[tokio::test]
async fn a_type_with_an_interval_of_its_own_has_its_paths_asked_by_that() {
    let service = ImdsServer::start().await;
    let settings = Settings {
        poll_of: [("cloud.instance.maintenance".to_owned(), Duration::from_secs(3600))].into(),
        patience: LIMIT,
        ..hasty(service.url())
    };
    let source = Source::with(settings, Clocks::real());
    asked(&service, SPOT, 10).await;
    assert_eq!(service.requests_for(SCHEDULED).len(), 1);
    assert!(service.requests_for(REBALANCE).len() >= 9);
    source.end().await;
}

#[tokio::test]
async fn a_connection_that_is_closed_between_polls_is_replaced_and_nothing_is_missed() {
    let service = ImdsServer::start().await;
    let mut source = Source::of(service.url(), Clocks::real());
    for round in 1..=5 {
        asked(&service, SPOT, 2).await;
        service.close_connections();
        asked(&service, SPOT, 2).await;
        assert!(service.connections() <= round + 1, "one for each that was closed");
    }
    service.announce(SPOT, INTERRUPTION);
    source.next().await;
    source.end().await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_within_the_round() {
    let service = ImdsServer::start().await;
    let mut source = Source::of(service.url(), Clocks::real());
    asked(&service, SPOT, 2).await;
    service.revoke_tokens();
    service.announce(SPOT, INTERRUPTION);
    source.next().await;
    asked(&service, SCHEDULED, 5).await;
    let refused = service
        .requests()
        .iter()
        .filter(|request| request.status == Some(401))
        .count();
    assert_eq!((refused, service.tokens_asked()), (1, 2));
    source.end().await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_the_old_one_holds_until_then() {
    let service = ImdsServer::start().await;
    service.say_tokens_live(100);
    let hand = Clocks::manual();
    let source = Source::of(service.url(), hand.clocks());
    asked(&service, SPOT, 5).await;
    assert_eq!(service.tokens_asked(), 1);
    // While it cannot be renewed, the old one is used.
    service.answer(TOKEN, ImdsAnswer::Status(503));
    hand.suspend(Duration::from_secs(91));
    asked(&service, TOKEN, 1).await;
    asked(&service, SPOT, 5).await;
    assert_eq!(service.tokens_asked(), 2, "a renewal that failed has a pause");
    service.withdraw(TOKEN);
    hand.advance(Duration::from_secs(6));
    asked(&service, TOKEN, 1).await;
    asked(&service, SPOT, 5).await;
    assert!(
        service
            .requests()
            .iter()
            .all(|request| request.status != Some(401))
    );
    source.end().await;
}

#[tokio::test]
async fn while_no_token_is_given_nothing_else_is_asked_and_what_is_announced_meanwhile_is_told_after() {
    for away in [
        ImdsAnswer::Status(403),
        ImdsAnswer::Status(500),
        ImdsAnswer::Never,
        ImdsAnswer::Truncated,
        ImdsAnswer::Body(b"not a\ntoken".to_vec()),
    ] {
        let service = ImdsServer::start().await;
        service.announce(SPOT, INTERRUPTION);
        service.answer(TOKEN, away);
        let mut source = Source::with(hasty(service.url()), Clocks::real());
        asked(&service, TOKEN, 3).await;
        assert!(service.requests().iter().all(|request| request.path == TOKEN));
        service.withdraw(TOKEN);
        source.next().await;
        source.end().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_of_the_others_and_is_read_when_it_can_be() {
    for failure in [
        ImdsAnswer::Status(500),
        ImdsAnswer::Status(429),
        ImdsAnswer::Truncated,
        ImdsAnswer::Never,
        ImdsAnswer::Body(b"{\"action\": \"terminate\"".to_vec()),
        ImdsAnswer::Late(Duration::from_secs(60), Vec::new()),
    ] {
        let service = ImdsServer::start().await;
        service.answer(SPOT, failure.clone());
        let mut source = Source::with(hasty(service.url()), Clocks::real());
        asked(&service, SPOT, 3).await;
        service.announce(LIFECYCLE, "Terminated");
        let other = source.next().await;
        assert_eq!(
            other.event_type.as_str(),
            "cloud.autoscaling.scale",
            "{failure:?}"
        );
        service.announce(SPOT, INTERRUPTION);
        let told = source.next().await;
        assert_eq!(told.event_type.as_str(), "cloud.spot.interrupt", "{failure:?}");
        assert!(source.has_told_nothing_else());
        source.end().await;
    }
}

/// What the source promises: a path that answers is asked at the latest its interval and the longest wait for one
/// that fails after the last time; and a quarter of a second for each that has only now begun to fail. Without that the
/// wait for the three that fail would be three times as long: what a slow machine adds may come to another wait.
#[tokio::test]
async fn paths_that_do_not_answer_delay_the_others_by_no_more_than_one_limit() {
    let service = ImdsServer::start().await;
    for path in [REBALANCE, LIFECYCLE, SCHEDULED] {
        service.answer(path, ImdsAnswer::Never);
    }
    let source = Source::with(hasty(service.url()), Clocks::real());
    // The fourth time it is waited for as long as ever.
    asked(&service, LIFECYCLE, 4).await;
    asked(&service, SPOT, 2).await;
    let times: Vec<_> = service
        .requests_for(SPOT)
        .iter()
        .map(|request| request.at)
        .collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = gaps.max().expect("it was asked more than once");
    let wait = Duration::from_secs(2);
    assert!(longest < 2 * wait, "{longest:?}");
    assert!(times.len() > 10, "{}", times.len());
    source.end().await;
}

#[tokio::test]
async fn a_service_that_comes_back_is_heard() {
    let service = ImdsServer::start().await;
    let mut source = Source::of(service.url(), Clocks::real());
    asked(&service, SPOT, 2).await;
    service.answer(TOKEN, ImdsAnswer::Status(500));
    service.revoke_tokens();
    service.close_connections();
    asked(&service, TOKEN, 6).await;
    service.withdraw(TOKEN);
    service.announce(SPOT, INTERRUPTION);
    source.next().await;
    source.end().await;
}
