//! The store of artifacts: what an administrator puts there, whole or not, and what a host gets of it.

use crate::support::*;
use data_encoding::{BASE64URL, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};
use snooze_bus::{ArtifactError, Bus, BusStatus, MAX_ARTIFACT_BYTES, Role, User};
use std::{collections::BTreeMap, ffi::OsString, fs};

const STREAM: &str = "OBJ_snooze_artifacts";

/// Three parts, the last one shorter; no two of the same seed's parts are alike.
fn bytes(seed: u8) -> Vec<u8> {
    (0..600_000_u32)
        .map(|at| seed.wrapping_add(u8::try_from((at / 1000 + at % 251) % 256).expect("it fits")))
        .collect()
}

/// An administrator and a host behind their fences.
async fn scene() -> (NatsServer, Bus, Bus) {
    let server = NatsServer::with_roles().await;
    let named = |role, name| User::named(role, name).expect("a name");
    let set_up = fenced(&server, &named(Role::SetUp, "s")).await;
    set_up.set_up().await.expect("all can be made");
    let administrator = fenced(&server, &named(Role::Administrator, "ada")).await;
    let host = fenced(&server, &User::host(&host("a"))).await;
    (server, administrator, host)
}

/// How many messages of this connection the store has taken.
fn taken(bus: &Bus) -> u64 {
    bus.writes().get(STREAM).copied().unwrap_or_default().taken
}

fn name_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn part(sha256: &str, part: usize) -> String {
    format!("$O.snooze_artifacts.C.{sha256}.{part}")
}

async fn write(bus: &Bus, subject: &str, payload: &[u8]) {
    let answer = bus.raw_request(subject, &[], payload, LIMIT).await;
    let answer = String::from_utf8_lossy(&answer.expect("is answered").payload).into_owned();
    assert!(answer.contains("seq") && !answer.contains("error"), "{answer}");
}

async fn info(bus: &Bus) -> Value {
    let subject = format!("$JS.API.STREAM.INFO.{STREAM}");
    let answer = bus.raw_request(&subject, &[], b"", LIMIT).await;
    serde_json::from_slice(&answer.expect("is answered").payload).expect("JSON")
}

#[tokio::test]
async fn i4_a_host_gets_what_an_administrator_put_and_makes_no_consumer_for_it() {
    let (_server, administrator, host) = scene().await;
    let bytes = bytes(1);
    let sha256 = administrator.artifacts().put(&bytes).await.expect("puts");
    let got = host.artifacts().get(&sha256, bytes.len()).await;
    assert!(got.expect("gets") == bytes, "the same bytes");
    let nothing = administrator.artifacts().put(b"").await.expect("puts");
    let got = host.artifacts().get(&nothing, 0).await;
    assert_eq!(got.expect("gets"), b"");
    // Nobody was denied anything on the way, so what the role table gives a host was enough.
    for bus in [&administrator, &host] {
        assert_eq!(*bus.status().borrow(), BusStatus::Connected);
    }
}

#[tokio::test]
async fn what_is_there_already_is_not_written_again() {
    let (_server, administrator, _) = scene().await;
    let bytes = bytes(1);
    let sha256 = administrator.artifacts().put(&bytes).await.expect("puts");
    assert_eq!(taken(&administrator), 4, "three parts, and what describes them");
    let again = administrator.artifacts().put(&bytes).await.expect("is there");
    assert_eq!((again, taken(&administrator)), (sha256, 4));
}

#[tokio::test]
async fn two_who_put_the_same_at_once_both_have_put_it() {
    let (server, administrator, host) = scene().await;
    let other = User::named(Role::Administrator, "bob").expect("a name");
    let other = fenced(&server, &other).await;
    let bytes = bytes(1);
    let (one, two) = (administrator.artifacts(), other.artifacts());
    let (one, two) = tokio::join!(one.put(&bytes), two.put(&bytes));
    let sha256 = one.expect("puts");
    assert_eq!(two.expect("puts"), sha256);
    let got = host.artifacts().get(&sha256, bytes.len()).await;
    assert!(got.expect("gets") == bytes, "the same bytes");
}

#[tokio::test]
async fn an_interrupted_upload_is_not_there_and_is_taken_up_where_it_ended() {
    let (_server, administrator, host) = scene().await;
    let bytes = bytes(1);
    let sha256 = name_of(&bytes);
    write(&administrator, &part(&sha256, 0), &bytes[..256 * 1024]).await;
    let got = host.artifacts().get(&sha256, bytes.len()).await;
    assert!(matches!(got, Err(ArtifactError::NotThere { .. })), "{got:?}");
    administrator
        .artifacts()
        .put(&bytes)
        .await
        .expect("puts the rest");
    assert_eq!(taken(&administrator), 3, "two parts, and what describes them");
    let got = host.artifacts().get(&sha256, bytes.len()).await;
    assert!(got.expect("gets") == bytes, "the same bytes");
}

#[tokio::test]
async fn a_part_that_is_missing_or_another_is_an_error_that_says_so_until_it_is_put_again() {
    let (_server, administrator, host) = scene().await;
    let bytes = bytes(1);
    let sha256 = administrator.artifacts().put(&bytes).await.expect("puts");
    let get = async || host.artifacts().get(&sha256, bytes.len()).await;

    write(&administrator, &part(&sha256, 1), b"").await;
    let said = get().await.expect_err("a part is missing").to_string();
    assert!(
        said.contains("part 2 of 3") && said.contains(&sha256) && said.contains("missing"),
        "{said}"
    );
    administrator.artifacts().put(&bytes).await.expect("mends it");
    assert!(get().await.expect("gets") == bytes, "the same bytes");

    for (number, other) in [(0, &b"other"[..]), (2, b"longer than what was there")] {
        let longer = other.repeat(8000);
        for other in [other, &longer] {
            write(&administrator, &part(&sha256, number), other).await;
            let got = get().await;
            assert!(matches!(got, Err(ArtifactError::Damaged { .. })), "{got:?}");
        }
    }
    administrator.artifacts().put(&bytes).await.expect("mends it");
    assert!(get().await.expect("gets") == bytes, "the same bytes");

    let about = format!("$O.snooze_artifacts.M.{}", BASE64URL.encode(sha256.as_bytes()));
    write(&administrator, &about, b"nonsense").await;
    let got = get().await;
    assert!(matches!(got, Err(ArtifactError::Damaged { .. })), "{got:?}");
    administrator.artifacts().put(&bytes).await.expect("mends it");
    assert!(get().await.expect("gets") == bytes, "the same bytes");
}

#[tokio::test]
async fn what_is_larger_than_is_wanted_or_no_name_is_not_fetched() {
    let (_server, administrator, host) = scene().await;
    let bytes = bytes(1);
    let sha256 = administrator.artifacts().put(&bytes).await.expect("puts");
    let got = host.artifacts().get(&sha256, bytes.len() - 1).await;
    assert!(
        matches!(
            got,
            Err(ArtifactError::TooLarge {
                bytes: 600_000,
                limit: 599_999,
                ..
            })
        ),
        "{got:?}"
    );
    let put = administrator
        .artifacts()
        .put(&vec![0; MAX_ARTIFACT_BYTES + 1])
        .await;
    assert!(matches!(put, Err(ArtifactError::TooLarge { .. })), "{put:?}");
    for name in ["", "abc", ">", &"*".repeat(64), &sha256.to_uppercase()] {
        let got = host.artifacts().get(name, 1).await;
        assert!(matches!(got, Err(ArtifactError::Name(_))), "{name}: {got:?}");
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_for_everybody_and_leaves_room() {
    let (_server, bus) = set_up().await;
    let bytes = bytes(1);
    let empty = info(&bus).await["state"]["bytes"].as_u64().expect("a number");
    let sha256 = bus.artifacts().put(&bytes).await.expect("puts");
    for _ in 0..2 {
        bus.artifacts().delete(&sha256).await.expect("deletes");
        let got = bus.artifacts().get(&sha256, bytes.len()).await;
        assert!(matches!(got, Err(ArtifactError::NotThere { .. })), "{got:?}");
        let left = info(&bus).await["state"]["bytes"].as_u64().expect("a number");
        assert!(left - empty < 2048, "only markers are left: {left} bytes");
    }
    bus.artifacts().put(&bytes).await.expect("puts it again");
    let got = bus.artifacts().get(&sha256, bytes.len()).await;
    assert!(got.expect("gets") == bytes, "the same bytes");

    // What an upload left that did not come to its end.
    bus.artifacts().delete(&sha256).await.expect("deletes");
    let begun = name_of(&self::bytes(2));
    for number in 0..2 {
        write(&bus, &part(&begun, number), &bytes[..200_000]).await;
    }
    bus.artifacts().delete(&begun).await.expect("deletes");
    let left = info(&bus).await["state"]["bytes"].as_u64().expect("a number");
    assert!(left - empty < 2048, "only markers are left: {left} bytes");
}

#[tokio::test]
async fn a_full_store_says_so_and_keeps_what_it_has() {
    let (_server, bus) = set_up().await;
    let mut config = info(&bus).await["config"].take();
    config["max_bytes"] = (1024 * 1024).into();
    let update = format!("$JS.API.STREAM.UPDATE.{STREAM}");
    let answer = bus
        .raw_request(&update, &[], config.to_string().as_bytes(), LIMIT)
        .await;
    let updated: Value = serde_json::from_slice(&answer.expect("is answered").payload).expect("JSON");
    assert_eq!(updated["config"]["max_bytes"], 1024 * 1024, "{updated}");

    let (first, second) = (bytes(1), bytes(2));
    let kept = bus.artifacts().put(&first).await.expect("there is room");
    let full = bus.artifacts().put(&second).await;
    let Err(error @ ArtifactError::Full { .. }) = full else {
        panic!("{full:?}");
    };
    assert!(error.to_string().contains("is full"), "{error}");
    let got = bus.artifacts().get(&kept, first.len()).await;
    assert!(got.expect("gets") == first, "the same bytes");
    bus.artifacts().delete(&kept).await.expect("makes room");
    bus.artifacts().put(&second).await.expect("there is room now");
}

/// The public tool on this server; what it printed.
async fn nats(server: &NatsServer, words: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let environment: BTreeMap<String, OsString> = ["HOME", "XDG_CONFIG_HOME"]
        .map(|name| (name.to_owned(), home.path().into()))
        .into();
    let [out, errors] = ["out", "errors"].map(|name| home.path().join(name));
    let url = server.url();
    let arguments: Vec<String> = ["--server", &url, "object"]
        .iter()
        .chain(words)
        .map(|&word| word.to_owned())
        .collect();
    let mut tool =
        Process::start_apart(&nats_cli(), &arguments, &environment, &out, &errors).expect("nats starts");
    let ended = wait_for(LIMIT, "nats ends", async || tool.ended()).await;
    let said = fs::read_to_string(&errors).expect("its words can be read");
    assert!(ended.success(), "nats {arguments:?}: {ended}: {said}");
    tool.said_all()
}

#[tokio::test]
async fn the_public_tool_lists_and_gets_what_is_there() {
    let (server, bus) = set_up().await;
    let (bytes, gone) = (bytes(1), bytes(2));
    // A part that was damaged and mended: its place in the stream is another one then.
    let sha256 = bus.artifacts().put(&bytes).await.expect("puts");
    write(&bus, &part(&sha256, 1), b"other").await;
    bus.artifacts().put(&bytes).await.expect("mends it");
    let gone = bus.artifacts().put(&gone).await.expect("puts");
    bus.artifacts().delete(&gone).await.expect("deletes");

    let listed = nats(&server, &["ls", "snooze_artifacts", "--names"]).await;
    assert!(listed.contains(&sha256) && !listed.contains(&gone), "{listed}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("package");
    let path = file.to_str().expect("a plain name");
    nats(
        &server,
        &[
            "get",
            "snooze_artifacts",
            &sha256,
            "--output",
            path,
            "--force",
            "--no-progress",
        ],
    )
    .await;
    assert!(fs::read(&file).expect("is there") == bytes, "the same bytes");
}
