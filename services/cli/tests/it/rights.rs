//! What somebody is told who may not do what they ask for, by whatever command, against a real broker and its roles.

use crate::place::{Place, rights, status};
use serde_json::json;
use snooze_bus::Role;

/// The server's denial and the end of what waits for an answer come at the same time: neither may win by chance.
const TIMES: usize = 3;

#[tokio::test]
async fn i5_whoever_may_not_is_told_in_one_line_who_they_are_what_was_denied_and_whose_credentials_do() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let administrator = "that takes an administrator's credentials; `snooze credentials administrator NAME` ";
    let either =
        "that takes an operator's or an administrator's credentials; `snooze credentials operator NAME` ";
    for (role, words, what, whose) in [
        (
            Role::Operator,
            &["plugin", "reload"][..],
            "reload plugins of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "load", "redis", "--host", "web"],
            "load plugins of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "disable", "redis"],
            "read the configuration of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "configure", "redis"],
            "read the configuration of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "approve", "redis", "--yes"],
            "read the configuration of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "approve", "redis", "--revoke"],
            "read the configuration of host web",
            administrator,
        ),
        (
            Role::Operator,
            &["plugin", "uninstall", "redis", "--fleet"],
            "read the configuration of the fleet",
            administrator,
        ),
        (
            Role::Dashboard,
            &["plugin", "list"],
            "list the plugins of host web",
            either,
        ),
        (
            Role::Dashboard,
            &["plugin", "stats"],
            "see how the plugins of host web do",
            either,
        ),
        (
            Role::Dashboard,
            &["plugin", "logs", "redis"],
            "read the logs of plugins of host web",
            either,
        ),
        (
            Role::Dashboard,
            &["plugin", "approve", "redis", "--yes"],
            "list the plugins of host web",
            either,
        ),
        (Role::Dashboard, &["freeze"], "freeze", either),
        (
            Role::Dashboard,
            &["lease", "web", "--for", "1h"],
            "keep a host awake",
            either,
        ),
        (
            Role::Dashboard,
            &["event", "send", "x"],
            "send events as ada",
            either,
        ),
    ] {
        for _ in 0..TIMES {
            let done = place.snooze(role, words).await;
            assert_eq!(
                (done.code, done.out.as_str()),
                (Some(4), ""),
                "{words:?}: {done:?}"
            );
            assert_eq!(done.err.lines().count(), 1, "{words:?}: {done:?}");
            let begins = format!("snooze: ada ({role}) may not {what}: {whose}");
            assert!(done.err.starts_with(&begins), "{words:?}: {begins}: {done:?}");
        }
    }
}
