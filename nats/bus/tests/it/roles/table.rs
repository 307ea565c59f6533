//! The role table, written down a second time as what each user may and may not do, and asked of the server.

use super::{super::support::*, wire::Wire};
use snooze_bus::{Role, User};

/// What a user is asked for, one subject a word. `$` begins what is not below `snooze.v1.`, `_` an inbox.
struct Asked {
    may_publish: &'static str,
    may_not_publish: &'static str,
    may_hear: &'static str,
    may_not_hear: &'static str,
}

/// What nobody may publish: the server's own, others' inboxes, and everything at once.
const NEVER_PUBLISHED: &str = "$SYS.REQ.SERVER.PING $JS.API.STREAM.DELETE.AUDIT $JS.API.STREAM.PURGE.KV_snooze_state \
    $JS.API.STREAM.MSG.DELETE.AUDIT $JS.API.CONSUMER.DELETE.EVENTS_URGENT.severity-3 $JS.API.STREAM.RESTORE.X \
    $JS.API.CONSUMER.DURABLE.CREATE.AUDIT.x $JS.API.CONSUMER.PAUSE.EVENTS_URGENT.severity-3 \
    _INBOX_source.z.x _INBOX_set-up.z.x _INBOX.x unknown foo.bar";

/// What nobody may hear: everything, others' inboxes, and what the server says to itself.
const NEVER_HEARD: &str = "$SYS.> > * *.> host.> host.*.> _INBOX.> _INBOX_> _INBOX_host.z.> _INBOX_operator.z.> _INBOX_host.* _INBOX_host.> \
    _INBOX_*.> _R_.> _R_.x _INBOX_executor.z.x $KV.> $KV.*.> $JS.> $JS.API.> $JS.ACK.> $JS.EVENT.ADVISORY.> \
    $KV.snooze_state.> $KV.snooze_open.>";

fn full(word: &str) -> String {
    if word.starts_with(['$', '_', '>', '*']) {
        word.to_owned()
    } else {
        format!("snooze.v1.{word}")
    }
}

async fn check(user: User, asked: Asked) {
    let server = NatsServer::with_roles().await;
    let mut wire = Wire::connect(&server, &user).await;
    let who = format!("{} {}", user.role(), user.name());
    let inbox = user.role().inbox_prefix(user.name());
    let words = |text: &str| -> Vec<String> { text.split_whitespace().map(full).collect() };
    assert!(wire.may_hear(&format!("{inbox}.>")).await, "{who}: its own inbox");
    assert!(
        !wire.may_hear(&format!("{inbox}x.>")).await,
        "{who}: an inbox that begins like its own"
    );
    for subject in words(asked.may_publish) {
        assert!(wire.may_publish(&subject).await, "{who} may publish {subject}");
    }
    for subject in words(asked.may_not_publish)
        .into_iter()
        .chain(words(NEVER_PUBLISHED))
    {
        assert!(
            !wire.may_publish(&subject).await,
            "{who} may not publish {subject}"
        );
    }
    for subject in words(asked.may_hear) {
        assert!(wire.may_hear(&subject).await, "{who} may hear {subject}");
    }
    for subject in words(asked.may_not_hear).into_iter().chain(words(NEVER_HEARD)) {
        assert!(!wire.may_hear(&subject).await, "{who} may not hear {subject}");
    }
}

#[tokio::test]
async fn i5_host() {
    let user = User::host(&host("a")).granting(&"llm".parse().expect("a plugin"));
    let asked = Asked {
        may_publish: "host.a.metrics host.a.verdict host.a.hello host.a.lease host.a.collector.sample \
            host.a.collector.missed host.a.plugin.db.check_idle host.a.plugin.db.handle_event \
            event.a.3.id.cloud.spot.interrupt event.a.0.id.custom audit.a.event audit.a.plugin \
            fleet.plugin.llm.check_idle fleet.plugin.llm.handle_event \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.group.g \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.host.a \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.roster.a \
            $JS.API.DIRECT.GET.OBJ_snooze_artifacts.$O.snooze_artifacts.M.x \
            $JS.API.DIRECT.GET.OBJ_snooze_artifacts.$O.snooze_artifacts.C.x.0",
        may_not_publish: "host.b.metrics host.b.verdict host.b.hello host.b.lease host.b.plugin.db.check_idle \
            host.a.runner.verify host.b.runner.prepare host.a.x \
            event.b.3.id.custom event.fleet.0.id.custom audit.b.event audit.a.stopped audit.fleet.event dead.a.custom \
            fleet.plugin.llm.configure fleet.plugin.other.check_idle ops.lease ops.freeze ops.query gateway.replay \
            custom.a.x custom.backup.x \
            $KV.snooze_config.host.a $KV.snooze_config.fleet $KV.snooze_config.roster.a $KV.snooze_state.host.a \
            $KV.snooze_state.gate $KV.snooze_open.a.x $O.snooze_artifacts.M.x \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.host.b \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.roster.b \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.source.backup \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.plugin.db \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.> \
            $JS.API.DIRECT.GET.KV_snooze_config $JS.API.STREAM.MSG.GET.KV_snooze_config \
            $O.snooze_artifacts.C.x.0 $JS.API.DIRECT.GET.OBJ_snooze_artifacts \
            $JS.API.STREAM.MSG.GET.OBJ_snooze_artifacts $JS.API.STREAM.INFO.OBJ_snooze_artifacts \
            $JS.API.CONSUMER.CREATE.OBJ_snooze_artifacts.x.y \
            $JS.API.STREAM.MSG.GET.KV_snooze_state $JS.API.DIRECT.GET.AUDIT $JS.API.DIRECT.GET.VERDICTS \
            $JS.API.STREAM.INFO.KV_snooze_config $JS.API.STREAM.NAMES $JS.API.INFO $JS.API.STREAM.CREATE.X \
            $JS.API.CONSUMER.CREATE.KV_snooze_config.x.y $JS.API.CONSUMER.CREATE.AUDIT \
            $JS.API.CONSUMER.MSG.NEXT.EVENTS_URGENT.severity-3 $JS.ACK.EVENTS_URGENT.severity-3.1.1.1.1.0 \
            $JS.FC.KV_snooze_config.x.1 $SRV.PING",
        may_hear: "host.a.runner.verify host.a.runner.* host.a.runner.> host.a.plugin.> host.a.plugin.db.* \
            host.a.metrics host.a.collector.sample host.a.collector.missed \
            $KV.snooze_config.fleet $KV.snooze_config.group.g $KV.snooze_config.host.a $KV.snooze_config.roster.a \
            $SRV.PING $SRV.INFO $SRV.STATS \
            $SRV.PING.snooze_plugin_runner $SRV.INFO.snooze_plugin_runner.a $SRV.STATS.snooze_plugin_runner.a",
        may_not_hear: "host.b.runner.verify host.*.runner.verify host.b.plugin.> host.b.metrics host.*.metrics \
            host.*.verdict host.a.verdict ops.> ops.freeze event.> event.a.> audit.> audit.a.> custom.> gateway.> \
            fleet.plugin.llm.* $KV.snooze_config.> $KV.snooze_config.host.b $KV.snooze_config.host.* \
            $KV.snooze_config.roster.* $KV.snooze_config.plugin.db $KV.snooze_state.host.a \
            $SRV.> $SRV.PING.> $SRV.INFO.db $SRV.INFO.snooze_plugin_runner.b $SRV.STATS.snooze_plugin_runner.*",
    };
    check(user, asked).await;
}

#[tokio::test]
async fn i5_a_host_without_a_grant_asks_no_fleet_plugin() {
    let server = NatsServer::with_roles().await;
    let mut wire = Wire::connect(&server, &User::host(&host("a"))).await;
    for subject in [
        "snooze.v1.fleet.plugin.llm.check_idle",
        "snooze.v1.fleet.plugin..check_idle",
    ] {
        assert!(!wire.may_publish(subject).await, "{subject}");
    }
    assert!(wire.may_publish("snooze.v1.host.a.metrics").await);
}

#[tokio::test]
async fn i5_plugin() {
    let asked = Asked {
        may_publish: "",
        may_not_publish: "host.a.metrics host.a.verdict host.a.lease host.a.plugin.db.check_idle event.a.0.id.custom \
            audit.a.plugin ops.query custom.db.x $KV.snooze_config.plugin.db $SRV.PING \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet $JS.API.CONSUMER.CREATE.AUDIT.x",
        may_hear: "host.a.plugin.db.check_idle host.a.plugin.db.* $SRV.PING $SRV.INFO.db $SRV.STATS.db.id",
        may_not_hear: "host.a.plugin.other.* host.b.plugin.db.* host.*.plugin.db.* host.a.plugin.> host.a.runner.> \
            host.a.metrics fleet.plugin.db.* $SRV.PING.other $SRV.> $KV.snooze_config.fleet \
            $SRV.PING.snooze_plugin_runner $SRV.INFO.snooze_plugin_runner.a",
    };
    check(User::plugin(&host("a"), &"db".parse().expect("a plugin")), asked).await;
}

#[tokio::test]
async fn i5_fleet_plugin() {
    let asked = Asked {
        may_publish: "",
        may_not_publish: "host.a.verdict fleet.plugin.llm.check_idle event.fleet.0.id.custom ops.query",
        may_hear: "fleet.plugin.llm.check_idle fleet.plugin.llm.* $SRV.PING $SRV.PING.llm $SRV.PING.llm.id",
        may_not_hear: "fleet.plugin.other.* fleet.plugin.> host.a.plugin.llm.* $SRV.PING.other",
    };
    check(User::fleet_plugin(&"llm".parse().expect("a plugin")), asked).await;
}

#[tokio::test]
async fn i5_executor() {
    let asked = Asked {
        may_publish: "host.a.runner.prepare host.b.runner.verify host.a.runner.cancel audit.a.intent audit.fleet.gate \
            event.a.2.id.snooze.pending $KV.snooze_state.host.a $KV.snooze_state.gate $KV.snooze_state.slot.g.1 \
            $KV.snooze_config.roster.a $JS.API.STREAM.MSG.GET.KV_snooze_state $JS.API.DIRECT.GET.KV_snooze_config \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet $JS.API.DIRECT.GET.AUDIT \
            $JS.API.DIRECT.GET.VERDICTS $JS.API.DIRECT.GET.VERDICTS.snooze.v1.host.a.verdict \
            $JS.API.DIRECT.GET.EVENTS_URGENT $JS.API.CONSUMER.CREATE.KV_snooze_state.w.$KV.snooze_state.> \
            $JS.API.CONSUMER.CREATE.KV_snooze_config.w.$KV.snooze_config.> $JS.FC.KV_snooze_config.w.1",
        may_not_publish: "host.a.verdict host.a.metrics host.a.hello host.a.lease host.a.runner.handle_event \
            host.a.runner.load host.a.plugin.db.check_idle event.a.3.id.cloud.spot.interrupt event.a.2.id.custom \
            dead.a.custom custom.x.y ops.freeze ops.thaw gateway.replay $KV.snooze_config.fleet \
            $KV.snooze_config.group.g $KV.snooze_config.host.a $KV.snooze_open.a.x $O.snooze_artifacts.M.x \
            $JS.API.STREAM.CREATE.X $JS.API.STREAM.UPDATE.AUDIT $JS.API.CONSUMER.CREATE.EVENTS_URGENT.x \
            $JS.API.CONSUMER.MSG.NEXT.EVENTS_URGENT.severity-3 $JS.ACK.EVENTS_URGENT.severity-3.1.1.1.1.0",
        may_hear: "host.*.verdict host.*.hello host.*.lease host.a.verdict ops.> ops.freeze",
        may_not_hear: "host.*.metrics host.*.runner.> host.a.runner.verify host.*.plugin.> event.> audit.> custom.> \
            gateway.>",
    };
    check(User::named(Role::Executor, "e1").expect("a name"), asked).await;
}

#[tokio::test]
async fn i5_gateway() {
    let asked = Asked {
        may_publish: "event.a.3.id.cloud.spot.interrupt event.fleet.0.id.custom.x dead.a.custom audit.a.event \
            audit.fleet.event audit.fleet.gate host.a.runner.handle_event $KV.snooze_open.a.x \
            $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.source.backup $JS.API.DIRECT.GET.KV_snooze_open $JS.API.DIRECT.GET.AUDIT \
            $JS.API.CONSUMER.CREATE.KV_snooze_open.w.$KV.snooze_open.> \
            $JS.API.CONSUMER.MSG.NEXT.EVENTS_URGENT.severity-3 $JS.API.CONSUMER.MSG.NEXT.EVENTS_ROUTINE.severity-0 \
            $JS.ACK.EVENTS_URGENT.severity-3.1.1.1.1.0 $JS.ACK.EVENTS_ROUTINE.severity-0.1.1.1.1.0 \
            $JS.API.STREAM.INFO.EVENTS_URGENT $JS.API.STREAM.INFO.EVENTS_ROUTINE $JS.API.STREAM.INFO.DEAD \
            $JS.API.STREAM.INFO.KV_snooze_open \
            $JS.API.CONSUMER.INFO.EVENTS_URGENT.severity-3 $JS.API.CONSUMER.INFO.EVENTS_ROUTINE.severity-0 \
            $JS.API.CONSUMER.MSG.NEXT.AUDIT.published-aws $JS.ACK.AUDIT.published-aws.1.1.1.1.0",
        may_not_publish: "host.a.runner.prepare host.a.runner.verify host.a.runner.cancel host.a.verdict audit.a.stopped \
            ops.freeze custom.x.y $KV.snooze_config.fleet $KV.snooze_config.roster.a $KV.snooze_state.gate \
            $KV.snooze_state.host.a $JS.API.STREAM.MSG.GET.KV_snooze_state $JS.API.DIRECT.GET.KV_snooze_state \
            $JS.API.DIRECT.GET.KV_snooze_state.$KV.snooze_state.gate $JS.API.CONSUMER.CREATE.KV_snooze_state.w.x \
            $JS.API.CONSUMER.CREATE.EVENTS_URGENT.mine $JS.API.DIRECT.GET.VERDICTS $JS.API.STREAM.CREATE.X \
            $JS.API.STREAM.INFO.KV_snooze_state $JS.API.STREAM.UPDATE.EVENTS_URGENT $JS.API.STREAM.UPDATE.AUDIT \
            $JS.API.CONSUMER.CREATE.AUDIT.mine $JS.API.CONSUMER.CREATE.AUDIT.published-aws",
        may_hear: "custom.> custom.backup.> gateway.> gateway.replay host.*.hello",
        may_not_hear: "host.*.verdict host.*.lease host.*.runner.> ops.> event.> audit.>",
    };
    check(User::named(Role::Gateway, "g1").expect("a name"), asked).await;
}

/// What an administrator may do beyond an operator.
const ADMINISTRATION: &str = "$KV.snooze_config.fleet $KV.snooze_config.host.a $KV.snooze_config.source.backup \
    $O.snooze_artifacts.M.x $O.snooze_artifacts.C.x.0 \
    $JS.API.DIRECT.GET.OBJ_snooze_artifacts.$O.snooze_artifacts.C.x.0 host.a.runner.validate host.a.runner.reload host.a.runner.load host.a.runner.unload \
    $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet";

const OPERATION: &str = "ops.lease ops.postpone ops.freeze ops.thaw ops.wake ops.query gateway.replay \
    host.a.runner.plugins host.a.runner.check host.a.runner.logs host.a.runner.stats host.a.runner.progress custom.ann.deploy.done \
    $SRV.PING $SRV.INFO.db $JS.API.DIRECT.GET.AUDIT $JS.API.DIRECT.GET.VERDICTS \
    $JS.API.DIRECT.GET.VERDICTS.snooze.v1.host.a.verdict $JS.API.DIRECT.GET.EVENTS_URGENT \
    $JS.API.DIRECT.GET.EVENTS_ROUTINE $JS.API.DIRECT.GET.DEAD \
    $JS.API.DIRECT.GET.KV_snooze_open.$KV.snooze_open.a.x";

const NOT_FOR_PEOPLE: &str = "host.a.metrics host.a.verdict host.a.hello host.a.lease host.a.runner.prepare \
    host.a.runner.verify host.a.runner.cancel host.a.runner.handle_event host.a.plugin.db.check_idle \
    event.a.0.id.custom audit.a.event dead.a.custom custom.bob.x $KV.snooze_state.gate $KV.snooze_state.host.a \
    $KV.snooze_open.a.x $JS.API.DIRECT.GET.KV_snooze_open $JS.API.CONSUMER.CREATE.KV_snooze_open.x.y \
    $JS.API.STREAM.CREATE.X $JS.API.STREAM.UPDATE.AUDIT $JS.API.CONSUMER.CREATE.AUDIT.x \
    $JS.API.STREAM.MSG.GET.KV_snooze_state $JS.API.CONSUMER.MSG.NEXT.EVENTS_URGENT.severity-3 \
    $JS.API.DIRECT.GET.OBJ_snooze_artifacts $JS.API.CONSUMER.CREATE.OBJ_snooze_artifacts.x.y";

const PEOPLE_HEAR: &str = "host.*.metrics host.*.verdict host.a.verdict event.> audit.> audit.a.>";
const PEOPLE_DO_NOT_HEAR: &str = "host.*.runner.> host.*.lease host.*.hello ops.> custom.> gateway.> \
    $KV.snooze_config.> $SRV.PING";

#[tokio::test]
async fn i5_operator() {
    let asked = Asked {
        may_publish: OPERATION,
        may_not_publish: NOT_FOR_PEOPLE,
        may_hear: PEOPLE_HEAR,
        may_not_hear: PEOPLE_DO_NOT_HEAR,
    };
    check(User::named(Role::Operator, "ann").expect("a name"), asked).await;
    let asked = Asked {
        may_publish: "",
        may_not_publish: ADMINISTRATION,
        may_hear: "",
        may_not_hear: "",
    };
    check(User::named(Role::Operator, "ann").expect("a name"), asked).await;
}

#[tokio::test]
async fn i5_administrator() {
    for may_publish in [OPERATION, ADMINISTRATION] {
        let asked = Asked {
            may_publish,
            may_not_publish: NOT_FOR_PEOPLE,
            may_hear: PEOPLE_HEAR,
            may_not_hear: PEOPLE_DO_NOT_HEAR,
        };
        check(User::named(Role::Administrator, "ann").expect("a name"), asked).await;
    }
}

#[tokio::test]
async fn i5_set_up() {
    let asked = Asked {
        may_publish: "$JS.API.STREAM.CREATE.AUDIT $JS.API.STREAM.UPDATE.AUDIT $KV.snooze_config.roster.a \
            $JS.API.CONSUMER.CREATE.EVENTS_URGENT.severity-3.snooze.v1.event.*.3.>",
        may_not_publish: "$KV.snooze_config.fleet $KV.snooze_config.host.a $KV.snooze_state.gate host.a.verdict \
            ops.freeze audit.a.stopped event.a.0.id.custom $JS.API.STREAM.MSG.GET.KV_snooze_state",
        may_hear: "",
        may_not_hear: "host.*.verdict ops.> event.> audit.> $KV.snooze_config.>",
    };
    check(User::named(Role::SetUp, "s").expect("a name"), asked).await;
}

#[tokio::test]
async fn i5_source() {
    let asked = Asked {
        may_publish: "custom.backup.done custom.backup.db.nightly.failed",
        may_not_publish: "custom.deploy.done custom.backup event.a.0.id.custom ops.query host.a.lease \
            $JS.API.DIRECT.GET.AUDIT $KV.snooze_config.source.backup",
        may_hear: "",
        may_not_hear: "custom.> custom.backup.> event.> host.*.metrics",
    };
    check(User::source(&"backup".parse().expect("a source")), asked).await;
}

#[tokio::test]
async fn i5_dashboard() {
    let asked = Asked {
        may_publish: "ops.query $JS.API.DIRECT.GET.AUDIT $JS.API.DIRECT.GET.DEAD \
            $JS.API.DIRECT.GET.VERDICTS.snooze.v1.host.a.verdict",
        may_not_publish: "ops.freeze ops.lease ops.wake gateway.replay custom.wall.x host.a.runner.plugins \
            $KV.snooze_config.fleet $SRV.PING $JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.fleet",
        may_hear: "host.*.metrics host.*.verdict audit.>",
        may_not_hear: "event.> host.*.runner.> ops.>",
    };
    check(User::named(Role::Dashboard, "wall").expect("a name"), asked).await;
}
