//! The socket that is the standard input of a process until it becomes the plugin.
//!
//! Orders and the plugin's real standard input go in; what came of them goes out. It is closed by becoming the
//! plugin, so that its end says that the plugin's own code has begun. Nothing of it is left to the plugin.

use super::orders::{Orders, Outcome};
use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut, Read},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// As long as orders may be: more than all that is kept of where plugins write, with what each folder on the way is.
const ORDERS_LIMIT: usize = 2 << 20;

/// As long as an answer may be: each grant can be named in it once.
const ANSWER_LIMIT: u64 = 256 * 1024;

/// The runner's end, while the process is not the plugin yet.
#[derive(Debug)]
pub(crate) struct Entering {
    socket: tokio::net::UnixStream,
    /// What of the orders does not fit into the socket's buffer.
    left: Vec<u8>,
}

/// Makes both ends: ours, and the one that becomes a standard input.
pub(crate) fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs.into()))
}

impl Entering {
    /// Sends the orders, and what is the plugin's standard input.
    pub(crate) fn begin(ours: UnixStream, orders: &Orders, stdin: BorrowedFd<'_>) -> io::Result<Entering> {
        let mut bytes = serde_json::to_vec(orders)?;
        if bytes.len() > ORDERS_LIMIT {
            return Err(io::Error::other(
                "its permissions, and the places that other plugins write, are longer than 2 MiB",
            ));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [stdin];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            unreachable!("the space is for one descriptor");
        }
        let sent = rustix::net::sendmsg(
            &ours,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        );
        let sent = match sent {
            // One that has ended already has perhaps said why.
            Err(Errno::PIPE) => bytes.len(),
            sent => sent?,
        };
        let left = bytes.split_off(sent);
        if left.is_empty() {
            ours.shutdown(Shutdown::Write)?;
        }
        let socket = tokio::net::UnixStream::from_std(ours)?;
        Ok(Entering { socket, left })
    }

    /// Waits until the process has become the plugin, or why it does not. Cancelling it loses the answer.
    pub(crate) async fn outcome(mut self) -> Result<Outcome, String> {
        if !self.left.is_empty() {
            // One that reads no more has said why, or has ended.
            self.socket.write_all(&self.left).await.unwrap_or_default();
            self.socket.shutdown().await.unwrap_or_default();
        }
        let mut said = Vec::new();
        let read = self.socket.take(ANSWER_LIMIT).read_to_end(&mut said).await;
        read.map_err(|error| format!("the process that fences itself cannot be heard: {error}"))?;
        // The last one counts: after it was fenced it may still fail to become the plugin.
        let last = said.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let last = last.ok_or("it ended before it was fenced")?;
        serde_json::from_slice(last)
            .map_err(|error| format!("what it says of its fence is no answer: {error}"))
    }
}

/// Reads the orders in the process itself. The socket is kept apart, to be closed when the plugin begins, and
/// the plugin's own standard input takes its place.
pub(crate) fn receive() -> io::Result<(UnixStream, Orders)> {
    let stdin = io::stdin();
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    let (orders, passed) = read(&socket)?;
    rustix::stdio::dup2_stdin(&passed)?;
    Ok((socket, orders))
}

/// The orders, and the standard input that came with them.
fn read(mut socket: &UnixStream) -> io::Result<(Orders, OwnedFd)> {
    let mut bytes = vec![0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let into = &mut [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    let passed = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let passed = passed.ok_or_else(|| io::Error::other("no standard input came with the orders"))?;
    bytes.truncate(received.bytes);
    socket
        .by_ref()
        .take(ORDERS_LIMIT as u64)
        .read_to_end(&mut bytes)?;
    Ok((serde_json::from_slice(&bytes)?, passed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::Fenced;
    use serde_json::json;
    use std::{io::Write, thread};

    fn orders(places: usize) -> Orders {
        let places: Vec<String> = (0..places)
            .map(|number| format!("/srv/place-{number:08}"))
            .collect();
        let orders = json!({
            "path": "/bin/true", "seen": null, "folder": null, "home": "/h", "search_path": "/usr/bin", "permissions": {},
            "own_write": [], "others_write": places, "others_ends": [], "user": 1_900_000_007, "control_group": null,
            "memory_is_limited": false, "processes_are_limited": false, "require_isolation": false, "not_enforced": [],
        });
        serde_json::from_value(orders).expect("they are orders")
    }

    #[tokio::test]
    async fn one_that_ended_before_its_orders_came_is_heard_all_the_same() {
        let (ours, theirs) = pair().expect("a pair");
        let why = "it is too old".to_owned();
        let failed = serde_json::to_vec(&Outcome::Failed { why }).expect("it is JSON");
        let socket = UnixStream::from(theirs);
        (&socket).write_all(&failed).expect("somebody listens");
        drop(socket);
        let entering = Entering::begin(ours, &orders(0), io::stdin().as_fd()).expect("it begins");
        let outcome = entering.outcome().await.expect("it has said so");
        assert!(matches!(outcome, Outcome::Failed { why } if why == "it is too old"));
        let (ours, theirs) = pair().expect("a pair");
        drop(theirs);
        let entering = Entering::begin(ours, &orders(0), io::stdin().as_fd()).expect("it begins");
        let why = entering.outcome().await.expect_err("it said nothing");
        assert_eq!(why, "it ended before it was fenced");
    }

    #[tokio::test]
    async fn orders_that_are_longer_than_a_sockets_buffer_arrive_whole() {
        for places in [0, 60_000] {
            let (ours, theirs) = pair().expect("a pair");
            let orders = orders(places);
            let entering = Entering::begin(ours, &orders, io::stdin().as_fd()).expect("it begins");
            assert_eq!(entering.left.is_empty(), places == 0, "the buffer is smaller");
            // Only now: whoever reads meanwhile makes room.
            let process = thread::spawn(move || {
                let socket = UnixStream::from(theirs);
                let (orders, _stdin) = read(&socket).expect("they come");
                let fenced = serde_json::to_vec(&Outcome::Fenced(Fenced::default())).expect("it is JSON");
                (&socket).write_all(&fenced).expect("somebody listens");
                orders.others_write.len()
            });
            let outcome = entering.outcome().await.expect("it answers");
            assert_eq!(outcome, Outcome::Fenced(Fenced::default()));
            assert_eq!(process.join().expect("it does not panic"), places);
        }
    }
}
