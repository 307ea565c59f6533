//! Talking to a local server over its socket, with a deadline for the whole talk.
//!
//! A server whose queue is full or that says nothing costs no more than that deadline.

use rustix::{
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    time::{ClockId, clock_gettime},
};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// A local server answers within a millisecond; several talks must fit into a lane's limit.
const LIMIT: Duration = Duration::from_millis(300);

/// No answer that is wanted here is longer; an X server's greeting has some ten kilobytes.
const LONGEST: usize = 1 << 20;

/// One talk.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: UnixStream,
    ends: Duration,
}

impl Conversation {
    /// Connects; nothing where nobody listens there.
    pub(super) fn begin(path: &Path) -> io::Result<Option<Conversation>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match connect(&socket, &SocketAddrUnix::new(path)?) {
            Ok(()) => {}
            // Its server is gone and left the socket behind, or went just now.
            Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT) => return Ok(None),
            // A full queue says AGAIN: a server that does not take calls.
            Err(error) => return Err(error.into()),
        }
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        Ok(Some(Conversation::over(stream, LIMIT)))
    }

    /// Over a connection that there is, and that waits when it is read.
    pub(super) fn over(stream: UnixStream, limit: Duration) -> Conversation {
        Conversation {
            stream,
            ends: now() + limit,
        }
    }

    pub(super) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes)
    }

    /// Exactly so many bytes.
    pub(super) fn hear(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > LONGEST {
            return Err(invalid("an answer is far too long"));
        }
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(silent()),
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// A line that ends with `\r\n`, without it.
    pub(super) fn hear_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > 4096 {
                return Err(invalid("a line is far too long"));
            }
            line.extend(self.hear(1)?);
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }

    fn left(&self) -> io::Result<Duration> {
        match self.ends.saturating_sub(now()) {
            Duration::ZERO => Err(silent()),
            left => Ok(left),
        }
    }
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

/// An answer that is not in the protocol.
pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_without_a_server_is_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        assert!(Conversation::begin(&path).expect("no error").is_none());
        drop(UnixListener::bind(&path).expect("binds"));
        assert!(Conversation::begin(&path).expect("no error").is_none());
    }

    #[test]
    fn a_server_that_says_nothing_costs_no_more_than_the_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).expect("binds");
        let begun = now();
        let mut talk = Conversation::begin(&path).expect("connects").expect("somebody");
        talk.say(b"hello").expect("says");
        assert!(talk.hear(1).is_err());
        assert!(now() - begun < LIMIT * 10);
    }
}
