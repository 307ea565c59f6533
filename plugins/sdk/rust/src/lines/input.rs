//! Lines of bounded length from a descriptor, until it ends or a signal asks for the end. A line that is too long
//! is told once and passed over; it never takes more memory than the bound.

use super::MAX_LINE;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a pipe holds, as a rule.
const CHUNK: usize = 64 * 1024;

/// What comes next.
pub(super) enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// A line that is longer than it may be.
    TooLong,
    /// There is no more, or there is to be no more.
    End,
}

/// Lines of a descriptor.
pub(super) struct Lines {
    input: File,
    buffer: Vec<u8>,
    /// So much of the buffer is known to hold no end of a line.
    searched: usize,
    is_passing_over: bool,
    is_over: bool,
    asked_to_end: Arc<AtomicBool>,
    /// Readable once a signal came, which may be while it waits for input.
    woken: UnixStream,
}

impl Lines {
    /// Reads a descriptor and hears SIGTERM and SIGINT from now on: the first one ends the lines, the second one
    /// the process, with code 1.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub(super) fn new(input: File) -> io::Result<Lines> {
        let asked_to_end = Arc::new(AtomicBool::new(false));
        let (woken, waker) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            // They run in this order, so the first signal does not see its own flag.
            flag::register_conditional_shutdown(signal, 1, asked_to_end.clone())?;
            flag::register(signal, asked_to_end.clone())?;
            low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Lines {
            input,
            buffer: Vec::new(),
            searched: 0,
            is_passing_over: false,
            is_over: false,
            asked_to_end,
            woken,
        })
    }

    /// The next line.
    ///
    /// # Errors
    /// When the descriptor cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Line> {
        loop {
            if self.asked_to_end.load(Ordering::SeqCst) {
                return Ok(Line::End);
            }
            if let Some(line) = self.buffered() {
                return Ok(line);
            }
            if self.is_over {
                return Ok(Line::End);
            }
            if self.wait()? {
                self.read()?;
            }
        }
    }

    /// What the buffer holds: a line, one that is too long, or, at the end, what has no end of its own.
    fn buffered(&mut self) -> Option<Line> {
        while let Some(found) = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let mut line: Vec<u8> = self.buffer.drain(..=self.searched + found).collect();
            line.pop();
            self.searched = 0;
            if !std::mem::take(&mut self.is_passing_over) {
                let is_too_long = line.len() > MAX_LINE;
                return Some(if is_too_long {
                    Line::TooLong
                } else {
                    Line::Whole(line)
                });
            }
        }
        self.searched = self.buffer.len();
        if self.is_passing_over {
            self.forget();
        } else if self.buffer.len() > MAX_LINE {
            self.forget();
            self.is_passing_over = true;
            return Some(Line::TooLong);
        } else if self.is_over && !self.buffer.is_empty() {
            self.searched = 0;
            return Some(Line::Whole(std::mem::take(&mut self.buffer)));
        }
        None
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.searched = 0;
    }

    /// Waits for input or a signal; whether it was input.
    fn wait(&self) -> io::Result<bool> {
        let mut awaited = [
            PollFd::new(&self.input, PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        match poll(&mut awaited, None) {
            // A signal: its flag is looked at next.
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(!awaited[0].revents().is_empty()),
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        match self.input.read(&mut chunk) {
            Ok(0) => self.is_over = true,
            Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
