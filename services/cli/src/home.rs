//! Who types, where their folders are and what their terminal is: what the environment of a command says
//! that is no configuration. Read once, at the start.

use crate::view::terminal::TerminalLook;
use std::{ffi::OsString, path::PathBuf};

/// Who types, and where their folders are, as the environment says.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// `XDG_STATE_HOME`
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: what is kept there does not survive a reboot.
    pub runtime: Option<PathBuf>,
    /// `USER`: who types.
    pub user: Option<String>,
    /// `PATH`: where programs are looked for.
    pub search_path: Option<OsString>,
    /// `TERM`: what the terminal is.
    pub terminal: Option<OsString>,
    /// `NO_COLOR`: set to anything, it asks for no colours (no-color.org).
    pub no_color: Option<OsString>,
}

impl Home {
    /// As the environment of this process says; read once, at the start.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "who types, and where their folders are, is no configuration"
    )]
    pub fn of_this_process() -> Home {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Home {
            xdg_state_home: variable("XDG_STATE_HOME").map(PathBuf::from),
            home: variable("HOME").map(PathBuf::from),
            runtime: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            user: variable("USER").and_then(|name| name.into_string().ok()),
            search_path: variable("PATH"),
            terminal: variable("TERM"),
            no_color: variable("NO_COLOR"),
        }
    }

    /// What a view may use of the terminal.
    #[must_use]
    pub fn look(&self) -> TerminalLook {
        // A terminal that says nothing of itself is what it was before there were others.
        let is_dumb = self.terminal.as_ref().is_none_or(|name| name == "dumb");
        match (is_dumb, &self.no_color) {
            (true, _) => TerminalLook::Lines,
            (false, Some(_)) => TerminalLook::Plain,
            (false, None) => TerminalLook::Coloured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_lines_and_nobody_gets_colours_who_wants_none() {
        let home = |terminal: Option<&str>, no_color: Option<&str>| Home {
            terminal: terminal.map(OsString::from),
            no_color: no_color.map(OsString::from),
            ..Home::default()
        };
        for (terminal, no_color, look) in [
            (Some("xterm"), None, TerminalLook::Coloured),
            (Some("xterm"), Some("1"), TerminalLook::Plain),
            (Some("dumb"), None, TerminalLook::Lines),
            (None, None, TerminalLook::Lines),
        ] {
            assert_eq!(home(terminal, no_color).look(), look, "{terminal:?} {no_color:?}");
        }
    }
}
