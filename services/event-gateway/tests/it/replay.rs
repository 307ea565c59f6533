//! Events that people want to be handled again.

use crate::centre::{Centre, LIMIT, event, host, id};
use snooze_bus::{Bus, Expect, GatewayVerb, RequestError, Role, Subject, User};
use snooze_schemas::{
    ErrorCode,
    event::{Filed, Replay, Scope, Severity},
};

async fn operator(centre: &Centre) -> Bus {
    let user = User::named(Role::Operator, "ann").expect("a name");
    centre.server.bus(&user).await
}

fn asked(of: &str) -> Replay {
    Replay {
        id: id(of),
        host: None,
        own_id: None,
        by: "ann".to_owned(),
    }
}

async fn ask(operator: &Bus, asked: &Replay) -> Result<Filed, RequestError> {
    let subject = Subject::Gateway(GatewayVerb::Replay);
    operator.request(&subject, asked, LIMIT).await
}

async fn replay(operator: &Bus, of: &str) -> Result<Filed, RequestError> {
    ask(operator, &asked(of)).await
}

#[tokio::test]
async fn an_event_that_is_replayed_is_handed_to_its_host_once_more_under_a_new_id() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let mut runner = centre.runner("h1").await;
    let operator = operator(&centre).await;
    for (name, severity) in [("routine", Severity::Info), ("urgent", Severity::Critical)] {
        let first = event(name, Scope::Host(host("h1")), severity);
        centre.file(&first).await;
        assert_eq!(runner.accept().await, first);
        let filed = replay(&operator, name).await.expect("is filed");
        let second = runner.accept().await;
        assert_eq!(second.id, filed.id);
        assert_ne!(second.id, first.id);
        assert_eq!(second.data["replay_of"], name);
        let (first, second) = (&first.event_type, &second.event_type);
        assert_eq!(first, second);
    }
    gateway.end().await;
}

#[tokio::test]
async fn i1_what_a_host_files_in_the_name_of_another_is_replayed_for_nobody() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let thief = centre.runner("h1").await;
    let mut victim = centre.runner("h2").await;
    // Under a subject of its own, with a body that names another host.
    let forged = event("forged", Scope::Host(host("h2")), Severity::Critical);
    let own = event("forged", Scope::Host(host("h1")), Severity::Critical);
    let subject = crate::centre::subject_of(&own);
    let filed = thief.bus.file(&subject, &forged, Expect::New, LIMIT).await;
    filed.expect("nobody reads bodies there");
    let Err(RequestError::Refused { source, .. }) = replay(&operator(&centre).await, "forged").await else {
        panic!("it was filed for another host");
    };
    assert_eq!(source.code, ErrorCode::NotFound);
    let next = event("next", Scope::Host(host("h2")), Severity::Critical);
    centre.file(&next).await;
    assert_eq!(victim.accept().await.id, next.id);
    gateway.end().await;
}

#[tokio::test]
async fn what_was_never_filed_is_not_replayed() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let operator = operator(&centre).await;
    let Err(RequestError::Refused { source, .. }) = replay(&operator, "no-such").await else {
        panic!("it was answered as if it were there");
    };
    assert_eq!(source.code, ErrorCode::NotFound);
    gateway.end().await;
}

#[tokio::test]
async fn i1_a_host_that_takes_the_id_of_anothers_event_hides_it_from_nobody() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let thief = centre.runner("h1").await;
    let mut victim = centre.runner("h2").await;
    let theirs = event("shared", Scope::Host(host("h2")), Severity::Info);
    centre.file(&theirs).await;
    assert_eq!(victim.accept().await, theirs);
    // Newer, and of a higher severity.
    let own = event("shared", Scope::Host(host("h1")), Severity::Critical);
    let filed = thief
        .bus
        .file(&crate::centre::subject_of(&own), &own, Expect::New, LIMIT)
        .await;
    filed.expect("it is its own");
    let operator = operator(&centre).await;
    let Err(RequestError::Refused { source, .. }) = replay(&operator, "shared").await else {
        panic!("one of them was taken");
    };
    assert_eq!(source.code, ErrorCode::Conflict);
    let of_victim = Replay {
        host: Some(host("h2")),
        ..asked("shared")
    };
    let filed = ask(&operator, &of_victim).await.expect("is filed");
    assert_eq!(victim.accept().await.id, filed.id);
    gateway.end().await;
}

#[tokio::test]
async fn a_replay_that_is_asked_for_twice_with_an_id_of_ones_own_is_one_event() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let mut runner = centre.runner("h1").await;
    let operator = operator(&centre).await;
    let first = event("first", Scope::Host(host("h1")), Severity::Critical);
    centre.file(&first).await;
    runner.accept().await;
    let asked = Replay {
        own_id: Some(id("mine")),
        ..asked("first")
    };
    let once = ask(&operator, &asked).await.expect("is filed");
    let again = ask(&operator, &asked).await.expect("is answered");
    assert_eq!((once.duplicate, again.duplicate), (false, true));
    assert_eq!((once.id.as_str(), &once.id), ("replay-mine", &again.id));
    assert_eq!(runner.accept().await.id, once.id);
    let next = event("next", Scope::Host(host("h1")), Severity::Critical);
    centre.file(&next).await;
    assert_eq!(runner.accept().await.id, next.id, "it was handed over once");
    gateway.end().await;
}
