//! `snooze plugin info`: all that is known of one plugin, line by line. Pure.

mod stated;

use super::{plugin_counts, plugins::runtime};
use crate::view::{permissions, plugin_files, text};
use serde_json::Value;
use snooze_schemas::{
    EventType,
    host::PluginStatus,
    plugin::approval::{Grantor, Rights},
};

/// Everything that there is to tell.
pub(super) fn described(plugin: &PluginStatus) -> Vec<String> {
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
    for (name, value) in stated::lines(&info.more) {
        add(name, &value);
    }
    if info.more.get("official") == Some(&Value::Bool(true)) {
        add("claims", "calls itself official; nobody has looked whether it is");
    }
    add("runtime", runtime(plugin));
    add("from", &plugin.origin);
    add("state", &plugin.state);
    add("config", &refused_config(plugin));
    for odd in &plugin.odd {
        add(
            "odd",
            &format!("{odd}; it stands in its manifest, and is passed over"),
        );
    }
    if let Some(vote) = &plugin.vote {
        let (state, role) = (text::state(vote.state), text::role(vote.role));
        add("vote", &format!("{state} ({role}): {}", vote.reason));
    }
    let stats = &plugin.stats;
    for (title, count) in plugin_counts::TITLES.iter().zip(plugin_counts::of(stats)) {
        add(&title.to_lowercase(), &count);
    }
    add("restarts", &stats.restarts.to_string());
    if let Some(error) = &stats.last_error {
        let ago = stats
            .last_error_age_ms
            .map(|age| format!(", {} ago", text::millis(age)));
        add("last error", &format!("{error}{}", ago.unwrap_or_default()));
    }
    if let Some(rights) = &plugin.rights {
        lines.extend(rights_of(rights, &info.name));
    }
    lines
}

/// What it asks for, what it has of it, and from whom.
fn rights_of(rights: &Rights, name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |name: &str, values: Vec<String>| {
        lines.extend(values.iter().enumerate().map(|(at, value)| {
            let name = if at == 0 { name } else { "" };
            format!("  {name:<11} {}", text::printable(value))
        }));
    };
    let or_nothing = |lines: Vec<String>| match lines.is_empty() {
        true => vec!["nothing".to_owned()],
        false => lines,
    };
    let granted_by = match &rights.granted_by {
        None if rights.native => {
            format!("nobody: it is unvouched, and is not run. `snooze plugin approve {name}` vouches for it")
        }
        None if !rights.granted.is_empty() => {
            format!(
                "nobody but `events` in the host's own file: it is unvouched. `snooze plugin approve {name}` vouches for it"
            )
        }
        None => format!(
            "nobody: it is unvouched, and may do nothing but compute. `snooze plugin approve {name}` vouches for it"
        ),
        Some(Grantor::HostFile) => "the host's own file".to_owned(),
        Some(Grantor::Approval { by, at }) => format!("{by} at {at:.0}"),
    };
    let native = rights.native.then(|| permissions::NATIVE.to_owned());
    add("native", native.into_iter().collect());
    add("asks for", or_nothing(permissions::lines(&rights.asked)));
    add("granted", or_nothing(permissions::lines(&rights.granted)));
    add("granted by", vec![granted_by]);
    add("lacks", permissions::lines(&rights.asked.beyond(&rights.granted)));
    let withheld = rights.withheld.iter();
    add(
        "withheld",
        withheld
            .map(|event| withheld_event(event, rights, name))
            .collect(),
    );
    let off = rights.switched_off.iter();
    add(
        "off here",
        off.map(|event| format!("{event}: event_handlers.{event}.enabled of the host's file is false"))
            .collect(),
    );
    add("unenforced", rights.not_enforced.clone());
    add("no effect", rights.not_granted.clone());
    add(
        "misspelt",
        rights.misspelt.iter().map(|key| misspelt(key, name)).collect(),
    );
    for (about, line) in plugin_files::described(rights, name) {
        add(about, vec![line]);
    }
    lines
}

fn refused_config(plugin: &PluginStatus) -> String {
    let refused = plugin.config_refused.as_ref();
    refused.map_or_else(String::new, |why| format!("the newest one is refused: {why}"))
}

fn withheld_event(event: &EventType, rights: &Rights, plugin: &str) -> String {
    let instead = match rights.granted_by {
        // Which goes before whatever is said on the bus.
        Some(Grantor::HostFile) => {
            format!("plugin_configs.{plugin}.permissions.events of the host's own file")
        }
        _ if rights.asked.give(event) => format!("`snooze plugin approve {plugin}`"),
        _ => format!("`snooze plugin approve {plugin} --event {event}`"),
    };
    format!("{event}, which it handles and is not given: nobody granted it ({instead})")
}

fn misspelt(key: &str, plugin: &str) -> String {
    format!(
        "{key} is no permission and grants nothing: it stands in the host's own file, plugin_configs.{plugin}.permissions"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use snooze_schemas::host::PluginStats;

    #[test]
    fn the_last_error_of_a_plugin_says_when_it_was_and_an_unknown_key_of_its_manifest_is_told() {
        let plugin = PluginStatus {
            info: Default::default(),
            runtime: "process".to_owned(),
            origin: "/plugins/redis".to_owned(),
            state: "running".to_owned(),
            config_refused: None,
            secrets: Vec::new(),
            secret_files: Vec::new(),
            odd: vec!["permissions.MemoryMB: unknown key".to_owned()],
            vote: None,
            stats: PluginStats {
                last_error: Some("it did not answer within 2000 ms".to_owned()),
                last_error_age_ms: Some(200_000),
                ..PluginStats::default()
            },
            rights: None,
        };
        let told = described(&plugin);
        let odd =
            "  odd         permissions.MemoryMB: unknown key; it stands in its manifest, and is passed over";
        assert!(told.iter().any(|line| line == odd), "{told:?}");
        let last = told.last().expect("there are lines");
        assert_eq!(
            last,
            "  last error  it did not answer within 2000 ms, 3 m 20 s ago"
        );
    }

    fn rights(rights: Value) -> Rights {
        serde_json::from_value(rights).expect("rights")
    }

    #[test]
    fn info_tells_what_is_asked_and_granted_by_whom_and_what_is_not_enforced() {
        let said = rights(json!({
            "asked": {"read": ["/a", "/b"]}, "granted": {"read": ["/a"]},
            "granted_by": {"kind": "approval", "by": "ada", "at": "2026-01-02T03:04:05Z"},
            "manifest_sha256": "abc", "entry_sha256": "def",
            "misspelt": ["tpc"], "unchecked": ["helper.py"], "withheld": ["custom"],
            "not_enforced": ["memory: no control group"], "not_granted": ["read: /a is not there"],
        }));
        let expected = [
            "  asks for    read /a",
            "              read /b",
            "  granted     read /a",
            "  granted by  ada at 2026-01-02T03:04:05Z",
            "  lacks       read /b",
            "  withheld    custom, which it handles and is not given: nobody granted it \
             (`snooze plugin approve redis --event custom`)",
            "  unenforced  memory: no control group",
            "  no effect   read: /a is not there",
            "  misspelt    tpc is no permission and grants nothing: it stands in the host's own file, \
             plugin_configs.redis.permissions",
            "  manifest    sha256 abc, as it lies there now",
            "  program     sha256 def, as it lies there now",
        ];
        let told = rights_of(&said, "redis");
        assert_eq!(told[..expected.len()], expected);
        assert!(told[expected.len()].starts_with("  unchecked   "), "{told:?}");
        let asked = rights_of(
            &rights(json!({"asked": {"events": ["custom"]}, "withheld": ["custom.a"]})),
            "redis",
        );
        assert!(
            asked
                .join("\n")
                .contains("nobody granted it (`snooze plugin approve redis`)"),
            "{asked:?}"
        );
        let unvouched = rights_of(&Rights::default(), "redis").join("\n");
        assert!(unvouched.contains("unvouched") && unvouched.contains("`snooze plugin approve redis`"));
        let configured = rights_of(&rights(json!({"granted": {"events": ["custom"]}})), "redis").join("\n");
        assert!(
            configured.contains("nobody but `events` in the host's own file"),
            "{configured}"
        );
    }

    #[test]
    fn what_is_native_is_told_in_the_list_and_of_itself_before_it_runs() {
        let held: PluginStatus = serde_json::from_value(json!({
            "info": {"name": "redis"}, "runtime": "-", "origin": "/plugins/redis", "state": "held",
            "stats": {"calls": 0, "errors": 0, "time_outs": 0, "restarts": 0}, "rights": {"native": true},
        }))
        .expect("a status");
        let told = described(&held).join("\n");
        assert!(told.contains("runtime     native"), "{told}");
        assert!(told.contains(permissions::NATIVE), "{told}");
        assert!(told.contains("it is unvouched, and is not run"), "{told}");
        let process = rights_of(&rights(json!({"asked": {"udp": true}})), "redis").join("\n");
        assert!(!process.contains("native"), "{process}");
    }
}
