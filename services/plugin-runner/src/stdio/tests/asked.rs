//! Who is asked when, and what an answer costs that is no opinion.

use super::*;

#[tokio::test]
async fn an_honest_plugin_is_asked_again_and_again() {
    let stand = Stand::of(&python(HONEST)).await;
    assert_eq!(stand.plugin.name().as_str(), "tested");
    for call in 1..=100 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!((stand.plugin.restarts(), stand.plugin.strays()), (0, 0));
}

#[tokio::test]
async fn its_own_word_that_it_failed_costs_only_this_answer() {
    let stand = Stand::of(&python(r#"say({"error": "server is down"}, id)"#)).await;
    let process = stand.plugin.process_id();
    for _ in 0..3 {
        let error = stand.check(SOON).await.expect_err("an error");
        assert!(
            matches!(&error, CallError::Said(said) if said.text == "server is down"),
            "{error:?}"
        );
    }
    assert_eq!(stand.plugin.process_id(), process, "it runs on");
}

#[tokio::test]
async fn questions_wait_for_one_another_and_no_longer_than_they_may() {
    let stand = Stand::of(&python("linger(0.3)\nsay({'is_idle': True, 'call': calls}, id)")).await;
    let (first, second) = tokio::join!(stand.check(SOON), stand.check(Duration::from_millis(50)));
    assert_eq!(first.expect("an answer")["call"], 1);
    assert!(matches!(second.expect_err("no time"), CallError::Occupied(_)));
    assert_eq!(
        stand.check(SOON).await.expect("the process was left alone")["call"],
        2
    );
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn a_question_that_is_given_up_in_the_middle_spoils_no_later_one() {
    let stand = Stand::of(&python(
        "linger(0.2 if calls == 1 else 0)\nsay({'is_idle': True, 'call': calls}, id)",
    ))
    .await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), stand.check(SOON)).await;
    assert!(given_up.is_err());
    wait_until(SOON, "it is started again", async || stand.plugin.restarts() == 1).await;
    stand.running().await;
    stand.recovered().await;
}

#[tokio::test]
async fn e3_a_critical_event_goes_before_what_waits() {
    let script = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        r#"elif request["method"] == "HandleEvent":
        while not os.path.exists("go"): linger(0.01)
        open("order", "a").write(request["params"] + " ")
        say({}, id)
    elif request["method"] != "CheckIdle":"#,
    );
    let stand = Stand::of(&script).await;
    let event = |name: &'static str, severity| {
        stand.plugin.call_by(
            Method::HandleEvent,
            errand(name, severity),
            SOON,
            ready(Ok(())),
            move |_| name,
        )
    };
    let first = event("first", Severity::Info);
    let others = async {
        let info = event("info", Severity::Info);
        let warning = event("warning", Severity::Warning);
        let critical = event("critical", Severity::Critical);
        let go = async {
            wait_until(SOON, "all wait", async || {
                format!("{:?}", stand.plugin.turns).contains("waiting: 3")
            })
            .await;
            fs::write(stand.folder.path().join("go"), "").expect("writes");
        };
        tokio::join!(info, warning, critical, go)
    };
    let (first, (info, warning, critical, ())) = tokio::join!(first, others);
    for answer in [first, info, warning, critical] {
        answer.expect("it is handled");
    }
    let order = fs::read_to_string(stand.folder.path().join("order")).expect("it is written");
    assert_eq!(order, "first critical warning info ");
}

#[tokio::test]
async fn a_question_has_its_own_time_from_when_it_is_its_turn() {
    let stand = Stand::of(&python(
        "linger(3 if calls == 1 else 0)\nsay({'is_idle': True, 'call': calls}, id)",
    ))
    .await;
    let limits = Limits {
        queue: SOON,
        own: Duration::from_secs(2),
    };
    let params = json!({"metrics": {}});
    let second = stand.plugin.call(Method::CheckIdle, &params, limits);
    let (first, second) = tokio::join!(stand.check(SOON), second);
    first.expect("an answer");
    assert_eq!(
        second.expect("its own time was not spent in the queue")["call"],
        2
    );
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn one_that_keeps_silent_about_events_is_asked_all_the_same() {
    let silent = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        "elif request[\"method\"] == \"GetSupportedEvents\":\n        pass\n    elif request[\"method\"] != \"CheckIdle\":",
    );
    let stand = Stand::of(&silent).await;
    assert_eq!(stand.plugin.events().as_deref(), Some(&[][..]));
    assert_eq!(stand.check(SOON).await.expect("an answer")["call"], 1);
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn e6_nothing_is_written_before_it_is_noted_that_it_begins() {
    let stand = Stand::of(&python(HONEST)).await;
    let begins = ready(Err("the disk is full".to_owned()));
    let call = stand.plugin.call_by(
        Method::CheckIdle,
        errand("e1", Severity::Info),
        SOON,
        begins,
        |_| json!({}),
    );
    let error = call.await.expect_err("it is not asked");
    assert!(matches!(&error, CallError::NotBegun(_)), "{error:?}");
    // Time that is over when it is its turn costs it nothing either.
    let (within, begins) = (Duration::ZERO, ready(Ok(())));
    let call = stand.plugin.call_by(
        Method::CheckIdle,
        errand("e1", Severity::Info),
        within,
        begins,
        |_| json!({}),
    );
    let error = call.await.expect_err("it is not asked");
    assert!(matches!(&error, CallError::NotBegun(_)), "{error:?}");
    assert_eq!(stand.check(SOON).await.expect("it is there")["call"], 1);
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn e3_a_critical_event_waits_for_the_work_on_a_lower_one_for_half_of_its_time_at_most() {
    let script = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        r#"elif request["method"] == "HandleEvent":
        if request["params"] == "endless": linger(3600)
        open("order", "a").write(request["params"] + " ")
        say({}, id)
    elif request["method"] != "CheckIdle":"#,
    );
    let stand = Stand::of(&script).await;
    let minute = Duration::from_secs(60);
    let event = |name: &'static str, severity, within| {
        stand.plugin.call_by(
            Method::HandleEvent,
            errand(name, severity),
            within,
            ready(Ok(())),
            move |_| name,
        )
    };
    let endless = event("endless", Severity::Urgent, minute);
    let (endless, critical, waits) = tokio::join!(
        endless,
        event("critical", Severity::Critical, SOON),
        event("waits", Severity::Warning, minute),
    );
    let error = endless.expect_err("it is ended");
    assert!(
        matches!(&error, CallError::GaveWay(to) if to.as_str() == "critical"),
        "{error:?}"
    );
    critical.expect("it is handled in its time");
    waits.expect("who merely waited is asked all the same");
    let order = fs::read_to_string(stand.folder.path().join("order")).expect("it is written");
    let mut order: Vec<&str> = order.split_whitespace().collect();
    order.sort_unstable();
    assert_eq!(order, ["critical", "waits"]);
    assert_eq!(stand.plugin.restarts(), 1);
}

/// A plugin that others had to wait for has not crashed: it is there again at once, however often that happens.
#[tokio::test]
async fn t3_who_gives_way_is_charged_with_no_crash() {
    let script = python(HONEST).replace(
        r#"elif request["method"] != "CheckIdle":"#,
        r#"elif request["method"] == "HandleEvent":
        if request["params"] == "endless": linger(3600)
        say({}, id)
    elif request["method"] != "CheckIdle":"#,
    );
    let hour = Duration::from_secs(3600);
    let restarts = Restarts {
        first: hour,
        longest: hour,
        crashes: 2,
        ..Restarts::default()
    };
    let stand = Stand::restarted(&script, None, SOON, restarts);
    stand.running().await;
    let event = |name: &'static str, severity, within| {
        stand.plugin.call_by(
            Method::HandleEvent,
            errand(name, severity),
            within,
            ready(Ok(())),
            move |_| name,
        )
    };
    for round in 1..=3 {
        let (endless, _) = tokio::join!(
            event("endless", Severity::Urgent, hour),
            event("critical", Severity::Critical, Duration::from_secs(2)),
        );
        let error = endless.expect_err("it is ended");
        assert!(
            matches!(&error, CallError::GaveWay(to) if to.as_str() == "critical"),
            "{error:?}"
        );
        wait_until(SOON, "it is there again", async || {
            stand.plugin.restarts() == round && stand.check(SOON).await.is_ok()
        })
        .await;
    }
}
