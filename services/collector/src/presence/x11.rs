//! X11: how long a display has had no input, from its screen saver extension.
//!
//! Protocol: X Window System Protocol (X11R7), section 8 and the MIT-SCREEN-SAVER extension, `QueryInfo`.
//! Three requests on a connection of their own; no library, because a client library with its generated
//! protocol would be larger than all other readings together.

use super::conversation::{Conversation, invalid};
use std::{io, path::Path};

/// The server's kind of cookie that every display manager uses.
const COOKIE: &[u8] = b"MIT-MAGIC-COOKIE-1";
const EXTENSION: &[u8] = b"MIT-SCREEN-SAVER";
const QUERY_EXTENSION: u8 = 98;
const QUERY_INFO: u8 = 1;
/// Events that may come before an answer on a new connection; none is asked for.
const MOST_EVENTS: usize = 64;

/// How long the display behind a socket has had no input, in ms; nothing where there is no server.
pub(super) fn idle_ms(socket: &Path, cookie: Option<&[u8]>) -> io::Result<Option<u64>> {
    let Some(mut talk) = Conversation::begin(socket)? else {
        return Ok(None);
    };
    ask(&mut talk, cookie).map(Some)
}

fn ask(talk: &mut Conversation, cookie: Option<&[u8]>) -> io::Result<u64> {
    let root = set_up(talk, cookie)?;
    let mut request = vec![QUERY_EXTENSION, 0];
    let words = 2 + EXTENSION.len().div_ceil(4);
    request.extend(u16::to_le_bytes(u16::try_from(words).expect("a constant")));
    request.extend(u16::to_le_bytes(
        u16::try_from(EXTENSION.len()).expect("a constant"),
    ));
    request.extend([0, 0]);
    request.extend(EXTENSION);
    talk.say(&request)?;
    let answer = answer(talk)?;
    if answer[8] == 0 {
        return Err(invalid("the display has no screen saver extension"));
    }
    let mut request = vec![answer[9], QUERY_INFO, 2, 0];
    request.extend(root.to_le_bytes());
    talk.say(&request)?;
    let info = self::answer(talk)?;
    Ok(u64::from(number(&info, 16)?))
}

/// Connects, and returns the root window of the first screen.
fn set_up(talk: &mut Conversation, cookie: Option<&[u8]>) -> io::Result<u32> {
    let (name, data) = cookie.map_or((&b""[..], &b""[..]), |cookie| (COOKIE, cookie));
    let mut request = vec![b'l', 0, 11, 0, 0, 0];
    for part in [name, data] {
        let length = u16::try_from(part.len()).map_err(|_| invalid("a cookie is far too long"))?;
        request.extend(length.to_le_bytes());
    }
    request.extend([0, 0]);
    for part in [name, data] {
        request.extend(part);
        request.resize(request.len().next_multiple_of(4), 0);
    }
    talk.say(&request)?;
    let head = talk.hear(8)?;
    let rest = talk.hear(4 * usize::from(u16::from_le_bytes([head[6], head[7]])))?;
    match head[0] {
        1 => root_window(&rest),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

fn root_window(set_up: &[u8]) -> io::Result<u32> {
    let short = || invalid("the display's greeting is too short");
    let vendor = u16::from_le_bytes([
        *set_up.get(16).ok_or_else(short)?,
        *set_up.get(17).ok_or_else(short)?,
    ]);
    let screens = *set_up.get(20).ok_or_else(short)?;
    let formats = *set_up.get(21).ok_or_else(short)?;
    if screens == 0 {
        return Err(invalid("the display has no screen"));
    }
    number(
        set_up,
        32 + usize::from(vendor).next_multiple_of(4) + 8 * usize::from(formats),
    )
}

/// The next answer, events skipped.
fn answer(talk: &mut Conversation) -> io::Result<Vec<u8>> {
    for _ in 0..MOST_EVENTS {
        let bytes = talk.hear(32)?;
        match bytes[0] {
            0 => return Err(invalid("the display refuses")),
            1 => {
                let more = usize::try_from(number(&bytes, 4)?).unwrap_or(usize::MAX);
                talk.hear(more.saturating_mul(4))?;
                return Ok(bytes);
            }
            _ => {}
        }
    }
    Err(invalid("the display sends events and no answer"))
}

fn number(bytes: &[u8], at: usize) -> io::Result<u32> {
    let four = at.checked_add(4).and_then(|end| bytes.get(at..end));
    four.and_then(|four| four.try_into().ok())
        .map(u32::from_le_bytes)
        .ok_or_else(|| invalid("the display's answer is too short"))
}

/// The cookie for a display in an authority file, xauth(1): big-endian lengths and fields in a row.
pub(super) fn cookie(authority: &[u8], display: &str) -> Option<Vec<u8>> {
    let mut rest = authority;
    loop {
        rest = rest.get(2..)?;
        let mut fields = [&[][..]; 4];
        for field in &mut fields {
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            *field = rest.get(2..2 + length)?;
            rest = &rest[2 + length..];
        }
        let [_address, number, name, data] = fields;
        if name == COOKIE && (number.is_empty() || number == display.as_bytes()) {
            return Some(data.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::recorded, *};
    use proptest::prelude::*;

    fn entry(number: &[u8], name: &[u8], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 0];
        for field in [b"host", number, name, data] {
            bytes.extend(u16::to_be_bytes(u16::try_from(field.len()).expect("short")));
            bytes.extend(field);
        }
        bytes
    }

    #[test]
    fn the_cookie_of_its_own_display_is_found() {
        let file = [
            entry(b"1", COOKIE, b"one"),
            entry(b"0", b"XDM-AUTHORIZATION-1", b"no"),
            entry(b"0", COOKIE, b"zero"),
        ]
        .concat();
        assert_eq!(cookie(&file, "0").as_deref(), Some(&b"zero"[..]));
        assert_eq!(cookie(&file, "2"), None);
        assert_eq!(
            cookie(&entry(b"", COOKIE, b"any"), "7").as_deref(),
            Some(&b"any"[..])
        );
    }

    #[test]
    fn a_display_tells_how_long_it_had_no_input() {
        let recording = include_str!("../../tests/recorded/xvfb-idle-for-7958-ms.txt");
        let (mut talk, server) = recorded::play(recording);
        let cookie: Vec<u8> = (0..16).collect();
        assert_eq!(ask(&mut talk, Some(&cookie)).expect("answers"), 7_958);
        server.assert_heard(talk);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(cookie(&bytes, "0").is_none_or(|found| found.len() <= bytes.len()));
            prop_assert!(root_window(&bytes).is_ok() || bytes.len() < 5_000);
        }
    }
}
