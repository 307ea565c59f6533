//! The way of a claim up to its call, in P4's order: intent, prepare, notice, pre-snooze work,
//! protections, settle, verify, commit, call.
//!
//! Nothing slow stands between verification and call, and every step is acknowledged by the audit trail
//! before the next begins. Any doubt on the way gives the claim up: the host stays up.

use super::action::{Action, AuditKind, Permit};
use super::holder::{ERRAND_MS, Holder};
use super::pen::Want;
use super::record::Progress;
use super::stage::{Stage, What};
use super::verification::Question;
use crate::policy::ANSWER_LIMIT_MS;
use crate::time::{Boot, Now};
use alloc::{format, string::String};

impl Holder {
    /// How far the claim is; `known` where this machine is not on the way up.
    pub(super) fn progress(&self, known: Progress) -> Progress {
        match &self.stage {
            Stage::Preparing => Progress::Preparing,
            Stage::Noticing(notice) if self.pen.stepped_at < notice.until => Progress::Noticing,
            Stage::Noticing(_) => Progress::PreSnooze,
            Stage::Protections | Stage::Tagging => Progress::Protections,
            Stage::Settling { .. } => Progress::Settling,
            Stage::Verifying | Stage::Verified { .. } => Progress::Verifying,
            _ => known,
        }
    }

    /// Gives the claim up where that is still possible: after the call it is not.
    pub(super) fn give_up(&mut self, why: String) {
        match (&self.stage, &self.pen.want) {
            (Stage::Arriving, Some(Want::Claim(..) | Want::ConfirmClaim)) => self.doomed = Some(why),
            (Stage::Verified { .. }, Some(Want::Commit | Want::ConfirmCommit)) => self.doomed = Some(why),
            (
                Stage::Preparing
                | Stage::Noticing(_)
                | Stage::Protections
                | Stage::Tagging
                | Stage::Settling { .. }
                | Stage::Verifying
                | Stage::Verified { .. }
                | Stage::Committed { .. },
                None,
            ) => self.cancel(why),
            _ => {}
        }
    }

    /// The key is to say cancelled next. What is out on an errand no longer matters, unless it is being
    /// filed.
    pub(super) fn cancel(&mut self, why: String) {
        self.errand.take_if(|errand| !matches!(errand.what, What::Audit));
        self.pen.want = Some(Want::Cancelled(why));
    }

    /// What was wanted stands in the key.
    pub(super) fn written(&mut self, now: Now, want: Want) {
        match want {
            Want::Claim(..) | Want::ConfirmClaim => {
                let reason = self
                    .pen
                    .claim()
                    .map_or_else(String::new, |claim| claim.reason.clone());
                self.file(AuditKind::Intent, format!("The host is to be stopped: {reason}"));
                self.go(Stage::Preparing);
            }
            Want::Commit | Want::ConfirmCommit => {
                if let Stage::Verified { asked_at } = self.stage {
                    self.file(
                        AuditKind::Committed,
                        String::from("Committed; the stop call follows."),
                    );
                    self.go(Stage::Committed { asked_at });
                }
            }
            after => self.enter(now, &after),
        }
        if let Some(why) = self.doomed.take() {
            self.cancel(why);
        }
    }

    /// What time alone brings about.
    pub(super) fn advance(&mut self, now: Now) {
        let filed = self.audits.is_empty();
        match self.stage.clone() {
            // Work that takes too long is found out by a poll, and a poll has an end of its own.
            Stage::Noticing(notice) if self.pen.want.is_none() && notice.done && now.boot >= notice.until => {
                self.drop_poll();
                self.go(Stage::Protections);
            }
            Stage::Settling { until } if now.boot >= until && self.pen.want.is_none() => {
                self.go(Stage::Verifying);
            }
            Stage::Verified { asked_at } => self.towards_commit(now, asked_at),
            Stage::Committed { asked_at } if self.pen.want.is_none() && !self.is_fresh(now, asked_at) => {
                self.cancel(String::from(
                    "the verification was too old when the commit was filed",
                ));
            }
            Stage::Filing if filed && self.pen.want.is_none() => self.pen.want = Some(Want::Free),
            Stage::Watching(_) => self.watch_the_clock(now),
            _ => {}
        }
    }

    fn drop_poll(&mut self) {
        self.errand.take_if(|errand| matches!(errand.what, What::Prepare));
    }

    fn is_fresh(&self, now: Now, asked_at: Boot) -> bool {
        now.boot.since(asked_at) < self.terms.policy.freshness_ms
    }

    fn towards_commit(&mut self, now: Now, asked_at: Boot) {
        let fresh = self.is_fresh(now, asked_at);
        match &self.pen.want {
            None if !self.audits.is_empty() => {}
            None if fresh => self.pen.want = Some(Want::Commit),
            None => self.ask_again(
                now,
                String::from("the verification was too old once it was filed"),
            ),
            Some(Want::Commit) if !self.pen.in_flight() && !self.pen.in_doubt() => {
                if let Some(why) = self.doomed.take() {
                    self.cancel(why);
                } else if !fresh {
                    self.cancel(String::from(
                        "the verification was too old by the time of the commit",
                    ));
                }
            }
            Some(_) => {}
        }
    }

    pub(super) fn ask_again(&mut self, now: Now, why: String) {
        self.questions += 1;
        if self.questions < super::holder::ATTEMPTS {
            self.resume_at = now.boot;
            self.go(Stage::Verifying);
        } else {
            self.cancel(why);
        }
    }

    /// The errand that the stage calls for.
    pub(super) fn ascent_errand(&mut self, now: Now) -> Option<(What, Action, u64)> {
        let policy = &self.terms.policy;
        let claim = self.pen.claim()?;
        match &self.stage {
            Stage::Preparing => self.prepare(),
            Stage::Noticing(notice) if !notice.done && now.boot >= notice.poll_at => self.prepare(),
            Stage::Protections => Some((What::Protections, Action::ReadProtections, ERRAND_MS)),
            Stage::Tagging if claim.tagged => {
                let action = Action::WriteTags(self.stopped_tags(now));
                Some((What::Tags, action, ERRAND_MS))
            }
            Stage::Verifying => {
                let question = Question {
                    claim: claim.number,
                    nonce: format!("{}-{}", self.drawn.nonce, self.questions),
                    asked_at: now.boot,
                };
                let action = Action::Verify {
                    claim: question.claim,
                    nonce: question.nonce.clone(),
                    prolong_ms: policy.quarantine_ms,
                };
                Some((What::Verify(question), action, policy.verify_limit_ms()))
            }
            Stage::Committed { asked_at } if !self.pen.in_doubt() => {
                let permit = Permit {
                    claim: claim.number,
                    action: claim.action,
                    not_after: asked_at.plus(policy.freshness_ms),
                    timeout_ms: policy.call_timeout_ms,
                };
                let within_ms = policy.call_timeout_ms;
                // From here on this machine can never plan a call again: no stage leads back.
                self.go(Stage::Calling);
                Some((What::Call, Action::Call(permit), within_ms))
            }
            _ => None,
        }
    }

    fn prepare(&self) -> Option<(What, Action, u64)> {
        let policy = &self.terms.policy;
        let claim = self.pen.claim()?;
        let action = Action::Prepare {
            claim: claim.number,
            duration_ms: policy.prepare_duration_ms(),
            notice_ms: policy.notice_ms,
            action: claim.action,
            reason: claim.reason.clone(),
        };
        Some((What::Prepare, action, ANSWER_LIMIT_MS.min(ERRAND_MS)))
    }
}
