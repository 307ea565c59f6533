//! Talks with real servers that were recorded, so that tests know what an X server and a bus say.
//!
//! A line holds bytes in hexadecimal digits, `>` those that were said to the server and `<` those that it
//! answered. Recorded were Xvfb 21.1.7 with a cookie of its own, and dbus-daemon 1.14.10 with a stand-in for
//! logind that answers what logind is documented to (its own bus needs systemd as the first process).

use super::conversation::Conversation;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// A machine that runs the tests may be busy with others.
const LIMIT: Duration = Duration::from_secs(30);

/// The other end of a talk: all answers wait there already.
pub(super) struct Server {
    stream: UnixStream,
    expected: Vec<u8>,
}

/// A talk with the server of this recording.
pub(super) fn play(recording: &str) -> (Conversation, Server) {
    let said = |direction: &str| -> Vec<u8> {
        let lines = recording
            .lines()
            .filter_map(|line| line.strip_prefix(direction)?.strip_prefix(' '));
        lines.flat_map(bytes).collect()
    };
    let (ours, mut stream) = UnixStream::pair().expect("a pair of sockets");
    stream
        .write_all(&said("<"))
        .expect("a recording fits into a socket's buffer");
    let expected = said(">");
    (Conversation::over(ours, LIMIT), Server { stream, expected })
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

impl Server {
    /// It was told exactly what the server of the recording was.
    pub(super) fn assert_heard(mut self, talk: Conversation) {
        drop(talk);
        let mut heard = Vec::new();
        self.stream
            .read_to_end(&mut heard)
            .expect("the other end is closed");
        assert_eq!(heard, self.expected, "{}", String::from_utf8_lossy(&heard));
    }
}
