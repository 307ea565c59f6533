//! `snooze plugin approve`: what a plugin may do, said by a person who has seen what it asks for.
//!
//! An approval is for files. Hosts that have others of them are no case for one approval, so all that answer have
//! to agree; one that is away and has others will not run them. Nothing is written without a yes.

use super::{
    json_file,
    plugin_hosts::{Said, ask_about, names},
    plugin_layer::{Layer, change_if, look},
    plugin_revocation::revoke,
    plugin_validation::hosts,
    question::{Consent, confirm},
};
use crate::{
    arguments::PluginApprove,
    print,
    session::Session,
    view::{permissions, plugin_files, text},
};
use serde_json::Value;
use snooze_schemas::{
    HostId, PluginName,
    host::PluginStatus,
    plugin::{
        approval::{Approval, Grantor, Rights},
        permissions::Permissions,
    },
    policy::PluginLayer,
};
use snooze_service_runtime::{Clocks, Exit, Failure};
use std::{collections::BTreeMap, path::Path};

/// Approves a plugin, or takes that back.
pub(super) async fn approve(session: &Session, arguments: PluginApprove) -> Result<(), Failure> {
    let plugin = &arguments.plugin;
    let wanted = permissions_of(arguments.permissions.as_deref()).await?;
    let layer = Layer::of(session, arguments.level).await?;
    if arguments.revoke {
        return revoke(session, &layer, plugin).await;
    }
    let found = Found::on(session, &layer, plugin).await?;
    let standing = approved(look(session, &layer).await?.0.plugins.get(plugin.as_str()));
    let mut permissions = wanted.unwrap_or_else(|| match &standing {
        // It asks for nothing, so that one more event is one more than these very files have.
        Some(standing)
            if found.files.manifest.is_none()
                && !arguments.events.is_empty()
                && found.files.are_of(standing) =>
        {
            standing.permissions.clone()
        }
        _ => found.asked.clone(),
    });
    permissions.events.extend(arguments.events.iter().cloned());
    let approval = Approval {
        by: session.user.to_string(),
        at: Clocks::real().wall(),
        version: found.version.clone(),
        permissions,
        native: found.native,
        manifest_sha256: found.files.manifest.clone(),
        entry_sha256: found.files.entry.clone(),
    };
    print::tell(found.offer(plugin, standing.as_ref(), &approval.permissions));
    let question = format!("approve {plugin} {}?", layer.shown());
    confirm(Consent::of(arguments.yes), &question).await?;
    change_if(session, &layer, plugin, |held| {
        put(held, standing.as_ref(), &approval)
    })
    .await?;
    if arguments.output.json {
        return print::json(&approval);
    }
    print::lines([format!("{plugin} is approved {}.", layer.shown())])
}

/// What a layer approves of a plugin.
pub(super) fn approved(layer: Option<&PluginLayer>) -> Option<Approval> {
    layer.and_then(|layer| layer.approved.clone())
}

/// Puts an approval in the place of the one that was seen, and of no other.
pub(super) fn put(
    held: &mut PluginLayer,
    seen: Option<&Approval>,
    approval: &Approval,
) -> Result<(), Failure> {
    let now = held.approved.as_ref();
    // Our own is there where a write came to be although nothing said so.
    if now != seen && now != Some(approval) {
        let text = "somebody else has changed what is approved just now; nothing was written, look again";
        return Err(Failure::new(Exit::Refused, text));
    }
    held.approved = Some(approval.clone());
    Ok(())
}

/// The permissions in a person's file, where one is named. Where one is misspelt, less would be granted than it says.
pub(super) async fn permissions_of(file: Option<&Path>) -> Result<Option<Permissions>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let usage = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", file.display()));
    let written: Value = json_file::read(file, "a JSON object").await?;
    if !written.is_object() {
        let text = "not a JSON object with permissions, as {\"tcp\": [{\"port\": 6379}], \"read\": [\"/etc/redis\"]}";
        return Err(usage(text.to_owned()));
    }
    let told = |(path, text)| usage(format!("{path}: {text}"));
    let (permissions, unknown) = snooze_plugin_runner::fence::read_permissions(&written).map_err(told)?;
    match unknown.as_slice() {
        [] => Ok(Some(permissions)),
        unknown => Err(usage(format!(
            "there is no permission {}; `snooze plugin approve --help` names all that there are",
            unknown.join(", ")
        ))),
    }
}

/// Which files an approval is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Files {
    manifest: Option<String>,
    entry: String,
}

impl Files {
    fn are_of(&self, approval: &Approval) -> bool {
        self.entry == approval.entry_sha256 && self.manifest == approval.manifest_sha256
    }
}

/// A plugin whose files are the same on all hosts that have it.
struct Found {
    files: Files,
    version: Option<String>,
    asked: Permissions,
    official: bool,
    native: bool,
    odd: Vec<String>,
    hosts: Vec<(HostId, Rights)>,
}

impl Found {
    async fn on(session: &Session, layer: &Layer, plugin: &PluginName) -> Result<Found, Failure> {
        let mut found: BTreeMap<Files, Vec<(HostId, Rights)>> = BTreeMap::new();
        let (mut known, mut away, mut without) = (None, Vec::new(), Vec::new());
        let refused = |text: String| Err(Failure::new(Exit::Refused, text));
        for (host, said) in ask_about(session, hosts(session, layer.whose()).await?, plugin).await {
            let status = match said {
                Said::Has(status) => status,
                Said::Nothing => {
                    without.push(host);
                    continue;
                }
                Said::Away => {
                    away.push(host);
                    continue;
                }
            };
            let Some(rights) = status.rights.clone() else {
                return refused(unapprovable(plugin, &host, &status));
            };
            let Some(entry) = rights.entry_sha256.clone() else {
                return refused(unapprovable(plugin, &host, &status));
            };
            let files = Files {
                manifest: rights.manifest_sha256.clone(),
                entry,
            };
            found.entry(files).or_default().push((host, rights));
            known = Some(status);
        }
        if !away.is_empty() {
            print::talk(&format!(
                "no answer from {}; where its files are others than these, {plugin} will not run there",
                names(&away)
            ));
        }
        let (Some(status), false) = (known, found.is_empty()) else {
            let text = match without.as_slice() {
                [] => format!("no host answered, so nobody knows which files {plugin} has"),
                without => format!(
                    "there is no plugin {plugin} on {}; `snooze plugin list` shows those that there are",
                    names(without)
                ),
            };
            return refused(text);
        };
        if found.len() > 1 {
            return Err(differing(plugin, &found));
        }
        let (files, hosts) = found.pop_first().expect("it is not empty");
        let rights = &hosts[0].1;
        Ok(Found {
            version: files.manifest.as_ref().map(|_| status.info.version.clone()),
            asked: rights.asked.clone(),
            official: status.info.more.get("official") == Some(&Value::Bool(true)),
            native: hosts.iter().any(|(_, rights)| rights.native),
            odd: status.odd.clone(),
            files,
            hosts,
        })
    }

    /// What a person has to know before saying yes.
    fn offer(&self, plugin: &PluginName, standing: Option<&Approval>, grant: &Permissions) -> Vec<String> {
        let version = self.version.as_deref().map(|version| format!(" {version}"));
        let on = names(self.hosts.iter().map(|(host, _)| host));
        let mut lines = vec![text::printable(&format!(
            "{plugin}{}, on {on}",
            version.unwrap_or_default()
        ))];
        if self.official {
            lines.push("calls itself official; nobody has looked whether it is".to_owned());
        }
        let digest = |of: &str, sha256: &str| format!("sha256 of {of}  {sha256}");
        match &self.files.manifest {
            Some(manifest) => {
                lines.push(digest("plugin.json", manifest));
                lines.push(digest("what is started", &self.files.entry));
            }
            None => {
                lines.push(digest("the file", &self.files.entry));
                lines.push("it has no manifest that says what it needs".to_owned());
            }
        }
        lines.extend(self.odd.iter().map(|odd| text::printable(&format!("odd: {odd}"))));
        if let Some(before) = standing.filter(|before| !self.files.are_of(before)) {
            lines.push(text::printable(&format!(
                "these are other files than {} approved at {:.0}",
                before.by, before.at
            )));
        }
        // Once, and not for each host: the files are the same on all of them.
        lines.extend(
            self.hosts
                .iter()
                .find_map(|(_, rights)| plugin_files::unchecked(rights)),
        );
        lines.extend(permissions::kind(self.native, standing));
        // What has no manifest asks for nothing, and is not granted too much for that.
        let asked = self.files.manifest.as_ref().map_or(grant, |_| &self.asked);
        let held: Vec<&Permissions> = self.hosts.iter().map(|(_, rights)| &rights.granted).collect();
        lines.extend(permissions::offer(self.native, asked, grant, &held));
        for (host, rights) in &self.hosts {
            if rights.granted_by == Some(Grantor::HostFile) {
                lines.push(format!(
                    "on {host} its own file says what it may do (plugin_configs.{plugin}.permissions), and goes before this"
                ));
            }
            let fences = rights.not_enforced.iter();
            lines.extend(fences.map(|fence| text::printable(&format!("not enforced on {host}: {fence}"))));
        }
        lines
    }
}

/// Why nothing can be approved of a plugin whose files its host does not name.
fn unapprovable(plugin: &PluginName, host: &HostId, status: &PluginStatus) -> String {
    match &status.stats.last_error {
        _ if status.runtime == "nats" => format!(
            "{plugin} runs by itself on the bus and is no child of the host {host}: its credentials say what it may do, \
             and there is nothing to approve"
        ),
        Some(why) => format!(
            "{plugin} cannot be approved on the host {host}: {}",
            text::printable(why)
        ),
        None => format!(
            "the host {host} does not say which files {plugin} has: its runner is too old to take an approval"
        ),
    }
}

/// Who has which files, where they are not the same.
fn differing(plugin: &PluginName, found: &BTreeMap<Files, Vec<(HostId, Rights)>>) -> Failure {
    let short = |sha256: &str| sha256.chars().take(12).collect::<String>();
    let mut lines = vec![format!(
        "the files of {plugin} are not the same on these hosts; approve them one by one with --host, or make them the same:"
    )];
    lines.extend(found.iter().map(|(files, hosts)| {
        let on = names(hosts.iter().map(|(host, _)| host));
        let manifest = files
            .manifest
            .as_deref()
            .map(|sha256| format!("plugin.json {}, ", short(sha256)));
        format!(
            "  {on}: {}started {}",
            manifest.unwrap_or_default(),
            short(&files.entry)
        )
    }));
    Failure::new(Exit::Refused, lines.join("\n"))
}
