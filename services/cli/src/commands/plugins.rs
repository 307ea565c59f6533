//! `snooze plugin list` and `snooze plugin info`: asked of the host's runner.

use super::host::{ask_of, one_host};
use crate::{
    arguments::{PluginInfo, PluginList},
    print,
    session::Session,
    view::text,
};
use serde_json::Value;
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    HostId, PluginName,
    host::{self, ListPlugins, PluginStatus},
};
use snooze_service_runtime::{Exit, Failure};

/// Lists the plugins of a host.
pub(super) async fn list(session: &Session, arguments: PluginList) -> Result<(), Failure> {
    let found = ask(session, arguments.host, None).await?;
    if arguments.output.json {
        return print::json(&found);
    }
    let rows: Vec<[String; 6]> = found.plugins.iter().map(row).collect();
    print::lines(print::table(
        ["NAME", "VERSION", "RUNTIME", "STATE", "VOTE", "CALLS/ERRORS"],
        &rows,
    ))
}

fn row(plugin: &PluginStatus) -> [String; 6] {
    let vote = plugin.vote.as_ref().map_or("-", |vote| text::state(vote.state));
    [
        text::printable(&plugin.info.name),
        text::printable(&plugin.info.version),
        plugin.runtime.clone(),
        text::printable(&plugin.state),
        vote.to_owned(),
        format!(
            "{}/{}",
            plugin.stats.calls,
            plugin.stats.errors + plugin.stats.time_outs
        ),
    ]
}

/// Shows one plugin.
pub(super) async fn info(session: &Session, arguments: PluginInfo) -> Result<(), Failure> {
    let found = ask(session, arguments.host, Some(arguments.plugin.clone())).await?;
    let Some(plugin) = found.plugins.first() else {
        let text = format!("there is no plugin {} on this host", arguments.plugin);
        return Err(Failure::new(Exit::Refused, text));
    };
    if arguments.output.json {
        return print::json(plugin);
    }
    print::lines(described(plugin))
}

fn described(plugin: &PluginStatus) -> Vec<String> {
    let info = &plugin.info;
    let mut lines = vec![text::printable(&info.name)];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("  {name:<11} {}", text::printable(value)));
        }
    };
    add("title", &info.display_name);
    add("version", &info.version);
    add("author", &info.author);
    add("about", &info.description);
    add(
        "category",
        info.more
            .get("category")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    );
    add("runtime", &plugin.runtime);
    add("from", &plugin.origin);
    add("state", &plugin.state);
    add("config", &refused_config(plugin));
    if let Some(vote) = &plugin.vote {
        let (state, role) = (text::state(vote.state), text::role(vote.role));
        add("vote", &format!("{state} ({role}): {}", vote.reason));
    }
    let stats = &plugin.stats;
    add("calls", &stats.calls.to_string());
    add("errors", &stats.errors.to_string());
    add("time-outs", &stats.time_outs.to_string());
    add("restarts", &stats.restarts.to_string());
    if let Some(error) = &stats.last_error {
        let ago = stats
            .last_error_age_ms
            .map(|age| format!(", {} ago", text::millis(age)));
        add("last error", &format!("{error}{}", ago.unwrap_or_default()));
    }
    lines
}

fn refused_config(plugin: &PluginStatus) -> String {
    let refused = plugin.config_refused.as_ref();
    refused.map_or_else(String::new, |why| format!("the newest one is refused: {why}"))
}

async fn ask(
    session: &Session,
    host: Option<HostId>,
    plugin: Option<PluginName>,
) -> Result<host::PluginList, Failure> {
    let host = one_host(session, host).await?;
    let subject = Subject::Runner {
        host: host.clone(),
        verb: RunnerVerb::Plugins,
    };
    ask_of(session, &host, &subject, &ListPlugins { plugin }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::host::PluginStats;

    #[test]
    fn the_last_error_of_a_plugin_says_when_it_was() {
        let plugin = PluginStatus {
            info: Default::default(),
            runtime: "process".to_owned(),
            origin: "/plugins/redis".to_owned(),
            state: "running".to_owned(),
            config_refused: None,
            vote: None,
            stats: PluginStats {
                last_error: Some("it did not answer within 2000 ms".to_owned()),
                last_error_age_ms: Some(200_000),
                ..PluginStats::default()
            },
            rights: None,
        };
        let last = described(&plugin).pop().expect("there are lines");
        assert_eq!(
            last,
            "  last error  it did not answer within 2000 ms, 3 m 20 s ago"
        );
    }
}
