//! What a plugin is asked, whatever it runs in.
//!
//! It counts every question and keeps none back: how often a plugin is asked is its caller's affair.

use super::{
    AskError, EVENTS_LIMIT, Plugin, Runtime, Work,
    wire::{bounded, handler_result, on_the_wire},
};
use crate::{
    line::{self, Method, PluginOpinion},
    stdio::{CallError, Errand, Limits},
};
use serde::Serialize;
use serde_json::Value;
use snooze_schemas::{
    EventType, HostId,
    event::{Event, HandlerResult},
    metrics::Metrics,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// As long as it lives its plugin is at work for a preparation.
struct Preparing<'a>(&'a AtomicUsize);

impl<'a> Preparing<'a> {
    fn begin(count: &'a AtomicUsize, work: Work) -> Option<Preparing<'a>> {
        (work == Work::Preparation).then(|| {
            count.fetch_add(1, Ordering::Relaxed);
            Preparing(count)
        })
    }
}

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct CheckIdleParams<'a> {
    metrics: &'a Metrics,
}

#[derive(Serialize)]
struct HandleEventParams {
    event: Value,
}

impl Plugin {
    /// Asks whether the host is idle.
    ///
    /// # Errors
    /// Why there is no opinion.
    pub async fn check_idle(
        self: &Arc<Self>,
        metrics: &Metrics,
        host: &HostId,
        limits: impl Into<Limits>,
    ) -> Result<PluginOpinion, AskError> {
        let (limits, start, was_preparing) = (limits.into(), self.start(), self.is_preparing());
        let asked = Instant::now();
        let outcome = match &self.runtime {
            Runtime::Process(process) => process
                .call(Method::CheckIdle, &CheckIdleParams { metrics }, limits)
                .await
                .map_err(AskError::of_call)
                .and_then(|result| line::opinion(&result).map_err(AskError::Odd)),
            Runtime::Nats(plugin) => {
                let was_there = plugin.is_present();
                let outcome = plugin.check_idle(metrics, host, limits.own).await;
                if !was_there && plugin.is_present() {
                    self.learn_events();
                }
                outcome
            }
        };
        let outcome = match outcome {
            Err(error) if error.is_of_work() && (was_preparing || self.is_preparing()) => {
                Err(AskError::Preparing)
            }
            other => other,
        };
        match &outcome {
            Ok(_) => self.voting().has_answered(),
            Err(AskError::UnknownMethod) if self.handles_events() => self.voting().leaves(start),
            Err(AskError::UnknownMethod) => self.voting().stays(),
            // One at work is there, and is asked when it is done.
            Err(error) if error.is_of_work() => {}
            Err(_) => self.voting().was_asked_in_vain(start),
        }
        // Who could not wait for its turn as long as a question may take has not asked it.
        let in_haste = limits.queue < limits.own;
        if in_haste && matches!(&outcome, Err(AskError::Process(CallError::Occupied(_)))) {
            return outcome;
        }
        if !matches!(&outcome, Err(AskError::Process(CallError::Starting))) {
            self.latencies.add(asked.elapsed());
        }
        if matches!(&outcome, Err(AskError::UnknownMethod)) && !self.voting().is_out() {
            return self.calls.no_opinion(asked.elapsed());
        }
        self.calls.count(asked.elapsed(), outcome)
    }

    /// Asks whether the host is idle, for a stop: one on the bus, which may have been started anew unseen, is
    /// configured again before.
    ///
    /// # Errors
    /// Why there is no opinion.
    pub(crate) async fn check_afresh(
        self: &Arc<Self>,
        metrics: &Metrics,
        host: &HostId,
        limits: Limits,
    ) -> Result<PluginOpinion, AskError> {
        if let Runtime::Nats(plugin) = &self.runtime {
            plugin.doubt();
        }
        self.check_idle(metrics, host, limits).await
    }

    /// One on the bus has appeared: asks it, beside everything else, which events it handles.
    fn learn_events(self: &Arc<Self>) {
        let plugin = self.clone();
        tokio::spawn(async move {
            if let Runtime::Nats(nats) = &plugin.runtime
                && let Err(error) = nats.learn_events(EVENTS_LIMIT).await
            {
                tracing::debug!(plugin = %plugin.name(), %error, "a plugin does not say which events it handles");
            }
        });
    }

    /// Gives it an event to handle, where it may have it. It is given it only once `begins` has come to a good end, which
    /// begins when it is its turn: what waits until then has not begun.
    ///
    /// # Errors
    /// That it may not, or why it is not known what became of it.
    pub(crate) async fn handle_event(
        &self,
        event: &Event,
        work: Work,
        left: Duration,
        begins: impl Future<Output = Result<(), String>> + Send,
    ) -> Result<HandlerResult, AskError> {
        if !self.may_be_given(&event.event_type) {
            self.note_withheld(&event.event_type);
            return Err(AskError::Withheld(event.event_type.clone()));
        }
        self.give_event(event, work, left, begins).await
    }

    /// Gives it an event, whether or not it may have it.
    ///
    /// # Errors
    /// Why it is not known what became of it.
    pub(crate) async fn give_event(
        &self,
        event: &Event,
        work: Work,
        left: Duration,
        begins: impl Future<Output = Result<(), String>> + Send,
    ) -> Result<HandlerResult, AskError> {
        let mut preparing = None;
        let asked = Instant::now();
        let outcome = match &self.runtime {
            Runtime::Process(process) => {
                let params = |left| {
                    // From when it is its turn, and no earlier: it may be busy with something else until then.
                    preparing = Preparing::begin(&self.preparing, work);
                    HandleEventParams {
                        event: on_the_wire(event, left),
                    }
                };
                let errand = Errand {
                    event: event.id.clone(),
                    severity: event.severity,
                };
                process
                    .call_by(Method::HandleEvent, errand, left, begins, params)
                    .await
                    .map_err(AskError::of_call)
                    .map(|result| handler_result(&result))
            }
            Runtime::Nats(plugin) => {
                preparing = Preparing::begin(&self.preparing, work);
                match begins.await {
                    Ok(()) => {
                        let left = left.saturating_sub(asked.elapsed());
                        plugin.handle_event(event, left).await.map(bounded)
                    }
                    Err(why) => Err(AskError::NotBegun(why)),
                }
            }
        };
        drop(preparing);
        self.calls.count(asked.elapsed(), outcome)
    }

    /// Which events it handles, as it said when it was introduced. One on the bus that has not said it yet
    /// is asked.
    ///
    /// # Errors
    /// Why it is not known.
    pub async fn supported_events(&self, within: Duration) -> Result<Vec<EventType>, AskError> {
        match &self.runtime {
            Runtime::Process(process) => match process.events() {
                Some(events) => Ok(events.to_vec()),
                None => Err(AskError::Odd("it has not introduced itself yet".to_owned())),
            },
            Runtime::Nats(plugin) => match plugin.events() {
                Some(events) => Ok(events),
                None => plugin.learn_events(within).await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config_book::ConfigBook, nats_plugin::NatsPlugin};
    use serde_json::json;
    use std::future::ready;

    #[tokio::test]
    async fn e6_what_cannot_be_noted_first_is_not_given_to_a_plugin_on_the_bus() {
        let server = snooze_test_harness::NatsServer::open().await;
        let host: HostId = "h1".parse().expect("a host id");
        let bus = server.bus(&snooze_bus::User::host(&host)).await;
        let subject = "snooze.v1.host.h1.plugin.remote.handle_event";
        let mut asked = bus.raw_subscribe(subject).await.expect("it may listen");
        let name = "remote".parse().expect("a name");
        let plugin = NatsPlugin::new(bus, host, name, Arc::new(ConfigBook::default()));
        let plugin = Plugin::new(Runtime::Nats(plugin));
        let event: Event = serde_json::from_value(json!({
            "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
            "noticed_at": "2026-01-01T00:00:00Z", "data": {},
        }))
        .expect("an event");
        let limit = Duration::from_secs(1);
        let begins = ready(Err("the disk is full".to_owned()));
        let outcome = plugin.give_event(&event, Work::Event, limit, begins).await;
        assert!(matches!(outcome, Err(AskError::NotBegun(_))), "{outcome:?}");
        let mut other = event;
        other.id = "e2".parse().expect("an id");
        let outcome = plugin.give_event(&other, Work::Event, limit, ready(Ok(()))).await;
        outcome.expect_err("nobody answers");
        let first = asked.next().await.expect("one is asked");
        let first: Value = snooze_bus::decode(&first.payload).expect("a body");
        assert_eq!(first["event"]["id"], "e2");
        assert_eq!(plugin.stats().calls, 1, "what was not asked is not counted");
    }
}
