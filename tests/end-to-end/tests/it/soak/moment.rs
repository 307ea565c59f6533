//! When something is killed, and how often: all of it from one seed.

use super::{LIMIT, load::Load, stage::Stage};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use snooze_test_harness::wait_until;

/// How often each part is killed where nobody says: a tenth of what the soak does.
const KILLS: u32 = 10;

/// The full count.
const WHOLE: u32 = 100;

/// So much happens between two kills at most.
const FARTHEST: usize = 40;

/// What is drawn.
pub(crate) struct Plan {
    pub(crate) kills: u32,
    pub(crate) seed: u64,
    random: StdRng,
}

/// So many of these after now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// Acknowledgements of events.
    Acknowledged(usize),
    /// Begins of handlers.
    Begun(usize),
    /// Ends of handlers.
    Ended(usize),
}

impl Plan {
    /// As the environment says, else a few kills from a seed that nobody has seen yet.
    pub(crate) fn drawn(of: &str) -> Plan {
        let kills = said("SNOOZE_SOAK_KILLS").map_or(KILLS, |kills| u32::try_from(kills).expect("a few"));
        let seed = said("SNOOZE_SOAK_SEED").unwrap_or_else(rand::random);
        println!("{of}: SNOOZE_SOAK_SEED={seed} SNOOZE_SOAK_KILLS={kills}");
        Plan {
            kills,
            seed,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Whether it has the full counts, and the time to wait for whoever sweeps.
    pub(crate) fn is_whole(&self) -> bool {
        self.kills >= WHOLE
    }

    /// A number below this.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.random.random_range(0..limit)
    }

    /// The next moment.
    pub(crate) fn moment(&mut self) -> Moment {
        let after = 1 + self.below(FARTHEST);
        match self.below(3) {
            0 => Moment::Acknowledged(after),
            1 => Moment::Begun(after),
            _ => Moment::Ended(after),
        }
    }
}

impl Moment {
    /// Waits until it is there.
    pub(crate) async fn comes(self, stage: &Stage, load: &Load) {
        let look = || match self {
            Self::Acknowledged(after) => (load.acknowledged(), after),
            Self::Begun(after) => (stage.records.begun(), after),
            Self::Ended(after) => (stage.records.ended(), after),
        };
        let (now, after) = look();
        wait_until(LIMIT, &format!("{self:?} more"), async || look().0 >= now + after).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person says how long to soak, and which run to repeat"
)]
fn said(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
