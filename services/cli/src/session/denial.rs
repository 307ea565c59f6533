//! What somebody is told to whom the server denies something: who they are to it, what was denied, and whose credentials
//! do. Pure, and the one place that says so.
//!
//! Whose credentials do is the role table's word. What the server calls what was denied is no word of ours, and only told
//! to whom it should be permitted.

use snooze_bus::{Denial, Denied, GatewayVerb, OpsVerb, Role, RunnerVerb, Subject};
use std::path::Path;

/// Those that a person has credentials of, the lesser first.
const PEOPLE: [Role; 2] = [Role::Operator, Role::Administrator];

/// That this user may not do it, in one line.
pub(super) fn told(role: Role, user: &str, why: &str) -> String {
    let Some(denial) = Denial::read(why) else {
        return format!("{user} ({role}) is denied what this takes: {why}");
    };
    let may_not = format!("{user} ({role}) may not {}", in_words(&denial.what()));
    if denial.is_let(role, user) {
        return format!(
            "{may_not}, which the role lets its users: {why}; these credentials are older than that, or of another \
             installation: `snooze credentials {role} {user}` makes them anew where `snooze up` keeps its keys"
        );
    }
    let enough: Vec<Role> = PEOPLE
        .into_iter()
        .filter(|role| denial.is_let(*role, user))
        .collect();
    let (whose, holder) = match enough.as_slice() {
        [] => return format!("{may_not}: no person's credentials permit that; {why}"),
        [only] => (format!("an {only}'s credentials"), only),
        [least, .., most] => (format!("an {least}'s or an {most}'s credentials"), least),
    };
    format!(
        "{may_not}: that takes {whose}; `snooze credentials {holder} NAME` makes some where `snooze up` keeps its keys, \
         and --credentials names them"
    )
}

/// That the server does not know this user at all.
pub(super) fn not_let_in(role: Role, user: &str, file: Option<&Path>, why: &str) -> String {
    let from = match file {
        Some(file) => format!("the credentials in {}", file.display()),
        None => "no credentials".to_owned(),
    };
    format!(
        "{why}: {user} ({role}) came with {from}; `snooze credentials {role} NAME` makes some where `snooze up` of that \
         bus keeps its keys, and --credentials names them"
    )
}

/// In words, to stand after "may not".
fn in_words(denied: &Denied) -> String {
    match denied {
        Denied::Say(subject) => asked(subject),
        Denied::ReadConfig(key) => format!("read {}", key_in_words(key)),
        Denied::ReadAudit => "read the audit trail".to_owned(),
        Denied::ReadEvents => "read events".to_owned(),
        Denied::ReadVerdicts => "read verdicts".to_owned(),
        Denied::ReadPackages => "read the store of packages".to_owned(),
        Denied::WritePackages => "change the store of packages".to_owned(),
        Denied::HearEvents => "follow events".to_owned(),
        Denied::HearAudit => "follow the audit trail".to_owned(),
        Denied::Other(subject) => format!("do what it takes ({subject})"),
    }
}

fn asked(subject: &Subject) -> String {
    match subject {
        Subject::Runner { host, verb } => match verb {
            RunnerVerb::Plugins => format!("list the plugins of host {host}"),
            RunnerVerb::Check => format!("ask the plugins of host {host} what they say"),
            RunnerVerb::Logs => format!("read the logs of plugins of host {host}"),
            RunnerVerb::Stats => format!("see how the plugins of host {host} do"),
            RunnerVerb::Progress => format!("ask host {host} how far an event is"),
            RunnerVerb::Validate => format!("ask host {host} whether a plugin could be configured so"),
            RunnerVerb::Load | RunnerVerb::Unload | RunnerVerb::Reload => {
                format!("{verb} plugins of host {host}")
            }
            other => format!("ask the runner of host {host} to {other}"),
        },
        Subject::Ops(verb) => match verb {
            OpsVerb::Lease => "keep a host awake",
            OpsVerb::Postpone => "put off a stop",
            OpsVerb::Freeze => "freeze",
            OpsVerb::Thaw => "thaw",
            OpsVerb::Wake => "wake a host",
            OpsVerb::Query => "ask what is known of hosts",
        }
        .to_owned(),
        Subject::Gateway(GatewayVerb::Replay) => "replay an event".to_owned(),
        Subject::Custom { source, .. } => format!("send events as {source}"),
        Subject::ConfigKey(key) => format!("change {}", key_in_words(key)),
        Subject::Metrics(host) | Subject::Verdict(host) => format!("watch host {host}"),
        other => format!("do what it takes ({other})"),
    }
}

fn key_in_words(key: &str) -> String {
    match key.split_once('.') {
        Some(("host", host)) => format!("the configuration of host {host}"),
        Some(("group", group)) => format!("the configuration of group {group}"),
        Some(("source", source)) => format!("the rights of {source}"),
        None if key == "fleet" => "the configuration of the fleet".to_owned(),
        _ => format!("the configuration key {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(subject: &str) -> String {
        format!("Permissions Violation for Publish to \"{subject}\"")
    }

    #[test]
    fn i5_who_may_not_do_something_is_told_who_they_are_what_it_is_and_whose_credentials_do() {
        let administrator =
            "that takes an administrator's credentials; `snooze credentials administrator NAME`";
        let either =
            "that takes an operator's or an administrator's credentials; `snooze credentials operator NAME`";
        for (role, subject, what, whose) in [
            (
                Role::Operator,
                "snooze.v1.host.web.runner.reload",
                "reload plugins of host web",
                administrator,
            ),
            (
                Role::Source,
                "snooze.v1.host.web.runner.reload",
                "reload plugins of host web",
                administrator,
            ),
            (Role::Dashboard, "snooze.v1.ops.freeze", "freeze", either),
            (
                Role::Source,
                "$JS.API.DIRECT.GET.AUDIT",
                "read the audit trail",
                either,
            ),
            (
                Role::Operator,
                "$KV.snooze_config.fleet",
                "change the configuration of the fleet",
                administrator,
            ),
            (
                Role::Operator,
                "$JS.API.DIRECT.GET.KV_snooze_config.$KV.snooze_config.host.web",
                "read the configuration of host web",
                administrator,
            ),
        ] {
            let told = told(role, "ada", &publish(subject));
            let begins = format!("ada ({role}) may not {what}: {whose}");
            assert!(told.starts_with(&begins), "{begins}: {told}");
            assert!(!told.contains('$') && !told.contains("snooze.v1"), "{told}");
        }
        let follow = "Permissions Violation for Subscription to \"snooze.v1.event.>\"";
        let told = told(Role::Dashboard, "wall", follow);
        assert!(
            told.starts_with("wall (dashboard) may not follow events: that takes an operator's"),
            "{told}"
        );
    }

    #[test]
    fn i5_whom_it_should_be_permitted_is_told_what_the_server_says() {
        let why = publish("$KV.snooze_config.fleet");
        let told = told(Role::Administrator, "ada", &why);
        assert!(
            told.contains(&why) && told.contains("`snooze credentials administrator ada`"),
            "{told}"
        );
    }

    #[test]
    fn what_no_person_may_and_what_is_not_understood_is_told_as_it_is() {
        let why = publish("$JS.API.STREAM.DELETE.AUDIT");
        let none = told(Role::Operator, "ada", &why);
        assert!(
            none.contains("no person's credentials") && none.contains(&why),
            "{none}"
        );
        assert!(told(Role::Operator, "ada", "gone").ends_with(": gone"));
    }
}
