//! Preparing a host for a stop: journal, notice, pre-snooze work, and undoing it all (P7, S12, S13).
//!
//! **Invariant:** a claim lower than one that was seen is refused, across restarts. **Invariant:** a
//! preparation is undone, and plugins are told so, when it is cancelled, when its duration runs out
//! and when the host comes up under another boot id, whoever died meanwhile. **Invariant:** plugins hear
//! that a stop is off after all that they do before it has ended, and begin nothing of it afterwards.

mod book;
mod notice;
mod undoing;
mod work;

pub(crate) use book::{Book, Undo};

use crate::{
    events::Desk,
    files::{self, Durability, FileError},
    policy::PolicyInForce,
    tally::ms,
};
use book::Step;
use serde_json::{Map, Value};
use snooze_schemas::{
    ErrorCode, HostId, Refusal,
    event::{Event, Scope, Severity},
    host::{Action, Cancel, Prepare, PrepareState, Prepared},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use work::AtWork;

/// The event that plugins get before a stop.
pub(crate) const PENDING: &str = "snooze.pending";

/// Prepares and undoes.
#[derive(Debug)]
pub(crate) struct Preparations {
    host: HostId,
    clocks: Clocks,
    desk: Arc<Desk>,
    policy: watch::Receiver<Arc<PolicyInForce>>,
    terminals: PathBuf,
    journal: PathBuf,
    shutdown: CancellationToken,
    book: Mutex<Book>,
    at_work: AtWork,
    changed: Notify,
}

/// What preparing works with.
pub(crate) struct Parts {
    /// The host that it is on.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The clocks.
    pub clocks: Clocks,
    /// Where pre-snooze work is done.
    pub desk: Arc<Desk>,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// Where the terminals of people are.
    pub terminals: PathBuf,
    /// The journal's file.
    pub journal: PathBuf,
    /// What tells running work that the service ends.
    pub shutdown: CancellationToken,
}

impl Preparations {
    /// Opens the journal; what it holds of another boot is undone by [`watch`](Self::watch).
    ///
    /// # Errors
    /// When the journal cannot be read: without it nothing could be refused.
    pub(crate) fn open(parts: Parts) -> Result<Arc<Preparations>, FileError> {
        let mut book = files::read::<Book>(&parts.journal)?.unwrap_or_default();
        book.begin(&parts.boot_id);
        Ok(Arc::new(Preparations {
            host: parts.host,
            clocks: parts.clocks,
            desk: parts.desk,
            policy: parts.policy,
            terminals: parts.terminals,
            journal: parts.journal,
            shutdown: parts.shutdown,
            book: Mutex::new(book),
            at_work: AtWork::default(),
            changed: Notify::new(),
        }))
    }

    /// Begins a preparation, or says how far it is when the same claim comes again.
    ///
    /// # Errors
    /// When a higher claim was seen, or the journal cannot be written.
    pub(crate) async fn prepare(self: &Arc<Self>, request: Prepare) -> Result<Prepared, Refusal> {
        let mut book = self.book.lock().await;
        let mut next = book.clone();
        match next.prepare(&request, self.clocks.boottime_ms())? {
            Step::Poll(prepared) => Ok(prepared),
            Step::Begin(prepared) => {
                // What cannot be journalled has not been promised, and the one before it is not undone.
                self.save(&next).await?;
                *book = next;
                let off = self.at_work.begin(request.claim);
                drop(book);
                self.changed.notify_one();
                tracing::info!(
                    claim = request.claim,
                    reason = request.reason,
                    "this host is prepared for a stop"
                );
                let this = self.clone();
                tokio::spawn(async move {
                    let claim = request.claim;
                    // What is under way at shutdown is found in the journal, and has failed.
                    tokio::select! {
                        () = this.shutdown.clone().cancelled_owned() => {}
                        () = this.clone().carry_out(request, off) => {}
                    }
                    this.at_work.end(claim);
                    this.changed.notify_one();
                });
                Ok(prepared)
            }
        }
    }

    /// Undoes a preparation. One that is undone already, or never was, is as good as undone.
    ///
    /// # Errors
    /// When a higher claim was seen, or the journal cannot be written.
    pub(crate) async fn cancel(self: &Arc<Self>, request: &Cancel) -> Result<(), Refusal> {
        let mut book = self.book.lock().await;
        // Undone in any case: not to be prepared is safe, whatever the disk says.
        book.cancel(request)?;
        self.call_off(&book);
        self.changed.notify_one();
        self.save(&book).await
    }

    /// Whether the preparation of this claim is in force and its work done; the reason where it is not.
    pub(crate) async fn in_force(&self, claim: u64) -> Result<(), String> {
        self.book.lock().await.in_force(claim, self.clocks.boottime_ms())
    }

    /// Prolongs a preparation that is in force (P3).
    ///
    /// # Errors
    /// Why it is not in force, or could not be prolonged.
    pub(crate) async fn prolong(&self, claim: u64, by_ms: u64) -> Result<(), String> {
        let mut book = self.book.lock().await;
        let mut next = book.clone();
        next.prolong(claim, self.clocks.boottime_ms(), by_ms)?;
        self.save(&next).await.map_err(|refusal| refusal.message)?;
        *book = next;
        Ok(())
    }

    /// Has the work end that the book does not know as in force any more.
    fn call_off(&self, book: &Book) {
        let now_ms = self.clocks.boottime_ms();
        self.at_work.call_off(|claim| book.left(claim, now_ms).is_zero());
    }

    /// Notice, waiting, pre-snooze work. Ends early when the preparation is undone meanwhile.
    async fn carry_out(self: Arc<Self>, request: Prepare, off: CancellationToken) {
        let claim = request.claim;
        let notice = Duration::from_millis(request.notice_ms);
        let text = notice_text(&self.host, &request);
        notice::tell(self.terminals.clone(), text).await;
        tokio::select! {
            () = tokio::time::sleep(notice) => {}
            () = off.cancelled() => return,
        }
        if !self.move_to(claim, PrepareState::Working, String::new()).await {
            return;
        }
        let limit = Duration::from_millis(ms(self.policy.borrow().policy.pre_snooze_seconds));
        let left = limit.min(self.book.lock().await.left(claim, self.clocks.boottime_ms()));
        let event = self.event(PENDING, Severity::Urgent, claim, &request.reason);
        let (state, message) = match self.desk.handle_own(event, left, &off).await {
            Err(why) => (PrepareState::Failed, why),
            Ok(outcome) => {
                let failed: Vec<String> = outcome
                    .handlers
                    .iter()
                    .filter(|handler| !handler.result.succeeded)
                    .map(|handler| format!("{}: {}", handler.plugin, handler.result.message))
                    .collect();
                if failed.is_empty() {
                    (PrepareState::Done, String::new())
                } else {
                    (PrepareState::Failed, failed.join("; "))
                }
            }
        };
        self.move_to(claim, state, message).await;
    }

    async fn move_to(&self, claim: u64, state: PrepareState, message: String) -> bool {
        let mut book = self.book.lock().await;
        if !book.move_to(claim, state, message, self.clocks.boottime_ms()) {
            return false;
        }
        // A state that could not be written is still the truth of this process; a restart finds the
        // one before it and calls the preparation interrupted.
        if let Err(refusal) = self.save(&book).await {
            tracing::error!(
                claim,
                why = refusal.message,
                "the state of a preparation is not in the journal"
            );
        }
        true
    }

    /// An event of our own. Its id follows from what it is about, so that it is handled once.
    fn event(&self, event_type: &str, severity: Severity, claim: u64, reason: &str) -> Event {
        let id = format!("{}-{claim}", event_type.replace('.', "-"));
        let mut data = Map::new();
        data.insert("claim".to_owned(), Value::from(claim));
        data.insert("reason".to_owned(), Value::from(reason));
        Event {
            id: id.parse().expect("a type of ours and a number make a valid id"),
            event_type: event_type.parse().expect("a type of ours is valid"),
            severity,
            source: "plugin-runner".to_owned(),
            host: Scope::Host(self.host.clone()),
            happened_at: None,
            noticed_at: self.clocks.wall(),
            deadline: None,
            data,
        }
    }

    /// Writes the journal, waiting for the disk off the loop.
    async fn save(&self, book: &Book) -> Result<(), Refusal> {
        let (path, copy) = (self.journal.clone(), book.clone());
        let written =
            tokio::task::spawn_blocking(move || files::replace(&path, &copy, Durability::Synced)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(error = one_line(&error), "a preparation cannot be journalled");
                Err(Refusal::new(
                    ErrorCode::Internal,
                    "the preparation cannot be journalled",
                ))
            }
            Err(_) => Err(Refusal::new(ErrorCode::Unavailable, "the runner ends")),
        }
    }
}

fn notice_text(host: &HostId, request: &Prepare) -> String {
    let what = match request.action {
        Action::Stop => "stopped",
        Action::Hibernate => "hibernated",
    };
    let seconds = request.notice_ms / 1000;
    format!(
        "CloudSnooze: {host} will be {what} in {seconds} s: {}. Use it, or run `snooze postpone {host}`, to keep it awake.",
        request.reason
    )
}
