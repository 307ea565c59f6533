//! The reference of the configuration names every key, variable and argument there is, and no other.

use super::expect_none;
use snooze_service_runtime::{
    args::ARGUMENT_VARIABLES,
    config::{Effect, FixedSource, KEYS, Key, load},
};
use snooze_workspace_rules::root;
use std::{collections::BTreeSet, fs};

const REFERENCE: &str = "deploy/CONFIGURATION.md";

/// Where the services' arguments stand.
const ARGUMENTS: [&str; 7] = [
    "services/service-runtime/src/args.rs",
    "services/collector/src/main.rs",
    "services/plugin-runner/src/main.rs",
    "services/snooze-executor/src/main.rs",
    "services/event-gateway/src/main.rs",
    "services/event-gateway/src/aws_command.rs",
    "services/service-runtime/src/places.rs",
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// What the first cells of all tables hold, without the headings.
fn first_cells(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once("` |").map(|(cell, _)| cell))
        .collect()
}

fn variable(key: &Key) -> String {
    format!("SNOOZE_{}", key.path.replace('.', "__").to_uppercase())
}

/// How the row of a key begins; what comes behind that is for people.
fn row(key: &Key) -> String {
    let default = match key.default {
        "null" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    match key.effect {
        Effect::Policy | Effect::Local => format!(
            "| `{}` | {default} | {} | `{}` | ",
            key.path,
            key.kind,
            variable(key)
        ),
        Effect::OlderNameOf(newer) => format!("| `{}` | it is an older name of `{newer}`", key.path),
        Effect::None(instead) => format!("| `{}` | {instead}", key.path),
    }
}

#[test]
fn the_reference_has_each_key_once_as_it_is() {
    let text = read(REFERENCE);
    let missing: Vec<String> = KEYS
        .iter()
        .map(row)
        .filter(|row| text.lines().filter(|line| line.starts_with(row)).count() != 1)
        .collect();
    expect_none(
        &missing,
        "deploy/CONFIGURATION.md has to have one row that begins so",
    );
    let known: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    let unknown: Vec<String> = first_cells(&text)
        .into_iter()
        .filter(|cell| !cell.starts_with("--") && !known.contains(cell))
        .map(ToOwned::to_owned)
        .collect();
    expect_none(
        &unknown,
        "deploy/CONFIGURATION.md names keys that no service knows",
    );
}

#[test]
fn each_variable_that_the_reference_names_is_understood() {
    for key in KEYS.iter().filter(|key| key.default != "null") {
        let text: serde_json::Value = serde_json::from_str(key.default).expect("it is JSON");
        let text = text.as_str().map_or_else(|| text.to_string(), ToOwned::to_owned);
        let source = FixedSource::default().variable(variable(key), text);
        let loaded = load(&source, None).expect(key.path);
        let told: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
        let is_unknown = told.iter().any(|told| told.contains("unknown"));
        assert!(!is_unknown, "{}: {told:?}", key.path);
    }
}

/// The long options that clap is told of, as they are written.
fn options(source: &str) -> Vec<String> {
    let mut options = Vec::new();
    let mut attribute: Option<String> = None;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[arg(") {
            attribute = Some(String::new());
        }
        let Some(so_far) = &mut attribute else { continue };
        let field = line.strip_prefix("pub ").unwrap_or(line).split_once(": ");
        match field {
            Some((name, _))
                if name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()) =>
            {
                if so_far.contains("long") {
                    options.push(format!("--{}", name.replace('_', "-")));
                }
                attribute = None;
            }
            _ => so_far.push_str(line),
        }
    }
    options
}

#[test]
fn the_reference_has_every_argument_and_its_variable() {
    let text = read(REFERENCE);
    let known: BTreeSet<String> = ARGUMENTS.iter().flat_map(|path| options(&read(path))).collect();
    assert!(
        known.contains("--config") && known.contains("--ec2-endpoint"),
        "{known:?}"
    );
    let named: BTreeSet<String> = first_cells(&text)
        .into_iter()
        .filter(|cell| cell.starts_with("--"))
        .map(ToOwned::to_owned)
        .collect();
    let differ: Vec<String> = known.symmetric_difference(&named).cloned().collect();
    expect_none(
        &differ,
        "the arguments of deploy/CONFIGURATION.md and of the services differ",
    );
    let missing = ARGUMENT_VARIABLES
        .iter()
        .filter(|variable| !text.contains(&format!("`{variable}`")));
    let missing: Vec<String> = missing.map(ToString::to_string).collect();
    expect_none(
        &missing,
        "variables that are arguments are not in deploy/CONFIGURATION.md",
    );
    assert!(
        read("README.md").contains(REFERENCE),
        "nobody finds it from README.md"
    );
}
