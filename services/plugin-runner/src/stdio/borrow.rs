//! Who has the pipes of a process next, and how long what is critical waits for what is not.
//!
//! It asks nothing.

use super::{CallError, Errand, Stage, StdioPlugin, slot::Lent, turns::Urgency};
use crate::line::Method;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long something critical waits at most for the work on something less urgent, and never longer than half of its
/// time. A handler that nobody configured otherwise has come to its end by then where its event has no deadline.
const PATIENCE: Duration = Duration::from_secs(30);

impl StdioPlugin {
    /// The pipes for what has to be done by then. Whoever had them may have cost the process: that is waited for, for
    /// half of the time that is left.
    pub(super) async fn borrow_by(
        &self,
        method: Method,
        errand: &Errand,
        deadline: Instant,
    ) -> Result<Lent<'_>, CallError> {
        let urgency = errand.severity.into();
        let left = || deadline.saturating_duration_since(Instant::now());
        let (start, was_running) = (self.starts(), *self.stage.borrow() == Stage::Running);
        let found = {
            let found = self.borrow(method, urgency, left());
            tokio::pin!(found);
            match timeout(PATIENCE.min(left() / 2), &mut found).await {
                Ok(found) => found,
                Err(_) => {
                    self.turns.hurry(errand);
                    found.await
                }
            }
        };
        match found {
            Err(CallError::NotRunning(_)) if was_running => {
                let mut stage = self.stage();
                let anew = stage.wait_for(|stage| *stage == Stage::Running && self.starts() > start);
                // Whether it runs shows in what follows.
                drop(timeout(left() / 2, anew).await);
                self.borrow(method, urgency, left()).await
            }
            found => found,
        }
    }

    pub(super) async fn borrow(
        &self,
        method: Method,
        urgency: Urgency,
        within: Duration,
    ) -> Result<Lent<'_>, CallError> {
        let Ok(turn) = timeout_at(Instant::now() + within, self.turns.turn(urgency)).await else {
            return Err(CallError::Occupied(within));
        };
        let mut lent = Lent::out_of(&self.slot, turn).map_err(|why| self.down(why))?;
        let wire = lent.wire();
        // What it would say under its old configuration is not what it is asked (T3).
        let is_other = || self.handed().config.is_none_or(|config| wire.config != config);
        if method == Method::CheckIdle && wire.version != self.configs.version() && is_other() {
            lent.give_back();
            return Err(CallError::NotRunning(
                "its new configuration is on its way".to_owned(),
            ));
        }
        Ok(lent)
    }

    fn down(&self, why: String) -> CallError {
        if self.starts() <= 1 && *self.stage.borrow() == Stage::Starting {
            CallError::Starting
        } else {
            CallError::NotRunning(why)
        }
    }
}
