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
use tokio::io::AsyncReadExt;

/// As long as orders may be: they go into the socket's buffer at once, which holds more than this.
const ORDERS_LIMIT: usize = 64 * 1024;

/// As long as an answer may be: each grant can be named in it once.
const ANSWER_LIMIT: u64 = 256 * 1024;

/// The runner's end, while the process is not the plugin yet.
#[derive(Debug)]
pub(crate) struct Entering {
    socket: tokio::net::UnixStream,
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
        let bytes = serde_json::to_vec(orders)?;
        if bytes.len() > ORDERS_LIMIT {
            return Err(io::Error::other(
                "its permissions, and the places that other plugins write, are longer than 64 KiB",
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
        )?;
        if sent < bytes.len() {
            return Err(io::Error::other("its orders do not fit into a socket's buffer"));
        }
        ours.shutdown(Shutdown::Write)?;
        let socket = tokio::net::UnixStream::from_std(ours)?;
        Ok(Entering { socket })
    }

    /// Waits until the process has become the plugin, or why it does not. Cancelling it loses the answer.
    pub(crate) async fn outcome(self) -> Result<Outcome, String> {
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
    let mut bytes = vec![0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let into = &mut [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(&socket, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
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
    (&socket).take(ORDERS_LIMIT as u64).read_to_end(&mut bytes)?;
    let orders = serde_json::from_slice(&bytes)?;
    rustix::stdio::dup2_stdin(&passed)?;
    Ok((socket, orders))
}
