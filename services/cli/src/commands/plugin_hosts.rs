//! What hosts say of one plugin, asked of all that a command is about, at once.
//!
//! A host that is away says nothing, and that is told: silence is no word about its plugins.

use super::plugin_validation::AT_ONCE;
use crate::{session::Session, view::text};
use futures_util::{StreamExt, stream};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    ErrorCode, HostId, PluginName,
    host::{ListPlugins, PluginList, PluginStatus},
};
use std::time::Duration;

/// A runner that is on answers within milliseconds; it may ask a plugin on the bus first who that is.
const WITHIN: Duration = Duration::from_secs(5);

/// So many hosts are told that have a plugin of their own.
const OWN_TOLD: usize = 10;

/// How long a SHA-256 is in hexadecimal.
const SHA256_DIGITS: usize = 64;

/// What a host said.
#[derive(Debug)]
pub(super) enum Said {
    /// It has it.
    Has(Box<PluginStatus>),
    /// It has no such plugin.
    Nothing,
    /// Nobody answered.
    Away,
}

/// Asks hosts about a plugin; their answers are in the order of their names.
pub(super) async fn ask_about(
    session: &Session,
    hosts: Vec<HostId>,
    plugin: &PluginName,
) -> Vec<(HostId, Said)> {
    let question = &ListPlugins {
        plugin: Some(plugin.clone()),
    };
    let answers = hosts
        .into_iter()
        .map(|host| async move { (host.clone(), ask(session, host, question).await) });
    let mut answers: Vec<_> = stream::iter(answers).buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    answers
}

async fn ask(session: &Session, host: HostId, question: &ListPlugins) -> Said {
    let subject = Subject::Runner {
        host,
        verb: RunnerVerb::Plugins,
    };
    let answer = session
        .bus
        .request::<_, PluginList>(&subject, question, WITHIN)
        .await;
    match answer {
        Ok(list) => list
            .plugins
            .into_iter()
            .next()
            .map_or(Said::Nothing, |plugin| Said::Has(Box::new(plugin))),
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.code == ErrorCode::NotFound => Said::Nothing,
            Some(_) | None => Said::Away,
        },
    }
}

/// The plugins that a host has, by their names as they may be shown; none where it does not answer.
pub(super) async fn all_of(session: &Session, host: &HostId) -> Vec<String> {
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Plugins,
    };
    let question = ListPlugins::default();
    let answer = session.bus.request::<_, PluginList>(&subject, &question, WITHIN);
    let plugins = answer.await.map(|list| list.plugins).unwrap_or_default();
    plugins
        .iter()
        .map(|plugin| text::printable(&plugin.info.name))
        .collect()
}

/// The first of them, on one line.
pub(super) fn names<'a>(hosts: impl IntoIterator<Item = &'a HostId>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = hosts.into_iter().map(HostId::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

/// The hosts that have a plugin of their own by this name, which goes before a package.
pub(super) fn own_ones(plugin: &PluginName, said: &[(HostId, Said)]) -> Vec<String> {
    let own = said.iter().filter_map(|(host, said)| match said {
        Said::Has(status) if status.rights.is_some() && !is_of_store(&status.origin) => {
            Some((host, status.origin.as_str()))
        }
        Said::Has(_) | Said::Nothing | Said::Away => None,
    });
    let mut own: Vec<_> = own.filter(|(_, origin)| !origin.is_empty()).collect();
    let more = own.len().saturating_sub(OWN_TOLD);
    own.truncate(OWN_TOLD);
    let mut lines: Vec<String> = own
        .iter()
        .map(|(host, origin)| {
            text::printable(&format!(
                "on {host} its own {plugin} lies at {origin} and goes before a package of that name: what is installed is \
                 not run there, and its own only where it is of the files that are approved here; take it away there first"
            ))
        })
        .collect();
    lines.extend((more > 0).then(|| format!("and so on {more} more hosts")));
    lines
}

/// Whether it was unpacked of a package: those lie in folders that are called by their digest.
fn is_of_store(origin: &str) -> bool {
    let is_digest =
        |name: &str| name.len() == SHA256_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    origin.split('/').any(is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plugin_of_a_hosts_own_is_told_before_a_package_of_its_name_and_one_of_a_package_is_not() {
        let has = |origin: &str, rights: bool| {
            let mut status = json!({
                "info": {"name": "redis"}, "runtime": "process", "origin": origin, "state": "running",
                "stats": {"calls": 0, "errors": 0, "time_outs": 0, "restarts": 0},
            });
            if rights {
                status["rights"] = json!({});
            }
            Said::Has(Box::new(serde_json::from_value(status).expect("a status")))
        };
        let host = |name: &str| name.parse::<HostId>().expect("a host id");
        let stored = format!("/var/lib/snooze/packages/redis/{}/redis/run", "a1".repeat(32));
        let said = [
            (host("away"), Said::Away),
            (host("bus"), has("snooze.v1.host.bus.plugin.redis", false)),
            (host("gone"), has("", true)),
            (host("none"), Said::Nothing),
            (host("own"), has("/plugins/redis.py", true)),
            (host("stored"), has(&stored, true)),
        ];
        let plugin = "redis".parse().expect("a name");
        let told = own_ones(&plugin, &said);
        assert_eq!(told.len(), 1, "{told:?}");
        for part in [
            "on own its own redis lies at /plugins/redis.py",
            "goes before a package",
        ] {
            assert!(told[0].contains(part), "{part:?} in {told:?}");
        }
        let many: Vec<_> = (0..30)
            .map(|index| (host(&format!("h{index}")), has("/p", true)))
            .collect();
        let told = own_ones(&plugin, &many);
        assert_eq!(told.len(), OWN_TOLD + 1);
        assert_eq!(told.last().map(String::as_str), Some("and so on 20 more hosts"));
    }
}
