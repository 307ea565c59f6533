//! No empty body and no answer of a server commands anything (M5): every message with an effect has required fields.
//! The list of all messages is held against the sources, so that none is left out of it.

use serde_json::{Value, json};
use snooze_schemas::{Message, audit, event, host, ops, plugin, sample, verdict};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A message as the rules look at it.
struct Sent {
    /// The end of its type's name.
    name: &'static str,
    kind: &'static str,
    has_effect: bool,
    /// Whether a body is read as one.
    reads: fn(&Value) -> bool,
}

fn reads<M: Message>(body: &Value) -> bool {
    serde_json::from_value::<M>(body.clone()).is_ok()
}

macro_rules! all {
    ($($message:ty),* $(,)?) => {
        vec![$(Sent {
            name: stringify!($message),
            kind: <$message>::KIND,
            has_effect: <$message>::HAS_EFFECT,
            reads: reads::<$message>,
        }),*]
    };
}

/// All of them.
fn messages() -> Vec<Sent> {
    all![
        audit::AuditRecord,
        event::CustomEvent,
        event::DeadEvent,
        event::Event,
        event::HandleEvent,
        event::ReadProgress,
        event::Replay,
        host::Cancel,
        host::Hello,
        host::ListPlugins,
        host::MissedSamples,
        host::Prepare,
        host::TakeSample,
        host::Validate,
        host::Verify,
        ops::FreezeRequest,
        ops::LeaseRequest,
        ops::PostponeRequest,
        ops::Query,
        ops::ThawRequest,
        ops::WakeRequest,
        plugin::CheckIdle,
        plugin::Configure,
        plugin::Info,
        plugin::Initialize,
        plugin::SupportedEvents,
        plugin::inspection::CheckPlugins,
        plugin::inspection::ReadLog,
        plugin::inspection::ReadStats,
        plugin::management::LoadPlugin,
        plugin::management::ReloadPlugins,
        plugin::management::UnloadPlugin,
        sample::Sample,
        verdict::Verdict,
    ]
}

/// Every file of Rust below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of this crate") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_message_is_left_out() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut there = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        let named = text.split("impl Message for ").skip(1);
        there.extend(named.filter_map(|rest| rest.split(' ').next()).map(str::to_owned));
    }
    let listed = messages()
        .iter()
        .filter_map(|sent| sent.name.rsplit("::").next())
        .map(|name| name.trim().to_owned())
        .collect();
    assert_eq!(there, listed);
}

/// What a server sends where a reply subject was forged: its answers and acks, and nothing at all.
fn bodies_of_a_server() -> [Value; 4] {
    [
        json!({}),
        json!({"stream": "EVENTS_URGENT", "seq": 7, "duplicate": true}),
        json!({"type": "io.nats.jetstream.api.v1.stream_delete_response", "success": true}),
        json!({"error": {"code": 404, "err_code": 10059, "description": "stream not found"}}),
    ]
}

/// Its body is the original's, which is empty: that it has its header is all that keeps a server from sending it.
const EMPTY: &str = "initialize";

#[test]
fn m5_every_message_with_an_effect_has_required_fields() {
    let with_effect: Vec<_> = messages().into_iter().filter(|sent| sent.has_effect).collect();
    assert!(with_effect.len() > 15, "there are {}", with_effect.len());
    for sent in with_effect.iter().filter(|sent| sent.kind != EMPTY) {
        for body in bodies_of_a_server() {
            assert!(!(sent.reads)(&body), "{body} would be a {}", sent.kind);
        }
    }
}
