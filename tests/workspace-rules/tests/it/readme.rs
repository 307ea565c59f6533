//! The README's map names every crate and every rule, and the files that it points to are there.

use crate::{expect_none, named_rules::RULES};
use snooze_workspace_rules::{members, root};
use std::collections::BTreeSet;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("there is a README")
}

#[test]
fn every_crate_is_on_the_map() {
    let text = readme();
    let missing: Vec<_> = members()
        .into_iter()
        .map(|member| member.folder)
        .filter(|folder| !text.contains(folder.as_str()))
        .collect();
    expect_none(&missing, "the README's map lacks");
}

#[test]
fn every_link_into_the_tree_leads_somewhere() {
    let text = readme();
    let dead: Vec<_> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .filter(|target| !root().join(target).exists())
        .map(str::to_owned)
        .collect();
    expect_none(&dead, "dead links in the README");
}

#[test]
fn every_rule_that_a_test_names_stands_in_the_readme() {
    let text = readme();
    let words: BTreeSet<_> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let missing: Vec<_> = RULES
        .into_iter()
        .flatten()
        .map(|rule| rule.to_ascii_uppercase())
        .filter(|rule| !words.contains(rule.as_str()))
        .collect();
    expect_none(
        &missing,
        "a reader meets these letters in the code and finds them nowhere",
    );
}

/// What no protocol can exclude has to be told to whoever switches stopping on.
#[test]
fn p9_the_readme_says_what_remains_possible() {
    let text = readme();
    let section = text
        .split("\n## ")
        .find(|section| section.lines().any(|line| line.contains("P9")));
    let section = section.expect("a section of the README names P9").to_lowercase();
    for word in ["verification", "busy", "started again"] {
        assert!(
            section.contains(word),
            "the section with P9 does not speak of {word:?}"
        );
    }
}
