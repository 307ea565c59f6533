//! The arguments of `snooze plugin`, and of which hosts a setting is for.

mod packages;
mod rights;

pub use packages::{PluginInstall, PluginUninstall};
pub use rights::{PluginApprove, PluginCredentials, PluginLoad, PluginReload};

use super::{Development, Output};
use clap::{Args, Subcommand};
use serde_json::Value;
use snooze_schemas::{GroupName, HostId, PluginName};
use std::path::PathBuf;

/// Commands about plugins.
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// List the plugins of a host, a group's hosts or all.
    List(PluginList),
    /// Show all that is known of one plugin.
    Info(PluginInfo),
    /// Let a plugin run and vote.
    Enable(PluginSetting),
    /// Keep a plugin from running and voting.
    Disable(PluginSetting),
    /// Show or change what a plugin is configured with.
    Configure(PluginConfigure),
    /// Install a plugin from a package or a folder: the hosts fetch it from the fleet's store.
    Install(PluginInstall),
    /// Take an installed plugin away again, with what was approved for it.
    Uninstall(PluginUninstall),
    /// Say what a plugin may do, for the files that it has now: whoever changes one of them has to ask again.
    Approve(PluginApprove),
    /// Look for a plugin again and start it; until the host's services start anew. It is not kept for a host that is away.
    Load(PluginLoad),
    /// End a plugin until it is loaded, or the host's services start anew; its vote is unknown until then. It is not
    /// kept for a host that is away: what is to last is `snooze plugin disable`.
    Unload(PluginLoad),
    /// Look through the hosts' folders of plugins again. It is not kept for a host that is away.
    Reload(PluginReload),
    /// Make credentials for a plugin that connects by itself, as `snooze credentials plugin` does.
    Credentials(PluginCredentials),
    /// Ask plugins what they say of the newest readings, or of made-up ones; no vote comes of it.
    Check(PluginCheck),
    /// Show what a plugin has written to its standard error on one host.
    Logs(PluginLogs),
    /// Show how plugins do: calls, errors, latency, memory, processor time; and how soon events came to the first handler.
    Stats(PluginStats),
    /// What an author does with a plugin's folder.
    #[command(flatten)]
    Development(Development),
}

/// Arguments of `plugin list`.
#[derive(Debug, Args)]
pub struct PluginList {
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin info`.
#[derive(Debug, Args)]
pub struct PluginInfo {
    /// The plugin.
    pub plugin: PluginName,
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
pub struct PluginCheck {
    /// The plugin; all where absent.
    pub plugin: Option<PluginName>,
    /// A JSON object with the readings: cpu_usage, memory_usage, network_traffic, disk_io, gpu_usage, timestamp; `-`
    /// is standard input.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin logs`.
#[derive(Debug, Args)]
pub struct PluginLogs {
    /// The plugin.
    pub plugin: PluginName,
    /// How many lines, the newest ones; the runner keeps 500.
    #[arg(long, short = 'n', default_value = "100", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub lines: u16,
    /// On which host: a log is read on one at a time. It may be left out where there is only one.
    #[arg(long)]
    pub host: Option<HostId>,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `plugin stats`.
#[derive(Debug, Args)]
pub struct PluginStats {
    /// The plugin; all where absent.
    pub plugin: Option<PluginName>,
    /// Which hosts are asked.
    #[command(flatten)]
    pub level: Level,
    /// How their answers are printed.
    #[command(flatten)]
    pub output: Output,
}

/// Which hosts a command is for; of settings the narrower one wins where several say something.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct Level {
    /// One host; without any of these the only one that there is.
    #[arg(long)]
    pub host: Option<HostId>,
    /// Every host of a group.
    #[arg(long)]
    pub group: Option<GroupName>,
    /// Every host.
    #[arg(long)]
    pub fleet: bool,
}

/// Arguments of `plugin enable` and `plugin disable`.
#[derive(Debug, Args)]
pub struct PluginSetting {
    /// The plugin.
    pub plugin: PluginName,
    /// Which hosts it is for.
    #[command(flatten)]
    pub level: Level,
}

/// Arguments of `plugin configure`.
#[derive(Debug, Args)]
pub struct PluginConfigure {
    /// The plugin.
    pub plugin: PluginName,
    /// What to set: a value that is JSON, as 5, true or [1,2], is taken for that, anything else for text. Without
    /// any, what is set is shown: to people without what looks like a secret, and with `--json` whole, as `--file` takes it.
    #[arg(value_name = "KEY=VALUE", value_parser = key_value)]
    pub settings: Vec<(String, Value)>,
    /// A JSON object that takes the place of all that was set here before; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["settings", "unset"])]
    pub file: Option<PathBuf>,
    /// A key that is no longer set here; a wider level, or the host's own file, may still set it.
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
    /// Which hosts it is for.
    #[command(flatten)]
    pub level: Level,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// Reads `key=value`.
fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write it as key=value, as connection_threshold=5")?;
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err("a key has at least one character and no blanks".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_that_is_json_is_taken_for_that_and_anything_else_for_text() {
        for (text, value) in [
            ("n=5", json!(5)),
            ("n=-0.5", json!(-0.5)),
            ("n=true", json!(true)),
            ("n=null", json!(null)),
            ("n=[1,2]", json!([1, 2])),
            ("n=\"5\"", json!("5")),
            ("n=redis://h:1/?a=b", json!("redis://h:1/?a=b")),
            ("n=", json!("")),
            ("n={broken", json!("{broken")),
        ] {
            assert_eq!(key_value(text), Ok(("n".to_owned(), value)), "{text}");
        }
        for wrong in ["n", "=5", "a b=5", ""] {
            assert!(key_value(wrong).is_err(), "{wrong:?}");
        }
    }
}
