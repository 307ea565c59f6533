//! The terminal: a screen of its own while the view is shown, and the person's own back afterwards.
//!
//! It writes finished lines and reads keys; it decides nothing. Signals stay the terminal's: Ctrl-C is
//! still SIGINT. It needs no terminal library: four codes of ECMA-48 and xterm are all it sends.

use super::line::Line;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Alternate screen on, cursor hidden.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// Cursor shown, alternate screen off.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// Keys that wait to be taken; a person types slower than they are.
const KEYS: usize = 16;

/// How the terminal was before, while a view is shown. Global, because a panic anywhere must find it.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    input: Option<Termios>,
}

/// A terminal that shows the view; dropping it gives the terminal back.
#[derive(Debug)]
pub struct Terminal {
    keys: Option<mpsc::Receiver<io::Result<u8>>>,
}

impl Terminal {
    /// Whether the output is a terminal at all.
    #[must_use]
    pub fn is_there() -> bool {
        io::stdout().is_terminal()
    }

    /// Takes the terminal over. Where the input is none, no keys are read.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn take() -> io::Result<Terminal> {
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
            // Stopped by Ctrl-Z the host would look silent, and the screen would be left as it is.
            modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
            rustix::termios::tcsetattr(&input, OptionalActions::Flush, &modes)?;
            keys = Some(read_keys()?);
        }
        let mut output = io::stdout().lock();
        output.write_all(ENTER.as_bytes())?;
        output.flush()?;
        Ok(Terminal { keys })
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

    /// Shows these lines and nothing else.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let (_, columns) = self.size();
        let mut frame = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(&line.styled(columns));
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        let mut output = io::stdout().lock();
        output.write_all(frame.as_bytes())?;
        output.flush()
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
        give_back();
    }
}

/// Gives the terminal back, once; harmless where it was not taken. It is on its way out: what fails here
/// cannot be told to anybody any more.
fn give_back() {
    let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    let mut output = io::stdout().lock();
    output
        .write_all(LEAVE.as_bytes())
        .and_then(|()| output.flush())
        .ok();
    if let Some(modes) = before.input {
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok();
    }
}

/// The words of a panic must land on the person's own screen.
fn restore_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            next(panic);
        }));
    });
}
