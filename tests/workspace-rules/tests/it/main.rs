//! The rules of the house, each as a test that says which file breaks it and why the rule is there.

mod configuration;
mod dependencies;
mod deploy;
mod manifests;
mod named_rules;
mod readme;
mod reference;
mod sources;

/// Fails with every breach, one a line, and the reason of the rule.
fn expect_none(breaches: &[String], because: &str) {
    assert!(breaches.is_empty(), "{because}:\n  {}\n", breaches.join("\n  "));
}
