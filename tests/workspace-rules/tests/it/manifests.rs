//! What every member's manifest inherits.

use crate::expect_none;
use snooze_workspace_rules::{members, root, root_manifest};
use toml::Value;

fn inherits(value: Option<&Value>) -> bool {
    value
        .and_then(|value| value.get("workspace"))
        .and_then(Value::as_bool)
        == Some(true)
}

/// The one crate that may have unsafe code: what is forbidden cannot be allowed again, so it writes the lints out.
const UNSAFE: &str = "plugins/native";

#[test]
fn every_member_inherits_the_lints() {
    let breaches: Vec<_> = members()
        .into_iter()
        .filter(|member| member.folder != UNSAFE && !inherits(member.manifest.get("lints")))
        .map(|member| member.name)
        .collect();
    expect_none(&breaches, "a crate without the workspace's lints has no lints");
}

#[test]
fn unsafe_code_is_forbidden_but_in_one_crate_whose_other_lints_are_the_workspaces() {
    let unsafe_code = |lints: &mut Value| {
        let rust = lints
            .get_mut("rust")
            .and_then(Value::as_table_mut)
            .expect("it has some");
        rust.remove("unsafe_code").expect("it says so")
    };
    let mut everywhere = root_manifest()["workspace"]["lints"].clone();
    assert_eq!(unsafe_code(&mut everywhere), Value::from("forbid"));
    let here = members().into_iter().find(|member| member.folder == UNSAFE);
    let mut here = here.expect("it is a member").manifest["lints"].clone();
    assert_eq!(
        unsafe_code(&mut here),
        Value::from("deny"),
        "each use has its reason"
    );
    assert_eq!(here, everywhere);
}

#[test]
fn a_panic_unwinds_in_every_profile() {
    let manifest = root_manifest();
    let profiles = manifest["profile"].as_table().expect("it has some");
    let breaches: Vec<_> = profiles
        .iter()
        .filter(|(_, profile)| profile.get("panic").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    expect_none(
        &breaches,
        "a panic in a native plugin is an error, and must not end the runner",
    );
}

/// What is packed for a registry: a package states in which version it needs the other one.
const PACKED: [&str; 2] = ["plugins/native", "plugins/sdk/rust"];

/// The names of these.
const PACKED_NAMES: [&str; 2] = ["snooze-native", "snooze-plugin"];

#[test]
fn every_member_inherits_the_package_fields() {
    let mut breaches = Vec::new();
    for member in members() {
        let package = &member.manifest["package"];
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            let packed = field == "publish" && PACKED.contains(&&*member.folder);
            if !packed && !inherits(package.get(field)) {
                breaches.push(format!("{}: {field}", member.folder));
            }
        }
        if package
            .get("description")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            breaches.push(format!("{}: description", member.folder));
        }
    }
    expect_none(
        &breaches,
        "one version, one edition, one licence; each says what it is for",
    );
}

#[test]
fn every_dependency_is_inherited() {
    let mut breaches = Vec::new();
    for member in members() {
        for dependency in member
            .dependencies
            .iter()
            .filter(|dependency| !dependency.inherited)
            .filter(|dependency| {
                !(PACKED.contains(&&*member.folder) && PACKED_NAMES.contains(&&*dependency.name))
            })
        {
            breaches.push(format!("{}: {}", member.folder, dependency.name));
        }
    }
    expect_none(
        &breaches,
        "versions and features are named once, in the root, so that nothing is built twice",
    );
}

#[test]
fn a_crate_has_one_binary_of_integration_tests() {
    let mut breaches = Vec::new();
    for member in members() {
        let tests = root().join(&member.folder).join("tests");
        let listed = member
            .manifest
            .get("test")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for name in listed
            .filter_map(|test| test.get("name")?.as_str())
            .filter(|name| *name != "it")
        {
            breaches.push(format!("{}: [[test]] {name}", member.folder));
        }
        let Ok(entries) = std::fs::read_dir(&tests) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry of a folder that was opened").path();
            // Cargo makes a binary of each file here and of each folder with a main.rs.
            let is_binary =
                path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
            if is_binary && !path.ends_with("it") {
                breaches.push(path.display().to_string());
            }
        }
    }
    expect_none(&breaches, "each further test binary links everything once more");
}
