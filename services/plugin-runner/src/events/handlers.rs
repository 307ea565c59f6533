//! Who handles an event, in which order: by the configuration, else by their manifests, else by what plugins
//! say themselves.
//!
//! Who is known begins at once. Only a plugin that may be given the event and has not introduced itself since the
//! runner's start is waited for, beside those that are at work, and takes its place when it has. Whoever cannot be
//! given it, whatever he says of himself, keeps neither the others nor the report waiting. Who would be asked and is not
//! run, as one whose files are others than were approved, is told of in its place.

mod finding;
mod terms;

pub(crate) use terms::covers;

use super::{Known, asking::failed};
use crate::{plugin::Plugin, plugins::Plugins, policy::PolicyInForce};
use finding::{Told, handler_of, is_withheld, place_of_absent};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use snooze_schemas::{
    PluginName,
    event::{Event, HandlerOutcome},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A plugin that is asked to handle an event.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    /// Whom to ask.
    pub plugin: Arc<Plugin>,
    /// How long it may take at most, where that was configured.
    pub time_out: Option<Duration>,
    /// Whether it may be asked again when it is not known how it ended (E6).
    pub repeat: Repeat,
}

/// Whether a handler may be asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Asking twice does the same as asking once.
    Idempotent,
    /// Nobody said so: never twice.
    Never,
}

/// Handlers of the same priority; they are asked at once.
pub(crate) type Tier = Vec<Handler>;

impl Handler {
    /// Whether it has not been asked yet, or may be asked again.
    pub(super) fn is_due(&self, known: &Known) -> bool {
        match known.handlers.get(&self.plugin.name()) {
            None => true,
            Some(Some(_)) => false,
            Some(None) => self.repeat == Repeat::Idempotent,
        }
    }
}

/// A plugin, and with which priority it handles the event if it does.
type Found = (PluginName, Option<(i64, Handler)>);

/// The handlers of one event that are still to be asked.
pub(crate) struct Handlers {
    tiers: BTreeMap<i64, Tier>,
    /// Those of whom it is not known yet whether they handle it.
    unknown: FuturesUnordered<BoxFuture<'static, Found>>,
    /// Their names.
    awaited: BTreeSet<PluginName>,
    /// Those that may not have it.
    withheld: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Those that are not run, and what is told of them.
    absent: BTreeMap<i64, Vec<HandlerOutcome>>,
    /// The lowest priority whose turn has come.
    reached: Option<i64>,
    /// Two processes may tell the same name; only the first is asked.
    names: BTreeSet<PluginName>,
}

impl Handlers {
    /// Looks for them. A plugin that has not introduced itself yet is waited for no longer than `patience`.
    pub(crate) fn of(
        plugins: &Arc<Plugins>,
        policy: &PolicyInForce,
        event: &Event,
        left: Duration,
        patience: Duration,
    ) -> Handlers {
        let told = Arc::new(Told::of(event, left));
        let mut handlers = Handlers::nobody();
        for plugin in plugins.all() {
            let name = plugin.name();
            if !plugins.is_enabled(policy, &name) {
                continue;
            }
            let (plugins, told) = (plugins.clone(), told.clone());
            // Its manifest and its own word grant nothing (I4).
            if plugin.may_be_given(&event.event_type) {
                handlers.awaited.insert(name.clone());
                let found = async move { (name, handler_of(plugin, &plugins, &told, patience).await) };
                handlers.unknown.push(found.boxed());
            } else {
                let noted = async move { is_withheld(&plugin, &plugins, &told, patience).await };
                handlers.withheld.push(noted.boxed());
            }
        }
        for absent in plugins.absent(policy) {
            if let Some(priority) = place_of_absent(&absent, plugins, &told) {
                let told = failed(&absent.name, &absent.why, 0);
                handlers.absent.entry(priority).or_default().push(told);
            }
        }
        handlers
    }

    /// Nobody.
    pub(crate) fn nobody() -> Handlers {
        Handlers {
            tiers: BTreeMap::new(),
            unknown: FuturesUnordered::new(),
            awaited: BTreeSet::new(),
            withheld: FuturesUnordered::new(),
            absent: BTreeMap::new(),
            reached: None,
            names: BTreeSet::new(),
        }
    }

    /// Says of those that handle the event and may not have it that they do not get it. It may take as long as they
    /// take to introduce themselves.
    pub(super) fn say_what_is_withheld(&mut self) -> impl Future<Output = ()> + use<> {
        std::mem::take(&mut self.withheld).collect()
    }

    /// The next of those that are known, the highest priority first; waits only where none is known. And in
    /// how many parts the time has to be shared, its own included.
    pub(crate) async fn next(&mut self) -> Option<(Tier, u32)> {
        loop {
            while let Some(Some(found)) = self.unknown.next().now_or_never() {
                self.add(found);
            }
            if let Some((priority, tier)) = self.tiers.pop_last() {
                self.reached = Some(self.reached.unwrap_or(priority).min(priority));
                let others = self.tiers.len() + usize::from(!self.unknown.is_empty());
                return Some((tier, u32::try_from(others + 1).unwrap_or(u32::MAX)));
            }
            let Some(found) = self.unknown.next().await else {
                self.reached = Some(i64::MIN);
                return None;
            };
            self.add(found);
        }
    }

    /// What is told of those that are not run and whose turn has come.
    pub(super) fn absent(&mut self) -> impl Iterator<Item = HandlerOutcome> + use<> {
        let passed = self.reached.map(|reached| self.absent.split_off(&reached));
        passed.unwrap_or_default().into_values().rev().flatten()
    }

    /// The names of those that are known and whose turn has not come.
    pub(super) fn left(&mut self) -> Vec<PluginName> {
        while let Some(Some(found)) = self.unknown.next().now_or_never() {
            self.add(found);
        }
        let left = self.tiers.values().rev().flatten();
        let left = left.map(|handler| handler.plugin.name());
        let below = |(priority, _): &(&i64, _)| self.reached.is_none_or(|reached| **priority < reached);
        let absent = self.absent.iter().rev().filter(below).flat_map(|(_, told)| told);
        left.chain(absent.map(|told| told.plugin.clone())).collect()
    }

    /// Waits until it is known of these whether they handle the event, and for nobody else, and returns who may be asked
    /// again.
    pub(crate) async fn idempotent(&mut self, open: &BTreeSet<PluginName>) -> BTreeSet<PluginName> {
        while !open.is_disjoint(&self.awaited)
            && let Some(found) = self.unknown.next().await
        {
            self.add(found);
        }
        let all = self.tiers.values().flatten();
        let again = all.filter(|handler| handler.repeat == Repeat::Idempotent);
        again.map(|handler| handler.plugin.name()).collect()
    }

    fn add(&mut self, (name, handler): Found) {
        self.awaited.remove(&name);
        if let Some((priority, handler)) = handler
            && self.names.insert(handler.plugin.name())
        {
            self.tiers.entry(priority).or_default().push(handler);
        }
    }
}

#[cfg(test)]
mod tests;
