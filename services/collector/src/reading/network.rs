//! Network: bytes received and sent by real interfaces, KiB a second.
//!
//! Source: `/proc/net/dev`, proc_pid_net(5). An interface is real when `/sys/class/net/<name>` does not
//! lead into `/sys/devices/virtual`: so loopback, bridges, bonds, veth, tun, VLANs and containers' own
//! interfaces are left out, and their traffic counts once, where it enters or leaves the machine.
//! Cloud interfaces are real ones: EC2's ENA and virtio hang below `pci…`, Xen's below `vif-…`, Hyper-V's
//! below `VMBUS…`. Where a real interface carries another one (Azure's accelerated networking), the
//! carried one is left out, since the upper one counts its bytes too.

use super::{
    Found, Gauge, Value,
    between::Between,
    devices::{Chosen, Device, kib_per_second},
};
use crate::{Root, Unreadable};
use snooze_schemas::sample::{Unit, name};

const FILE: &str = "proc/net/dev";

#[derive(Debug, Default)]
pub(super) struct Network {
    last: Between<Vec<Device>>,
    chosen: Chosen,
    buffer: Vec<u8>,
}

impl Gauge for Network {
    fn names(&self) -> &'static [&'static str] {
        &[name::NETWORK_KBPS]
    }

    fn look(&mut self, root: &Root, monotonic_ms: u64) -> Found {
        let chosen = &mut self.chosen;
        let now = root.text(FILE, &mut self.buffer).and_then(|text| {
            let devices = parse(text, |index, name| {
                chosen.counts(index, name, || is_real(root, name))
            })?;
            chosen.keep(text.lines().count().saturating_sub(HEADINGS));
            Ok(devices)
        });
        let rate = self.last.step(monotonic_ms, now, |before, now, seconds| {
            kib_per_second(before, now, seconds)
        });
        vec![(
            name::NETWORK_KBPS,
            rate.map(|value| Value::new(value, Unit::KibPerSecond)),
        )]
    }
}

/// The file starts with two lines of headings.
const HEADINGS: usize = 2;

fn parse(
    text: &str,
    mut counts: impl FnMut(usize, &str) -> Result<bool, Unreadable>,
) -> Result<Vec<Device>, Unreadable> {
    let malformed = |problem| Unreadable::malformed(FILE, problem);
    let mut devices = Vec::new();
    for (index, line) in text.lines().skip(HEADINGS).enumerate() {
        // The last colon: an alias such as `eth0:1` has one in its name.
        let (name, numbers) = line
            .rsplit_once(':')
            .ok_or_else(|| malformed("a line without an interface"))?;
        let name = name.trim();
        if !counts(index, name)? {
            continue;
        }
        let mut words = numbers.split_ascii_whitespace();
        let mut number = |skip| words.nth(skip).and_then(|word| word.parse::<u64>().ok());
        let bytes = number(0)
            .zip(number(7))
            .ok_or_else(|| malformed("a counter is not a number"))?;
        devices.push(Device {
            name: name.to_owned(),
            bytes: bytes.into(),
        });
    }
    if devices.is_empty() {
        return Err(Unreadable::Nothing {
            what: "real network interface",
        });
    }
    Ok(devices)
}

fn is_real(root: &Root, name: &str) -> Result<bool, Unreadable> {
    if name == "lo" || name.is_empty() || name.contains('/') {
        return Ok(false);
    }
    let place = root.link(&format!("sys/class/net/{name}"))?;
    if place.contains("/virtual/") {
        return Ok(false);
    }
    match root.link(&format!("sys/class/net/{name}/master")) {
        Ok(upper) => {
            let upper = upper.rsplit('/').next().unwrap_or_default();
            let place = root.link(&format!("sys/class/net/{upper}"))?;
            Ok(place.contains("/virtual/"))
        }
        Err(error) if error.is_absent() => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn received_and_sent_are_the_first_and_the_ninth_number() {
        let text = "Inter-|\n face |\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n";
        let devices = parse(text, |_, name| Ok(name != "lo")).expect("known");
        assert_eq!(
            devices,
            [Device {
                name: "eth0".to_owned(),
                bytes: [1, 9]
            }]
        );
    }

    #[test]
    fn without_a_real_interface_it_is_unknown_and_not_zero() {
        assert!(parse("", |_, _| Ok(true)).is_err());
        let text = "a\nb\n lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n";
        assert!(matches!(
            parse(text, |_, _| Ok(false)),
            Err(Unreadable::Nothing { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(eth0|:| |[0-9]{0,25}|\n|.){0,60}") {
            let result = parse(&text, |_, _| Ok(true));
            prop_assert!(result.is_err() || text.lines().count() > HEADINGS);
        }
    }
}
