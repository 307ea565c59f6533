//! Network: whether there is a default route, and a carrier on an interface that has one.
//!
//! Source: `/proc/net/route` and `/proc/net/ipv6_route`, proc_pid_net(5), and `operstate` and `carrier` of
//! `/sys/class/net/<interface>`, Documentation/ABI/testing/sysfs-class-net. It asks nobody outside: that a far
//! host does not answer may be the far host's fault. Only the main routing table is seen.

use super::{root::Root, unreadable::Unreadable};

pub(super) const IPV4: &str = "/proc/net/route";
pub(super) const IPV6: &str = "/proc/net/ipv6_route";

/// `RTF_UP` of the kernel's route.h.
const UP: u32 = 0x1;
/// `RTF_REJECT`: a route that says that there is none.
const REJECT: u32 = 0x200;

/// What carries the default routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    /// The interfaces of default routes.
    pub(super) interfaces: Vec<String>,
    /// Whether one of them has a carrier.
    pub(super) is_carried: bool,
}

/// Looks at the routes, and at the carriers of their interfaces.
pub(super) fn read(root: &Root) -> Result<Network, Unreadable> {
    let mut interfaces = ipv4(&root.text(IPV4)?)?;
    if carried(root, &interfaces)? {
        return Ok(Network {
            interfaces,
            is_carried: true,
        });
    }
    // A full table of IPv6 routes is long, and read only where the first answer is not enough.
    let more = match root.text(IPV6) {
        Ok(text) => ipv6(&text)?,
        // A kernel without IPv6 has no routes there.
        Err(error) if error.is_absent() => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_carried = carried(root, &more)?;
    interfaces.extend(more);
    interfaces.sort_unstable();
    interfaces.dedup();
    Ok(Network {
        interfaces,
        is_carried,
    })
}

fn ipv4(text: &str) -> Result<Vec<String>, Unreadable> {
    let malformed = |problem| Unreadable::malformed(IPV4, problem);
    let mut lines = text.lines();
    let heading = lines.next().filter(|line| line.starts_with("Iface"));
    heading.ok_or_else(|| malformed("it does not begin with its heading"))?;
    let mut interfaces = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [interface, to, _, flags, _, _, _, mask, ..] = words[..] else {
            return Err(malformed("a line is not that of a route"));
        };
        let number = |word| u32::from_str_radix(word, 16).map_err(|_| malformed("a number is none"));
        let (to, flags, mask) = (number(to)?, number(flags)?, number(mask)?);
        if to == 0 && mask == 0 && leads_out(interface, flags) {
            interfaces.push(interface.to_owned());
        }
    }
    Ok(interfaces)
}

fn ipv6(text: &str) -> Result<Vec<String>, Unreadable> {
    let malformed = |problem| Unreadable::malformed(IPV6, problem);
    let mut interfaces = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [to, length, _, _, _, _, _, _, flags, interface] = words[..] else {
            return Err(malformed("a line is not that of a route"));
        };
        let (to, length) = u128::from_str_radix(to, 16)
            .ok()
            .zip(u8::from_str_radix(length, 16).ok())
            .ok_or_else(|| malformed("an address is none"))?;
        let flags = u32::from_str_radix(flags, 16).map_err(|_| malformed("a number is none"))?;
        if to == 0 && length == 0 && leads_out(interface, flags) {
            interfaces.push(interface.to_owned());
        }
    }
    Ok(interfaces)
}

/// Whether a route is of use, and not loopback's, where the kernel keeps those that refuse.
fn leads_out(interface: &str, flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0 && interface != "lo" && interface != "*"
}

fn carried(root: &Root, interfaces: &[String]) -> Result<bool, Unreadable> {
    for interface in interfaces {
        if has_carrier(root, interface)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_carrier(root: &Root, interface: &str) -> Result<bool, Unreadable> {
    let state = format!("/sys/class/net/{interface}/operstate");
    match root.text(&state)?.trim_end() {
        "up" => Ok(true),
        "down" | "lowerlayerdown" | "notpresent" | "dormant" | "testing" => Ok(false),
        // Drivers that do not tell, tunnels among them, still know whether there is a carrier.
        "unknown" => {
            let carrier = format!("/sys/class/net/{interface}/carrier");
            match root.text(&carrier)?.trim_end() {
                "1" => Ok(true),
                "0" => Ok(false),
                _ => Err(Unreadable::malformed(&carrier, "neither 0 nor 1")),
            }
        }
        _ => Err(Unreadable::malformed(&state, "no state of an interface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str =
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

    #[test]
    fn a_default_route_is_one_to_everywhere_that_is_up_and_refuses_nothing() {
        let text = format!(
            "{HEADING}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             eth2\t00000000\t00000000\t0002\t0\t0\t0\t00000000\t0\t0\t0\n\
             *\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
        );
        assert_eq!(ipv4(&text).expect("known"), ["eth0"]);
        let (none, gate) = ("0".repeat(32), "f".repeat(32));
        let route = |to: &str, length: &str, flags: &str, interface: &str| {
            format!(
                "{to} {length} {none} 00 {gate} 00000400 00000003 00000000 {flags} {interface:>8}\n",
                none = "0".repeat(32)
            )
        };
        let text = [
            route(&none, "00", "00000003", "eth0"),
            route(&gate, "40", "00000001", "eth1"),
            route(&none, "00", "00200200", "lo"),
        ]
        .concat();
        assert_eq!(ipv6(&text).expect("known"), ["eth0"]);
    }

    #[test]
    fn a_line_that_is_no_route_makes_it_unknown() {
        for line in ["eth0\t00000000", "eth0\tx\t0\t0003\t0\t0\t0\t00000000\t0\t0\t0"] {
            assert!(ipv4(&format!("{HEADING}{line}\n")).is_err(), "{line}");
        }
        assert!(ipv4("").is_err() && ipv6("00 00\n").is_err());
    }
}
