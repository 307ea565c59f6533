//! Whose a listening socket is, as the kernel tells it.

use std::fs;

/// How deep below a started program the server may be: a wheel's script starts a binary.
const GENERATIONS: usize = 3;

/// The state `LISTEN` in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Whether a process, or one that it started, listens on a TCP port.
pub(super) fn is_listening_at(process: u32, port: u16) -> bool {
    let listeners = listeners_at(port);
    !listeners.is_empty()
        && family_of(process).into_iter().any(|member| {
            let Ok(open) = fs::read_dir(format!("/proc/{member}/fd")) else {
                return false;
            };
            open.flatten()
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|target| {
                    listeners
                        .iter()
                        .any(|socket| target.as_os_str() == socket.as_str())
                })
        })
}

/// The listening sockets on a port, by the names that they have among a process's open files.
fn listeners_at(port: u16) -> Vec<String> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .skip(1)
                .filter_map(|line| socket_at(line, port))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The socket of a line of the kernel's table, where it listens on this port (`proc_net_tcp.txt`).
fn socket_at(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let is_it = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
}

/// A process and its descendants.
fn family_of(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut youngest = family.clone();
    for _ in 0..GENERATIONS {
        youngest = youngest.into_iter().flat_map(children_of).collect();
        family.extend(&youngest);
    }
    family
}

fn children_of(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn another_programs_listener_is_not_taken_for_ones_own() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        assert!(is_listening_at(std::process::id(), port));
        // Nothing below the first process of the machine's own tree but that one itself is looked at here.
        assert!(!is_listening_at(u32::MAX, port));
        drop(listener);
        assert!(!is_listening_at(std::process::id(), port));
    }
}
