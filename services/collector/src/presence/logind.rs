//! logind: when a graphical session says that it was last used.
//!
//! Protocol: D-Bus Specification 0.43, authentication EXTERNAL, and `org.freedesktop.login1` (5). Each
//! property is one call, one at a time, on a connection of its own; no library, because this reads two
//! properties and a D-Bus library would cost every host more memory than all other readings together.

use super::conversation::{Conversation, invalid};
use std::{io, path::Path};

const SESSION: &str = "org.freedesktop.login1.Session";
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Messages that may come before an answer; only the name that the bus gives is expected.
const MOST_SIGNALS: usize = 64;

/// What a session says of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdleHint {
    /// Its desktop has never said anything.
    Silent,
    /// It is in use.
    Active,
    /// It is not in use since this time of the monotonic clock, in µs.
    IdleSince(u64),
}

/// Asks logind over the system bus; nothing where there is no bus.
pub(super) fn idle_hint(socket: &Path, session: &str) -> io::Result<Option<IdleHint>> {
    let Some(mut talk) = Conversation::begin(socket)? else {
        return Ok(None);
    };
    ask(&mut talk, rustix::process::geteuid().as_raw(), session).map(Some)
}

fn ask(talk: &mut Conversation, user: u32, session: &str) -> io::Result<IdleHint> {
    // The credentials are taken from the socket; the hexadecimal digits only repeat the user's number.
    let user: String = user
        .to_string()
        .bytes()
        .map(|digit| format!("{digit:02x}"))
        .collect();
    talk.say(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
    if !talk.hear_line()?.starts_with(b"OK ") {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    talk.say(b"BEGIN\r\n")?;
    let bus = "org.freedesktop.DBus";
    talk.say(&call(1, "/org/freedesktop/DBus", bus, bus, "Hello", &[]))?;
    answer(talk)?;
    let path = format!("/org/freedesktop/login1/session/{}", escaped(session));
    let mut get = |serial, property| {
        let properties = "org.freedesktop.DBus.Properties";
        let arguments = [SESSION, property];
        talk.say(&call(
            serial,
            &path,
            "org.freedesktop.login1",
            properties,
            "Get",
            &arguments,
        ))?;
        answer(talk)
    };
    let hint = get(2, "IdleHint")?.boolean()?;
    let since = get(3, "IdleSinceHintMonotonic")?.number()?;
    Ok(match (hint, since) {
        (_, 0) => IdleHint::Silent,
        (true, since) => IdleHint::IdleSince(since),
        (false, _) => IdleHint::Active,
    })
}

/// A session's name in its object path: what is no letter or digit, and a digit at the start, as `_` and
/// two hexadecimal digits (sd_bus_path_encode(3)).
fn escaped(session: &str) -> String {
    session
        .bytes()
        .enumerate()
        .map(|(index, byte)| match byte {
            b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
            b'0'..=b'9' if index > 0 => char::from(byte).to_string(),
            _ => format!("_{byte:02x}"),
        })
        .collect()
}

/// A method call whose arguments are texts.
fn call(
    serial: u32,
    path: &str,
    destination: &str,
    interface: &str,
    member: &str,
    arguments: &[&str],
) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in arguments {
        put_text(&mut body, argument);
    }
    let mut fields = Vec::new();
    for (code, kind, value) in [
        (1, b'o', path),
        (2, b's', interface),
        (3, b's', member),
        (6, b's', destination),
    ] {
        fields.resize(fields.len().next_multiple_of(8), 0);
        fields.extend([code, 1, kind, 0]);
        put_text(&mut fields, value);
    }
    if !arguments.is_empty() {
        fields.resize(fields.len().next_multiple_of(8), 0);
        fields.extend([8, 1, b'g', 0]);
        put_signature(&mut fields, &"s".repeat(arguments.len()));
    }
    let mut message = vec![b'l', 1, 0, 1];
    for number in [length(&body), serial, length(&fields)] {
        message.extend(number.to_le_bytes());
    }
    message.extend(fields);
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(body);
    message
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a call is short")
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(length(text.as_bytes()).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn put_signature(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).expect("a call has few arguments"));
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

/// The body of an answer, in its sender's byte order.
#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Body {
    /// A variant that holds a boolean.
    fn boolean(&self) -> io::Result<bool> {
        let number: [u8; 4] = self.variant(b'b', 4)?;
        Ok(number != [0; 4])
    }

    /// A variant that holds a number of 64 bits.
    fn number(&self) -> io::Result<u64> {
        let number: [u8; 8] = self.variant(b't', 8)?;
        Ok(if self.big_endian {
            u64::from_be_bytes(number)
        } else {
            u64::from_le_bytes(number)
        })
    }

    /// The value of a variant of this kind: its signature, padding, and so many bytes.
    fn variant<const N: usize>(&self, kind: u8, align: usize) -> io::Result<[u8; N]> {
        let at = 3usize.next_multiple_of(align);
        let value = self.bytes.get(at..at + N).and_then(|value| value.try_into().ok());
        match (self.bytes.get(..3), value) {
            (Some(signature), Some(value)) if signature == [1, kind, 0] => Ok(value),
            _ => Err(invalid("logind answers with something else")),
        }
    }
}

/// The next answer; only one is awaited at a time, so that it is the answer to the last call.
fn answer(talk: &mut Conversation) -> io::Result<Body> {
    for _ in 0..MOST_SIGNALS {
        let head = talk.hear(16)?;
        let big_endian = head[0] == b'B';
        let number = |at: usize| {
            let four = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            let number = if big_endian {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            };
            usize::try_from(number).unwrap_or(usize::MAX)
        };
        let (body, fields) = (number(4), number(12));
        let fields = fields.checked_next_multiple_of(8).unwrap_or(usize::MAX);
        talk.hear(fields)?;
        let bytes = talk.hear(body)?;
        match head[1] {
            METHOD_RETURN => return Ok(Body { bytes, big_endian }),
            ERROR => return Err(invalid("logind knows no such session or property")),
            _ => {}
        }
    }
    Err(invalid("the bus sends signals and no answer"))
}

#[cfg(test)]
mod tests {
    use super::{super::recorded, *};

    /// What a session of the recording says, asked by root.
    fn told(recording: &str, session: &str) -> io::Result<IdleHint> {
        let (mut talk, server) = recorded::play(recording);
        let told = ask(&mut talk, 0, session);
        server.assert_heard(talk);
        told
    }

    #[test]
    fn a_session_tells_logind_when_it_became_idle() {
        let idle = include_str!("../../tests/recorded/logind-idle-since-1234567890-us.txt");
        let told_idle = told(idle, "c2").expect("answers");
        assert_eq!(told_idle, IdleHint::IdleSince(1_234_567_890));
        let active = include_str!("../../tests/recorded/logind-active.txt");
        assert_eq!(told(active, "3").expect("answers"), IdleHint::Active);
    }

    #[test]
    fn a_session_that_never_told_logind_anything_is_silent_and_not_idle() {
        let silent = include_str!("../../tests/recorded/logind-silent.txt");
        assert_eq!(told(silent, "4").expect("answers"), IdleHint::Silent);
        let nobody = include_str!("../../tests/recorded/logind-no-such-session.txt");
        assert!(told(nobody, "5").is_err());
    }

    #[test]
    fn a_sessions_name_is_escaped_as_systemd_does() {
        assert_eq!(escaped("c2"), "c2");
        assert_eq!(escaped("3"), "_33");
        assert_eq!(escaped("12"), "_312");
        assert_eq!(escaped("a-b"), "a_2db");
    }

    #[test]
    fn a_call_is_laid_out_as_the_specification_says() {
        let message = call(1, "/a", "d.e", "i.f", "M", &["x"]);
        assert_eq!(&message[..4], [b'l', 1, 0, 1]);
        assert_eq!(
            message[4..8],
            6u32.to_le_bytes(),
            "the body: a length, a letter, a zero"
        );
        let fields =
            usize::try_from(u32::from_le_bytes(message[12..16].try_into().expect("four"))).expect("fits");
        let body = (16 + fields).next_multiple_of(8);
        assert_eq!(message[body..], [1, 0, 0, 0, b'x', 0]);
    }

    #[test]
    fn a_variant_is_read_in_its_senders_byte_order() {
        let mut bytes = vec![1, b't', 0, 0, 0, 0, 0, 0];
        bytes.extend(7u64.to_be_bytes());
        let body = Body {
            bytes,
            big_endian: true,
        };
        assert_eq!(body.number().expect("a number"), 7);
        assert!(body.boolean().is_err());
        let body = Body {
            bytes: vec![1, b'b', 0, 0, 1, 0, 0, 0],
            big_endian: false,
        };
        assert!(body.boolean().expect("a boolean"));
    }
}
