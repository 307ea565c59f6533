//! What hosts and plugins are for works behind their fences and across the accounts.

use super::{super::support::*, cast::*};
use serde_json::{Value, json};
use snooze_bus::{
    Bucket, BusStatus, Change, EXECUTOR_QUEUE, PluginMethod, RequestError, RunnerVerb, Stream, Subject,
    SubjectFilter, User,
};
use snooze_schemas::{
    host::{Cancel, Hello, ListPlugins, TakeSample},
    plugin::Info,
    reply::Empty,
    sample::Sample,
    verdict::Verdict,
};

#[tokio::test]
async fn i5_what_a_host_says_reaches_the_centre_and_people() {
    let cast = cast().await;
    let mut centre = cast
        .executor
        .subscribe(&SubjectFilter::AllVerdicts, Some(EXECUTOR_QUEUE))
        .await
        .expect("subscribes");
    let mut people = cast
        .operator
        .subscribe(&SubjectFilter::AllVerdicts, None)
        .await
        .expect("subscribes");
    let mut samples = cast
        .operator
        .subscribe(&SubjectFilter::AllMetrics, None)
        .await
        .expect("subscribes");
    let own = SubjectFilter::Exactly(Subject::Metrics(host("a")));
    let mut own_samples = cast.host.subscribe(&own, None).await.expect("subscribes");
    let mut hellos = cast
        .gateway
        .subscribe(&SubjectFilter::AllHello, None)
        .await
        .expect("subscribes");

    cast.host
        .publish(&Subject::Verdict(host("a")), &verdict("a", 1))
        .await
        .expect("publishes");
    cast.host
        .publish(&Subject::Metrics(host("a")), &sample("a", 1))
        .await
        .expect("publishes");
    let hello = Hello {
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
        launch: None,
        version: "1".to_owned(),
    };
    cast.host
        .publish(&Subject::HostHello(host("a")), &hello)
        .await
        .expect("publishes");
    for heard in [&mut centre, &mut people] {
        assert_eq!(next::<Verdict>(heard).await.seq, 1);
    }
    for heard in [&mut samples, &mut own_samples] {
        assert_eq!(next::<Sample>(heard).await.seq, 1);
    }
    next::<Hello>(&mut hellos).await;
    for reader in [&cast.executor, &cast.operator] {
        wait_until(LIMIT, "the last verdict can be read", async || {
            let subject = Subject::Verdict(host("a"));
            let last = reader
                .last::<Verdict>(Stream::Verdicts, &subject)
                .await
                .expect("reads");
            last.is_some_and(|stored| stored.message.seq == 1)
        })
        .await;
    }
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_a_host_is_asked_from_the_centre_by_people_and_by_itself() {
    let cast = cast().await;
    let runner = |verb| Subject::Runner {
        host: host("a"),
        verb,
    };
    let cancel = Cancel {
        claim: 1,
        reason: String::new(),
    };
    answer_one::<Cancel>(
        &cast.host,
        SubjectFilter::Exactly(runner(RunnerVerb::Cancel)),
        None,
    )
    .await;
    ask(&cast.executor, runner(RunnerVerb::Cancel), cancel.clone()).await;
    for asker in [&cast.operator, &cast.administrator] {
        let plugins = runner(RunnerVerb::Plugins);
        answer_one::<ListPlugins>(&cast.host, SubjectFilter::Exactly(plugins.clone()), None).await;
        ask(asker, plugins, ListPlugins::default()).await;
    }
    let sample = Subject::CollectorSample(host("a"));
    answer_one::<TakeSample>(&cast.host, SubjectFilter::Exactly(sample.clone()), None).await;
    ask(&cast.host, sample, TakeSample { window_ms: 1 }).await;

    // A host that is away is known to be away at once.
    let away = Subject::Runner {
        host: host("b"),
        verb: RunnerVerb::Cancel,
    };
    let asked = cast.executor.request::<_, Empty>(&away, &cancel, LIMIT).await;
    assert!(
        matches!(asked, Err(RequestError::NoResponders { .. })),
        "{asked:?}"
    );
    cast.all_are_well().await;
}

#[tokio::test]
async fn i5_plugins_of_either_kind_answer_a_host_and_are_discovered() {
    let cast = cast().await;
    let (db, llm) = ("db".parse().expect("a plugin"), "llm".parse().expect("a plugin"));
    let plugin = fenced(&cast.server, &User::plugin(&host("a"), &db)).await;
    let fleet = fenced(&cast.server, &User::fleet_plugin(&llm)).await;
    let granted = fenced(&cast.server, &User::host(&host("b")).granting(&llm)).await;
    let local = Subject::HostPlugin {
        host: host("a"),
        plugin: db.clone(),
        method: PluginMethod::Info,
    };
    let filter = SubjectFilter::PluginOnHost {
        host: host("a"),
        plugin: db,
    };
    answer_one::<Info>(&plugin, filter, None).await;
    ask(&cast.host, local, Info {}).await;
    let remote = Subject::FleetPlugin {
        plugin: llm.clone(),
        method: PluginMethod::CheckIdle,
    };
    answer_one::<Info>(&fleet, SubjectFilter::FleetPlugin(llm), Some("llm")).await;
    ask(&granted, remote, Info {}).await;

    // The services protocol: one question, and everybody answers.
    for member in [&plugin, &fleet] {
        let mut pinged = member.raw_subscribe("$SRV.PING").await.expect("subscribes");
        member.flush(LIMIT).await.expect("is ready");
        let member = member.clone();
        tokio::spawn(async move {
            let ping = pinged.next().await.expect("the connection is open");
            let reply = ping.reply.expect("an answer is wanted");
            member
                .raw_publish(&reply, None, &[], b"{}")
                .await
                .expect("answers");
        });
    }
    for (asker, inbox) in [(&cast.operator, "_INBOX_operator.ann.srv")] {
        let mut answers = asker.raw_subscribe(inbox).await.expect("subscribes");
        asker
            .raw_publish("$SRV.PING", Some(inbox), &[], b"")
            .await
            .expect("asks");
        for _ in 0..2 {
            let answer = tokio::time::timeout(LIMIT, answers.next())
                .await
                .expect("both answer");
            assert_eq!(answer.expect("the connection is open").status, None);
        }
    }
    cast.all_are_well().await;
    for bus in [&plugin, &fleet, &granted] {
        assert_eq!(*bus.status().borrow(), BusStatus::Connected);
    }
}

#[tokio::test]
async fn i5_a_host_reads_its_configuration_and_hears_of_changes() {
    let cast = cast().await;
    let config = cast.administrator.bucket(Bucket::Config);
    let mut heard = cast
        .host
        .subscribe(&SubjectFilter::ConfigKey("host.a".to_owned()), None)
        .await
        .expect("subscribes");
    let mut watch = cast
        .executor
        .bucket(Bucket::Config)
        .watch::<Value>(">")
        .await
        .expect("watches");
    assert_eq!(
        watch.next().await.expect("goes on").expect("is whole"),
        Change::Ready
    );
    for key in ["fleet", "group.default", "host.a", "roster.a"] {
        let read = cast
            .host
            .bucket(Bucket::Config)
            .get::<Value>(key)
            .await
            .expect("may read");
        assert!(read.is_none());
        let revision = config
            .put(key, &json!({ "policy": {} }))
            .await
            .expect("may write");
        let read = cast
            .host
            .bucket(Bucket::Config)
            .get::<Value>(key)
            .await
            .expect("may read");
        assert_eq!(read.expect("is there").revision, revision);
        let change = watch.next().await.expect("goes on").expect("is whole");
        assert!(matches!(change, Change::Put(entry) if entry.key == key));
    }
    let changed = tokio::time::timeout(LIMIT, heard.next()).await.expect("is told");
    assert!(matches!(changed.expect("open").subject(), Subject::ConfigKey(key) if key == "host.a"));
    cast.all_are_well().await;
}
