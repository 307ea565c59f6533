//! Each rule of the protocol that holds today has a test that names it.

use crate::expect_none;
use snooze_workspace_rules::sources;
use std::collections::BTreeSet;

/// Identity, snoozing, limits, time, events, messages, safety; what is missing from a row is still to come.
pub(crate) const RULES: [&[&str]; 7] = [
    &["i1", "i2", "i3", "i4", "i5"],
    &["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10"],
    &["l1", "l3", "l6", "l7"],
    &["t1", "t2", "t3", "t4", "t5", "t6"],
    &["e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"],
    &["m1", "m2", "m3", "m4", "m5", "m6"],
    &[
        "s1", "s2", "s3", "s4", "s6", "s8", "s10", "s12", "s20", "s22", "s23", "s24", "s25",
    ],
];

/// The names of all test functions: a `fn` after an attribute that ends in `test]` or within `proptest!`.
fn test_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources() {
        let mut marked = false;
        for (_, line) in file.code() {
            let line = line.trim();
            if line.starts_with("#[") {
                marked |= line.contains("test]") || line.contains("test(");
            } else if let Some(rest) = line
                .strip_prefix("async fn ")
                .or_else(|| line.strip_prefix("fn "))
            {
                if marked {
                    names.extend(rest.split(['(', '<']).next().map(str::to_owned));
                }
                marked = false;
            } else if !line.is_empty() {
                marked = false;
            }
        }
    }
    names
}

#[test]
fn every_rule_has_a_test_that_names_it() {
    let tests = test_functions();
    let missing: Vec<_> = RULES
        .into_iter()
        .flatten()
        .filter(|rule| !tests.iter().any(|test| test.starts_with(&format!("{rule}_"))))
        .map(|rule| rule.to_ascii_uppercase())
        .collect();
    expect_none(&missing, "rules without a test that names them");
}

#[test]
fn the_search_finds_tests() {
    assert!(test_functions().contains("the_search_finds_tests"));
}
