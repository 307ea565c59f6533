//! `snooze plugin test` of a native plugin: loaded as a runner loads it, and what is wrong with it is found.

use crate::{Done, snooze};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The library that `cargo test` has built.
fn library() -> Vec<u8> {
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.ancestors().nth(2).expect("it lies in deps").join("examples");
    let path: PathBuf = folder.join("libtried_native_plugin.so");
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; `cargo test` builds it where nothing is named",
            path.display()
        )
    })
}

/// Tests a plugin that is this library, with this configuration.
async fn tested(library: &[u8], config: serde_json::Value) -> Done {
    let around = tempfile::tempdir().expect("a folder");
    let folder = around.path().join("tested");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("libtested.so"), library).expect("written");
    let manifest =
        json!({"name": "tested", "version": "1.0.0", "type": "native", "entry_point": "libtested.so"});
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("written");
    let file = around.path().join("config.json");
    fs::write(&file, config.to_string()).expect("written");
    let text = |path: &Path| path.to_str().expect("a plain name").to_owned();
    snooze(&["plugin", "test", &text(&folder), "--config", &text(&file)]).await
}

#[tokio::test]
async fn a_native_plugin_is_loaded_and_asked_and_it_is_said_that_nothing_fenced_it() {
    let done = tested(&library(), json!({})).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for told in [
        "passed fences/it-starts",
        "passed fences/it-ends",
        "passed readings/",
        "busy 0 times, and 0 times that it cannot tell",
        "nothing fenced it",
        "the lines of a native plugin are the runner's own work",
    ] {
        assert!(done.out.contains(told), "{told:?} in {}", done.out);
    }
}

#[tokio::test]
async fn s2_a_native_plugin_that_panics_is_unknown_and_one_that_is_no_library_is_not_loaded() {
    let panics = tested(&library(), json!({"panic": true})).await;
    assert_eq!(panics.code, Some(0), "an error is an unknown vote: {panics:?}");
    assert!(
        panics.out.contains("it said idle 0 times, busy 0 times, and")
            && panics.out.contains("passed fences/it-was-never-started-anew"),
        "{panics:?}"
    );
    let no_library = tested(b"\x7fELF, but not really", json!({})).await;
    assert_eq!(no_library.code, Some(1), "{no_library:?}");
    assert!(
        no_library.out.contains("FAILED fences/it-starts") && no_library.out.contains("it is not loaded"),
        "{no_library:?}"
    );
}
