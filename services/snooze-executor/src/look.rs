//! One look at a host: its launch generation and tags go into the roster's record, a tag that says
//! `Stopped` of a running machine is mended (P4), a wake that has come true is cleared (P2), and once for
//! each account and region it is seen whether this process may stop anything there at all.
//!
//! Nothing here stops anything, and no stop rests on it. A look at a healthy host is one question to its
//! cloud.

use crate::{
    context::Context,
    convert,
    perform::chain,
    provider::{Cloud, CloudError, InstanceState, Permission, Seen, Target, tags},
};
use snooze_decision::claim::{self, Entry, HostRecord, note_running, tags_to_mend};
use snooze_schemas::{
    HostId,
    audit::AuditKind,
    event::Scope,
    roster::{Provider, RosterRecord},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Accounts and regions that are remembered as checked; beyond that many, all are checked once more.
const CHECKED: usize = 10_000;

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    Done,
    Failed,
}

/// Where permissions are the same for every instance, as a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    provider: Provider,
    account: String,
    region: String,
}

impl Place {
    fn of(target: &Target) -> Self {
        Self {
            provider: target.provider(),
            account: target.account().to_owned(),
            region: target.region().to_owned(),
        }
    }
}

/// Looks at hosts; clones share what was checked.
#[derive(Debug, Clone)]
pub(crate) struct Looker {
    context: Context,
    checked: Arc<Mutex<HashSet<Place>>>,
}

impl Looker {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            checked: Arc::default(),
        }
    }

    /// Looks at a host. `launch` is the launch generation that it spoke of, where it did.
    pub(crate) async fn look(&self, host: &HostId, launch: Option<&str>) -> Result<(), String> {
        let context = &self.context;
        // The key comes first: a wake that is wanted after the machine was read is not cleared by it.
        let entry = context.store.host(host).await.map_err(|error| chain(&error))?;
        let stored = context.store.roster(host).await.map_err(|error| chain(&error))?;
        let Some((mut revision, mut record)) = stored else {
            return Ok(());
        };
        // What the host said needs no cloud, and must not be lost with a question to one. A host off a cloud,
        // or one whose metadata did not answer, knows of none: that is no other launch.
        if let Some(launch) = launch
            && record.launch.as_deref() != Some(launch)
        {
            record.launch = Some(launch.to_owned());
            revision = self.refresh(host, &record, revision).await?;
        }
        let target = Target::from_roster(host, &record);
        if context.reach.check(&target).is_err() {
            return Ok(());
        }
        let cloud = context.clouds.of(&target).map_err(|error| chain(&error))?;
        let seen = match cloud.see(&target).await {
            Ok(seen) => seen,
            // Nothing is to be mended, and asking again would not bring it back.
            Err(error @ CloudError::NoSuchInstance { .. }) => {
                tracing::debug!(host = %host, %error, "an enrolled instance is gone");
                return Ok(());
            }
            Err(error) => return Err(chain(&error)),
        };
        if record.tags != seen.tags {
            record.tags.clone_from(&seen.tags);
            self.refresh(host, &record, revision).await?;
        }
        if matches!(
            seen.state,
            InstanceState::ShuttingDown | InstanceState::Terminated
        ) {
            return Ok(());
        }
        let entry = self.clear_wake(host, entry, seen.state).await?;
        self.mend_tags(host, &entry, (cloud, &target), &seen).await?;
        self.check_permission(host, cloud, &target).await
    }

    /// Writes the roster's record; where it has moved, the whole look is made again.
    async fn refresh(&self, host: &HostId, record: &RosterRecord, revision: u64) -> Result<u64, String> {
        let written = self.context.store.update_roster(host, record, revision).await;
        written.map_err(|error| format!("refresh the roster's record: {}", chain(&error)))
    }

    /// P2: a machine that is seen running is what was wished for. Returns the key as it is then.
    async fn clear_wake(
        &self,
        host: &HostId,
        entry: Entry<HostRecord>,
        state: InstanceState,
    ) -> Result<Entry<HostRecord>, String> {
        let is_waited_for = entry.value.wake.is_some() && entry.value.claim.is_none();
        if state != InstanceState::Running || !is_waited_for {
            return Ok(entry);
        }
        let context = &self.context;
        let running = note_running(&entry, context.now().wall);
        let updated = context.store.update(host, running.clone(), entry.revision).await;
        let revision = updated.map_err(|error| chain(&error))?;
        let message = "The machine runs.".to_owned();
        context
            .file(Scope::Host(host.clone()), AuditKind::Wake, message)
            .await;
        Ok(Entry {
            revision,
            value: running,
        })
    }

    async fn mend_tags(
        &self,
        host: &HostId,
        entry: &Entry<HostRecord>,
        (cloud, target): (&dyn Cloud, &Target),
        seen: &Seen,
    ) -> Result<(), String> {
        let context = &self.context;
        let Ok(policy) = context.mirror.view(host).policy else {
            // Its prefix is not known; the intake says what is wrong with the policy.
            return Ok(());
        };
        if !policy.wire.enable_instance_tags {
            return Ok(());
        }
        let status = tags::status(&policy.wire, &seen.tags);
        let Some(state) = convert::instance_state(seen.state) else {
            return Ok(());
        };
        if tags_to_mend(state, status, &entry.value) == Some(claim::Tags::Running) {
            // A machine that stops itself is tagged before it is stopped (P10): only where nobody touched
            // the key all the while is the tag wrong. Else the next look tells.
            let now = context.store.host(host).await.map_err(|error| chain(&error))?;
            if now.revision != entry.revision {
                return Ok(());
            }
            let mended = tags::mended(&policy.wire);
            let written = cloud.write_tags(target, &mended).await;
            written.map_err(|error| chain(&error))?;
            let message = "The machine runs; its tag said that it was stopped.".to_owned();
            context
                .file(Scope::Host(host.clone()), AuditKind::Tags, message)
                .await;
        }
        Ok(())
    }

    /// Once for each account and region: whether this process may stop instances there, asked with a dry run
    /// of the stop of this one.
    async fn check_permission(
        &self,
        host: &HostId,
        cloud: &dyn Cloud,
        target: &Target,
    ) -> Result<(), String> {
        let place = Place::of(target);
        if self.checked(|checked| checked.contains(&place)) {
            return Ok(());
        }
        let permission = cloud.permission_check(target).await;
        let permission = permission.map_err(|error| chain(&error))?;
        // Looks at the same time may all have asked; one of them says what came of it.
        let is_first = self.checked(|checked| {
            if checked.len() >= CHECKED {
                checked.clear();
            }
            checked.insert(place)
        });
        if let (true, Permission::Denied(why)) = (is_first, permission) {
            let instance = target.instance();
            tracing::warn!(host = %host, instance, why, "this executor may not stop the host");
            let message = format!("A stop of {instance} would be refused: {why}");
            self.context
                .file(Scope::Host(host.clone()), AuditKind::Alarm, message)
                .await;
        }
        Ok(())
    }

    fn checked<T>(&self, with: impl FnOnce(&mut HashSet<Place>) -> T) -> T {
        with(&mut self.checked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
