//! The role table. A subject without `$` stands below `snooze.v1.`; `@` is the user's own name, `@x` its
//! tag `x`, and `{a,b}` stands for one of these words. What is not in the table is refused.
//!
//! Nobody has `allow_responses`: it lets a client publish wherever a message that reached it wants its reply,
//! so that a host which sends itself a message with a forged reply could publish anything anywhere (tried).
//!
//! In the account that has JetStream a forged reply makes the server say in its own right what its user may not,
//! so only services are there. What remains: whoever holds the credentials of an executor, a gateway or the
//! set-up can have an answer sent to `$JS.API.STREAM.DELETE.…`, and is trusted with the installation as much as
//! the server itself. Everybody else is in an account where such a subject leads nowhere.
//!
//! Queue groups are not part of it: a server drops `subject queue` entries from a list that has a template
//! in it, because it checks them as plain subjects.

use super::Role;

/// One thing that a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Sends to these subjects.
    Publish(&'static str),
    /// Hears these subjects.
    Subscribe(&'static str),
    /// Answers users of this role of its own account, at the inbox of the one with this name.
    Answer(Role, &'static str),
    /// Answers whoever asks from another account.
    AnswerAcross,
    /// Reads the last message of these subjects of a stream, and nothing else of it.
    GetKey(&'static str, &'static str),
    /// Reads any message of a stream, from any replica.
    Get(&'static str),
    /// Reads any message of a stream, from the replica that is never behind.
    GetFromLeader(&'static str),
    /// Follows a stream by consumers of its own, which the stream's limit bounds.
    Watch(&'static str),
    /// Sees how full a stream is.
    Look(&'static str),
    /// Takes messages from the durable consumers that a stream has, acks them, and sees how far they have
    /// come in it.
    Consume(&'static str),
}

use Right::{Answer, AnswerAcross, Consume, Get, GetFromLeader, GetKey, Look, Publish, Subscribe, Watch};

const CONFIG: &str = "KV_snooze_config";
const STATE: &str = "KV_snooze_state";
const OPEN: &str = "KV_snooze_open";
const ARTIFACTS: &str = "OBJ_snooze_artifacts";
const AUDIT: &str = "AUDIT";
const VERDICTS: &str = "VERDICTS";
const URGENT: &str = "EVENTS_URGENT";
const ROUTINE: &str = "EVENTS_ROUTINE";
const DEAD: &str = "DEAD";

/// The table's line for a role.
pub(super) fn rights(role: Role) -> &'static [&'static [Right]] {
    match role {
        Role::Host => &[HOST],
        Role::Plugin => &[PLUGIN],
        Role::FleetPlugin => &[FLEET_PLUGIN],
        Role::Executor => &[EXECUTOR],
        Role::Gateway => &[GATEWAY],
        Role::Operator => &[OPERATOR],
        Role::Administrator => &[OPERATOR, ADMINISTRATOR],
        Role::SetUp => &[SET_UP],
        Role::Source => &[SOURCE],
        Role::Dashboard => &[DASHBOARD],
    }
}

/// Never `$KV.>` and never a consumer (rule I4): whoever writes one key of a bucket could empty it where
/// roll-ups are allowed, and a consumer can be told to deliver anywhere.
///
/// Rule I5 gives a host its own configuration keys. It reads the layer of every group here: which group is its
/// own stands in its roster record, which an administrator changes without new credentials. A layer holds
/// policy and no secret, and nothing that a host says about its group counts (rule I1).
const HOST: &[Right] = &[
    Publish("host.@.{metrics,verdict,hello,lease}"),
    Publish("host.@.collector.{sample,missed}"),
    Publish("host.@.plugin.*.*"),
    Publish("event.@.>"),
    Publish("audit.@.{event,plugin}"),
    Publish("fleet.plugin.@fleet-plugin.{check_idle,handle_event}"),
    GetKey(CONFIG, "$KV.snooze_config.{fleet,group.*,host.@,roster.@}"),
    GetKey(ARTIFACTS, "$O.snooze_artifacts.>"),
    AnswerAcross,
    Subscribe("host.@.{runner,plugin}.>"),
    Subscribe("host.@.{metrics,collector.sample,collector.missed}"),
    Subscribe("$KV.snooze_config.{fleet,group.*,host.@,roster.@}"),
    Subscribe("$SRV.{PING,INFO,STATS}"),
    Subscribe("$SRV.{PING,INFO,STATS}.snooze_plugin_runner"),
    Subscribe("$SRV.{PING,INFO,STATS}.snooze_plugin_runner.@"),
];

const PLUGIN: &[Right] = &[
    Answer(Role::Host, "@host"),
    AnswerAcross,
    Subscribe("host.@host.plugin.@plugin.*"),
    Subscribe("$SRV.{PING,INFO,STATS}"),
    Subscribe("$SRV.{PING,INFO,STATS}.@plugin"),
    Subscribe("$SRV.{PING,INFO,STATS}.@plugin.*"),
];

const FLEET_PLUGIN: &[Right] = &[
    Answer(Role::Host, "*"),
    AnswerAcross,
    Subscribe("fleet.plugin.@.*"),
    Subscribe("$SRV.{PING,INFO,STATS}"),
    Subscribe("$SRV.{PING,INFO,STATS}.@"),
    Subscribe("$SRV.{PING,INFO,STATS}.@.*"),
];

const EXECUTOR: &[Right] = &[
    Publish("host.*.runner.{prepare,verify,cancel}"),
    Publish("audit.>"),
    Publish("event.*.*.*.snooze.>"),
    Publish("$KV.snooze_state.>"),
    Publish("$KV.snooze_config.roster.>"),
    Get(CONFIG),
    GetFromLeader(STATE),
    Get(AUDIT),
    Get(VERDICTS),
    Get(URGENT),
    Get(ROUTINE),
    Watch(CONFIG),
    Watch(STATE),
    AnswerAcross,
    Subscribe("host.*.{verdict,hello,lease}"),
    Subscribe("ops.>"),
];

const GATEWAY: &[Right] = &[
    Publish("event.>"),
    Publish("dead.>"),
    Publish("audit.*.event"),
    Publish("audit.fleet.>"),
    Publish("host.*.runner.handle_event"),
    Publish("$KV.snooze_open.>"),
    Get(CONFIG),
    Get(OPEN),
    Watch(CONFIG),
    Watch(OPEN),
    Consume(URGENT),
    Consume(ROUTINE),
    // An event that is to be filed again.
    Get(URGENT),
    Get(ROUTINE),
    // What has no room is told, and the least urgent waits first.
    Look(DEAD),
    Look(OPEN),
    AnswerAcross,
    Subscribe("custom.>"),
    Subscribe("gateway.>"),
    Subscribe("host.*.hello"),
    // How an event ended: it clears the note of it, and whoever sweeps looks here first.
    Subscribe("audit.*.event"),
    Get(AUDIT),
    // What was decided, to be published elsewhere.
    Consume(AUDIT),
];

const OPERATOR: &[Right] = &[
    Publish("ops.{lease,postpone,freeze,thaw,wake,query}"),
    Publish("gateway.replay"),
    Publish("host.*.runner.{plugins,check,logs,stats,progress}"),
    Publish("custom.@.>"),
    Publish("$SRV.>"),
    Get(AUDIT),
    Get(VERDICTS),
    Get(URGENT),
    Get(ROUTINE),
    Get(DEAD),
    // What waits for its host, and what a host has accepted and not ended.
    GetKey(OPEN, "$KV.snooze_open.>"),
    Subscribe("host.*.{metrics,verdict}"),
    Subscribe("event.>"),
    Subscribe("audit.>"),
];

/// Reads what it writes, because a change of a layer begins with the layer as it is; key by key, as a host does.
const ADMINISTRATOR: &[Right] = &[
    Publish("$KV.snooze_config.>"),
    Publish("$O.snooze_artifacts.>"),
    Publish("host.*.runner.{validate,reload,load,unload}"),
    GetKey(CONFIG, "$KV.snooze_config.>"),
    GetKey(ARTIFACTS, "$O.snooze_artifacts.>"),
];

const SET_UP: &[Right] = &[
    Publish("$JS.API.STREAM.{CREATE,UPDATE}.*"),
    Publish("$JS.API.CONSUMER.CREATE.>"),
    Publish("$KV.snooze_config.roster.>"),
    Get(CONFIG),
];

const SOURCE: &[Right] = &[Publish("custom.@.>")];

const DASHBOARD: &[Right] = &[
    Publish("ops.query"),
    Get(AUDIT),
    Get(VERDICTS),
    Get(URGENT),
    Get(ROUTINE),
    Get(DEAD),
    Subscribe("host.*.{metrics,verdict}"),
    Subscribe("audit.>"),
];
