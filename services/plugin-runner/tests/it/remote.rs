//! A plugin on the bus that notes what it is asked, and can be away, slow, unwilling or forgetful.

use crate::stage::Stage;
use serde_json::{Value, json};
use snooze_bus::{Bus, User};
use std::sync::{Arc, Mutex};
use tokio::{sync::watch, task::JoinSet};

/// What it can be asked.
pub(crate) const METHODS: [&str; 6] = [
    "info",
    "configure",
    "initialize",
    "check_idle",
    "handle_event",
    "supported_events",
];

/// A question as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// A plugin on the bus; idle, unless its configuration says otherwise.
pub(crate) struct Remote {
    /// All that it was asked.
    pub heard: Arc<Mutex<Vec<Heard>>>,
    config: Arc<Mutex<Value>>,
    /// What it says to a configuration, in place of taking it.
    pub refusal: Arc<Mutex<Option<&'static str>>>,
    /// What it says to the question whether the host is idle, in place of an opinion.
    pub verbatim: Arc<Mutex<Option<Vec<u8>>>>,
    /// Whether it takes its time with a configuration.
    pub held: watch::Sender<bool>,
    /// Whether it takes its time to say who it is.
    pub shy: watch::Sender<bool>,
    /// Whether it hears the question whether the host is idle, and says nothing.
    pub mute: watch::Sender<bool>,
    bus: Bus,
    /// Ended, it is away.
    pub listening: JoinSet<()>,
}

impl Remote {
    /// One of the name `remote` that listens to these methods.
    pub(crate) async fn start(stage: &Stage, methods: &[&'static str]) -> Remote {
        let user = User::plugin(&stage.host, &"remote".parse().expect("a name"));
        let mut remote = Remote {
            heard: Arc::default(),
            config: Arc::default(),
            refusal: Arc::default(),
            verbatim: Arc::default(),
            held: watch::Sender::new(false),
            shy: watch::Sender::new(false),
            mute: watch::Sender::new(false),
            bus: stage.server.bus(&user).await,
            listening: JoinSet::new(),
        };
        for method in methods {
            remote.listen(method).await;
        }
        remote
    }

    /// Listens to one more.
    pub(crate) async fn listen(&mut self, method: &'static str) {
        let subject = format!("snooze.v1.host.h1.plugin.remote.{method}");
        let mut asked = self.bus.raw_subscribe(&subject).await.expect("it may listen");
        let (heard, config, refusal) = (self.heard.clone(), self.config.clone(), self.refusal.clone());
        let (mut held, mut shy, bus) = (self.held.subscribe(), self.shy.subscribe(), self.bus.clone());
        let (verbatim, mut mute) = (self.verbatim.clone(), self.mute.subscribe());
        self.listening.spawn(async move {
            while let Some(message) = asked.next().await {
                let body: Value = snooze_bus::decode(&message.payload).expect("a body");
                heard.lock().expect("no panic").push(Heard {
                    method: method.to_owned(),
                    headers: message.headers,
                    body: body.clone(),
                });
                let refused = *refusal.lock().expect("no panic");
                let answer = match (method, refused) {
                    ("configure", Some(refused)) => json!({"error": refused}),
                    ("configure", None) => {
                        drop(held.wait_for(|held| !held).await);
                        *config.lock().expect("no panic") = body["config"].clone();
                        json!({"success": true})
                    }
                    ("check_idle", _) => {
                        drop(mute.wait_for(|mute| !mute).await);
                        let config = config.lock().expect("no panic");
                        json!({"is_idle": config["busy"] != true, "reason": config.to_string()})
                    }
                    ("info", _) => {
                        drop(shy.wait_for(|shy| !shy).await);
                        json!({"name": "remote", "version": "2.0.0"})
                    }
                    ("supported_events", _) => json!({"events": ["custom"]}),
                    ("handle_event", _) => json!({"handled": true, "succeeded": true, "message": "seen"}),
                    _ => json!({"success": true}),
                };
                let reply = message.reply.expect("an answer is wanted");
                let verbatim = verbatim.lock().expect("no panic").clone();
                let answer = match verbatim.filter(|_| method == "check_idle") {
                    Some(verbatim) => verbatim,
                    None => answer.to_string().into_bytes(),
                };
                bus.raw_publish(&reply, None, &[], &answer)
                    .await
                    .expect("it may answer");
            }
        });
    }

    /// What it was asked by this method.
    pub(crate) fn heard(&self, method: &str) -> Vec<Heard> {
        let heard = self.heard.lock().expect("no panic");
        heard
            .iter()
            .filter(|heard| heard.method == method)
            .cloned()
            .collect()
    }

    /// What it was configured with, one after the other; the same again is no other.
    pub(crate) fn told(&self) -> Vec<Value> {
        let heard = self.heard("configure").into_iter();
        let mut told: Vec<Value> = heard.map(|heard| heard.body["config"].clone()).collect();
        told.dedup();
        told
    }

    /// It is started anew, and nobody saw it go.
    pub(crate) fn lose_its_configuration(&self) {
        *self.config.lock().expect("no panic") = Value::Null;
    }
}
