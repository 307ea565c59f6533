//! Every SDK's example keeps the contract, in every form that it names.

use crate::stand::{OnTheBus, PATIENCE, patient, root};
use snooze_conformance::{Example, FILE, Form, Report, Selection, Target, build, run};
use snooze_schemas::plugin::manifest::Manifest;
use snooze_test_harness::{NatsServer, python, search_path};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A build after the SDK's own tests has all that it needs; a compiler may start cold.
const BUILD_LIMIT: Duration = Duration::from_secs(240);

/// The languages that there are SDKs for.
const LANGUAGES: [&str; 4] = ["go", "python", "rust", "typescript"];

/// What lies below `plugins/sdk`, as far as there is something of an SDK and not only what a build left behind.
fn sdks(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut sdks: Vec<_> = entries
        .map(|entry| entry.expect("an entry of a folder that was opened").path())
        .filter(|path| path.join("README.md").is_file() || path.join("example").is_dir())
        .collect();
    sdks.sort();
    sdks
}

/// The example of an SDK; an SDK without one is a failure, and so is an example that does not say how it is asked.
fn example(sdk: &Path) -> Result<(PathBuf, Example), String> {
    let folder = sdk.join("example");
    if !folder.is_dir() {
        return Err(format!("{} has no example", sdk.display()));
    }
    let example = Example::read(&folder).map_err(|cause| {
        let why = std::error::Error::source(&cause).map_or_else(String::new, ToString::to_string);
        format!("{cause}: {why}")
    })?;
    Ok((folder, example))
}

#[tokio::test]
async fn every_sdk_example_keeps_the_contract() {
    let folder = root().join("plugins/sdk");
    let sdks = sdks(&folder);
    assert_eq!(
        sdks,
        LANGUAGES.map(|language| folder.join(language)),
        "an SDK is gone, or not named here"
    );
    let servers = [NatsServer::with_roles().await, NatsServer::open().await];
    for sdk in sdks {
        let (folder, example) = example(&sdk).unwrap_or_else(|why| panic!("{why}"));
        ask(&servers, &folder, &example).await;
    }
}

/// Asks an example in all its forms: for one host on the first server, for all on the second, where a host may ask
/// it more than to vote and to handle events.
async fn ask(servers: &[NatsServer; 2], folder: &Path, example: &Example) {
    if !example.build.is_empty() {
        let built = build(&example.build, folder, BUILD_LIMIT).await;
        built.unwrap_or_else(|cause| {
            panic!(
                "{}: {cause}\nhas the SDK's test.sh installed what it needs?",
                folder.display()
            )
        });
    }
    let name = manifest(folder).name;
    let home = tempfile::tempdir().expect("a temporary folder");
    let program = example.program(folder, &search_path(), home.path());
    let lines = example.forms.iter().copied().filter(|form| !form.is_on_nats());
    let selection = Selection::example(lines);
    if !selection.forms.is_empty() {
        let report = run(&Target::Process(program.clone()), &selection, &patient()).await;
        good(folder, &report.expect("the cases read"), "");
    }
    let selection = Selection::example(example.forms.iter().copied().filter(|form| form.is_on_nats()));
    if selection.forms.is_empty() {
        return;
    }
    for (server, fleet) in servers.iter().zip([false, true]) {
        let mut there = OnTheBus::start(server, program.clone(), name.as_str(), fleet).await;
        let report = run(&there.target(), &selection, &patient())
            .await
            .expect("the cases read");
        good(folder, &report, &there.running.log());
        there.running.terminate();
        let ended = tokio::time::timeout(PATIENCE, there.running.ended()).await;
        let ending = ended.unwrap_or_else(|_| panic!("{} goes on after SIGTERM", folder.display()));
        assert_eq!(
            ending,
            snooze_conformance::Ending::Exited(0),
            "{}",
            folder.display()
        );
    }
}

fn manifest(folder: &Path) -> Manifest {
    let path = folder.join("plugin.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    let manifest: Manifest =
        serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    let entry = folder.join(&manifest.entry_point);
    assert!(entry.is_file(), "{} names {}", path.display(), entry.display());
    manifest
}

fn good(folder: &Path, report: &Report, log: &str) {
    assert!(report.is_good(), "{}\n{report}\n{log}", folder.display());
}

#[test]
fn an_example_that_does_not_say_how_it_is_asked_is_a_failure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sdk = folder.path().join("cobol");
    fs::create_dir_all(sdk.join("node_modules")).expect("a folder");
    assert!(
        sdks(folder.path()).is_empty(),
        "what a build left behind is no SDK"
    );
    fs::write(sdk.join("README.md"), "# COBOL").expect("a file");
    assert_eq!(sdks(folder.path()), std::slice::from_ref(&sdk));
    assert!(example(&sdk).expect_err("no example").contains("has no example"));
    fs::create_dir(sdk.join("example")).expect("a folder");
    assert!(example(&sdk).expect_err("no file").contains(FILE));
    fs::write(sdk.join("example").join(FILE), r#"{"command": ["cobol"]}"#).expect("a file");
    assert_eq!(example(&sdk).expect("reads").1.forms.len(), Form::ALL.len());
}

#[tokio::test]
async fn an_example_is_built_and_asked_in_every_form() {
    let sdk = tempfile::tempdir().expect("a temporary folder");
    let folder = sdk.path().join("example");
    fs::create_dir(&folder).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin");
    for file in ["example.py", "msgpack_by_hand.py"] {
        fs::copy(source.join(file), folder.join(file)).expect("a file");
    }
    let file = serde_json::json!({
        "build": ["cp", "example.py", "built.py"],
        "command": [python(), "built.py"],
        "environment": {"PLUGIN_NAME": "example-built"},
    });
    fs::write(folder.join(FILE), file.to_string()).expect("a file");
    let manifest = r#"{"name": "example-built", "version": "1.0.0", "entry_point": "built.py"}"#;
    fs::write(folder.join("plugin.json"), manifest).expect("a file");
    let (folder, example) = example(sdk.path()).expect("it says how it is asked");
    // The interpreter has no package that signs, so these servers ask for no signature.
    let servers = [NatsServer::open().await, NatsServer::open().await];
    ask(&servers, &folder, &example).await;
}

#[tokio::test]
async fn a_build_that_fails_tells_what_it_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = ["sh", "-c", "echo no compiler; exit 3"].map(str::to_owned);
    let said = build(&words, folder.path(), BUILD_LIMIT)
        .await
        .expect_err("it fails")
        .to_string();
    assert!(
        said.contains("exit code 3") && said.contains("no compiler"),
        "{said}"
    );
}
