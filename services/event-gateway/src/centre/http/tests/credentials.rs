//! Who is known by what, and that nothing else is.

use super::headers;
use crate::centre::http::{credential::Credential, secrets::Secrets};
use data_encoding::HEXLOWER;
use http::HeaderMap;
use ring::hmac;
use snooze_schemas::Timestamp;
use std::fs;

const TOKEN: &str = "0123456789abcdef";
const KEY: &str = "fedcba9876543210";
const BODY: &[u8] = b"{}";

fn secrets() -> Secrets {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, secret) in [("ci.token", TOKEN), ("hook.hmac", KEY)] {
        let path = folder.path().join(name);
        fs::write(&path, secret).expect("writes");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, mode).expect("sets the mode");
    }
    Secrets::read(folder.path()).expect("are secrets")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).expect("a time")
}

fn who(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let secrets = secrets();
    let source = match Credential::shown(headers, &secrets, now())? {
        Credential::Token(source) => Some(source),
        Credential::Signature(signature) => signature.signer(&secrets, body),
    };
    source.map(String::from)
}

/// As the documentation says that it is signed.
fn signed(time: &str) -> HeaderMap {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let text = format!("{time}\napplication/json\nce-id:1\nce-type:x\n\n{{}}");
    let code = HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref());
    headers(&[
        ("ce-type", "x"),
        ("content-type", "application/json"),
        ("ce-id", "1"),
        ("snooze-source", "hook"),
        ("snooze-timestamp", time),
        ("snooze-signature", &code),
    ])
}

#[test]
fn a_token_is_known_whatever_else_is_said_of_the_source() {
    let bearer = |text: &str| who(&headers(&[("authorization", text)]), BODY);
    assert_eq!(bearer(&format!("Bearer {TOKEN}")).as_deref(), Some("ci"));
    assert_eq!(bearer(&format!("bearer {TOKEN}")).as_deref(), Some("ci"));
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        &format!("Basic  {TOKEN}"),
        &format!("Bearer {KEY}"),
    ] {
        assert_eq!(bearer(wrong), None, "{wrong:?}");
    }
    let mut twice = headers(&[("authorization", &format!("Bearer {TOKEN}"))]);
    twice.append("authorization", "Bearer x".parse().expect("a value"));
    assert_eq!(who(&twice, BODY), None);
}

#[test]
fn a_signature_holds_for_what_was_signed_and_for_five_minutes() {
    let (first, last) = ("1899999700", "1900000300");
    for time in [first, "1900000000", last] {
        assert_eq!(who(&signed(time), BODY).as_deref(), Some("hook"), "{time}");
    }
    for time in [
        "1899999699",
        "1900000301",
        "",
        "x",
        "-1",
        "1900000000.5",
        "99999999999999999999",
    ] {
        assert_eq!(who(&signed(time), BODY), None, "{time}");
    }
    assert_eq!(who(&signed(last), b"{} "), None, "another body");
    for (name, other) in [
        ("ce-id", "2"),
        ("ce-snoozeseverity", "3"),
        ("content-type", "application/cloudevents+json"),
        ("snooze-source", "ci"),
        ("snooze-source", "nobody"),
        ("snooze-source", "h k"),
        ("snooze-timestamp", first),
        ("snooze-signature", ""),
        ("snooze-signature", "00"),
        ("authorization", &format!("Bearer {TOKEN}")),
    ] {
        let mut changed = signed(last);
        changed.insert(
            http::HeaderName::try_from(name).expect("a name"),
            other.parse().expect("a value"),
        );
        assert_eq!(who(&changed, BODY), None, "{name}: {other}");
    }
    for missing in ["snooze-source", "snooze-timestamp", "snooze-signature", "ce-id"] {
        let mut without = signed(last);
        without.remove(missing);
        assert_eq!(who(&without, BODY), None, "{missing}");
    }
    assert_eq!(who(&HeaderMap::new(), BODY), None);
}
