//! From the role table to the permission template of a scoped signing key, in the server's own words.

use super::{Role, table::Right};
use crate::subject::matches;
use serde_json::{Value, json};

/// Where the server wants the answer to a question from another account; it puts an unguessable word below.
pub(crate) const ACROSS_PREFIX: &str = "_R_.";

/// More subscriptions than any host has plugins; a bound, so that one host cannot fill the server.
const SUBSCRIPTIONS: i64 = 512;

/// What a role may do, with `{{name()}}` and `{{tag(…)}}` where the user's own name and tags go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects that it may publish to.
    pub publish: Vec<String>,
    /// Subjects that it may subscribe to, in any queue group or none.
    pub subscribe: Vec<String>,
}

impl Permissions {
    pub(super) fn render(role: Role, rights: &[&[Right]]) -> Permissions {
        let inbox = format!("{}.>", role.inbox_prefix("{{name()}}"));
        let mut all = Permissions {
            // To oneself, so that a client can tell that the server has taken all that it sent before.
            publish: vec![inbox.clone()],
            subscribe: vec![inbox],
        };
        for right in rights.iter().copied().flatten() {
            all.add(*right);
        }
        for list in [&mut all.publish, &mut all.subscribe] {
            list.sort();
            list.dedup();
        }
        all
    }

    fn add(&mut self, right: Right) {
        match right {
            Right::Publish(subjects) => self.publish.extend(expand(subjects)),
            Right::Subscribe(subjects) => self.subscribe.extend(expand(subjects)),
            Right::Answer(role, name) => {
                self.publish
                    .push(format!("{}.>", role.inbox_prefix(&personal(name))));
            }
            Right::AnswerAcross => self.publish.push(format!("{ACROSS_PREFIX}>")),
            Right::GetKey(stream, subjects) => {
                let keys = expand(subjects);
                self.publish.extend(
                    keys.iter()
                        .map(|key| format!("$JS.API.DIRECT.GET.{stream}.{key}")),
                );
            }
            Right::Get(stream) => self.publish.extend([
                format!("$JS.API.DIRECT.GET.{stream}"),
                format!("$JS.API.DIRECT.GET.{stream}.>"),
            ]),
            Right::GetFromLeader(stream) => self.publish.push(format!("$JS.API.STREAM.MSG.GET.{stream}")),
            Right::Watch(stream) => self.publish.extend([
                format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
                // A consumer whose flow control is not answered stalls for ever.
                format!("$JS.FC.{stream}.>"),
            ]),
            Right::Look(stream) => self.publish.push(format!("$JS.API.STREAM.INFO.{stream}")),
            Right::Consume(stream) => self.publish.extend([
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
                format!("$JS.ACK.{stream}.>"),
                format!("$JS.API.STREAM.INFO.{stream}"),
                format!("$JS.API.CONSUMER.INFO.{stream}.*"),
            ]),
        }
    }

    /// Whether whoever is called so may publish to a subject.
    pub(super) fn let_publish(&self, name: &str, subject: &str) -> bool {
        covers(&self.publish, name, subject)
    }

    /// The same of subscribing to one, or to a family of them.
    pub(super) fn let_subscribe(&self, name: &str, subject: &str) -> bool {
        covers(&self.subscribe, name, subject)
    }

    /// As `template` of a scoped signing key in an account's claims.
    #[must_use]
    pub fn to_claims(&self) -> Value {
        let publish = if self.publish.is_empty() {
            // An empty list of what is allowed would mean that everything is.
            json!({ "deny": [">"] })
        } else {
            json!({ "allow": self.publish })
        };
        json!({
            "pub": publish,
            "sub": { "allow": self.subscribe },
            "subs": SUBSCRIPTIONS,
            "data": -1,
            "payload": -1,
        })
    }
}

fn covers(templates: &[String], name: &str, subject: &str) -> bool {
    let of_name = |template: &String| template.replace("{{name()}}", name);
    templates
        .iter()
        .any(|template| matches(&of_name(template), subject))
}

/// All subjects that a line of the table stands for.
pub(crate) fn expand(subjects: &str) -> Vec<String> {
    let full = if subjects.starts_with('$') {
        subjects.to_owned()
    } else {
        format!("snooze.v1.{subjects}")
    };
    alternatives(&full)
        .iter()
        .map(|subject| personal(subject))
        .collect()
}

/// One text for each way to choose a word from every `{a,b}`.
fn alternatives(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else {
        return vec![text.to_owned()];
    };
    let (words, after) = rest.split_once('}').expect("the table closes what it opens");
    words
        .split(',')
        .flat_map(|word| alternatives(&format!("{before}{word}{after}")))
        .collect()
}

/// `@` becomes the user's name and `@x` its tag `x`, in the server's notation.
fn personal(subject: &str) -> String {
    let tokens: Vec<String> = subject
        .split('.')
        .map(|token| match token.strip_prefix('@') {
            None => token.to_owned(),
            Some("") => "{{name()}}".to_owned(),
            Some(tag) => format!("{{{{tag({tag})}}}}"),
        })
        .collect();
    tokens.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::{Account, CROSSINGS, Way};

    #[test]
    fn a_line_of_the_table_is_written_out() {
        assert_eq!(
            expand("host.@.{runner,plugin}.>"),
            [
                "snooze.v1.host.{{name()}}.runner.>",
                "snooze.v1.host.{{name()}}.plugin.>"
            ]
        );
        assert_eq!(
            expand("fleet.plugin.@fleet-plugin.info"),
            ["snooze.v1.fleet.plugin.{{tag(fleet-plugin)}}.info"]
        );
        assert_eq!(expand("$KV.b.{a.x,b}"), ["$KV.b.a.x", "$KV.b.b"]);
    }

    #[test]
    fn i5_a_plugin_sends_nothing_but_answers_and_to_itself() {
        let plugin = Role::Plugin.permissions();
        assert_eq!(
            plugin.publish,
            [
                "_INBOX_host.{{tag(host)}}.>",
                "_INBOX_plugin.{{name()}}.>",
                "_R_.>"
            ]
        );
    }

    #[test]
    fn an_empty_list_is_written_as_a_denial() {
        let nothing = Permissions {
            publish: Vec::new(),
            subscribe: Vec::new(),
        };
        assert_eq!(nothing.to_claims()["pub"], json!({ "deny": [">"] }));
    }

    #[test]
    fn i5_every_role_hears_its_own_inbox_and_no_other() {
        for role in Role::ALL {
            let inboxes: Vec<String> = role
                .permissions()
                .subscribe
                .into_iter()
                .filter(|subject| subject.starts_with("_INBOX"))
                .collect();
            assert_eq!(inboxes, [format!("_INBOX_{role}.{{{{name()}}}}.>")]);
        }
    }

    #[test]
    fn i5_nobody_may_publish_wherever_a_reply_is_wanted() {
        for role in Role::ALL {
            assert!(role.permissions().to_claims().get("resp").is_none(), "{role}");
        }
    }

    fn is_written_by_people(subject: &str) -> bool {
        subject == "$KV.snooze_config.>" || subject == "$O.snooze_artifacts.>"
    }

    #[test]
    fn i5_no_person_is_in_the_account_that_has_jetstream() {
        for role in [Role::Operator, Role::Administrator, Role::Dashboard] {
            assert_eq!(role.account(), Account::People, "{role}");
        }
    }

    #[test]
    fn i4_only_the_centre_has_jetstream_and_the_buckets() {
        for crossing in CROSSINGS
            .iter()
            .filter(|crossing| crossing.from == Account::Centre)
        {
            for subject in expand(crossing.subjects) {
                let is_read = crossing.way == Way::Heard || subject.starts_with("$JS.API.DIRECT.GET.");
                let is_administered = crossing.to == [Account::People] && is_written_by_people(&subject);
                assert!(
                    is_read || is_administered || subject.starts_with("snooze.v1."),
                    "{subject}"
                );
            }
        }
        for role in Role::ALL
            .into_iter()
            .filter(|role| role.account() != Account::Centre)
        {
            for subject in role.permissions().publish {
                let is_administered = role == Role::Administrator && is_written_by_people(&subject);
                assert!(
                    is_administered || !subject.starts_with("$KV.") && !subject.starts_with("$O."),
                    "{role}: {subject}"
                );
                assert!(
                    !subject.starts_with("$JS.") || subject.starts_with("$JS.API.DIRECT.GET."),
                    "{role}: {subject}"
                );
            }
        }
    }

    #[test]
    fn i4_hosts_and_plugins_have_no_right_to_buckets_and_consumers() {
        for role in [Role::Host, Role::Plugin, Role::FleetPlugin, Role::Source] {
            for subject in role.permissions().publish {
                assert!(
                    !subject.starts_with("$KV.") && !subject.contains(".CONSUMER."),
                    "{role}: {subject}"
                );
                assert!(
                    !subject.starts_with("$JS.FC.") && !subject.starts_with("$JS.ACK."),
                    "{role}: {subject}"
                );
            }
        }
    }
}
