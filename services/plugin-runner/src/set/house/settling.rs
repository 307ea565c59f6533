//! Starts and ends plugins so that those run that are to.
//!
//! It looks at no file: what is to run was said by a look, and is taken at its word.

use super::House;
use crate::{
    guest::Seat,
    manifest::FILE,
    plugins::Roll,
    set::{Cause, Looked, Member, Step, steps, tenant::Tenant},
};
use snooze_schemas::{PluginName, plugin::approval::Approval};
use std::{collections::BTreeSet, sync::Arc};

impl House {
    /// Starts and ends what has to be, and tells who there is.
    pub(super) fn settle(&mut self, mut looked: Looked, anew: &BTreeSet<PluginName>) {
        self.tell_what_is_odd(&looked);
        self.ending.retain(|_, ended| !ended.is_cancelled());
        let running = self.running.iter();
        let running = running.map(|(name, running)| (name, &running.member));
        let mut born = Vec::new();
        for step in steps(running, &looked.members, anew) {
            let (name, is_wanted) = match step {
                Step::End(name) => (name, false),
                Step::Start(name) | Step::Anew(name) => (name, true),
            };
            let before = self.running.remove(&name);
            let held = before
                .as_ref()
                .and_then(|before| before.member.grant.approval.clone());
            if let Some(before) = before {
                tracing::info!(plugin = %name, "a plugin is ended, as it is not what is to run");
                *self.generations.entry(name.clone()).or_default() += 1;
                self.ending.insert(name.clone(), before.end());
            }
            if is_wanted && let Some(member) = looked.members.remove(&name) {
                self.note_approval(held.as_deref(), &member);
                let generation = self.generations.get(&name).copied().unwrap_or_default();
                let ended = self.ending.get(&name).cloned();
                // A library that hangs is still there when another is to take its place.
                let seat = self.seats.entry(name);
                let seat = seat
                    .or_insert_with(|| Arc::new(Seat::among(&self.starts)))
                    .clone();
                let tenant = Tenant::new(&self.parts, self.control_groups.clone(), member, generation, seat);
                born.push((tenant, ended));
            }
        }
        let roll = Roll {
            hosted: born
                .iter()
                .map(|(tenant, _)| tenant)
                .chain(self.running.values())
                .map(|tenant| (tenant.name().clone(), tenant.hosted.clone()))
                .collect(),
            on_bus: looked.on_bus,
            missed: looked.missed,
            manifests: looked.manifests,
        };
        for (name, missed) in self.parts.plugins.enrol(roll) {
            tracing::warn!(plugin = %name, why = missed.why, "a plugin is not run");
            if missed.cause == Cause::OtherFiles {
                self.parts.trail.note(&name, &missed.why);
            }
        }
        // Only now: what is switched off is not even started.
        for (tenant, before) in born {
            let process = tenant.hosted.process.clone();
            self.alive.send_modify(|alive| alive.push(process));
            self.tasks.spawn(tenant.live(&self.parts, before));
            self.running.insert(tenant.name().clone(), tenant);
        }
    }

    /// Says it of each manifest once.
    fn tell_what_is_odd(&mut self, looked: &Looked) {
        self.told.retain(|name, _| looked.manifests.contains_key(name));
        for (name, manifest) in &looked.manifests {
            let sha256 = manifest.sha256().to_owned();
            if self.told.insert(name.clone(), sha256.clone()) == Some(sha256) {
                continue;
            }
            let file = manifest.folder().join(FILE);
            for warning in manifest.warnings() {
                tracing::warn!(plugin = %name, file = %file.display(), %warning, "a manifest is odd");
            }
        }
    }

    /// Says which approval a plugin runs by from now on.
    fn note_approval(&self, before: Option<&Approval>, member: &Member) {
        if let Some(approval) = member.grant.approval.as_deref()
            && before != Some(approval)
        {
            let what = format!("it runs by what {} approved at {}", approval.by, approval.at);
            self.parts.trail.note(&member.found.name, &what);
        }
    }
}
