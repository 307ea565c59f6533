//! Desktops: when each graphical session and each X display was last used.
//!
//! Sources: logind's session files (`/run/systemd/sessions/*`) tell which graphical sessions there are;
//! an X display (`/tmp/.X11-unix/X<n>`, VNC included) tells its own idle time, with the cookie that its
//! server was started with; a Wayland session tells logind, over the system bus, when it became idle.
//! A session or display that exists and tells nothing makes the readings unknown: a desktop that cannot
//! be asked may be in use. Xwayland is the exception: its session is asked instead.

use super::{
    logind::{self, IdleHint},
    programs::{self, Program},
    x11,
};
use crate::{Root, Unreadable, unreadable::READ_ANY_FILE};
use snooze_service_runtime::clocks::Look;
use std::{collections::BTreeMap, io};

const SESSIONS: &str = "run/systemd/sessions";
const DISPLAYS: &str = "tmp/.X11-unix";
const SYSTEM_BUS: &str = "run/dbus/system_bus_socket";

/// A graphical session or display and when it was last used, in ms since the boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Desktop {
    pub(super) active_at: u64,
}

/// Looks at all of them.
pub(super) fn look(root: &Root, at: Look) -> Result<Vec<Desktop>, Unreadable> {
    let (mut buffer, mut desktops) = (Vec::new(), Vec::new());
    let displays = displays(root, at, &mut buffer, &mut desktops)?;
    for entry in root.list_if_any(SESSIONS)? {
        let path = format!("{SESSIONS}/{}", entry.name);
        let text = match session_file(root, &entry.name, &path, &mut buffer) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error),
        };
        let Some(session) = Graphical::parse(&text) else {
            continue;
        };
        if session.kind == "x11" && displays.iter().any(|display| session.display == Some(display)) {
            continue;
        }
        let active_at = ask_logind(root, &entry.name, at).map_err(|source| Unreadable::Display {
            display: format!("the {} session {}", session.kind, entry.name),
            source: source.into(),
        })?;
        desktops.push(Desktop { active_at });
    }
    Ok(desktops)
}

/// What logind wrote of a session; nothing for what else lies there: the pipe `<id>.ref`, which it holds
/// open for as long as the session lasts, and `.#<id>…`, which it is about to rename.
fn session_file(
    root: &Root,
    name: &str,
    path: &str,
    buffer: &mut Vec<u8>,
) -> Result<Option<String>, Unreadable> {
    if name.starts_with('.') || !root.is_file(path)? {
        return Ok(None);
    }
    let bytes = root.bytes(path, buffer)?;
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

fn ask_logind(root: &Root, session: &str, at: Look) -> io::Result<u64> {
    match logind::idle_hint(&root.join(SYSTEM_BUS), session)? {
        Some(IdleHint::Active) => Ok(at.boottime_ms),
        Some(IdleHint::IdleSince(since)) => {
            let idle_ms = at.monotonic_ms.saturating_sub(since / 1_000);
            Ok(at.boottime_ms.saturating_sub(idle_ms))
        }
        Some(IdleHint::Silent) => Err(io::Error::other(
            "its desktop does not tell logind when it is idle",
        )),
        None => Err(io::Error::other("there is no system bus to ask logind")),
    }
}

/// Adds what the X displays tell, and returns those that told, as `:0`.
fn displays(
    root: &Root,
    at: Look,
    buffer: &mut Vec<u8>,
    desktops: &mut Vec<Desktop>,
) -> Result<Vec<String>, Unreadable> {
    let sockets = root.list_if_any(DISPLAYS)?;
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let servers = servers(root, buffer)?;
    let mut told = Vec::new();
    for socket in sockets {
        let Some(number) = socket
            .name
            .strip_prefix('X')
            .filter(|number| number.parse::<u32>().is_ok())
        else {
            continue;
        };
        let display = format!(":{number}");
        let server = servers.get(&display);
        let authority = server.and_then(|server| server.authority.as_deref());
        let cookie = match authority {
            Some(path) => x11::cookie(authority_file(root, path, buffer)?, number),
            None => None,
        };
        match x11::idle_ms(
            &root.join(&format!("{DISPLAYS}/{}", socket.name)),
            cookie.as_deref(),
        ) {
            Ok(Some(idle_ms)) => {
                desktops.push(Desktop {
                    active_at: at.boottime_ms.saturating_sub(idle_ms),
                });
                // Xwayland sees only what is typed into its own windows; its session must tell as well.
                if server.is_none_or(|server| !server.in_wayland) {
                    told.push(display);
                }
            }
            Ok(None) => {}
            Err(_) if server.is_some_and(|server| server.in_wayland) => {}
            Err(source) => {
                return Err(Unreadable::Display {
                    display,
                    source: source.into(),
                });
            }
        }
    }
    Ok(told)
}

fn authority_file<'b>(root: &Root, path: &str, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Unreadable> {
    root.bytes(path.trim_start_matches('/'), buffer)
        .map_err(|error| error.needing(READ_ANY_FILE))
}

/// A display server, as its command line has it.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    authority: Option<String>,
    in_wayland: bool,
}

fn servers(root: &Root, buffer: &mut Vec<u8>) -> Result<BTreeMap<String, Server>, Unreadable> {
    let mut servers = BTreeMap::new();
    for entry in root.list("proc")? {
        if entry.name.parse::<u32>().is_err() {
            continue;
        }
        match root.bytes(&format!("proc/{}/cmdline", entry.name), buffer) {
            Ok(line) if programs::of(line) == Some(Program::Display) => servers.extend(server(line)),
            Ok(_) => {}
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(servers)
}

fn server(line: &[u8]) -> Option<(String, Server)> {
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let is_display = |word: &&String| {
        word.strip_prefix(':')
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    // Without a number on its command line it is the first display.
    let display = words
        .iter()
        .find(is_display)
        .cloned()
        .unwrap_or_else(|| ":0".to_owned());
    let authority = words
        .iter()
        .position(|word| word == "-auth")
        .and_then(|at| words.get(at + 1))
        .cloned();
    let in_wayland = words.first()?.ends_with("Xwayland");
    Some((
        display,
        Server {
            authority,
            in_wayland,
        },
    ))
}

/// A user's graphical session in logind's words.
#[derive(Debug, PartialEq, Eq)]
struct Graphical<'t> {
    kind: &'t str,
    display: Option<&'t str>,
}

impl Graphical<'_> {
    /// Nothing for sessions without a display, for greeters, and for sessions that end.
    fn parse(text: &str) -> Option<Graphical<'_>> {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let kind = value("TYPE").filter(|kind| ["x11", "wayland", "mir"].contains(kind))?;
        let of_user = value("CLASS").is_none_or(|class| class.starts_with("user"));
        let ends = value("STATE") == Some("closing");
        (of_user && !ends).then_some(Graphical {
            kind,
            display: value("DISPLAY"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_users_graphical_session_is_one() {
        let x11 = "UID=1000\nSTATE=active\nTYPE=x11\nCLASS=user\nDISPLAY=:0\n";
        assert_eq!(
            Graphical::parse(x11),
            Some(Graphical {
                kind: "x11",
                display: Some(":0")
            })
        );
        assert_eq!(Graphical::parse("TYPE=tty\nCLASS=user\n"), None);
        assert_eq!(Graphical::parse("TYPE=wayland\nCLASS=greeter\n"), None);
        assert_eq!(
            Graphical::parse("TYPE=wayland\nCLASS=user\nSTATE=closing\n"),
            None
        );
        assert_eq!(Graphical::parse(""), None);
    }

    #[test]
    fn a_display_server_names_its_display_and_its_authority() {
        let line = b"/usr/lib/xorg/Xorg\0vt2\0-nolisten\0tcp\0-auth\0/run/user/1000/gdm/Xauthority\0:1\0";
        let (display, server) = server(line).expect("a server");
        assert_eq!(display, ":1");
        assert_eq!(server.authority.as_deref(), Some("/run/user/1000/gdm/Xauthority"));
        assert!(!server.in_wayland);
        let (display, server) = super::server(b"/usr/bin/Xwayland\0:0\0-rootless\0").expect("a server");
        assert!(display == ":0" && server.in_wayland);
    }
}
