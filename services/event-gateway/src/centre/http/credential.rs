//! Whose request it is: a bearer token (RFC 6750), or a signature over time, content type, attributes and body.
//!
//! The signature is HMAC-SHA256, in hexadecimal digits in `Snooze-Signature`, over lines that end in a newline: what
//! `Snooze-Timestamp` says (seconds since 1970), what `Content-Type` says, each `ce-` header as `name:value` in the
//! order of their names, an empty line, and behind them the body. `Snooze-Source` says whose secret to compare with,
//! and proves nothing. Why a credential is not taken is told to nobody.

use super::{mode::ATTRIBUTE, secrets::Secrets};
use data_encoding::HEXLOWER_PERMISSIVE;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use snooze_schemas::{SourceName, Timestamp};

const SOURCE: &str = "snooze-source";
const TIMESTAMP: &str = "snooze-timestamp";
const SIGNATURE: &str = "snooze-signature";

/// How far a signature's time may be from this host's: clocks differ, and requests wait. What is sent again meanwhile
/// is the same event.
const VALID_SECONDS: u64 = 300;

/// What a request shows before its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// The token of a source.
    Token(SourceName),
    /// A signature that has to be compared with the body.
    Signature(Signature),
}

/// A signature of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    claimed: SourceName,
    /// What is signed before the body.
    head: Vec<u8>,
    code: Vec<u8>,
}

impl Credential {
    /// What a request shows; none where it shows nothing, nothing known, or more than one.
    pub(super) fn shown(headers: &HeaderMap, secrets: &Secrets, now: Timestamp) -> Option<Credential> {
        let names = [SOURCE, TIMESTAMP, SIGNATURE];
        let is_signed = names.iter().any(|name| headers.contains_key(*name));
        match (headers.contains_key(AUTHORIZATION), is_signed) {
            (true, false) => {
                let text = only(headers, AUTHORIZATION.as_str())?.as_bytes();
                let (scheme, token) = text.split_at_checked("bearer ".len())?;
                let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
                let owner = secrets.owner_of(token)?;
                is_bearer.then(|| Credential::Token(owner.clone()))
            }
            (false, true) => Signature::shown(headers, now).map(Credential::Signature),
            (true, true) | (false, false) => None,
        }
    }
}

impl Signature {
    fn shown(headers: &HeaderMap, now: Timestamp) -> Option<Signature> {
        let text = |name| only(headers, name).and_then(|value| value.to_str().ok());
        let claimed = text(SOURCE)?.parse().ok()?;
        let time = text(TIMESTAMP)?;
        let seconds: i64 = time.parse().ok()?;
        if now.as_second().abs_diff(seconds) > VALID_SECONDS {
            return None;
        }
        let code = HEXLOWER_PERMISSIVE.decode(text(SIGNATURE)?.as_bytes()).ok()?;
        let mut head = format!("{time}\n").into_bytes();
        head.extend(headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes));
        head.push(b'\n');
        let mut attributes: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(ATTRIBUTE))
            .map(|(name, value)| [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"].concat())
            .collect();
        attributes.sort();
        head.extend(attributes.concat());
        head.push(b'\n');
        Some(Signature { claimed, head, code })
    }

    /// Who has signed this body, if anybody has.
    pub(super) fn signer(self, secrets: &Secrets, body: &[u8]) -> Option<SourceName> {
        secrets
            .has_signed(&self.claimed, &[&self.head, body], &self.code)
            .then_some(self.claimed)
    }
}

/// The one value of a header; none where there are two.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}
