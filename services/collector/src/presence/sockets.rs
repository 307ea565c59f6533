//! Whether somebody is connected to a program: its open sockets, and what the kernel says of them.
//!
//! Sources: `/proc/<pid>/fd` and the tables in `/proc/<pid>/net`, which are those of the process's own
//! network namespace, so that a server in a container is seen as well. A client counts when its
//! connection came in: through a port or a path at which the same program listens. Connections that the
//! program opened itself (updates, telemetry) do not.

use crate::{Root, Unreadable};
use std::collections::{BTreeSet, HashSet};

/// The states of Linux's include/net/tcp_states.h and include/uapi/linux/un.h that matter here.
const TCP_ESTABLISHED: &str = "01";
const TCP_LISTEN: &str = "0A";
const UNIX_CONNECTED: &str = "03";
/// The flag of a Unix socket that listens (`__SO_ACCEPTCON`).
const UNIX_LISTENS: u64 = 1 << 16;

/// Whether any of these processes, which are one program, has a client.
pub(super) fn has_client(root: &Root, pids: &[u32], buffer: &mut Vec<u8>) -> Result<bool, Unreadable> {
    let mut own = HashSet::new();
    let mut tables = None;
    for pid in pids {
        match open_sockets(root, *pid) {
            Ok(sockets) => own.extend(sockets),
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error),
        }
        tables = tables.or(Some(*pid));
    }
    // All of them ended meanwhile: nobody is connected to what is gone.
    let Some(pid) = tables else { return Ok(false) };
    for table in ["tcp", "tcp6"] {
        let path = format!("proc/{pid}/net/{table}");
        match root.text(&path, buffer) {
            Ok(text) if tcp_client(text, &own) => return Ok(true),
            Ok(_) => {}
            // No IPv6, or the process ended.
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error),
        }
    }
    match root.bytes(&format!("proc/{pid}/net/unix"), buffer) {
        Ok(bytes) => Ok(unix_client(&String::from_utf8_lossy(bytes), &own)),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

fn open_sockets(root: &Root, pid: u32) -> Result<Vec<u64>, Unreadable> {
    let folder = format!("proc/{pid}/fd");
    let mut inodes = Vec::new();
    for entry in root.list(&folder)? {
        match root.link(&format!("{folder}/{}", entry.name)) {
            Ok(target) => inodes.extend(socket(&target)),
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(inodes)
}

fn socket(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Each line: slot, local address, remote address, state, queues, timer, retransmits, uid, time-out, inode.
fn tcp_client(text: &str, own: &HashSet<u64>) -> bool {
    let (mut listening, mut connected) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (Some(local), Some(state), Some(inode)) = (words.get(1), words.get(3), words.get(9)) else {
            continue;
        };
        let Some((_, port)) = local.rsplit_once(':') else {
            continue;
        };
        if !inode.parse().is_ok_and(|inode| own.contains(&inode)) {
            continue;
        }
        match *state {
            TCP_LISTEN => listening.insert(port),
            TCP_ESTABLISHED => connected.insert(port),
            _ => false,
        };
    }
    listening.intersection(&connected).next().is_some()
}

/// Each line: slot, count, protocol, flags, type, state, inode and, where it has one, path.
fn unix_client(text: &str, own: &HashSet<u64>) -> bool {
    let (mut listening, mut connected) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, _, _, flags, _, state, inode, path, ..] = words[..] else {
            continue;
        };
        if !inode.parse().is_ok_and(|inode| own.contains(&inode)) {
            continue;
        }
        if u64::from_str_radix(flags, 16).is_ok_and(|flags| flags & UNIX_LISTENS != 0) {
            listening.insert(path);
        } else if state == UNIX_CONNECTED {
            connected.insert(path);
        }
    }
    listening.intersection(&connected).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:8E3F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 x 100 0 0 10 0\n\
        1: 0100007F:8E3F 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 12 1 x 20 4 30 10 -1\n\
        2: 0A000005:C444 08080808:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 13 1 x 20 4 30 10 -1\n";

    #[test]
    fn a_connection_that_came_in_is_a_client_and_one_that_went_out_is_not() {
        assert!(tcp_client(TCP, &HashSet::from([11, 12])));
        assert!(!tcp_client(TCP, &HashSet::from([11, 13])));
        assert!(
            !tcp_client(TCP, &HashSet::from([12])),
            "somebody else listens there"
        );
    }

    #[test]
    fn a_client_may_come_through_a_path() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 21 /run/user/1000/ide.sock\n\
            0: 00000003 00000000 00000000 0001 03 22 /run/user/1000/ide.sock\n\
            0: 00000003 00000000 00000000 0001 03 23\n";
        assert!(unix_client(text, &HashSet::from([21, 22])));
        assert!(!unix_client(text, &HashSet::from([21, 23])));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(:|01|0A|03|/|[0-9]{0,25}| |\n|.){0,80}") {
            let own = HashSet::new();
            prop_assert!(!tcp_client(&text, &own) && !unix_client(&text, &own));
        }
    }
}
