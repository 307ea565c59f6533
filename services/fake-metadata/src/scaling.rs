//! The two calls of Auto Scaling that answer a lifecycle hook, as its API Reference has them; moto has neither.
//!
//! It notes them. An action that was completed is over: another call for its token is refused as Auto Scaling does.

use super::serve::{Answer, MetadataFault, MetadataQuestion, Provider, Serving};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingCall {
    /// As `CompleteLifecycleAction`.
    pub action: String,
    /// Its other parameters, decoded.
    pub form: BTreeMap<String, String>,
    /// The region that it was signed for.
    pub region: String,
    /// Whether nothing waited there any more.
    pub was_refused: bool,
}

/// The API. Gone on drop.
#[derive(Debug)]
pub struct ScalingApi {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug, Default)]
struct State {
    calls: Mutex<Vec<ScalingCall>>,
    over: Mutex<BTreeSet<String>>,
}

impl ScalingApi {
    /// An API on which every action waits until it is completed.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> ScalingApi {
        let state = Arc::new(State::default());
        let serving = Serving::start(Arc::clone(&state))
            .await
            .expect("loopback has free ports");
        ScalingApi { state, serving }
    }

    /// Where it is called.
    #[must_use]
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// Every call that was answered, the oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<ScalingCall> {
        lock(&self.state.calls).clone()
    }

    /// Every question that arrived, also one that was not answered as it should.
    #[must_use]
    pub fn asked(&self) -> Vec<MetadataQuestion> {
        self.serving.questions()
    }

    /// How often an action was called for a token and not refused.
    #[must_use]
    pub fn count(&self, action: &str, token: &str) -> usize {
        let counts = |call: &&ScalingCall| {
            call.action == action
                && !call.was_refused
                && call
                    .form
                    .get("LifecycleActionToken")
                    .is_some_and(|named| named == token)
        };
        self.calls().iter().filter(counts).count()
    }

    /// Ends an action, as its hook's time-out does.
    pub fn time_out(&self, token: &str) {
        lock(&self.state.over).insert(token.to_owned());
    }

    /// Lets every answer go wrong from now on.
    pub fn spoil(&self, fault: MetadataFault) {
        self.serving.spoil(fault);
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        self.serving.mend();
    }
}

impl Provider for State {
    async fn answer(&self, question: &MetadataQuestion) -> Answer {
        let mut form: BTreeMap<String, String> = question
            .body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let action = form.remove("Action").unwrap_or_default();
        let token = form.get("LifecycleActionToken").cloned().unwrap_or_default();
        let is_complete = action == "CompleteLifecycleAction";
        let is_known = is_complete || action == "RecordLifecycleActionHeartbeat";
        let mut over = lock(&self.over);
        let was_refused = !is_known || over.contains(&token);
        if is_complete {
            over.insert(token.clone());
        }
        let scope = question.header("authorization").unwrap_or_default();
        // Credential=KEY/20260101/us-east-1/autoscaling/aws4_request
        let region = scope.split('/').nth(2).unwrap_or_default().to_owned();
        lock(&self.calls).push(ScalingCall {
            action: action.clone(),
            form,
            region,
            was_refused,
        });
        let xmlns = "xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"";
        let (status, body) = if was_refused {
            let body = format!(
                "<ErrorResponse {xmlns}><Error><Type>Sender</Type><Code>ValidationError</Code><Message>No active \
                 Lifecycle Action found with token {token}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            );
            (400, body)
        } else {
            let body = format!(
                "<{action}Response {xmlns}><{action}Result/><ResponseMetadata><RequestId>r</RequestId>\
                 </ResponseMetadata></{action}Response>"
            );
            (200, body)
        };
        Answer {
            status,
            headers: vec![("content-type", "text/xml".to_owned())],
            body: body.into_bytes(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text of a form (`application/x-www-form-urlencoded`).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        rest = match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                &after[2..]
            }
            (b'+', _) => {
                bytes.push(b' ');
                after
            }
            (other, _) => {
                bytes.push(*other);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
