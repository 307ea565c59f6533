//! Where answers arrive: one subscription for all requests of a connection, below the user's own prefix.
//!
//! Who answers a role may publish to all its inboxes, a plugin to those of its host. So every request has a
//! token of its own that cannot be guessed: whoever was asked something can answer that and nothing else.
//!
//! The client has the same inside, but keeps what it remembers of a request that was never answered for
//! ever; a host that asks a dead plugin every few seconds would grow by megabytes a day.

use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

/// Parts of an answer that may wait to be taken. Answers in parts are bounded by how many were asked
/// for; this is the most that is ever asked for at once.
pub(crate) const PARTS: usize = 1024;

enum Waiter {
    One(oneshot::Sender<Message>),
    Parts(mpsc::Sender<Message>),
}

type Waiting = Arc<Mutex<HashMap<u128, Waiter>>>;

/// All answers of one connection.
pub(crate) struct Inbox {
    base: String,
    waiting: Waiting,
    sorter: AbortHandle,
}

/// An answer that is waited for; dropping it forgets the request.
pub(crate) struct Awaited<R> {
    /// The reply subject to send along.
    pub(crate) reply: String,
    /// The answer.
    pub(crate) answer: R,
    token: u128,
    waiting: Waiting,
}

impl Inbox {
    /// Sorts what arrives at `<base>.*`, which is subscribed to already.
    pub(crate) fn new(base: String, subscriber: Subscriber) -> Inbox {
        let waiting = Waiting::default();
        let sorter = tokio::spawn(sort(base.len() + 1, subscriber, waiting.clone())).abort_handle();
        Inbox {
            base,
            waiting,
            sorter,
        }
    }

    /// A new reply subject for one answer.
    pub(crate) fn one(&self) -> Awaited<oneshot::Receiver<Message>> {
        let (sender, answer) = oneshot::channel();
        self.await_on(Waiter::One(sender), answer)
    }

    /// A new reply subject for an answer in at most [`PARTS`] parts.
    pub(crate) fn parts(&self) -> Awaited<mpsc::Receiver<Message>> {
        let (sender, answer) = mpsc::channel(PARTS);
        self.await_on(Waiter::Parts(sender), answer)
    }

    fn await_on<R>(&self, waiter: Waiter, answer: R) -> Awaited<R> {
        let token = rand::random();
        lock(&self.waiting).insert(token, waiter);
        Awaited {
            reply: format!("{}.{token:032x}", self.base),
            answer,
            token,
            waiting: self.waiting.clone(),
        }
    }

    /// How many answers are waited for.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // The subscription holds the connection open as long as its task lives.
        self.sorter.abort();
    }
}

impl<R> Drop for Awaited<R> {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.token);
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<u128, Waiter>> {
    waiting.lock().expect("nothing panics while it holds this lock")
}

/// Hands every answer to whoever waits for it; what nobody waits for any more is too late.
async fn sort(token_at: usize, mut subscriber: Subscriber, waiting: Waiting) {
    while let Some(message) = subscriber.next().await {
        let Some(token) = message
            .subject
            .as_str()
            .get(token_at..)
            .and_then(|token| u128::from_str_radix(token, 16).ok())
        else {
            continue;
        };
        let mut waiting = lock(&waiting);
        match waiting.get(&token) {
            Some(Waiter::Parts(parts)) => {
                let taken = parts.try_send(message);
                if taken.is_err() {
                    // More than was asked for, or the asker is gone: the end of the channel tells the asker.
                    waiting.remove(&token);
                }
            }
            Some(Waiter::One(_)) => {
                if let Some(Waiter::One(sender)) = waiting.remove(&token) {
                    // The asker may be gone between looking and sending; then nobody wants it.
                    drop(sender.send(message));
                }
            }
            None => {}
        }
    }
}
