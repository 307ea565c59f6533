//! The official plugins as they are built, each as its README configures it: what `snooze plugin test` asks of any
//! plugin, in the fences that its own manifest asks for.
//!
//! They are built here by their own script, which takes what their own tests have installed before, or installs it.

use crate::snooze_within;
use serde_json::{Map, Value};
use snooze_conformance::build;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Compilers and package registries may start cold.
const BUILD_LIMIT: Duration = Duration::from_secs(240);

/// All are asked at once, each by a hundred processes one after the other, beside all other tests.
const TEST_LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn official() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/official")
}

/// The names of all, which are those of their folders.
fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(official()).expect("the official plugins are a part of this tree");
    let folders = entries.map(|entry| entry.expect("an entry of a folder that was opened").path());
    let plugins = folders.filter(|folder| folder.join("plugin.json").is_file());
    plugins
        .map(|folder| {
            folder
                .file_name()
                .expect("it has one")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// What a host's file says of it in the first example of its README: its configuration, and what it grants it.
fn example(name: &str) -> (Map<String, Value>, Value) {
    example_with(name, "")
}

/// The same, in the first example that says this.
pub(crate) fn example_with(name: &str, words: &str) -> (Map<String, Value>, Value) {
    let readme = official().join(name).join("README.md");
    let text = fs::read_to_string(&readme).expect("each has one");
    let examples = text.split("\n```json\n").skip(1);
    let shown = examples
        .map(|after| after.split_once("\n```\n").expect("what begins ends").0)
        .find(|shown| shown.contains(words))
        .unwrap_or_else(|| panic!("{} shows no configuration with {words:?}", readme.display()));
    let file: Value = serde_json::from_str(shown).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    let config = &file["plugins"]["plugin_configs"][name];
    let mut config = config
        .as_object()
        .unwrap_or_else(|| panic!("{name}: the README configures another plugin"))
        .clone();
    let granted = config.remove("permissions").unwrap_or_default();
    (config, granted)
}

/// A folder in which each plugin is built once, with parents that let a plugin's own user pass.
pub(crate) async fn built(names: &BTreeSet<String>) -> tempfile::TempDir {
    let around = tempfile::tempdir().expect("a folder");
    fs::set_permissions(around.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    for name in names {
        let out = around.path().join(name);
        let words = ["./build.sh", name, out.to_str().expect("a plain name")].map(str::to_owned);
        let made = build(&words, &official(), BUILD_LIMIT).await;
        made.unwrap_or_else(|cause| panic!("{name}: {cause}"));
    }
    around
}

#[tokio::test]
async fn each_official_plugin_keeps_the_contract_in_its_fences_as_its_readme_configures_it() {
    let names = names();
    assert!(names.len() >= 9, "there are {names:?}");
    let around = built(&names).await;
    let asked = names.iter().map(|name| {
        let folder = around.path().join(name);
        async move {
            let (config, _) = example(name);
            let file = folder.with_extension("config.json");
            fs::write(&file, Value::Object(config).to_string()).expect("the folder is ours");
            let paths = [&folder, &file].map(|path| path.to_str().expect("a plain name"));
            let words = ["plugin", "test", paths[0], "--config", paths[1]];
            let done = snooze_within(TEST_LIMIT, &words).await;
            assert_eq!(done.code, Some(0), "{name}: {}{}", done.out, done.err);
            assert!(!done.out.contains("FAILED"), "{name}: {}", done.out);
        }
    });
    futures_util::future::join_all(asked).await;
}

#[test]
fn each_readme_grants_no_more_than_the_manifest_asks_for() {
    for name in names() {
        let manifest = json(&official().join(&name).join("plugin.json"));
        let asked = manifest["permissions"]
            .as_object()
            .expect("each asks for something");
        let (_, granted) = example(&name);
        let granted = granted.as_object().expect("an example grants something");
        for (key, granted) in granted {
            let covers = match (asked.get(key), granted) {
                // One example has one of the servers that there may be.
                (Some(Value::Array(asked)), Value::Array(granted)) => {
                    granted.iter().all(|one| asked.contains(one))
                }
                (asked, granted) => asked == Some(granted),
            };
            assert!(
                covers,
                "{name}: the README grants {key} {granted}, and the manifest asks for {:?}",
                asked.get(key)
            );
        }
        let limits = asked.iter().filter(|(_, value)| value.is_number());
        for (key, limit) in limits {
            assert_eq!(
                granted.get(key),
                Some(limit),
                "{name}: the README leaves {key} out"
            );
        }
    }
}

/// Which of those that handle events do the same when they are asked twice: a script and a signal need not.
const MAY_BE_ASKED_TWICE: [(&str, bool); 5] = [
    ("app-checkpointer", true),
    ("database-flusher", true),
    ("drain", false),
    ("notifier", true),
    ("spot-interrupt-handler", false),
];

/// What each event of a manifest says, of those who handle any.
fn terms() -> BTreeMap<String, Map<String, Value>> {
    let events = |name: String| {
        let manifest = json(&official().join(&name).join("plugin.json"));
        let events = manifest["events"].as_object()?.clone();
        Some((name, events))
    };
    names().into_iter().filter_map(events).collect()
}

#[test]
fn e6_each_handler_says_of_each_event_whether_it_may_be_asked_twice() {
    let terms = terms();
    let decided: Vec<&str> = MAY_BE_ASKED_TWICE.iter().map(|(name, _)| *name).collect();
    assert_eq!(terms.keys().collect::<Vec<_>>(), decided, "each is decided");
    for (name, may) in MAY_BE_ASKED_TWICE {
        for (event, terms) in &terms[name] {
            assert_eq!(
                terms.get("idempotent"),
                Some(&Value::from(may)),
                "{name}: {event}"
            );
        }
        let readme = fs::read_to_string(official().join(name).join("README.md")).expect("each has one");
        let words = match may {
            true => "Its manifest says that it is `idempotent`",
            false => "Its manifest says that it is not `idempotent`",
        };
        let says = readme.split_whitespace().collect::<Vec<_>>().join(" ");
        let says = says.to_lowercase().contains(&words.to_lowercase());
        assert!(says, "{name}: the README does not say so");
    }
}

#[test]
fn a_handlers_own_timeout_seconds_is_cut_short_by_nothing_that_its_manifest_leaves_unsaid() {
    /// Where a handler's own key has no greatest value: no event lasts for longer.
    const DAY: f64 = 86_400.0;
    let mut seen = 0;
    for (name, events) in terms() {
        let manifest = json(&official().join(&name).join("plugin.json"));
        let own = &manifest["config_schema"]["properties"]["timeout_seconds"];
        if own.is_null() {
            continue;
        }
        let longest = own["maximum"].as_f64().unwrap_or(DAY);
        for (event, terms) in events {
            let given = terms["timeout_seconds"].as_f64();
            let suffices = given.is_some_and(|given| given >= longest);
            assert!(suffices, "{name}: {event} is given {given:?} s of {longest}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "spot-interrupt-handler and notifier have the key");
}
