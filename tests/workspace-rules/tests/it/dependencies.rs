//! Who may depend on whom, and which outside crates have only one user.

use crate::expect_none;
use snooze_workspace_rules::{Section, members, root_manifest};
use std::collections::{BTreeMap, BTreeSet};

/// What a member may be built with of our own crates, and why not more.
const DIRECTION: &[(&str, &[&str], &str)] = &[
    (
        "snooze-schemas",
        &[],
        "the wire's types are the bottom: everybody, in any language, agrees on them",
    ),
    (
        "snooze-decision",
        &[],
        "deciding is pure, so that a simulation can drive it",
    ),
    (
        "snooze-service-runtime",
        &[],
        "what all services do alike knows no message and no bus",
    ),
    (
        "snooze-bus",
        &["snooze-schemas"],
        "the bus carries messages and knows no business rule",
    ),
    (
        "snooze-collector",
        &["snooze-bus", "snooze-schemas", "snooze-service-runtime"],
        "services talk over the bus, never by calls",
    ),
    (
        "snooze-plugin-runner",
        &[
            "snooze-bus",
            "snooze-native",
            "snooze-package",
            "snooze-schemas",
            "snooze-service-runtime",
        ],
        "services talk over the bus, never by calls",
    ),
    (
        "snooze-event-gateway",
        &["snooze-bus", "snooze-schemas", "snooze-service-runtime"],
        "services talk over the bus, never by calls",
    ),
    (
        "snooze-executor",
        &[
            "snooze-bus",
            "snooze-decision",
            "snooze-schemas",
            "snooze-service-runtime",
        ],
        "only who carries decisions out decides",
    ),
    (
        "snooze-cli",
        &[
            "snooze-bus",
            "snooze-collector",
            "snooze-conformance",
            "snooze-event-gateway",
            "snooze-executor",
            "snooze-fake-metadata",
            "snooze-package",
            "snooze-plugin-runner",
            "snooze-schemas",
            "snooze-service-runtime",
        ],
        "`snooze up` runs the services in one process; deciding is theirs",
    ),
    (
        "snooze-conformance",
        &["snooze-bus", "snooze-schemas"],
        "it asks a plugin from outside, as any client could, and knows no runner",
    ),
    (
        "snooze-native",
        &[],
        "what a library and the runner have to see alike is small, and is nothing else's",
    ),
    (
        "snooze-package",
        &["snooze-schemas", "snooze-service-runtime"],
        "runner and CLI open what strangers made with it, in the way in which all open what is a stranger's: it knows a \
         manifest's name and nothing of either",
    ),
    (
        "snooze-plugin",
        &["snooze-native"],
        "an SDK stands on its own: whoever writes a plugin must not build the product, nor wait for its internals",
    ),
    (
        "snooze-fake-metadata",
        &[],
        "a cloud's service knows nothing of whoever asks it",
    ),
    (
        "snooze-test-harness",
        &["snooze-bus", "snooze-fake-metadata", "snooze-schemas"],
        "servers for tests need credentials and no service",
    ),
    ("snooze-benchmarks", &[], "it measures programs from outside"),
    ("snooze-workspace-rules", &[], "it reads the workspace as text"),
];

/// Test crates may be built with everything.
const UNFENCED: [&str; 1] = ["snooze-end-to-end"];

/// Outside crates that only some members may name, and why. Tests may name what is listed third.
const FENCED: [(&str, &[&str], &[&str], &str); 16] = [
    (
        "async-nats",
        &["snooze-bus", "snooze-plugin"],
        &[
            "snooze-test-harness",
            "snooze-bus",
            "snooze-end-to-end",
            "snooze-plugin",
        ],
        "all we know about NATS is in one place, but for the SDK, which stands on its own; tests forge what our \
         own client cannot send",
    ),
    (
        "libloading",
        &["snooze-native"],
        &[],
        "a library is loaded where the unsafe code is, and nowhere else",
    ),
    (
        "nkeys",
        &["snooze-bus"],
        &[],
        "credentials are signed in one place",
    ),
    (
        "rmp-serde",
        &["snooze-bus", "snooze-plugin"],
        &[
            "snooze-schemas",
            "snooze-end-to-end",
            "snooze-executor",
            "snooze-plugin",
        ],
        "one codec, and the SDK's, which stands on its own; golden messages are read without it",
    ),
    (
        "aws-config",
        &["snooze-event-gateway", "snooze-executor"],
        &[],
        "only who stops instances, and who hears and tells of events, speaks with AWS",
    ),
    (
        "aws-sdk-ec2",
        &["snooze-executor"],
        &[],
        "only who stops instances builds the EC2 client",
    ),
    (
        "aws-smithy-http-client",
        &["snooze-event-gateway", "snooze-executor"],
        &[],
        "only who stops instances, and who hears and tells of events, speaks with AWS",
    ),
    (
        "aws-sdk-autoscaling",
        &["snooze-event-gateway"],
        &[],
        "only the gateway hears and tells of events",
    ),
    (
        "aws-sdk-eventbridge",
        &["snooze-event-gateway"],
        &[],
        "only the gateway hears and tells of events",
    ),
    (
        "aws-sdk-sqs",
        &["snooze-event-gateway"],
        &[],
        "only the gateway hears and tells of events",
    ),
    (
        "nvml-wrapper",
        &["snooze-collector"],
        &[],
        "only the collector measures",
    ),
    (
        "sysinfo",
        &["snooze-collector"],
        &["snooze-collector"],
        "only the collector measures",
    ),
    (
        "config",
        &["snooze-service-runtime"],
        &[],
        "configuration is read once, in one way",
    ),
    (
        "opentelemetry-otlp",
        &["snooze-service-runtime"],
        &[],
        "one exporter",
    ),
    (
        "tracing-subscriber",
        &["snooze-service-runtime"],
        &["snooze-bus", "snooze-service-runtime", "snooze-end-to-end"],
        "one place says what is logged where",
    ),
    (
        "tempfile",
        &["snooze-cli", "snooze-test-harness"],
        &[
            "snooze-benchmarks",
            "snooze-bus",
            "snooze-cli",
            "snooze-collector",
            "snooze-conformance",
            "snooze-end-to-end",
            "snooze-event-gateway",
            "snooze-executor",
            "snooze-fake-metadata",
            "snooze-package",
            "snooze-plugin",
            "snooze-plugin-runner",
            "snooze-schemas",
            "snooze-service-runtime",
        ],
        "what a service writes lies where its state folder says; a command looks through a package elsewhere",
    ),
];

#[test]
fn our_crates_depend_on_each_other_in_one_direction() {
    let allowed: BTreeMap<_, _> = DIRECTION
        .iter()
        .map(|(name, may, why)| (*name, (*may, *why)))
        .collect();
    let mut breaches = Vec::new();
    for member in members() {
        if UNFENCED.contains(&member.name.as_str()) {
            continue;
        }
        let Some((may, why)) = allowed.get(member.name.as_str()) else {
            breaches.push(format!(
                "{}: this table does not say what it may depend on",
                member.name
            ));
            continue;
        };
        let ours = member.dependencies.iter().filter(|dependency| {
            dependency.section != Section::Dev && dependency.name.starts_with("snooze-")
        });
        for dependency in ours.filter(|dependency| !may.contains(&dependency.name.as_str())) {
            breaches.push(format!("{} -> {}: {why}", member.name, dependency.name));
        }
    }
    expect_none(&breaches, "dependencies go one way");
}

#[test]
fn only_named_crates_name_fenced_ones() {
    let fences: BTreeMap<_, _> = FENCED.iter().map(|fence| (fence.0, fence)).collect();
    let mut breaches = Vec::new();
    for member in members() {
        for dependency in &member.dependencies {
            let Some((_, users, in_tests, why)) = fences.get(dependency.name.as_str()) else {
                continue;
            };
            let allowed = match dependency.section {
                Section::Dev => in_tests,
                Section::Normal | Section::Build => users,
            };
            if !allowed.contains(&member.name.as_str()) {
                breaches.push(format!("{} -> {}: {why}", member.name, dependency.name));
            }
        }
    }
    expect_none(&breaches, "these crates have few users");
}

#[test]
fn deciding_depends_on_nothing_but_its_tests() {
    let member = members()
        .into_iter()
        .find(|member| member.name == "snooze-decision")
        .expect("it is a member");
    let outside: Vec<_> = member
        .dependencies
        .iter()
        .filter(|dependency| dependency.section != Section::Dev)
        .map(|dependency| dependency.name.clone())
        .collect();
    expect_none(
        &outside,
        "no clock, randomness, serde or async can come in through a dependency",
    );
}

#[test]
fn only_the_feature_aws_brings_the_clients_of_aws() {
    let mut forced = Vec::new();
    for member in members() {
        let listed = member
            .manifest
            .get("dependencies")
            .and_then(toml::Value::as_table);
        for (name, value) in listed
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.starts_with("aws-"))
        {
            if value.get("optional").and_then(toml::Value::as_bool) != Some(true) {
                forced.push(format!("{}: {name}", member.name));
            }
        }
    }
    expect_none(&forced, "an everyday build must not wait for the largest crates");
}

#[test]
fn every_outside_crate_is_named_once_and_used() {
    let manifest = root_manifest();
    let named: BTreeSet<_> = manifest["workspace"]["dependencies"]
        .as_table()
        .expect("a table")
        .keys()
        .cloned()
        .collect();
    let used: BTreeSet<_> = members()
        .iter()
        .flat_map(|member| &member.dependencies)
        .map(|dependency| dependency.name.clone())
        .collect();
    let unused: Vec<_> = named
        .difference(&used)
        .filter(|name| !name.starts_with("snooze-"))
        .cloned()
        .collect();
    expect_none(&unused, "the workspace names what nobody uses");
}
