//! What comes after the call, or instead of it: watching the instance, confirming, undoing, freeing.
//!
//! A holder that took a claim over begins here, which is why it can never call. While an outcome is
//! unknown the claim and its slots stay taken (P2).
//!
//! A machine that carries its own executor settles its claim at its next boot (P10). That it has booted says
//! that it was stopped only where the cloud had accepted the stop: after a panic or a reboot by hand
//! between commit and call it was not, and an accepted call may still be applied. So without the
//! acceptance the tags are cleared at once and the machine is watched like any whose call is in doubt.
//! What remains: a reboot by hand within the seconds between the acceptance and its effect is taken for
//! the stop, which may then still come, within L.

use super::action::{Action, AuditKind, Tags};
use super::holder::{ERRAND_MS, Holder};
use super::input::{Answer, InstanceState};
use super::pen::{Want, Whose};
use super::record::{Claim, Entry, HostRecord, Phase};
use super::stage::{Errand, Stage, Watch, What};
use super::terms::Terms;
use crate::explain::duration;
use crate::time::{Boot, Now};
use alloc::{format, string::String, vec::Vec};

/// After this long the instance is looked at less often.
const BRISK_MS: u64 = 60_000;

impl Holder {
    /// What the next owner of an abandoned claim makes of it.
    pub(super) fn inheritance(terms: &Terms, abandoned: &Entry<HostRecord>) -> Want {
        let Some(claim) = &abandoned.value.claim else {
            return Want::Free;
        };
        let whose = if claim.stopped_by_others {
            Whose::Others
        } else {
            Whose::Ours
        };
        let came_back = terms
            .self_boot
            .as_ref()
            .is_some_and(|boot| *boot != claim.boot_id);
        match claim.phase {
            Phase::Claimed(progress) => {
                Want::Cancelled(format!("its holder was lost at {}", progress.name()))
            }
            Phase::Cancelled => Want::Cancelled(claim.cancelled_because.clone()),
            Phase::Stopped => Want::Stopped(whose),
            // P10: the stop was accepted, this very machine went down and came up again.
            Phase::Stopping if came_back => Want::Stopped(whose),
            Phase::Committed | Phase::Unknown => Want::Unknown,
            Phase::Stopping => Want::Stopping(whose),
        }
    }

    pub(super) fn is_after(&self) -> bool {
        matches!(
            self.stage,
            Stage::Watching(_)
                | Stage::Untagging
                | Stage::UndoingAtHost
                | Stage::UndoingTags
                | Stage::ClosingTags
                | Stage::Filing
                | Stage::Finished
        )
    }

    /// The key says so now: what is to be done about it.
    pub(super) fn enter(&mut self, now: Now, want: &Want) {
        if self.stage == Stage::Arriving {
            let phase = self.pen.base.value.phase_name();
            let message = format!("Another executor took the abandoned claim over; it is {phase} now.");
            self.file(AuditKind::Takeover, message);
        }
        self.resume_at = now.boot;
        match want {
            Want::Stopping(_) => self.watch(now),
            Want::Unknown => {
                self.file(
                    AuditKind::Alarm,
                    String::from("The stop call may have been made; the instance is watched."),
                );
                if self.tagged && self.came_back() {
                    self.go(Stage::Untagging);
                } else {
                    self.watch(now);
                }
            }
            Want::Stopped(_) if self.says_something_in_tags() => self.go(Stage::ClosingTags),
            Want::Stopped(_) => self.close(),
            Want::Cancelled(_) => self.go(Stage::UndoingAtHost),
            Want::Claim(..) | Want::ConfirmClaim | Want::Commit | Want::ConfirmCommit | Want::Free => {}
        }
    }

    fn watch(&mut self, now: Now) {
        self.go(Stage::Watching(Watch {
            since: now.boot,
            look_at: now.boot,
            alarmed: false,
            seen_down: false,
            read_at: now.boot,
            trouble: String::from("no answer"),
        }));
    }

    /// Tags tell of our stops; and where they tell of one that the machine has come back from, they are
    /// put right whoever stopped it.
    fn says_something_in_tags(&self) -> bool {
        let others = self.pen.claim().is_some_and(|claim| claim.stopped_by_others);
        self.terms.policy.write_tags && (!others || (self.tagged && self.came_back()))
    }

    /// `Q`: the longer one of the claim's and of the policy by which it is watched. A call may be on its way
    /// that was made under either.
    fn quarantine_ms(&self) -> u64 {
        let kept = self.pen.claim().map_or(0, |claim| claim.quarantine_ms);
        kept.max(self.terms.policy.quarantine_ms)
    }

    /// What a person has to look at: a stop that was accepted and is not seen within L (S24), and an
    /// instance that could not be read throughout Q, again for each Q.
    pub(super) fn watch_the_clock(&mut self, now: Now) {
        let limit = self.terms.policy.application_ms;
        let quarantine = self.quarantine_ms();
        let stopping = self.pen.phase() == Some(Phase::Stopping);
        let Stage::Watching(watch) = &mut self.stage else {
            return;
        };
        let mut alarms = Vec::new();
        if stopping && !watch.alarmed && now.boot.since(watch.since) >= limit {
            watch.alarmed = true;
            alarms.push(format!("Not seen stopped within {}.", duration(limit)));
        }
        if now.boot.since(watch.read_at) >= quarantine {
            watch.read_at = now.boot;
            let message = format!(
                "The instance could not be read for {}, and its claim stays: {}",
                duration(quarantine),
                watch.trouble
            );
            alarms.push(message);
        }
        for message in alarms {
            self.file(AuditKind::Alarm, message);
        }
    }

    pub(super) fn aftermath_errand(&mut self, now: Now) -> Option<(What, Action, u64)> {
        let beat_ms = self.terms.policy.beat_ms;
        let tags = match self.came_back() {
            true => Tags::Running,
            false => self.stopped_tags(now),
        };
        match &mut self.stage {
            Stage::Watching(watch) if now.boot >= watch.look_at => {
                let brisk = now.boot.since(watch.since) < BRISK_MS;
                watch.look_at = now
                    .boot
                    .plus(if brisk { beat_ms } else { beat_ms.saturating_mul(5) });
                Some((What::Instance, Action::ReadInstance, ERRAND_MS))
            }
            Stage::UndoingAtHost => {
                let claim = self.pen.claim()?;
                let action = Action::Cancel {
                    claim: claim.number,
                    reason: claim.cancelled_because.clone(),
                };
                Some((What::Cancel, action, ERRAND_MS))
            }
            Stage::UndoingTags | Stage::Untagging => {
                Some((What::Tags, Action::WriteTags(Tags::Running), ERRAND_MS))
            }
            Stage::ClosingTags => Some((What::Tags, Action::WriteTags(tags), ERRAND_MS)),
            _ => None,
        }
    }

    /// Whether this machine is the claim's host and has booted since the claim (P10).
    pub(super) fn came_back(&self) -> bool {
        let boot = self.terms.self_boot.as_ref();
        let claimed_in = self.pen.claim().map(|claim| &claim.boot_id);
        boot.is_some() && boot != claimed_in
    }

    pub(super) fn aftermath_answer(&mut self, now: Now, errand: &Errand, answer: &Answer) {
        let worked = match (&errand.what, answer) {
            (What::Instance, Answer::Instance(state)) => {
                self.seen(errand.planned_at, *state);
                return;
            }
            (What::Instance, Answer::Failed { reason }) => {
                if let Stage::Watching(watch) = &mut self.stage {
                    watch.trouble.clone_from(reason);
                }
                return;
            }
            (_, Answer::Done) => true,
            _ => false,
        };
        if matches!(errand.what, What::Instance) || (!worked && self.try_again(now)) {
            return;
        }
        match self.stage {
            Stage::Untagging => {
                // Where they could not be written, they still count as written when the claim is undone.
                self.tagged = !worked;
                self.watch(now);
            }
            Stage::UndoingAtHost if self.tagged => self.go(Stage::UndoingTags),
            Stage::UndoingAtHost | Stage::UndoingTags => self.undone(),
            Stage::ClosingTags => {
                if !worked {
                    self.file(AuditKind::Alarm, String::from("The tags could not be written."));
                }
                self.close();
            }
            _ => {}
        }
    }

    fn undone(&mut self) {
        let why = self
            .pen
            .claim()
            .map_or_else(String::new, |claim| claim.cancelled_because.clone());
        self.file(AuditKind::Cancelled, format!("The claim was given up: {why}"));
        self.go(Stage::Filing);
    }

    fn close(&mut self) {
        let others = self.pen.claim().is_some_and(|claim| claim.stopped_by_others);
        let message = match (self.came_back(), others) {
            (true, _) => "The machine has come up again since its stop.",
            (_, true) => "The instance was stopped by somebody else.",
            (_, false) => "The instance was seen stopped.",
        };
        self.file(AuditKind::Stopped, String::from(message));
        self.go(Stage::Filing);
    }

    /// The instance was read; the reading began at `asked_at`.
    fn seen(&mut self, asked_at: Boot, state: InstanceState) {
        let Stage::Watching(watch) = &mut self.stage else {
            return;
        };
        watch.seen_down |= matches!(state, InstanceState::Stopping | InstanceState::Stopped);
        watch.read_at = watch.read_at.max(asked_at);
        let (since, seen_down) = (watch.since, watch.seen_down);
        let Some(claim) = self.pen.claim() else { return };
        if self.pen.want.is_some() {
            return;
        }
        let called = claim.committed_at.is_some();
        let others = claim.stopped_by_others;
        let whose = if others { Whose::Others } else { Whose::Ours };
        let quarantined = asked_at.since(since) >= self.quarantine_ms();
        let stopping = claim.phase == Phase::Stopping;
        self.pen.want = match state {
            InstanceState::Stopped => Some(Want::Stopped(whose)),
            InstanceState::Terminated => Some(Want::Stopped(Whose::Others)),
            InstanceState::Missing if quarantined => Some(Want::Stopped(Whose::Others)),
            InstanceState::Stopping | InstanceState::ShuttingDown if !stopping => Some(Want::Stopping(whose)),
            InstanceState::Running | InstanceState::Pending if others && !called => Some(Want::Cancelled(
                String::from("it runs again, and nothing was called"),
            )),
            // An accepted call may take up to L to show; running before that is not running *again*.
            InstanceState::Running | InstanceState::Pending if stopping => {
                let overdue = asked_at.since(since) >= self.terms.policy.application_ms;
                (seen_down || overdue).then_some(Want::Unknown)
            }
            InstanceState::Running if quarantined => Some(Want::Cancelled(self.ran_throughout())),
            _ => None,
        };
    }

    fn ran_throughout(&self) -> String {
        let q = duration(self.quarantine_ms());
        if self.came_back() {
            format!("seen running throughout {q} after a boot that the stop may or may not have led to")
        } else {
            format!("seen running throughout {q}")
        }
    }
}

/// The tags that are wrong about a machine, put right: one that runs is not `Stopped` (P4).
///
/// On a host that stops itself the tag stands before the call; that is not wrong, nor is the tag of a stop
/// that was accepted. Any other claim has written none: what the tag says is from before it.
#[must_use]
pub fn tags_to_mend(state: InstanceState, status_tag: Option<&str>, record: &HostRecord) -> Option<Tags> {
    let told = |claim: &Claim| claim.tagged || matches!(claim.phase, Phase::Stopping | Phase::Stopped);
    let on_its_way = record.claim.as_ref().is_some_and(told);
    (state == InstanceState::Running && status_tag == Some("Stopped") && !on_its_way).then_some(Tags::Running)
}
