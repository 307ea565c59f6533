//! NATS claims, version 2: JSON signed with Ed25519 keys. The form is that of the Go module
//! `github.com/nats-io/jwt/v2`, which the server reads them with.

use super::Keys;
use crate::roles::{Account, CROSSINGS, Crossing, Role, User, Way, expand};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha512_256};
use snooze_schemas::Timestamp;

type Signed = Result<String, nkeys::error::Error>;

/// Streams and buckets that we make, with room for the ones to come.
const STREAMS: u32 = 64;

/// The operator, signed by itself.
pub(super) fn operator(keys: &Keys, issued_at: Timestamp) -> Signed {
    let claims = json!({
        "sub": keys.operator.public_key(),
        "name": "snooze",
        "nats": {
            "type": "operator",
            "version": 2,
            "system_account": keys.system.public_key(),
        },
    });
    sign(claims, &keys.operator, issued_at)
}

/// The account that the server itself speaks in. None of our roles belongs to it.
pub(super) fn system_account(keys: &Keys, issued_at: Timestamp) -> Signed {
    let claims = json!({
        "sub": keys.system.public_key(),
        "name": "system",
        "nats": { "type": "account", "version": 2, "limits": account_limits() },
    });
    sign(claims, &keys.operator, issued_at)
}

/// One of our accounts: its roles' scoped signing keys, and what crosses to and from the others.
pub(super) fn account(keys: &Keys, account: Account, issued_at: Timestamp) -> Signed {
    let mut limits = account_limits();
    if account == Account::Centre {
        limits["mem_storage"] = json!(-1);
        limits["disk_storage"] = json!(-1);
        limits["streams"] = json!(STREAMS);
        // Bounded stream by stream.
        limits["consumer"] = json!(-1);
    }
    let scopes: Vec<Value> = Role::ALL
        .into_iter()
        .filter(|role| role.account() == account)
        .map(|role| {
            json!({
                "kind": "user_scope",
                "key": keys.role(role).public_key(),
                "role": role.as_str(),
                "template": role.permissions().to_claims(),
                "description": "",
            })
        })
        .collect();
    let exports: Vec<Value> = CROSSINGS
        .iter()
        .filter(|crossing| crossing.from == account)
        .flat_map(export)
        .collect();
    let imports: Vec<Value> = CROSSINGS
        .iter()
        .filter(|crossing| crossing.to.contains(&account))
        .flat_map(|crossing| import(keys, crossing))
        .collect();
    let claims = json!({
        "sub": keys.account(account).public_key(),
        "name": account.as_str(),
        "nats": {
            "type": "account",
            "version": 2,
            "limits": limits,
            "signing_keys": scopes,
            "exports": exports,
            "imports": imports,
        },
    });
    sign(claims, &keys.operator, issued_at)
}

fn kind(way: Way) -> &'static str {
    match way {
        Way::Asked | Way::AskedOfMany => "service",
        Way::Heard => "stream",
    }
}

fn export(crossing: &Crossing) -> Vec<Value> {
    let one = |subject: String| {
        let mut export = json!({ "name": subject, "subject": subject, "type": kind(crossing.way) });
        match crossing.way {
            Way::Asked => export["response_type"] = json!("Singleton"),
            Way::AskedOfMany => export["response_type"] = json!("Stream"),
            Way::Heard => {}
        }
        export
    };
    expand(crossing.subjects).into_iter().map(one).collect()
}

fn import(keys: &Keys, crossing: &Crossing) -> Vec<Value> {
    let exporter = keys.account(crossing.from).public_key();
    let one = |subject: String| json!({ "name": subject, "subject": subject, "account": exporter, "type": kind(crossing.way) });
    expand(crossing.subjects).into_iter().map(one).collect()
}

/// A user, signed by its role's key. It carries no permissions: all of them come from the key's template.
pub(super) fn user(
    keys: &Keys,
    user: &User,
    key: &KeyPair,
    issued_at: Timestamp,
    ends_at: Option<Timestamp>,
) -> Signed {
    let mut claims = json!({
        "sub": key.public_key(),
        "name": user.name(),
        "nats": {
            "type": "user",
            "version": 2,
            "issuer_account": keys.account(user.role().account()).public_key(),
            "tags": user.tags(),
        },
    });
    if let Some(ends_at) = ends_at {
        claims["exp"] = json!(ends_at.as_second());
    }
    sign(claims, keys.role(user.role()), issued_at)
}

/// Whether the text of a `.creds` file was made for this user by these keys.
pub(super) fn is_for(creds: &str, keys: &Keys, user: &User) -> bool {
    let issuer = keys.role(user.role());
    let Some(token) = creds.lines().find(|line| line.starts_with("ey")) else {
        return false;
    };
    let Some(claims) = verified(token, issuer) else {
        return false;
    };
    claims["name"] == user.name()
        && claims["nats"]["issuer_account"] == keys.account(user.role().account()).public_key()
        && claims["nats"]["tags"] == json!(user.tags())
}

fn account_limits() -> Value {
    json!({
        "subs": -1, "data": -1, "payload": -1,
        "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": 0,
        "disallow_bearer": true,
    })
}

fn sign(mut claims: Value, issuer: &KeyPair, issued_at: Timestamp) -> Signed {
    claims["iss"] = json!(issuer.public_key());
    claims["iat"] = json!(issued_at.as_second());
    claims["jti"] = json!(BASE32_NOPAD.encode(&Sha512_256::digest(claims.to_string())));
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let text = format!("{}.{}", encode(&header), encode(&claims));
    let signature = issuer.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
}

fn encode(part: &Value) -> String {
    BASE64URL_NOPAD.encode(part.to_string().as_bytes())
}

fn verified(token: &str, issuer: &KeyPair) -> Option<Value> {
    let (text, signature) = token.trim().rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    issuer.verify(text.as_bytes(), &signature).ok()?;
    let (_, claims) = text.split_once('.')?;
    serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
}
