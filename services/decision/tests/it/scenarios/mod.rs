//! Scenarios in an operator's words: `tests/scenarios/*.txt`, one step a line.
//!
//! A file holds scenarios, each a line `Scenario: …` and then `Given`, `When`, `Then`, `And` lines; `#`
//! begins a comment. `And` goes on as the line before it. A line that is not understood, and an
//! expectation that does not hold, fails with file and line.

mod steps;
mod words;

use std::path::Path;
use steps::Scene;

/// Runs every scenario of a text; the mistakes that were found, each with file and line.
fn run(file: &str, text: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut scene: Option<Scene> = None;
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{file}:{}", index + 1);
        if let Some(name) = line.strip_prefix("Scenario:") {
            scene = Some(Scene::new(name.trim()));
            continue;
        }
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let kind = if first == "And" { before } else { first };
        before = kind;
        let done = match (&mut scene, kind) {
            (None, _) => Err("a step before the first scenario".to_owned()),
            (Some(scene), "Given") => scene.given(rest),
            (Some(scene), "When") => scene.when(rest),
            (Some(scene), "Then") => scene.then(rest),
            _ => Err(format!(
                "a line begins with Given, When, Then or And, not {first:?}"
            )),
        };
        if let Err(why) = done {
            let name = scene.as_ref().map_or("", |scene| scene.name.as_str());
            mistakes.push(format!("{place}: {line}\n    {why} (scenario {name:?})"));
            // What follows in a broken scenario says nothing.
            scene = scene.map(Scene::broken);
        }
    }
    mistakes
}

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "scenarios are missing");
    let mut mistakes = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable scenario");
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        mistakes.extend(run(&name, &text));
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn a_scenario_that_is_wrong_fails_with_its_line() {
    let text = "# a comment\nScenario: one\nGiven cpu idle for 1 h\n\nThen the host is claimed\nThen the host stays up\n\
                Scenario: two\nGiven the moon is full\nAnd nothing\n";
    let mistakes = run("wrong.txt", text);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(
        mistakes[0].starts_with("wrong.txt:6: Then the host stays up"),
        "{mistakes:?}"
    );
    assert!(
        mistakes[1].starts_with("wrong.txt:8: Given the moon is full"),
        "{mistakes:?}"
    );
    assert_eq!(run("none.txt", "Given cpu idle for 1 h").len(), 1);
}
