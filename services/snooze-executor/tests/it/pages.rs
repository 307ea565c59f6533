//! What is known of all hosts, a page at a time.

use crate::support::{LONG, World, quick};
use serde_json::json;
use snooze_bus::OpsVerb;
use snooze_schemas::{
    ErrorCode, HostId,
    ops::{Query, QueryResult},
};
use snooze_test_harness::wait_until;

/// All pages by `limit`.
async fn pages(world: &World, limit: Option<u32>) -> Vec<QueryResult> {
    let mut pages: Vec<QueryResult> = Vec::new();
    loop {
        let query = Query {
            after: pages.last().and_then(|page| page.next.clone()),
            limit,
            ..Query::default()
        };
        let page: QueryResult = world.ask(OpsVerb::Query, &query).await.expect("it is answered");
        assert_eq!(page.truncated, page.next.is_some());
        let is_last = page.next.is_none();
        pages.push(page);
        if is_last {
            return pages;
        }
        assert!(pages.len() < 100, "the pages have no end");
    }
}

fn names(page: &QueryResult) -> String {
    let names: Vec<&str> = page.hosts.iter().map(|report| report.host.as_str()).collect();
    names.join(" ")
}

#[tokio::test]
async fn s23_every_host_is_on_one_page_and_who_speaks_without_being_enrolled_as_well() {
    let world = World::with(quick()).await;
    for host in ["h1", "h2", "h3", "h5"] {
        world.enroll(host, json!({})).await;
    }
    let _executor = world.executor("one").await;
    let _stranger = world.host("h4").await;
    wait_until(LONG, "the stranger is heard", async || {
        world.last_verdict("h4").await.is_some()
    })
    .await;
    let by = async |limit| {
        let pages = pages(&world, limit).await;
        pages.iter().map(names).collect::<Vec<_>>()
    };
    wait_until(LONG, "the executor knows all", async || {
        by(None).await == ["h1 h2 h3 h4 h5"]
    })
    .await;
    assert_eq!(by(Some(2)).await, ["h1 h2", "h3 h4", "h5"]);
    assert_eq!(by(Some(5)).await, ["h1 h2 h3 h4 h5"]);
    // Whoever asks after a host that is gone meanwhile gets those that come after its name.
    let query = Query {
        after: Some("h2x".parse().expect("a host id")),
        ..Query::default()
    };
    let rest: QueryResult = world.ask(OpsVerb::Query, &query).await.expect("it is answered");
    assert_eq!(names(&rest), "h3 h4 h5");
    let nothing = Query {
        limit: Some(0),
        ..Query::default()
    };
    let refusal = world.ask::<_, QueryResult>(OpsVerb::Query, &nothing).await;
    assert_eq!(
        refusal.expect_err("a page holds something").code,
        ErrorCode::BadRequest
    );
}

#[tokio::test]
async fn s23_of_more_than_a_thousand_hosts_none_is_passed_over() {
    let world = World::with(quick()).await;
    let hosts: Vec<HostId> = (0..1_003)
        .map(|n| format!("h{n:04}").parse().expect("a host id"))
        .collect();
    for host in &hosts {
        world.enroll(host.as_str(), json!({})).await;
    }
    let _executor = world.executor("one").await;
    let _speaking = world.host("h1002").await;
    wait_until(LONG, "the last one is heard", async || {
        world.last_verdict("h1002").await.is_some()
    })
    .await;
    // More than an answer may hold are no more than it may hold.
    for limit in [None, Some(5_000)] {
        let pages = pages(&world, limit).await;
        assert_eq!(
            pages.iter().map(|page| page.hosts.len()).collect::<Vec<_>>(),
            [1_000, 3]
        );
        let told: Vec<&HostId> = pages
            .iter()
            .flat_map(|page| &page.hosts)
            .map(|report| &report.host)
            .collect();
        assert_eq!(told, hosts.iter().collect::<Vec<_>>());
        assert!(pages[1].hosts[2].verdict.is_some(), "what it says is shown");
    }
}
