//! Looks through the folders of plugins, off the loop, and says so where that does not end.
//!
//! **Invariant:** while it is not known what lies in the folders nobody takes this host for idle, and whoever gives an
//! order is told. It ends no look: what hangs in the kernel cannot be ended.

use super::{House, HouseError, note_end};
use crate::{
    backoff::Backoff,
    set::{Orders, Whereabouts, look, orders::Given},
};
use snooze_schemas::{ErrorCode, PluginName, Refusal, Timestamp};
use std::{collections::BTreeSet, pin::pin, time::Duration};
use tokio::time::{Instant, sleep};

impl House {
    /// Looks through the folders, and has those run that are to.
    ///
    /// # Errors
    /// When it could not look.
    pub(super) async fn look(&mut self, anew: BTreeSet<PluginName>) -> Result<(), HouseError> {
        let config = &self.parts.config;
        let at = Whereabouts::default();
        let orders = Orders {
            folders: config.plugin_folders.clone(),
            configs: config.plugin_configs.clone(),
            disabled: config.disabled(),
            policy: self.parts.policy.borrow_and_update().clone(),
            unloaded: self.unloaded.clone(),
            anew: anew.clone(),
            rest: config.restarts.forgiven_after,
            digests: self.parts.digests.clone(),
            shelf: self.parts.shelf.clone(),
            writers: config.fence.writers.clone(),
            at: at.clone(),
        };
        let mut known = std::mem::take(&mut self.parts.known);
        let mut stirs = std::mem::take(&mut self.stirs);
        let mut departed = std::mem::take(&mut self.parts.departed);
        let alive = self.alive.borrow().clone();
        let mut there: BTreeSet<PluginName> = alive.iter().map(|process| process.name()).collect();
        there.extend(self.running.keys().cloned());
        // A folder may lie on a disk that does not answer.
        let looked = tokio::task::spawn_blocking(move || {
            let mut looked = look(&orders, &mut known, &mut stirs);
            // Here, as nobody is started until this look is done.
            let named = looked
                .named
                .take()
                .map(|named| named.into_iter().chain(there).collect());
            departed.look(Instant::now(), named.as_ref());
            (looked, known, stirs, departed)
        });
        let watch = &mut self.watch;
        let mut looked = Box::pin(async move {
            let looked = looked.await?;
            watch.these(&looked.0.places).await?;
            Ok(looked)
        });
        let since = config.clocks.wall();
        let mut late = pin!(sleep(config.look_limit));
        let mut unanswered: Option<String> = None;
        let done = loop {
            // Cancelling these loses nothing: what it knew is on the disk already, and an order that was taken is
            // answered at once.
            tokio::select! {
                biased;
                () = self.parts.shutdown.cancelled() => return Ok(()),
                done = &mut looked => break done,
                Some(ended) = self.tasks.join_next() => note_end(&self.alive, ended)?,
                () = &mut late, if unanswered.is_none() => {
                    let why = silence(since, &at);
                    tracing::error!(why, "a look through the folders of plugins does not end");
                    self.parts.plugins.suspend(why.clone());
                    self.begun.send_replace(true);
                    if let Some(given) = self.attending.take() {
                        refuse(given, &why, "it is carried out when they do");
                    }
                    unanswered = Some(why);
                }
                Some(given) = self.orders.recv(), if unanswered.is_some() => {
                    refuse(given, unanswered.as_deref().unwrap_or_default(), "it is not carried out; give it again then");
                }
            }
        };
        drop(looked);
        if unanswered.is_some() {
            tracing::info!("the folders of plugins answer again");
        }
        let (looked, known, stirs, departed) = done.map_err(HouseError::Look)?;
        (self.parts.known, self.stirs, self.parts.departed) = (known, stirs, departed);
        let restarts = &self.parts.config.restarts;
        self.again = if looked.may_pass() {
            Some(Instant::now() + self.backoff.failed_after(Duration::ZERO, restarts))
        } else {
            self.backoff = Backoff::default();
            None
        };
        let rested = self.stirs.next(restarts.forgiven_after);
        let departed = self.parts.departed.next(Instant::now());
        self.again = self.again.into_iter().chain(rested).chain(departed).min();
        self.settle(looked, &anew);
        self.begun.send_replace(true);
        Ok(())
    }
}

/// What is told of folders that do not answer; the same for as long as they do not.
fn silence(since: Timestamp, at: &Whereabouts) -> String {
    let at = at.last();
    format!(
        "the folders of plugins have not answered since {} (it was last at {}): until they do, no plugin that is new, \
         changed or gone is seen, and none is loaded, unloaded or reloaded. Look whether that disk answers; \
         `snooze plugin disable NAME` and `snooze plugin approve NAME --revoke` end a plugin all the same",
        since.strftime("%Y-%m-%d %H:%M:%SZ"),
        at.display()
    )
}

fn refuse((_, reply): Given, why: &str, what: &str) {
    // Whoever gave it may have given up.
    drop(reply.send(Err(Refusal::new(
        ErrorCode::Unavailable,
        format!("{why}. As to this order: {what}"),
    ))));
}
