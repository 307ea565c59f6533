//! Which sockets can be made, and who may listen. Which ports they reach is the fence of ports' matter.

use super::{
    Rules,
    conditions::{alone, flag, is, masked, not},
};
use seccompiler::{BackendError, SeccompRule};
use snooze_schemas::plugin::permissions::Permissions;

/// Bits of a socket's type that say which it is; the others are flags.
const TYPE_MASK: u64 = 0xf;
/// `SOCK_PACKET`, what packet sockets were before they had a family.
const OLD_PACKET: i32 = 10;

/// What of them is denied.
pub(super) fn add(rules: &mut Rules, permissions: &Permissions) -> Result<(), BackendError> {
    let unix = !permissions.unix.is_empty();
    let tcp = !permissions.tcp.is_empty() || !permissions.listen.is_empty();
    // Connecting by sending, which no fence of ports sees.
    rules.insert(libc::SYS_sendto, vec![flag(3, libc::MSG_FASTOPEN)?]);
    rules.insert(libc::SYS_sendmsg, vec![flag(2, libc::MSG_FASTOPEN)?]);
    rules.insert(libc::SYS_sendmmsg, vec![flag(3, libc::MSG_FASTOPEN)?]);
    // A TCP socket that was not bound is given a port by listening, past the fence of ports. Which family a
    // socket is of cannot be seen here, so Unix sockets are listened on where there are no others.
    if permissions.listen.is_empty() && (tcp || !unix) {
        rules.insert(libc::SYS_listen, Vec::new());
    }
    let mut pairs = vec![alone(not(0, libc::AF_UNIX))?];
    if !unix {
        // A pair of datagram sockets can be turned to others. The kernel makes one of what is asked for as raw.
        for datagrams in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
            pairs.push(alone(masked(1, TYPE_MASK, datagrams.cast_unsigned().into()))?);
        }
    }
    rules.insert(libc::SYS_socketpair, pairs);
    rules.insert(libc::SYS_socket, sockets(permissions, unix, tcp)?);
    Ok(())
}

/// The sockets that cannot be made.
fn sockets(permissions: &Permissions, unix: bool, tcp: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let kind = |wanted: i32| masked(1, TYPE_MASK, wanted.cast_unsigned().into());
    let mut families = Vec::new();
    if unix {
        families.push(libc::AF_UNIX);
    }
    if tcp || permissions.udp || permissions.raw {
        // With the third one programs look up which networks there are.
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    if permissions.raw {
        families.push(libc::AF_PACKET);
    }
    let strangers = families
        .iter()
        .map(|family| not(0, *family))
        .collect::<Result<Vec<_>, _>>()?;
    let mut denied = Vec::new();
    if strangers.is_empty() {
        // All of them.
        return Ok(denied);
    }
    denied.push(SeccompRule::new(strangers)?);
    let route = SeccompRule::new(vec![is(0, libc::AF_NETLINK)?, not(2, libc::NETLINK_ROUTE)?])?;
    denied.push(route);
    for family in [libc::AF_INET, libc::AF_INET6] {
        let known = [
            (libc::SOCK_STREAM, tcp, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, permissions.udp, libc::IPPROTO_UDP),
            (libc::SOCK_RAW, permissions.raw, 0),
        ];
        for (wanted, is_granted, protocol) in known {
            let mut conditions = vec![is(0, family)?, kind(wanted)?];
            if is_granted && wanted == libc::SOCK_RAW {
                continue;
            }
            if is_granted {
                // Other protocols of the same kind, such as that of several paths, know no fence of ports.
                conditions.extend([not(2, 0)?, not(2, protocol)?]);
            }
            denied.push(SeccompRule::new(conditions)?);
        }
        // From the fourth on: kinds that nobody is granted.
        let others = [libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, OLD_PACKET];
        for other in others {
            denied.push(SeccompRule::new(vec![is(0, family)?, kind(other)?])?);
        }
    }
    Ok(denied)
}
