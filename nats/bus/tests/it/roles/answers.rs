//! Whoever answers a role may publish to all its inboxes: what keeps it from answering what it was not asked
//! (rule I3).

use super::super::support::*;
use snooze_bus::{PluginMethod, Subject, User};
use snooze_schemas::{plugin::Info, reply::Empty};
use std::time::Duration;

#[tokio::test]
async fn i3_a_plugin_answers_what_it_is_asked_and_no_other_question_of_its_host() {
    let server = NatsServer::with_roles().await;
    let asker = fenced(&server, &User::host(&host("a"))).await;
    let evil = "db".parse().expect("a plugin");
    let plugin = fenced(&server, &User::plugin(&host("a"), &evil)).await;
    let silent = fenced(
        &server,
        &User::plugin(&host("a"), &"other".parse().expect("a plugin")),
    )
    .await;
    let mut asked = plugin
        .raw_subscribe("snooze.v1.host.a.plugin.db.*")
        .await
        .expect("subscribes");
    let mut unanswered = silent
        .raw_subscribe("snooze.v1.host.a.plugin.other.*")
        .await
        .expect("subscribes");
    let info = |name: &str| Subject::HostPlugin {
        host: host("a"),
        plugin: name.parse().expect("a plugin"),
        method: PluginMethod::Info,
    };
    let ask = |name: &str, within: Duration| {
        let (asker, subject) = (asker.clone(), info(name));
        tokio::spawn(async move { asker.request::<_, Empty>(&subject, &Info {}, within).await })
    };
    // Questions of the host to others, before and after the one that the plugin is asked.
    let before = ask("other", LIMIT);
    hear_raw(&mut unanswered).await;
    let own = ask("db", LIMIT);
    let reply = hear_raw(&mut asked).await.reply.expect("an answer is wanted");
    let after = ask("other", LIMIT);
    let theirs = hear_raw(&mut unanswered)
        .await
        .reply
        .expect("an answer is wanted");

    let (base, token) = reply.rsplit_once('.').expect("an inbox has tokens");
    assert_eq!(
        theirs.rsplit_once('.').map(|(base, _)| base),
        Some(base),
        "one subscription"
    );
    let token = u128::from_str_radix(token, 16).expect("a number");
    let mut forged: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    forged.extend((1..1_000).flat_map(|step| {
        let (above, below) = (token.wrapping_add(step), token.wrapping_sub(step));
        [
            format!("{above:032x}"),
            format!("{below:032x}"),
            above.to_string(),
            below.to_string(),
        ]
    }));
    for guess in forged {
        plugin
            .raw_publish(&format!("{base}.{guess}"), None, &[], b"{\"ok\":true}")
            .await
            .expect("publishes");
    }
    plugin
        .raw_publish(&reply, None, &[], b"{\"ok\":true}")
        .await
        .expect("publishes");
    own.await
        .expect("no panic")
        .expect("its own answer, sent last, arrives");
    assert!(
        !before.is_finished() && !after.is_finished(),
        "nothing else is answered"
    );
    for task in [before, after] {
        task.abort();
    }
}
