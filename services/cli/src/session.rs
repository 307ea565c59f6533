//! A person's connection to the bus, and what goes wrong with it as one line. It never starts anything.

mod denial;
mod place;
mod roll;

pub(crate) use place::running;
pub(crate) use roll::{Known, Roll, is_enrolled};

use crate::{arguments::Connection, home::Home, print, unanswered};
use place::Place;
use snooze_bus::{Bus, BusConfig, BusError, BusErrorKind, BusStatus, OnDenial, RequestError, Role};
use snooze_schemas::{HostId, Message, SourceName, ops::Query, ops::QueryResult};
use snooze_service_runtime::{Exit, Failure, exit::one_line};
use std::time::Duration;
use tokio::{sync::OnceCell, time::sleep};

/// A person waits; a server that is there answers within milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Every verb answers within 15 s.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Between two looks whether a bus that was lost is still where it was.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A person on the bus.
pub(crate) struct Session {
    /// The connection.
    pub(crate) bus: Bus,
    /// The name in the credentials: who asks, and the source of the events that are sent.
    pub(crate) user: SourceName,
    role: Role,
    server: String,
    /// Called once: a command is over before it is old.
    roll: OnceCell<Roll>,
}

impl Session {
    /// Connects as the arguments say, else as `nats.json` in the state folder says.
    pub(crate) async fn open(connection: &Connection, home: &Home) -> Result<Session, Failure> {
        let place = Place::find(connection, home)?;
        let user: SourceName = place
            .user
            .parse()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let file = place.credentials.clone();
        let bus = Bus::connect(BusConfig {
            servers: place.server.clone(),
            credentials: place.credentials,
            role: place.role,
            name: place.user,
            service: "snooze".to_owned(),
            connect_timeout: CONNECT_WITHIN,
            on_denial: OnDenial::End,
        })
        .await
        .map_err(|error| match error.kind() {
            BusErrorKind::Denied => {
                let text = denial::not_let_in(place.role, user.as_str(), file.as_deref(), &one_line(&error));
                Failure::new(Exit::Refused, text)
            }
            _ => of_bus(&error),
        })?;
        Ok(Session {
            bus,
            user,
            role: place.role,
            server: place.server,
            roll: OnceCell::new(),
        })
    }

    /// Whether these credentials permit a question to the executors.
    pub(crate) fn may_ask_executors(&self) -> bool {
        self.role != Role::Source
    }

    /// Waits until the server denies what was sent, and says what: a denial comes by itself, and the
    /// answer that it stands for never does.
    pub(crate) async fn denied(&self) -> Failure {
        let mut status = self.bus.status();
        let is_final = |status: &BusStatus| matches!(status, BusStatus::Fatal(_));
        match status.wait_for(is_final).await.as_deref() {
            Ok(BusStatus::Fatal(why)) => {
                Failure::new(Exit::Refused, denial::told(self.role, self.user.as_str(), why))
            }
            // Nobody will say any more; whoever waits for an answer ends by its own time-out.
            Ok(BusStatus::Connected | BusStatus::Disconnected) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the bus that was lost will not be back where it was, and says why: the `snooze up` of the state folder
    /// has ended, or was started anew, which gives its broker another address. Of a broker elsewhere nobody knows that.
    pub(crate) async fn gone(&self, connection: &Connection, home: &Home) -> Failure {
        let mut status = self.bus.status();
        let is_lost = |status: &BusStatus| matches!(status, BusStatus::Disconnected);
        loop {
            if status.wait_for(is_lost).await.is_err() {
                std::future::pending::<()>().await;
            }
            match Place::find(connection, home) {
                Err(failure) => return failure,
                Ok(place) if place.server != self.server => {
                    let text = "`snooze up` was started anew, and its bus is at another address: begin again";
                    return Failure::new(Exit::BusUnreachable, text);
                }
                Ok(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Does it, unless the server denies what was sent for it. Then that is told and nothing else: what waited for an
    /// answer ends by it, too, and makes of it that somebody is away.
    pub(crate) async fn unless_denied<T>(
        &self,
        done: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // Nothing is lost with what is cancelled: it waited for an answer that will not come.
        tokio::select! {
            biased;
            denied = self.denied() => Err(denied),
            done = done => done,
        }
    }

    /// Asks, and takes the answer.
    pub(crate) async fn ask<M: Message, R: serde::de::DeserializeOwned>(
        &self,
        subject: &snooze_bus::Subject,
        message: &M,
    ) -> Result<R, Failure> {
        let answer = self.request(subject, message).await;
        answer.map_err(|error| unanswered::failure(subject, &error))
    }

    /// Asks, for whoever has words of their own for what went wrong.
    pub(crate) async fn request<M: Message, R: serde::de::DeserializeOwned>(
        &self,
        subject: &snooze_bus::Subject,
        message: &M,
    ) -> Result<R, RequestError> {
        self.bus.request(subject, message, ANSWER_WITHIN).await
    }

    /// What the executors know of a host, or of all, as far as one answer holds them.
    pub(crate) async fn query(&self, host: Option<HostId>) -> Result<QueryResult, Failure> {
        let query = Query {
            host,
            ..Query::default()
        };
        self.query_by(query).await
    }

    async fn query_by(&self, query: Query) -> Result<QueryResult, Failure> {
        let subject = snooze_bus::Subject::Ops(snooze_bus::OpsVerb::Query);
        self.ask(&subject, &query).await
    }

    /// Every host that the executors know. Where some are left out, the person is told.
    pub(crate) async fn roll(&self) -> Result<&Roll, Failure> {
        self.roll
            .get_or_try_init(async || {
                let roll = Roll::call(self).await?;
                if !roll.is_whole {
                    let count = roll.hosts.len();
                    print::talk(&format!(
                        "the executors named {count} hosts and not all that they know, so the others are not asked: \
                         they are older than this program, or slow"
                    ));
                }
                Ok(roll)
            })
            .await
    }
}

/// A failure of the bus, with the exit code that tells a script whether it is worth trying again.
pub(crate) fn of_bus(error: &BusError) -> Failure {
    let exit = match error.kind() {
        BusErrorKind::Credentials => Exit::Usage,
        BusErrorKind::Denied => Exit::Refused,
        BusErrorKind::Unreachable => Exit::BusUnreachable,
        BusErrorKind::Failed => Exit::Failed,
    };
    Failure::from_error(exit, error)
}
