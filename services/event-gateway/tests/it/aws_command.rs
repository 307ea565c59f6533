//! `snooze-event-gateway aws …` as a program, in any build.

use crate::centre::LIMIT;
use snooze_test_harness::{Process, search_path, wait_for};
use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

/// How it ended, and what it said to stdout and to stderr.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `snooze-event-gateway aws setup` with these arguments to its end.
pub(crate) async fn aws_setup(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    // Nothing of whoever runs the tests is asked for an access key or a region.
    let environment: BTreeMap<String, OsString> = [
        ("PATH", search_path()),
        ("HOME", folder.path().to_string_lossy().into_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    let arguments: Vec<String> = ["aws", "setup"]
        .iter()
        .chain(arguments)
        .map(ToString::to_string)
        .collect();
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-event-gateway"));
    let started = Process::start_apart(program, &arguments, &environment, &out, &err);
    let mut process = started.expect("it starts");
    let ended = wait_for(LIMIT, "the command ends", async || process.ended()).await;
    let read = |path| fs::read_to_string(path).expect("it was written");
    Ended {
        code: ended.code(),
        out: read(&out),
        err: read(&err),
    }
}

#[cfg(not(feature = "aws"))]
#[tokio::test]
async fn a_build_without_aws_says_so() {
    let ended = aws_setup(&["--dry-run"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""));
    assert!(ended.err.contains("built without AWS"), "{}", ended.err);
}
