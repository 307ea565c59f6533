//! The plugin on NATS: a service of NATS's services protocol, with an endpoint for each method.
//!
//! It publishes nothing but answers, and those only into inboxes: a server does not check where a question wants
//! its answer, so a forged one could make the plugin say something somewhere. It comes back to a server that was
//! away for ever, and gives up only where the server says that it may not hear its own subjects.

mod address;
mod answers;
mod connection;
mod headers;
mod worker;

use crate::{
    dispatch::{Method, Session},
    environment,
    messages::Info,
    plugin::{Plugin, Result},
};
use address::Address;
use answers::answer;
use async_nats::{
    Client,
    connection::State,
    service::{Request, Service, ServiceExt as _},
};
use connection::Connection;
use futures_util::{StreamExt as _, future, stream::select_all};
use serde_json::Value;
use std::{pin::pin, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout_at},
};
use worker::Worker;

/// How long the end waits for what is under way: half of what a handler of something critical may take, which is
/// about what a service's supervisor waits before it kills.
const GRACE: Duration = Duration::from_secs(60);

/// Answers until a signal asks for the end, finishes what is under way, and shuts the plugin down.
///
/// # Errors
/// When the plugin's name, version or host cannot be part of a subject, the credentials cannot be read or are not
/// accepted, the server denies the plugin's subjects, or the plugin cannot be shut down.
pub(crate) fn serve<P: Plugin>(plugin: P, bus: &environment::Bus) -> Result<()> {
    let mut session = Session::new(plugin);
    let told = session
        .ask(Method::Info, Value::Null)
        .map_err(|failure| failure.text)?;
    let info: Info = serde_json::from_value(told.clone())?;
    let address = Address::new(&info.name, bus.host.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let worker = Worker::start(session)?;
        let served = tokio::select! {
            // Cancelling either loses nothing: there is no connection yet.
            connection = Connection::open(bus, &address) => match connection {
                Ok(connection) => answer_all(connection, &mut signals, &worker, &address, &info, &told).await,
                Err(error) => Err(error),
            },
            () = signals.next() => Ok(()),
        };
        if signals.is_told_twice {
            return served;
        }
        let deadline = signals.deadline();
        let ended = tokio::select! {
            // The second signal does not wait: what the plugin is at then is lost, as whoever sent it wants.
            ended = worker.end(deadline) => ended,
            () = signals.next() => Err("told twice to end, with work under way".into()),
        };
        served.and(ended)
    })
}

/// Registers the service and answers until the end is asked for; then hears nothing new, and finishes.
async fn answer_all(
    mut connection: Connection,
    signals: &mut Signals,
    worker: &Worker,
    address: &Address,
    info: &Info,
    told: &Value,
) -> Result<()> {
    let client = connection.client.clone();
    let service = client
        .service_builder()
        .description(&info.description)
        // Replicas share the questions: each is answered by one of them.
        .queue_group(&info.name)
        .start(&info.name, &info.version)
        .await
        .map_err(|error| format!("register the service {} {}: {error}", info.name, info.version))?;
    let (mut introductions, questions) = endpoints(&service, address).await?;
    // Who it is can be told while it thinks about something else.
    let introducing = async {
        while let Some((method, request)) = introductions.next().await {
            answer(&client, address, method, &request, async |_| Ok(told.clone())).await;
        }
    };
    let questioning = async {
        let mut questions = select_all(questions);
        // One at a time, which is how the plugin is asked anyway; what waits, waits in the bounded subscription.
        while let Some((method, request)) = questions.next().await {
            let asked = async |params| worker.ask(method, params).await;
            answer(&client, address, method, &request, asked).await;
        }
    };
    let mut answering = pin!(future::join(introducing, questioning));
    let ended = tokio::select! {
        // Whichever it is, answering goes on below.
        _ = &mut answering => Err("the connection is closed".into()),
        why = connection.denied() => Err(format!("the server denies what the plugin needs: {why}").into()),
        () = signals.next() => Ok(()),
    };
    service
        .stop()
        .await
        .map_err(|error| format!("stop the service: {error}"))?;
    if ended.is_ok() && client.connection_state() == State::Connected {
        finish(&client, answering, signals).await?;
    }
    ended
}

/// Finishes what was asked before the end was: the subscriptions end once what they hold is answered.
async fn finish(client: &Client, answering: impl Future, signals: &mut Signals) -> Result<()> {
    let deadline = signals.deadline();
    let finished = async {
        timeout_at(deadline, answering)
            .await
            .map_err(|_| "what was under way took too long")?;
        timeout_at(deadline, client.flush())
            .await
            .map_err(|_| "the server does not take the last answers")?
            .map_err(|error| format!("send the last answers: {error}"))?;
        Ok(())
    };
    tokio::select! {
        finished = finished => finished,
        () = signals.next() => Err("told twice to end, with work under way".into()),
    }
}

type Questions = futures_util::stream::BoxStream<'static, (Method, Request)>;

/// An endpoint for each method: that of its introduction, and the others.
async fn endpoints(service: &Service, address: &Address) -> Result<(Questions, Vec<Questions>)> {
    let mut introductions = futures_util::stream::empty().boxed();
    let mut questions = Vec::new();
    for method in Method::ALL {
        let endpoint = service
            .endpoint_builder()
            .name(method.token())
            .add(address.subject(method))
            .await
            .map_err(|error| format!("subscribe to {}: {error}", address.subject(method)))?;
        let asked = endpoint.map(move |request| (method, request)).boxed();
        match method {
            Method::Info => introductions = asked,
            _ => questions.push(asked),
        }
    }
    Ok((introductions, questions))
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// When the first one came.
    first: Option<Instant>,
    is_told_twice: bool,
}

impl Signals {
    fn new() -> Result<Signals> {
        let listen = |kind| signal(kind).map_err(|error| format!("listen to signals: {error}"));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            first: None,
            is_told_twice: false,
        })
    }

    /// The next one of either; cancelling it loses none.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.is_told_twice = self.first.is_some();
        self.first.get_or_insert_with(Instant::now);
    }

    /// Until when the end waits for what is under way.
    fn deadline(&self) -> Instant {
        self.first.unwrap_or_else(Instant::now) + GRACE
    }
}
