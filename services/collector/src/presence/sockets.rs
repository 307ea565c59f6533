//! Whether somebody is connected to a program: its open sockets, and what the kernel says of them.
//!
//! Sources: `/proc/<pid>/fd` and the tables in `/proc/<pid>/net`, which are those of the process's own
//! network namespace, so that a server in a container is seen as well. A program's processes may live in
//! several namespaces, and may end while they are looked at: the tables of each namespace are read once,
//! through the first of its processes that still has them. A client counts when its connection came in:
//! through a port or a path at which the same program listens. Connections that the program opened itself
//! (updates, telemetry) do not.

use crate::{Root, Unreadable, unreadable::SEE_ANY_PROCESS};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The states of Linux's include/net/tcp_states.h and include/uapi/linux/un.h that matter here.
const TCP_ESTABLISHED: &str = "01";
const TCP_LISTEN: &str = "0A";
const UNIX_CONNECTED: &str = "03";
/// The flag of a Unix socket that listens (`__SO_ACCEPTCON`).
const UNIX_LISTENS: u64 = 1 << 16;

/// Whether any of these processes, which are one program, has a client.
pub(super) fn has_client(root: &Root, pids: &[u32], buffer: &mut Vec<u8>) -> Result<bool, Unreadable> {
    let mut own = HashSet::new();
    let mut namespaces: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut without_tables = Vec::new();
    for pid in pids {
        if let Some(sockets) = if_there(open_sockets(root, *pid))? {
            own.extend(sockets);
        }
        // One that has ended and was not waited for has no namespace any more.
        match if_there(root.link(&format!("proc/{pid}/ns/net")))? {
            Some(namespace) => namespaces.entry(namespace).or_default().push(*pid),
            None => without_tables.push(*pid),
        }
    }
    let mut were_read = false;
    for pids in namespaces.values() {
        let mut seen = None;
        for pid in pids {
            seen = client_in_tables_of(root, *pid, &own, buffer)?;
            if seen.is_some() {
                break;
            }
        }
        match seen {
            Some(true) => return Ok(true),
            Some(false) => were_read = true,
            None => without_tables.extend(pids),
        }
    }
    // Nobody is connected to what is gone. What is still there may have threads that go on.
    without_tables.retain(|pid| root.exists(&format!("proc/{pid}")));
    if were_read || without_tables.is_empty() {
        Ok(false)
    } else {
        Err(Unreadable::Connections { pids: without_tables })
    }
}

/// Whether a client is in the tables of a process's network namespace; nothing where it has none any more.
fn client_in_tables_of(
    root: &Root,
    pid: u32,
    own: &HashSet<u64>,
    buffer: &mut Vec<u8>,
) -> Result<Option<bool>, Unreadable> {
    let mut client_in = |table: &str, has_client: fn(&str, &HashSet<u64>) -> bool| {
        let bytes = if_there(root.bytes(&format!("proc/{pid}/net/{table}"), buffer))?;
        Ok::<_, Unreadable>(bytes.map(|bytes| has_client(&String::from_utf8_lossy(bytes), own)))
    };
    let Some(by_tcp) = client_in("tcp", tcp_client)? else {
        return Ok(None);
    };
    // A kernel without IPv6 has no such table.
    let by_tcp6 = client_in("tcp6", tcp_client)?.unwrap_or(false);
    let Some(by_unix) = client_in("unix", unix_client)? else {
        return Ok(None);
    };
    Ok(Some(by_tcp || by_tcp6 || by_unix))
}

/// Nothing for what has ended.
fn if_there<T>(result: Result<T, Unreadable>) -> Result<Option<T>, Unreadable> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.needing(SEE_ANY_PROCESS)),
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
