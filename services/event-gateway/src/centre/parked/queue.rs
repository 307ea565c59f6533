//! Hosts that are to be looked at, one after the other, each at most once.

use snooze_schemas::HostId;
use std::collections::{HashSet, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Queue {
    hosts: VecDeque<HostId>,
    known: HashSet<HostId>,
}

impl Queue {
    /// Adds one at the end, unless it waits already.
    pub(super) fn push(&mut self, host: HostId) {
        if self.known.insert(host.clone()) {
            self.hosts.push_back(host);
        }
    }

    /// Takes the first that is not in somebody's hands; the others keep their order.
    pub(super) fn pop(&mut self, in_hand: &HashSet<HostId>) -> Option<HostId> {
        let first = self.hosts.iter().position(|host| !in_hand.contains(host))?;
        let host = self.hosts.remove(first)?;
        self.known.remove(&host);
        Some(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_waits_once_and_one_in_hand_holds_up_no_other() {
        let [first, second] = ["h1", "h2"].map(|name| name.parse::<HostId>().expect("a host"));
        let mut queue = Queue::default();
        for host in [&first, &second, &first] {
            queue.push(host.clone());
        }
        let in_hand = HashSet::from([first.clone()]);
        assert_eq!(queue.pop(&in_hand), Some(second));
        assert_eq!(queue.pop(&in_hand), None);
        assert_eq!(queue.pop(&HashSet::new()), Some(first));
        assert_eq!(queue.pop(&HashSet::new()), None);
    }
}
