//! All hosts are named, whatever a page holds; and where they are not, that is known.

use super::*;
use crate::view::examples;
use std::cell::Cell;

fn name(n: usize) -> HostId {
    format!("h{n:04}").parse().expect("a host id")
}

/// What an executor says that knows so many hosts and tells so many at once.
fn answer(of: usize, page: usize, after: Option<&HostId>) -> QueryResult {
    let rest = (0..of)
        .map(name)
        .filter(|host| after.is_none_or(|after| after < host));
    let rest: Vec<HostId> = rest.collect();
    let mut result = examples::query_result("");
    let like = result.hosts.remove(0);
    let shown = rest.iter().take(page).map(|host| HostReport {
        host: host.clone(),
        ..like.clone()
    });
    result.hosts = shown.collect();
    result.truncated = rest.len() > page;
    result.next = result
        .hosts
        .last()
        .filter(|_| result.truncated)
        .map(|report| report.host.clone());
    result
}

fn names(roll: &Roll) -> Vec<HostId> {
    roll.enrolled().map(|known| known.host.clone()).collect()
}

fn later() -> Instant {
    Instant::now() + PAGES_WITHIN
}

#[tokio::test]
async fn every_host_of_a_fleet_of_many_pages_is_named_once() {
    for (of, page) in [(0, 7), (7, 7), (8, 7), (2_500, 1_000)] {
        let ask = async |query: Query| Ok(answer(of, page, query.after.as_ref()));
        let roll = pages(later(), ask).await.expect("answers");
        assert_eq!(names(&roll), (0..of).map(name).collect::<Vec<_>>());
        assert!(roll.is_whole, "{of} hosts, {page} at once");
    }
}

#[tokio::test]
async fn executors_that_know_no_pages_name_some_and_it_is_known_that_there_are_more() {
    // The first page is told by one that knows pages, or by none.
    for knowing in [0, 1] {
        let asked = Cell::new(0);
        let ask = async |_: Query| {
            asked.set(asked.get() + 1);
            let mut told = answer(9, 4, None);
            told.next = told.next.filter(|_| asked.get() <= knowing);
            Ok(told)
        };
        let roll = pages(later(), ask).await.expect("answers");
        assert_eq!(names(&roll), (0..4).map(name).collect::<Vec<_>>());
        assert!(!roll.is_whole);
        assert_eq!(asked.get(), knowing + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn executors_that_are_slow_are_asked_no_longer_than_a_while_and_that_is_known() {
    let ask = async |query: Query| {
        let silence = tokio::time::timeout(Duration::from_secs(14), std::future::pending::<()>());
        silence.await.expect_err("it takes its time");
        Ok(answer(100, 1, query.after.as_ref()))
    };
    let begun = Instant::now();
    let roll = pages(begun + PAGES_WITHIN, ask).await.expect("answers");
    assert_eq!(names(&roll), (0..5).map(name).collect::<Vec<_>>());
    assert!(!roll.is_whole);
    assert!(begun.elapsed() <= PAGES_WITHIN + Duration::from_secs(15));
}
