//! Azure's Scheduled Events as they are documented ("Azure Metadata Service: Scheduled Events for Linux VMs"),
//! and the name of the machine ("Azure Instance Metadata Service").

use super::serve::{Answer, MetadataFault, MetadataQuestion, Provider, Serving};
use serde_json::{Value, json};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The service of one machine. Gone on drop.
#[derive(Debug)]
pub struct AzureMetadata {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug)]
struct State {
    machine: String,
    document: Mutex<Document>,
}

#[derive(Debug, Default)]
struct Document {
    incarnation: u64,
    events: Vec<Value>,
    /// How long the next answer takes.
    next_takes: Option<Duration>,
}

/// An event in the state `Scheduled` that names these machines.
#[must_use]
pub fn azure_event(id: &str, event_type: &str, machines: &[&str], not_before: &str) -> Value {
    json!({
        "EventId": id,
        "EventType": event_type,
        "ResourceType": "VirtualMachine",
        "Resources": machines,
        "EventStatus": "Scheduled",
        "NotBefore": not_before,
        "Description": "Host server is undergoing maintenance.",
        "EventSource": "Platform",
        "DurationInSeconds": 9,
    })
}

impl AzureMetadata {
    /// A service on which nothing is scheduled, for a machine of that name.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(machine: &str) -> AzureMetadata {
        let begun = AzureMetadata::try_start(machine).await;
        begun.expect("loopback has free ports")
    }

    /// The same.
    ///
    /// # Errors
    /// When there is no free port, or no more files can be opened.
    pub async fn try_start(machine: &str) -> io::Result<AzureMetadata> {
        let state = Arc::new(State {
            machine: machine.to_owned(),
            document: Mutex::default(),
        });
        let serving = Serving::start(Arc::clone(&state)).await?;
        Ok(AzureMetadata { state, serving })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// Schedules an event, or says another thing of one that is there.
    pub fn schedule(&self, event: Value) {
        self.state.lock().change(|events| {
            events.retain(|known| known["EventId"] != event["EventId"]);
            events.push(event);
        });
    }

    /// An event begins.
    pub fn begin(&self, id: &str) {
        self.state.lock().change(|events| {
            for event in events.iter_mut().filter(|event| event["EventId"] == id) {
                event["EventStatus"] = "Started".into();
                event["NotBefore"] = "".into();
            }
        });
    }

    /// An event is over, or will not happen: the service says neither, it only shows it no more.
    pub fn remove(&self, id: &str) {
        self.state
            .lock()
            .change(|events| events.retain(|known| known["EventId"] != id));
    }

    /// The next answer about events takes so long; the documents say up to two minutes for the first.
    pub fn next_answer_takes(&self, time: Duration) {
        self.state.lock().next_takes = Some(time);
    }

    /// Spoils every answer until it is mended.
    pub fn spoil(&self, fault: MetadataFault) {
        self.serving.spoil(fault);
    }

    /// Answers as documented again.
    pub fn mend(&self) {
        self.serving.mend();
    }

    /// All questions so far.
    #[must_use]
    pub fn questions(&self) -> Vec<MetadataQuestion> {
        self.serving.questions()
    }

    /// How many connections were made, those that ended at once too.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.serving.connections()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Document> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An approved event begins when Azure wants it to, which may be when all others on the host have approved
    /// it too: when the test says so.
    fn approve(body: &str) -> Answer {
        let Ok(asked) = serde_json::from_str::<Value>(body) else {
            return bad("the body is not JSON");
        };
        let requests = asked["StartRequests"].as_array();
        match requests.map(|requests| requests.iter().all(|request| request["EventId"].is_string())) {
            Some(true) => said(200, ""),
            Some(false) => bad("EventId is missing"),
            None => bad("StartRequests is missing"),
        }
    }
}

impl Document {
    fn change(&mut self, how: impl FnOnce(&mut Vec<Value>)) {
        how(&mut self.events);
        self.incarnation += 1;
    }
}

impl Provider for State {
    async fn answer(&self, question: &MetadataQuestion) -> Answer {
        if question.header("metadata") != Some("true") {
            return bad("Required metadata header not specified");
        }
        let version = question.parameter("api-version");
        match (question.method.as_str(), question.path.as_str(), version) {
            ("GET", "/metadata/instance/compute", Some("2021-02-01")) => {
                let compute = json!({
                    "azEnvironment": "AzurePublicCloud",
                    "name": self.machine,
                    "location": "westus",
                    "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
                });
                said(200, &compute.to_string())
            }
            ("GET", "/metadata/scheduledevents", Some("2020-07-01")) => {
                let takes = self.lock().next_takes.take();
                if let Some(time) = takes {
                    tokio::time::sleep(time).await;
                }
                let document = self.lock();
                let shown = json!({ "DocumentIncarnation": document.incarnation, "Events": document.events });
                said(200, &shown.to_string())
            }
            ("POST", "/metadata/scheduledevents", Some("2020-07-01")) => State::approve(&question.body),
            (_, "/metadata/instance/compute" | "/metadata/scheduledevents", _) => bad("Bad request"),
            _ => said(404, "{\"error\":\"Not found\"}"),
        }
    }
}

fn bad(why: &str) -> Answer {
    said(400, &json!({ "error": why }).to_string())
}

fn said(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}
