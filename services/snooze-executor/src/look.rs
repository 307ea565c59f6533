//! One look at a host: its launch generation and tags go into the roster's record, a tag that says
//! `Stopped` of a running machine is mended (P4), a wake that has come true is cleared (P2), and once for
//! each instance it is seen whether this process may stop it at all.
//!
//! Nothing here stops anything, and no stop rests on it.

use crate::{
    context::Context,
    convert,
    perform::chain,
    provider::{Cloud, Inspection, InstanceState, Permission, Target, tags},
};
use snooze_decision::claim::{self, Entry, HostRecord, note_running, tags_to_mend};
use snooze_schemas::{HostId, audit::AuditKind, event::Scope};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Instances whose permissions are remembered as checked; beyond that many, all are checked once more.
const CHECKED: usize = 100_000;

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    Done,
    Failed,
}

/// Looks at hosts; clones share what was checked.
#[derive(Debug, Clone)]
pub(crate) struct Looker {
    context: Context,
    checked: Arc<Mutex<HashMap<HostId, Target>>>,
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
        let Some((revision, mut record)) = stored else {
            return Ok(());
        };
        let target = Target::from_roster(host, &record);
        if context.reach.check(&target).is_err() {
            return Ok(());
        }
        let cloud = context.clouds.of(&target).map_err(|error| chain(&error))?;
        let inspection = cloud.inspect(&target).await.map_err(|error| chain(&error))?;
        let mut is_news = false;
        if record.tags != inspection.tags {
            record.tags.clone_from(&inspection.tags);
            is_news = true;
        }
        // A host off a cloud, or one whose metadata did not answer, knows of none: that is no other launch.
        if let Some(launch) = launch
            && record.launch.as_deref() != Some(launch)
        {
            record.launch = Some(launch.to_owned());
            is_news = true;
        }
        if is_news && let Err(error) = context.store.update_roster(host, &record, revision).await {
            // Where it has moved, somebody knows better; the next look tells.
            tracing::debug!(host = %host, error = %chain(&error), "the roster's record was not refreshed");
        }
        self.clear_wake(host, &entry, inspection.state).await?;
        self.mend_tags(host, &entry, (cloud, &target), &inspection)
            .await?;
        self.check_permission(host, cloud, target).await
    }

    /// P2: a machine that is seen running is what was wished for.
    async fn clear_wake(
        &self,
        host: &HostId,
        entry: &Entry<HostRecord>,
        state: InstanceState,
    ) -> Result<(), String> {
        let is_waited_for = entry.value.wake.is_some() && entry.value.claim.is_none();
        if state != InstanceState::Running || !is_waited_for {
            return Ok(());
        }
        let context = &self.context;
        let running = note_running(entry, context.now().wall);
        let updated = context.store.update(host, running, entry.revision).await;
        updated.map_err(|error| chain(&error))?;
        let message = "The machine runs.".to_owned();
        context
            .file(Scope::Host(host.clone()), AuditKind::Wake, message)
            .await;
        Ok(())
    }

    async fn mend_tags(
        &self,
        host: &HostId,
        entry: &Entry<HostRecord>,
        (cloud, target): (&dyn Cloud, &Target),
        inspection: &Inspection,
    ) -> Result<(), String> {
        let context = &self.context;
        let Ok(policy) = context.mirror.view(host).policy else {
            // Its prefix is not known; the intake says what is wrong with the policy.
            return Ok(());
        };
        if !policy.wire.enable_instance_tags {
            return Ok(());
        }
        let status = tags::status(&policy.wire, &inspection.tags);
        let Some(state) = convert::instance_state(inspection.state) else {
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

    /// Once for each instance: whether it may be stopped, asked with a dry run of the stop itself.
    async fn check_permission(&self, host: &HostId, cloud: &dyn Cloud, target: Target) -> Result<(), String> {
        if self.checked(|checked| checked.get(host) == Some(&target)) {
            return Ok(());
        }
        let permission = cloud.permission_check(&target).await;
        if let Permission::Denied(why) = permission.map_err(|error| chain(&error))? {
            let instance = target.instance();
            tracing::warn!(host = %host, instance, why, "this executor may not stop the host");
            let message = format!("A stop of {instance} would be refused: {why}");
            self.context
                .file(Scope::Host(host.clone()), AuditKind::Alarm, message)
                .await;
        }
        self.checked(|checked| {
            if checked.len() >= CHECKED {
                checked.clear();
            }
            checked.insert(host.clone(), target);
        });
        Ok(())
    }

    fn checked<T>(&self, with: impl FnOnce(&mut HashMap<HostId, Target>) -> T) -> T {
        with(&mut self.checked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
