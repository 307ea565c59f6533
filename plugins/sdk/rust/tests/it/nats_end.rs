//! How a plugin on NATS ends.

use crate::{
    child::{interrupt, terminate},
    service::{Replica, ask_json, client, headers},
};
use snooze_bus::User;
use snooze_plugin::serde_json::json;
use snooze_test_harness::NatsServer;
use std::{io::Write as _, os::unix::net::UnixListener};

fn subject(method: &str) -> String {
    format!("snooze.v1.host.h1.plugin.test-plugin.{method}")
}

#[tokio::test]
async fn sigterm_waits_for_what_is_under_way_and_a_second_one_does_not() {
    for is_patient in [true, false] {
        let server = NatsServer::open().await;
        let mut plugin = Replica::start("test-plugin", &server, None, Some("h1"));
        let asker = client(&server, None).await;
        ask_json(&asker, &subject("info"), &json!({})).await;
        let socket = plugin.folder().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let event = json!({ "id": "a", "type": "custom.wait", "data": { "socket": socket } });
        let body = json!({ "event": event }).to_string();
        let waiting = tokio::spawn({
            let asker = asker.clone();
            let at = subject("handle_event");
            async move {
                asker
                    .request_with_headers(at.clone(), headers(&at), body.into())
                    .await
            }
        });
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (mut at_it, _) = accepted.await.expect("no panic").expect("it has begun");
        // Who it is can be asked meanwhile.
        let info = ask_json(&asker, &subject("info"), &json!({})).await;
        assert_eq!(info["name"], "test-plugin");
        terminate(plugin.process.id());
        if is_patient {
            at_it.write_all(b"done").expect("it reads");
            drop(at_it);
            let answer = waiting.await.expect("no panic").expect("an answer");
            assert!(String::from_utf8_lossy(&answer.payload).contains("done"));
            assert_eq!(plugin.ended().await, Some(0), "{}", plugin.errors());
            assert!(plugin.errors().contains("shut down"), "{}", plugin.errors());
        } else {
            interrupt(plugin.process.id());
            assert_eq!(plugin.ended().await, Some(1), "{}", plugin.errors());
            waiting.abort();
        }
    }
}

#[tokio::test]
async fn sigterm_ends_it_while_there_is_no_server() {
    let mut server = NatsServer::open().await;
    let mut connected = Replica::start("test-plugin", &server, None, Some("h1"));
    let asker = client(&server, None).await;
    ask_json(&asker, &subject("info"), &json!({})).await;
    server.kill();
    let mut waiting = Replica::start("test-plugin", &server, None, Some("h1"));
    snooze_test_harness::wait_until(crate::child::LIMIT, "both know", async || {
        waiting.errors().contains("no server yet") && connected.errors().contains("disconnected")
    })
    .await;
    for plugin in [&mut connected, &mut waiting] {
        terminate(plugin.process.id());
        assert_eq!(plugin.ended().await, Some(0), "{}", plugin.errors());
        assert!(plugin.errors().ends_with("shut down\n"), "{}", plugin.errors());
    }
}

#[tokio::test]
async fn i5_who_may_not_hear_its_own_subjects_ends_and_says_so() {
    let server = NatsServer::with_roles().await;
    let user = User::plugin(
        &"h2".parse().expect("a host"),
        &"test-plugin".parse().expect("a name"),
    );
    let mut plugin = Replica::start("test-plugin", &server, Some(&user), Some("h1"));
    assert_eq!(plugin.ended().await, Some(1));
    assert!(plugin.errors().contains("denies"), "{}", plugin.errors());
}

#[tokio::test]
async fn credentials_of_another_server_end_it() {
    let server = NatsServer::with_roles().await;
    let other = NatsServer::with_roles().await;
    let user = User::plugin(
        &"h1".parse().expect("a host"),
        &"test-plugin".parse().expect("a name"),
    );
    let file = other.credentials(&user);
    let mine = server.credentials(&user);
    std::fs::copy(file, &mine).expect("they can be exchanged");
    let mut plugin = Replica::start_with("test-plugin", &server, Some(&mine), Some("h1"));
    assert_eq!(plugin.ended().await, Some(1));
    assert!(
        plugin.errors().contains("does not accept these credentials"),
        "{}",
        plugin.errors()
    );
}
