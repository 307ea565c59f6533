//! One executor process of the simulation: its clocks, its machines, what it remembers. It carries nothing
//! out itself; the world does, with delays and losses.

use snooze_decision::claim::{Drawn, Observer, Target, Terms};
use snooze_decision::decide::Identity;
use snooze_decision::witness::Witness;
use snooze_decision::{Boot, Guarded, Now, Policy, Verdict, Wall};
use std::collections::BTreeMap;

pub(super) struct Executor {
    /// Counts starts; what was meant for an earlier one is lost.
    pub(super) incarnation: u64,
    pub(super) alive: bool,
    pub(super) paused_until: u64,
    boot_offset: u64,
    wall_offset: u64,
    /// Parts in a million by which its clock runs fast, about 1,000.
    rate_ppm: u64,
    pub(super) claims: BTreeMap<usize, Carried>,
    pub(super) observers: BTreeMap<usize, Observer>,
    pub(super) witnesses: BTreeMap<usize, Witness>,
    pub(super) verdicts: BTreeMap<usize, Heard>,
    /// The host that it runs on, where that is watched too (P10).
    pub(super) carried_by: Option<usize>,
    drawn: u64,
}

/// A verdict as it was heard, and what it means that it was.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) verdict: Verdict,
    pub(super) at: Boot,
    pub(super) identity: Identity,
}

pub(super) struct Carried {
    pub(super) id: u64,
    pub(super) guarded: Guarded,
    pub(super) holder: String,
}

impl Executor {
    pub(super) fn new(draw: u64, carried_by: Option<usize>) -> Executor {
        Executor {
            incarnation: 1,
            alive: true,
            paused_until: 0,
            boot_offset: draw % 1_000_000,
            wall_offset: draw % 1_000,
            rate_ppm: 999_000 + draw % 2_000,
            claims: BTreeMap::new(),
            observers: BTreeMap::new(),
            witnesses: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            carried_by,
            drawn: 0,
        }
    }

    pub(super) fn now(&self, truth: u64) -> Now {
        Now {
            boot: Boot(self.boot_offset + truth * self.rate_ppm / 1_000_000),
            wall: Wall(1_700_000_000_000 + self.wall_offset + truth),
        }
    }

    /// When its clock will show this.
    pub(super) fn truth_of(&self, boot: Boot) -> u64 {
        let own = boot.0.saturating_sub(self.boot_offset);
        (own * 1_000_000).div_ceil(self.rate_ppm)
    }

    pub(super) fn dies(&mut self) {
        self.alive = false;
        self.incarnation += 1;
        self.claims.clear();
        self.observers.clear();
        self.witnesses.clear();
        self.verdicts.clear();
    }

    pub(super) fn draw(&mut self, me: usize) -> (u64, Drawn) {
        self.drawn += 1;
        let id = self.drawn;
        let name = format!("e{me}.{}.{id}", self.incarnation);
        let drawn = Drawn {
            nonce: format!("nonce-{name}"),
            holder: name,
        };
        (id, drawn)
    }

    pub(super) fn terms(&self, host: usize, policy: &Policy, revision: &str, boot_id: String) -> Terms {
        Terms {
            host: format!("h{host}"),
            group: "default".to_owned(),
            policy: policy.clone(),
            policy_revision: revision.to_owned(),
            target: Some(Target {
                instance: format!("i-h{host}"),
                ..Target::default()
            }),
            self_boot: (self.carried_by == Some(host)).then_some(boot_id),
        }
    }
}
