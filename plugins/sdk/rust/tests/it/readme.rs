//! What the README promises of itself. That its code compiles is for the documentation's own tests.

const README: &str = include_str!("../../README.md");

#[test]
fn the_first_plugin_has_fifteen_lines_at_most() {
    let first = README.split("```rust\n").nth(1).expect("a block of code");
    let first = first.split("```").next().expect("what stands before a fence");
    assert!(first.lines().count() <= 15, "{first}");
    assert!(
        first.contains("impl Plugin for") && first.contains("main!"),
        "{first}"
    );
}

#[test]
fn its_headings_are_those_of_every_language() {
    let headings: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(
        headings,
        [
            "A first plugin",
            "Configuration",
            "Events",
            "Over NATS",
            "Testing",
            "What it never does"
        ]
    );
}
