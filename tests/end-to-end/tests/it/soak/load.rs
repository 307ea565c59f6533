//! Senders of all severities, one each, which note what was acknowledged. Each sends on until it is told to end; while
//! too many of its events are not handled it waits.

use super::{LIMIT, records::Records, stage::Stage};
use crate::separate::host;
use serde_json::json;
use snooze_bus::{Bus, Subject};
use snooze_schemas::{
    Timestamp,
    event::{CustomEvent, Filed, Scope, Severity},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Between two events of one severity.
const PACE: Duration = Duration::from_millis(50);

/// So many of one severity may be acknowledged and not handled.
const BACKLOG: usize = 48;

/// How long a sender waits for one acknowledgement.
const ANSWER: Duration = Duration::from_secs(5);

/// What every second urgent event has left: more than any recovery takes.
const LEFT: Duration = Duration::from_secs(240);

/// The type of all events.
const TYPE: &str = "soak";

/// What became of the events of one severity on their way to a stream.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// How many different ones were sent.
    pub(crate) events: usize,
    /// How many of them were sent again, as nobody had said that they are filed.
    pub(crate) again: usize,
    /// The ids of those that are filed, as somebody said, in this order.
    pub(crate) acknowledged: Vec<String>,
    /// Those of them that are not handled yet.
    open: Vec<String>,
}

/// All senders.
pub(crate) struct Load {
    sent: Arc<[Mutex<Sent>; 4]>,
    end: watch::Sender<bool>,
    senders: Mutex<JoinSet<()>>,
}

impl Load {
    /// Lets one sender of each severity begin.
    pub(crate) async fn start(stage: &Stage) -> Load {
        let (end, ends) = watch::channel(false);
        let sent: Arc<[Mutex<Sent>; 4]> = Arc::default();
        let mut senders = JoinSet::new();
        for severity in Severity::DESCENDING {
            let bus = stage.source().await;
            let sending = send(bus, severity, sent.clone(), stage.records.clone(), ends.clone());
            senders.spawn(sending);
        }
        Load {
            sent,
            end,
            senders: Mutex::new(senders),
        }
    }

    /// How many were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        let of = |severity| self.of(severity).acknowledged.len();
        Severity::DESCENDING.into_iter().map(of).sum()
    }

    /// What became of those of one severity.
    pub(crate) fn of(&self, severity: Severity) -> MutexGuard<'_, Sent> {
        of(&self.sent, severity)
    }

    /// These will never be handled: nobody waits for them.
    pub(crate) fn give_up(&self, severity: Severity, ids: &[String]) {
        self.of(severity).open.retain(|id| !ids.contains(id));
    }

    /// Waits until each sender's last event is acknowledged.
    pub(crate) async fn end(&self) {
        self.end.send_replace(true);
        let senders = std::mem::take(&mut *self.senders.lock().unwrap_or_else(PoisonError::into_inner));
        senders.join_all().await;
    }
}

/// What an event is filed under.
pub(crate) fn subject(severity: Severity, id: &str) -> Subject {
    Subject::Event {
        scope: Scope::Host(host()),
        severity,
        id: id.parse().expect("an id"),
        event_type: format!("custom.{TYPE}").parse().expect("a type"),
    }
}

async fn send(
    bus: Bus,
    severity: Severity,
    sent: Arc<[Mutex<Sent>; 4]>,
    records: Arc<Records>,
    mut ends: watch::Receiver<bool>,
) {
    let custom = Subject::Custom {
        source: super::stage::SOURCE.parse().expect("a source"),
        event_type: TYPE.parse().expect("a type"),
    };
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            _ = ends.wait_for(|end| *end) => return,
        }
        {
            let mut sent = of(&sent, severity);
            sent.open.retain(|id| !records.is_kept(id));
            if sent.open.len() >= BACKLOG {
                continue;
            }
            sent.events += 1;
        }
        number += 1;
        let has_deadline = severity >= Severity::Urgent && number % 2 == 0;
        let event = CustomEvent {
            id: Some(format!("{}-{number}", u8::from(severity)).parse().expect("an id")),
            host: Some(host()),
            severity: Some(severity),
            happened_at: None,
            deadline: has_deadline.then(|| Timestamp::now() + LEFT),
            data: [("number".to_owned(), json!(number))].into_iter().collect(),
        };
        let (mut tries, given_up) = (1, Instant::now() + LIMIT);
        let filed: Filed = loop {
            match bus.request(&custom, &event, ANSWER).await {
                Ok(filed) => break filed,
                Err(error) => assert!(Instant::now() < given_up, "nobody acknowledges: {error:?}"),
            }
            tries += 1;
            pace.tick().await;
        };
        let mut sent = of(&sent, severity);
        sent.again += usize::from(tries > 1);
        sent.acknowledged.push(filed.id.to_string());
        sent.open.push(filed.id.to_string());
    }
}

fn of(sent: &[Mutex<Sent>; 4], severity: Severity) -> MutexGuard<'_, Sent> {
    let of = &sent[usize::from(u8::from(severity))];
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
