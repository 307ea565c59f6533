//! `snooze plugin install`: puts a package where the hosts find it, and says that they are to have it.
//!
//! Whoever installs a package vouches for its files: the approval is written in the same change, so that no host ever
//! has the one without the other. A new version that asks for no more than was granted needs no new yes, unless it is
//! native where the one before was not, or the other way round, or is older: that brings back what was mended since.

use super::{
    plugin_approval::{approved, permissions_of, put},
    plugin_elsewhere::{installed_narrower, tell_of_narrower},
    plugin_hosts::{Said, ask_about, own_ones},
    plugin_layer::{Layer, change_if, look},
    plugin_package::Checked,
    plugin_validation::hosts,
    question::{Consent, confirm},
};
use crate::{
    arguments::PluginInstall,
    print,
    session::{Session, of_bus},
    view::{permissions, text},
};
use semver::Version;
use serde_json::json;
use snooze_bus::{ArtifactError, WriteError};
use snooze_schemas::{
    HostId, PluginName,
    host::PluginStatus,
    plugin::{
        approval::{Approval, Installed},
        manifest::PluginKind,
        permissions::Permissions,
    },
    policy::PluginLayer,
};
use snooze_service_runtime::{Clocks, Exit, Failure};
use std::{path::Path, time::Duration};

/// A host fetches a package within seconds; it is asked about as often as a person would look.
const PACE: Duration = Duration::from_millis(500);

/// Installs a plugin.
pub(super) async fn install(session: &Session, arguments: PluginInstall) -> Result<(), Failure> {
    let wanted = permissions_of(arguments.permissions.as_deref()).await?;
    let checked = Checked::of(&arguments.path).await?;
    let plugin = &checked.package.name;
    let layer = Layer::of(session, arguments.level).await?;
    let held = look(session, &layer).await?.0.plugins.remove(plugin.as_str());
    let standing = approved(held.as_ref());
    let asked = &checked.manifest.permissions;
    let kept = match &wanted {
        None => standing.as_ref().map(|standing| &standing.permissions),
        Some(_) => None,
    };
    let kept = kept.filter(|kept| asked.beyond(kept).is_empty()).cloned();
    let native = checked.manifest.kind == PluginKind::Native;
    let is_older = held
        .as_ref()
        .and_then(|held| held.installed.as_ref())
        .is_some_and(|before| is_older(&checked.package.version, &before.version));
    let consent = match kept {
        Some(_) if !is_older && !permissions::turns(native, standing.as_ref()) => Consent::Given,
        Some(_) | None => Consent::of(arguments.yes),
    };
    let approval = Approval {
        by: session.user.to_string(),
        at: Clocks::real().wall(),
        version: Some(checked.package.version.clone()),
        permissions: kept.or(wanted).unwrap_or_else(|| asked.clone()),
        native,
        manifest_sha256: Some(checked.manifest_sha256.clone()),
        entry_sha256: checked.entry_sha256.clone(),
    };
    print::tell(offer(&checked, &arguments.path, held.as_ref(), &approval));
    // Who is away, or enrolled later, shows it afterwards.
    if let Ok(hosts) = hosts(session, layer.whose()).await {
        let said = ask_about(session, hosts, plugin).await;
        print::tell(own_ones(plugin, &said));
    }
    let question = format!("install {plugin} {}, and approve it?", layer.shown());
    confirm(consent, &question).await?;
    let stored = session.bus.artifacts().put(&checked.package.bytes).await;
    let sha256 = stored.map_err(|error| of_store(&error))?;
    let installed = Installed {
        version: checked.package.version.clone(),
        sha256,
    };
    let now = change_if(session, &layer, plugin, |held| {
        put(held, standing.as_ref(), &approval)?;
        held.installed = Some(installed.clone());
        Ok(())
    })
    .await?;
    if now.enabled == Some(false) {
        print::talk(&format!(
            "{plugin} is disabled {}; `snooze plugin enable {plugin}` lets it run",
            layer.shown()
        ));
    }
    let narrower = |others: &[_]| installed_narrower(others, plugin);
    tell_of_narrower(session, &layer, plugin, narrower).await;
    let reports = reports(session, &layer, plugin, &checked, arguments.wait).await;
    if arguments.output.json {
        let hosts: Vec<_> = reports
            .iter()
            .map(|report| json!({"host": report.host, "has_it": report.has_it, "state": report.state}))
            .collect();
        return print::json(&json!({"plugin": plugin, "installed": installed, "hosts": hosts}));
    }
    let mut lines = vec![format!(
        "{plugin} {} is installed {}.",
        text::printable(&installed.version),
        layer.shown()
    )];
    let rows: Vec<[String; 2]> = reports
        .iter()
        .map(|report| [report.host.to_string(), report.state.clone()])
        .collect();
    if !rows.is_empty() {
        lines.extend(print::table(["HOST", "STATE"], &rows));
    }
    print::lines(lines)
}

/// What a person has to know before saying yes.
fn offer(checked: &Checked, path: &Path, held: Option<&PluginLayer>, approval: &Approval) -> Vec<String> {
    let (package, manifest) = (&checked.package, &checked.manifest);
    let before = held.and_then(|held| held.installed.as_ref());
    let instead = match before {
        Some(before) if before.sha256 == package.sha256 => ", which is installed already".to_owned(),
        Some(before) if is_older(&package.version, &before.version) => {
            format!(", in the place of {}, which is newer", before.version)
        }
        Some(before) => format!(", in the place of {}", before.version),
        None => String::new(),
    };
    let mut lines = vec![
        format!(
            "{} {}{instead}, from {}",
            package.name,
            package.version,
            path.display()
        ),
        format!("sha256 of the package  {}", package.sha256),
    ];
    for (name, told) in [("by", &manifest.author), ("about", &manifest.description)] {
        if !told.is_empty() {
            lines.push(format!("{name}: {told}"));
        }
    }
    if manifest.official {
        lines.push("calls itself official; nobody has looked whether it is".to_owned());
    }
    lines.extend(checked.warnings.iter().map(|odd| format!("odd: {odd}")));
    let standing = held.and_then(|held| held.approved.as_ref());
    let held: Vec<&Permissions> = standing.iter().map(|standing| &standing.permissions).collect();
    let (native, grant) = (approval.native, &approval.permissions);
    lines.extend(permissions::kind(native, standing));
    lines.extend(permissions::offer(native, &manifest.permissions, grant, &held));
    lines.iter().map(|line| text::printable(line)).collect()
}

/// Whether a version is older than the other; where one of them is none, nobody can tell.
fn is_older(this: &str, other: &str) -> bool {
    match (Version::parse(this), Version::parse(other)) {
        (Ok(this), Ok(other)) => this.cmp_precedence(&other).is_lt(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// What a host said of it.
struct Report {
    host: HostId,
    /// Whether it has the files that were installed.
    has_it: bool,
    state: String,
}

/// Asks the hosts until all of them have it or the patience is over.
async fn reports(
    session: &Session,
    layer: &Layer,
    plugin: &PluginName,
    checked: &Checked,
    patience: Duration,
) -> Vec<Report> {
    let mut pending = match hosts(session, layer.whose()).await {
        Ok(hosts) => hosts,
        Err(failure) => {
            print::talk(&format!("no host was asked whether it has it: {}", failure.line));
            return Vec::new();
        }
    };
    let (mut done, mut last) = (Vec::new(), Vec::new());
    // What is cancelled was a question; what was answered before is kept.
    let asked = tokio::time::timeout(patience, async {
        while !pending.is_empty() {
            let mut waiting = Vec::new();
            for (host, said) in ask_about(session, pending.clone(), plugin).await {
                let report = report(host, said, checked);
                match report.has_it {
                    true => done.push(report),
                    false => waiting.push(report),
                }
            }
            pending = waiting.iter().map(|report| report.host.clone()).collect();
            last = waiting;
            if !pending.is_empty() {
                tokio::time::sleep(PACE).await;
            }
        }
    });
    if asked.await.is_err() {
        if last.is_empty() {
            last = pending
                .into_iter()
                .map(|host| report(host, Said::Away, checked))
                .collect();
        }
        print::talk(&format!(
            "{} of {} hosts do not have it yet; where nothing goes before it they take it by themselves, and `snooze plugin info {plugin}` \
             shows how far they are",
            last.len(),
            last.len() + done.len()
        ));
    }
    done.extend(last);
    done.sort_by(|one, other| one.host.cmp(&other.host));
    done
}

fn report(host: HostId, said: Said, checked: &Checked) -> Report {
    let (has_it, state) = match said {
        Said::Away => (false, "no answer; it takes it when it is back".to_owned()),
        Said::Nothing => (false, "does not have it yet".to_owned()),
        Said::Has(status) => {
            let has_it = status.state != "starting"
                && status.rights.as_ref().is_some_and(|rights| {
                    rights.manifest_sha256.as_ref() == Some(&checked.manifest_sha256)
                        && rights.entry_sha256.as_ref() == Some(&checked.entry_sha256)
                });
            (has_it, state_of(&status, has_it))
        }
    };
    Report {
        host,
        has_it,
        state: text::printable(&state),
    }
}

fn state_of(status: &PluginStatus, has_it: bool) -> String {
    let other = match (has_it, status.origin.as_str()) {
        (true, _) | (false, "") => String::new(),
        (false, origin) => format!(", still from {origin}"),
    };
    // One that is installed for the first time has not been asked anything yet.
    let why = status
        .config_refused
        .as_ref()
        .or(status.stats.last_error.as_ref());
    let why = match why {
        Some(why) if status.state != "running" => format!(": {why}"),
        Some(_) | None => String::new(),
    };
    format!("{}{other}{why}", status.state)
}

/// A failure of the store, with the exit code that tells whether trying again may help.
pub(super) fn of_store(error: &ArtifactError) -> Failure {
    match error {
        ArtifactError::Bus(error) | ArtifactError::Write(WriteError::NotSent(error)) => of_bus(error),
        ArtifactError::Full { .. } => {
            let text = "the store of packages is full: take plugins that nobody needs away with `snooze plugin uninstall NAME --package`";
            Failure::new(Exit::Failed, text)
        }
        error => Failure::from_error(Exit::Failed, error),
    }
}
