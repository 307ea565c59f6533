//! The terminal: a screen of its own while the view is shown, and the person's own back afterwards.
//!
//! It makes frames of finished lines and reads keys; it decides nothing. Signals stay the terminal's: Ctrl-C
//! is still SIGINT. It needs no terminal library: four codes of ECMA-48 and xterm are all it sends.

use super::{line::Line, output::Output};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Alternate screen on, cursor hidden.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// Cursor shown, alternate screen off.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// Keys that wait to be taken; a person types slower than they are.
const KEYS: usize = 16;

/// What may be used of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TerminalLook {
    /// Lines, one after the other.
    Lines,
    /// A screen of its own, in the colour that the terminal has.
    Plain,
    /// A screen of its own, in colours.
    #[default]
    Coloured,
}

/// How the terminal was before, while a view is shown. Global, because a panic anywhere must find it.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    input: Option<Termios>,
}

/// A terminal that shows the view; dropping it gives the terminal back.
#[derive(Debug)]
pub struct Terminal {
    keys: Option<mpsc::Receiver<io::Result<u8>>>,
    look: TerminalLook,
}

impl Terminal {
    /// Whether there is a terminal to take over. One whose foreground is somebody else's is not: a program in
    /// the background that changes its modes is stopped by the kernel.
    #[must_use]
    pub fn is_ours(look: TerminalLook) -> bool {
        let input = io::stdin();
        let in_foreground = || match rustix::termios::tcgetpgrp(&input) {
            Ok(group) => group == rustix::process::getpgrp(),
            // It controls nobody here, so it stops nobody either.
            Err(_) => true,
        };
        look != TerminalLook::Lines && io::stdout().is_terminal() && (!input.is_terminal() || in_foreground())
    }

    /// Takes the terminal over. Where the input is none, no keys are read.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn take(output: &mut Output, look: TerminalLook) -> io::Result<Terminal> {
        let input = io::stdin();
        let before = if input.is_terminal() {
            Some(rustix::termios::tcgetattr(&input)?)
        } else {
            None
        };
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Before {
            input: before.clone(),
        });
        restore_on_panic();
        let mut keys = None;
        if let Some(mut modes) = before {
            modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            // One key at a time, as it is typed.
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            // Stopped by Ctrl-Z the host would look silent, and killed by Ctrl-\ it would end nothing in
            // order; both would leave the screen as it is.
            modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
            modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
            rustix::termios::tcsetattr(&input, OptionalActions::Flush, &modes)?;
            keys = Some(read_keys()?);
        }
        output.write(ENTER.to_owned());
        Ok(Terminal { keys, look })
    }

    /// Gives it back, after all that was handed to the output.
    pub fn give_back(self, output: &mut Output) {
        output.write(LEAVE.to_owned());
        restore_modes();
    }

    /// Rows and columns.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
            // What a terminal that does not say has always been.
            Ok(_) | Err(_) => (24, 80),
        }
    }

    /// Shows these lines and nothing else. A frame that finds no room is left out: another one follows.
    pub fn draw(&self, output: &mut Output, lines: &[Line]) {
        let (_, columns) = self.size();
        output.frame(|| frame(lines, columns, self.look));
    }

    /// The next key. Cancelling loses nothing. Where there are no keys it waits for ever.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn key(&mut self) -> io::Result<u8> {
        let Some(keys) = &mut self.keys else {
            return std::future::pending().await;
        };
        match keys.recv().await {
            Some(key) => key,
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The codes that show these lines.
fn frame(lines: &[Line], columns: usize, look: TerminalLook) -> String {
    let mut frame = String::from("\x1b[H");
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            frame.push_str("\r\n");
        }
        let (text, used) = line.styled(columns, look);
        frame.push_str(&text);
        // After a full row the cursor still stands on its last column, and what is there would be erased.
        if used < columns {
            frame.push_str("\x1b[K");
        }
    }
    frame.push_str("\x1b[J");
    frame
}

/// Reads keys on a thread of its own, which waits in the kernel and ends with the process: a read of a
/// terminal cannot be cancelled.
fn read_keys() -> io::Result<mpsc::Receiver<io::Result<u8>>> {
    let (sender, receiver) = mpsc::channel(KEYS);
    let read = move || {
        loop {
            let mut byte = [0];
            let key = match rustix::io::read(io::stdin(), &mut byte) {
                Ok(1) => Ok(byte[0]),
                Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
            let is_end = key.is_err();
            if sender.blocking_send(key).is_err() || is_end {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(receiver)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Given back in order there is nothing left to do.
        give_back_at_once();
    }
}

/// Gives the modes back, once, and says whether that was still to do. It is on its way out: what fails here
/// cannot be told to anybody any more.
fn restore_modes() -> bool {
    let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return false;
    };
    if let Some(modes) = before.input {
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok();
    }
    true
}

/// Gives the terminal back past the output's thread, which may hold the lock of stdout for as long as the
/// terminal takes nothing; harmless where it was not taken.
fn give_back_at_once() {
    if restore_modes() {
        rustix::io::write(io::stdout(), LEAVE.as_bytes()).ok();
    }
}

/// The words of a panic must land on the person's own screen.
fn restore_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back_at_once();
            next(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::{super::line::Look, *};

    #[test]
    fn a_full_row_keeps_its_last_column() {
        let full = Line::of(Look::Plain, "12345");
        let short = Line::of(Look::Plain, "123");
        let text = frame(&[full, short], 5, TerminalLook::Plain);
        assert_eq!(text, "\x1b[H12345\r\n123\x1b[K\x1b[J");
    }
}
