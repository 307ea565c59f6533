//! Which files of a plugin were approved, which lie there now, and which nobody would notice to change. Pure.

use super::text;
use snooze_schemas::plugin::approval::{ApprovedFiles, Rights};

/// So many names are shown of files that could change unseen.
const SHOWN: usize = 5;

/// What an approval does not cover of a plugin's folder, if there is anything.
#[must_use]
pub fn unchecked(rights: &Rights) -> Option<String> {
    let files = rights.unchecked.as_slice();
    if files.is_empty() {
        return None;
    }
    let shown = files[..files.len().min(SHOWN)].join(", ");
    let more = if files.len() > SHOWN { ", …" } else { "" };
    Some(text::printable(&format!(
        "only plugin.json and what is started are covered: other files of its folder ({shown}{more}) have no checksum \
         in plugin.json and may change unseen. `snooze plugin package` and then `snooze plugin install` give all of \
         them one"
    )))
}

/// Whether the files that lie there are those that were approved, in the few words of a list.
#[must_use]
pub fn approved(rights: &Rights) -> &'static str {
    let Some(approved) = &rights.approved else {
        return "approved";
    };
    let is_unread = approved.manifest_sha256.is_some() && rights.manifest_sha256.is_none();
    match &rights.entry_sha256 {
        Some(entry)
            if *entry == approved.entry_sha256 && rights.manifest_sha256 == approved.manifest_sha256 =>
        {
            "approved"
        }
        Some(_) if !is_unread => "other files than approved",
        Some(_) | None => "approved, files unread",
    }
}

/// Everything about its files, each line with its name.
#[must_use]
pub fn described(rights: &Rights, plugin: &str) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let digest = |sha256: &str| format!("sha256 {sha256}, as it lies there now");
    lines.extend(rights.manifest_sha256.iter().map(|of| ("manifest", digest(of))));
    lines.extend(rights.entry_sha256.iter().map(|of| ("program", digest(of))));
    if let Some(approved) = &rights.approved {
        lines.extend(compared(approved, rights, plugin).map(|line| ("approved", line)));
    }
    if rights.replaced {
        let text = "what runs was started from another file than lies there now; it is started anew as soon as that \
                    is noticed, and by";
        lines.push(("runs", format!("{text} `snooze plugin reload {plugin}`")));
    }
    lines.extend(unchecked(rights).map(|text| ("unchecked", text)));
    lines
}

/// What was approved, beside what lies there.
fn compared(approved: &ApprovedFiles, rights: &Rights, plugin: &str) -> impl Iterator<Item = String> + use<> {
    let version = match &approved.version {
        Some(version) => format!("version {version}"),
        None => "without a manifest".to_owned(),
    };
    let (mut differs, mut unseen) = (Vec::new(), Vec::new());
    for (what, then, now) in [
        (
            "plugin.json",
            approved.manifest_sha256.as_ref(),
            rights.manifest_sha256.as_ref(),
        ),
        (
            "what is started",
            Some(&approved.entry_sha256),
            rights.entry_sha256.as_ref(),
        ),
    ] {
        if then.is_some() && now.is_none() {
            unseen.push(format!("{what} is not there, or cannot be read just now"));
        } else if then != now {
            let then = then.map_or("none".to_owned(), |sha256| format!("sha256 {sha256}"));
            differs.push(format!("another file for {what}: {then}"));
        }
    }
    let first = match (differs.is_empty(), unseen.is_empty()) {
        (true, true) => format!("{version}, these very files"),
        (true, false) => format!("{version}, and nobody can tell whether it is these files"),
        (false, _) => format!("{version}, and not these files"),
    };
    // Only what was read to its end is another file, and only then is there something to do.
    let remedy = (!differs.is_empty()).then(|| {
        format!(
            "it is not run with files that were not approved: put the approved ones back, or look at these and \
             `snooze plugin approve {plugin}`"
        )
    });
    [first].into_iter().chain(differs).chain(unseen).chain(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rights(rights: Value) -> Rights {
        serde_json::from_value(rights).expect("rights")
    }

    fn told(said: Value) -> String {
        let lines = described(&rights(said), "redis");
        let lines = lines.iter().map(|(name, line)| format!("{name}: {line}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn i4_what_was_approved_is_told_beside_what_lies_there() {
        let approved = json!({"version": "1.0.0", "manifest_sha256": "aa", "entry_sha256": "bb"});
        let same = told(json!({"approved": approved, "manifest_sha256": "aa", "entry_sha256": "bb"}));
        assert!(
            same.contains("program: sha256 bb, as it lies there now"),
            "{same}"
        );
        assert!(
            same.contains("approved: version 1.0.0, these very files"),
            "{same}"
        );
        assert!(!same.contains("not"), "{same}");

        let other = told(json!({"approved": approved, "manifest_sha256": "aa", "entry_sha256": "cc"}));
        for part in [
            "program: sha256 cc, as it lies there now",
            "version 1.0.0, and not these files",
            "another file for what is started: sha256 bb",
            "`snooze plugin approve redis`",
        ] {
            assert!(other.contains(part), "{part:?} in {other}");
        }
        assert!(!other.contains("plugin.json: sha256 aa"), "{other}");

        let bare =
            told(json!({"approved": {"entry_sha256": "bb"}, "manifest_sha256": "aa", "entry_sha256": "bb"}));
        assert!(bare.contains("another file for plugin.json: none"), "{bare}");
        let unread = told(json!({"approved": approved, "manifest_sha256": "aa"}));
        assert!(
            unread.contains("nobody can tell")
                && unread.contains("what is started is not there, or cannot be read"),
            "{unread}"
        );
        assert!(
            !unread.contains("approve redis") && !unread.contains("put the approved"),
            "{unread}"
        );
        let started = told(json!({"entry_sha256": "bb", "replaced": true}));
        assert!(
            started.contains("runs: what runs was started from another file"),
            "{started}"
        );
    }

    #[test]
    fn i4_the_list_calls_no_other_files_approved() {
        let of = json!({"manifest_sha256": "aa", "entry_sha256": "bb"});
        for (said, told) in [
            (json!({}), "approved"),
            (json!({"manifest_sha256": "aa", "entry_sha256": "bb"}), "approved"),
            (
                json!({"manifest_sha256": "aa", "entry_sha256": "cc"}),
                "other files than approved",
            ),
            (
                json!({"manifest_sha256": "dd", "entry_sha256": "bb"}),
                "other files than approved",
            ),
            (json!({"manifest_sha256": "aa"}), "approved, files unread"),
            (json!({"entry_sha256": "bb"}), "approved, files unread"),
        ] {
            let mut rights = rights(said.clone());
            if said != json!({}) {
                rights.approved = serde_json::from_value(of.clone()).expect("files");
            }
            assert_eq!(approved(&rights), told, "{said}");
        }
        let bare = rights(
            json!({"approved": {"entry_sha256": "bb"}, "manifest_sha256": "aa", "entry_sha256": "bb"}),
        );
        assert_eq!(
            approved(&bare),
            "other files than approved",
            "a manifest has come since"
        );
    }

    #[test]
    fn i4_files_that_could_change_unseen_are_named_with_the_remedy_and_not_all_of_them() {
        assert_eq!(unchecked(&Rights::default()), None);
        let few = unchecked(&rights(json!({"unchecked": ["helper.py"]}))).expect("one");
        for part in [
            "(helper.py)",
            "may change unseen",
            "snooze plugin package",
            "install",
        ] {
            assert!(few.contains(part), "{part:?} in {few}");
        }
        let many = unchecked(&rights(json!({"unchecked": ["a", "b", "c", "d", "e", "f"]}))).expect("six");
        assert!(many.contains("(a, b, c, d, e, …)"), "{many}");
    }
}
