//! Which files an approval covers, and who is told of those that it does not, against a real broker.

use crate::place::{Place, rights, status};
use serde_json::json;
use snooze_bus::Role;

#[tokio::test]
async fn i4_files_that_an_approval_does_not_cover_are_warned_of_once_with_the_remedy() {
    let place = Place::new().await;
    place.executor(&["mail", "web"]).await;
    let mut open = rights();
    open["unchecked"] = json!(["helper.py"]);
    let approve = ["approve", "redis", "--fleet", "--yes"];
    let mut hosts = Vec::new();
    for host in ["mail", "web"] {
        hosts.push(place.host(host, json!([status("redis", &open)])).await);
    }
    let done = place.plugin(Role::Administrator, &approve).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.err.matches("may change unseen").count(), 1, "{done:?}");
    for told in [
        "(helper.py)",
        "`snooze plugin package`",
        "`snooze plugin install`",
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    for host in hosts {
        *host.lock().expect("nothing panics") = json!([status("redis", &rights())]);
    }
    let done = place.plugin(Role::Administrator, &approve).await;
    assert!(
        !done.err.contains("unseen"),
        "all of them have a checksum: {done:?}"
    );
}
