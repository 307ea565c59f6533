//! What a claim's machine makes of the answers on its way up to the call, and of the call's outcome.
//!
//! Whatever is not a clear yes gives the claim up, but for one thing: a call whose outcome nobody knows
//! is never taken for one that was not made.

use super::action::AuditKind;
use super::holder::Holder;
use super::input::{Answer, CallOutcome, InstanceState, PrepareState, Protections, Verified};
use super::pen::{Want, Whose};
use super::stage::{Errand, Notice, Stage, What};
use super::verification::{Opened, Question, Verdictless, check};
use crate::decide::tag_obstacles;
use crate::explain::duration;
use crate::time::{Boot, Now};
use alloc::{format, string::String, vec::Vec};

/// How often a preparation is asked about.
const POLL_MS: u64 = 1_000;

impl Holder {
    /// What came of an errand before or of the call.
    pub(super) fn ascent_answer(&mut self, now: Now, errand: Errand, answer: Answer) {
        match (errand.what, answer) {
            (What::Prepare, Answer::Prepared { state, message }) => {
                self.prepared(now, errand.planned_at, state, &message);
            }
            (What::Protections, Answer::Protections(instance)) => self.protections(now, &instance),
            (What::Tags, Answer::Done) => self.settle(now),
            (What::Verify(question), Answer::Verified(answer)) => self.verified(now, &question, &answer),
            (What::Verify(_), Answer::Failed { reason }) => {
                self.ask_again(now, format!("the host did not verify: {reason}"));
            }
            (What::Call, Answer::Called(outcome)) => self.called(outcome),
            (What::Call, _) => self.called(CallOutcome::Unknown {
                reason: String::from("the call's outcome was not told"),
            }),
            (What::Prepare, answer) => self.failed(now, "the host does not answer to prepare", &answer),
            (What::Protections, answer) => self.failed(now, "the instance cannot be read", &answer),
            (What::Tags, answer) => self.failed(now, "the tags cannot be written", &answer),
            (What::Verify(_), _) => self.cancel(String::from("the answer to verify makes no sense")),
            (What::Audit | What::Instance | What::Cancel, _) => {}
        }
    }

    fn failed(&mut self, now: Now, what: &str, answer: &Answer) {
        if !self.try_again(now) {
            let reason = match answer {
                Answer::Failed { reason } => reason.as_str(),
                _ => "an answer that makes no sense",
            };
            self.cancel(format!("{what}: {reason}"));
        }
    }

    fn prepared(&mut self, now: Now, asked_at: Boot, state: PrepareState, message: &str) {
        self.attempts = 0;
        if state == PrepareState::Failed {
            self.cancel(format!("the preparation failed: {message}"));
            return;
        }
        let policy = &self.terms.policy;
        let pause_ms = POLL_MS.min(policy.beat_ms);
        let done = state == PrepareState::Done;
        if let Stage::Noticing(notice) = &mut self.stage {
            notice.done |= done;
            notice.plan_poll(now.boot, pause_ms);
            if !notice.done && asked_at >= notice.give_up_at {
                self.cancel(String::from("the preparation took too long"));
            }
            return;
        }
        let until = now.boot.plus(policy.notice_ms);
        let mut notice = Notice {
            until,
            give_up_at: until.plus(policy.pre_snooze_ms),
            poll_at: until,
            done,
        };
        notice.plan_poll(now.boot, pause_ms);
        let message = format!("The host has notice of {}.", duration(policy.notice_ms));
        self.file(AuditKind::Notice, message);
        self.go(Stage::Noticing(notice));
    }

    /// P8 and S8: only a running instance that nothing protects, and tags as they are now.
    fn protections(&mut self, now: Now, instance: &Protections) {
        match instance.state {
            InstanceState::Running => {}
            InstanceState::Stopping | InstanceState::Stopped => {
                self.pen.want = Some(Want::Stopping(Whose::Others));
                return;
            }
            other => {
                self.cancel(format!("the instance is not running but {other:?}"));
                return;
            }
        }
        let tags = tag_obstacles(&self.terms.policy, &instance.tags);
        let tags = tags.iter().map(|obstacle| format!("{obstacle}"));
        let against: Vec<String> = instance.forbids.iter().cloned().chain(tags).collect();
        if !against.is_empty() {
            self.cancel(against.join(" "));
        } else if self.terms.self_boot.is_some() && self.terms.policy.write_tags {
            self.tagged = true;
            self.go(Stage::Tagging);
        } else {
            self.settle(now);
        }
    }

    fn settle(&mut self, now: Now) {
        let until = now.boot.plus(self.terms.policy.settle_ms);
        self.go(Stage::Settling { until });
    }

    fn verified(&mut self, now: Now, question: &Question, answer: &Verified) {
        let Some(claim) = self.pen.claim() else {
            return;
        };
        let opened = Opened {
            claim,
            voters: &self.voters,
        };
        match check(&self.terms.policy, opened, question, answer, now.boot) {
            Ok(idle_ms) => {
                let message = format!("Verified: idle for {}.", duration(idle_ms));
                self.file(AuditKind::Verified, message);
                self.go(Stage::Verified {
                    asked_at: question.asked_at,
                });
            }
            Err(Verdictless::Useless(why)) => self.ask_again(now, why),
            Err(Verdictless::Veto(why)) => self.cancel(why),
        }
    }

    fn called(&mut self, outcome: CallOutcome) {
        let (message, want) = match outcome {
            CallOutcome::Accepted => (
                String::from("The cloud accepted the stop."),
                Want::Stopping(Whose::Ours),
            ),
            // Somebody else was faster: success all the same, and not our stop.
            CallOutcome::AlreadyStopping => (
                String::from("The instance was already stopping."),
                Want::Stopping(Whose::Others),
            ),
            CallOutcome::Refused { reason } => (
                format!("The cloud refused the stop: {reason}"),
                Want::Cancelled(format!("the cloud refused the stop: {reason}")),
            ),
            CallOutcome::NotSent { reason } => (
                format!("The stop was not sent: {reason}"),
                Want::Cancelled(format!("the stop was not sent: {reason}")),
            ),
            CallOutcome::Unknown { reason } => (
                format!("Nobody knows what became of the stop: {reason}"),
                Want::Unknown,
            ),
        };
        self.file(AuditKind::Call, message);
        self.pen.want = Some(want);
        self.go(Stage::Called);
    }
}

impl Notice {
    /// When the work is asked about next: after a pause, but at the end of the notice and at the end of the
    /// work's time at the latest, so that a time shorter than the pause is looked at as well.
    fn plan_poll(&mut self, now: Boot, pause_ms: u64) {
        let ends = [self.until, self.give_up_at].into_iter().filter(|end| *end > now);
        self.poll_at = ends.fold(now.plus(pause_ms), Boot::min);
    }
}
