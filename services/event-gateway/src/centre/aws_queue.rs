//! Takes from a queue of SQS what EventBridge and Auto Scaling tell of instances, and files it for the hosts that the
//! roster knows by those instances.
//!
//! **Invariant:** a message leaves the queue only after its events are in their streams, or were there before. While
//! the broker is away it is kept from other gateways, and comes again when this one dies. **Invariant:** the message
//! of a lifecycle hook leaves the queue only after the hook is answered: where hook and event stand, the queue and the
//! streams say and no gateway's memory, so that one that is killed is followed by any other. **Invariant:** whom an
//! event concerns, the roster says by the instance, and whose launch it is as well (rules I1 and E1).
//!
//! What cannot be read stays in the queue, for its redrive policy to take it to where people look; a queue without one
//! is freed of it after some tries. What is no event, and what is about an instance that the roster does not know, is
//! removed and counted; one that is launched and waits in a hook of ours is waited for a while before, for its host may be
//! enrolled only then.
//!
//! - `queue`: the queue's calls. `scaling`: Auto Scaling's.
//! - `instances`: who is who.
//! - `message`: what becomes of one message. `hook`: and of one that waits for an answer.

mod hook;
mod instances;
mod message;
mod queue;
mod scaling;

use super::{Config, rarely::Rarely};
use crate::{aws::Connection, host::Lanes, source::trouble::Trouble};
use instances::Instances;
use message::see_to;
use queue::{AT_ONCE, Queue};
use scaling::Scaling;
use snooze_bus::Bus;
use snooze_service_runtime::{CancellationToken, config::AwsQueueSourceConfig};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

/// Questions to the queue that wait at once. Each brings ten messages at most, in some ten milliseconds while there are
/// any: a thousand hosts that are told of at once are in hand within a second.
const RECEIVERS: usize = 4;
/// Messages in hand at once; no more are asked for while it is full. What waits for the end of an event, because of a
/// lifecycle hook, does not count.
const IN_HAND: usize = 256;
/// Of those that wait so many at once: some kilobytes and a look every three seconds each. Further ones stay in hand.
const WAITING: usize = 4_096;
/// Instances that are launched, and whose host is waited for to be enrolled, at once; further ones are not waited for.
const COMING: usize = 1_024;
/// Between two questions that fail: doubled each time, up to the second one, which is short of an interruption's two
/// minutes.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The queue.
    pub queue_url: String,
    /// How it is reached.
    pub queue: Connection,
    /// How Auto Scaling is.
    pub scaling: Connection,
    /// The lifecycle hooks that are answered; `*` is every one.
    pub lifecycle_hooks: Vec<String>,
    /// For how long a question waits for messages; 20 s at most, in whole seconds.
    pub wait: Duration,
    /// For how long a message is kept from others, and again before that is over; in whole seconds.
    pub keep: Duration,
    /// How often a lifecycle hook is told that its handlers run.
    pub beat: Duration,
}

/// Why nothing can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoQueue {
    /// It is not said which.
    #[error("event_sources.aws_queue is switched on and has no queue: set event_sources.aws_queue.queue_url")]
    Unnamed,
}

impl Settings {
    /// To take from this queue, in a region that its URL says where none is given.
    #[must_use]
    pub fn of(queue_url: String, mut connection: Connection) -> Settings {
        connection.region = connection.region.or_else(|| queue::region_of(&queue_url));
        Settings {
            queue_url,
            scaling: connection.clone(),
            queue: connection,
            lifecycle_hooks: Vec::new(),
            // The longest that SQS lets a question wait: each costs.
            wait: Duration::from_secs(20),
            // What a gateway that was killed had in hand is late by as much.
            keep: Duration::from_secs(30),
            beat: AwsQueueSourceConfig::default().heartbeat,
        }
    }

    /// As configured; nothing where it is switched off.
    ///
    /// # Errors
    /// When no queue is named.
    pub fn from_config(config: &AwsQueueSourceConfig) -> Result<Option<Settings>, NoQueue> {
        if !config.enabled {
            return Ok(None);
        }
        let url = config.queue_url.clone().ok_or(NoQueue::Unnamed)?;
        let connection = Connection::to(config.region.clone(), config.endpoint.clone());
        Ok(Some(Settings {
            lifecycle_hooks: config.lifecycle_hooks.clone(),
            beat: config.heartbeat,
            ..Settings::of(url, connection)
        }))
    }
}

/// What all messages share.
#[derive(Debug)]
struct Office {
    config: Config,
    bus: Bus,
    queue: Queue,
    scaling: Scaling,
    instances: Instances,
    lifecycle_hooks: Vec<String>,
    beat: Duration,
    lanes: Lanes,
    in_hand: Arc<Semaphore>,
    waiting: Semaphore,
    coming: Semaphore,
    unreadable: Rarely,
    unknown: Rarely,
    nothing: Rarely,
    shutdown: CancellationToken,
}

/// Takes messages until shutdown; what it has in hand then is given back to the queue.
pub(crate) async fn take(
    settings: Settings,
    config: Config,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let clocks = config.clocks.clone();
    let (instances, follower) = instances::follow(bus.clone(), shutdown.clone());
    // Where the region has to be found first, that takes a while.
    let made = async { (Queue::of(&settings).await, Scaling::of(&settings).await) };
    let Some((queue, scaling)) = shutdown.run_until_cancelled(Box::pin(made)).await else {
        return Ok(());
    };
    tracing::info!(queue = settings.queue_url, "events are taken from a queue");
    let office = Arc::new(Office {
        queue,
        scaling,
        instances,
        bus,
        lifecycle_hooks: settings.lifecycle_hooks,
        beat: settings.beat,
        lanes: Lanes::new(),
        in_hand: Arc::new(Semaphore::new(IN_HAND)),
        waiting: Semaphore::new(WAITING),
        coming: Semaphore::new(COMING),
        unreadable: Rarely::new(clocks.clone()),
        unknown: Rarely::new(clocks.clone()),
        nothing: Rarely::new(clocks),
        config,
        shutdown,
    });
    let receivers = (0..RECEIVERS).map(|_| receive(Arc::clone(&office)));
    tokio::join!(follower, futures_util::future::join_all(receivers));
    Ok(())
}

/// Asks for messages again and again, and sees to each by itself.
async fn receive(office: Arc<Office>) {
    let mut trouble = Trouble::now_and_then_with("the queue of AWS's events");
    let [first, longest] = PAUSES;
    let mut pause = first;
    let mut in_hand = JoinSet::new();
    let stop = office.shutdown.clone();
    loop {
        while let Some(ended) = in_hand.try_join_next() {
            note_panic(ended);
        }
        let room = Arc::clone(&office.in_hand).acquire_many_owned(AT_ONCE);
        let asked = async {
            (
                room.await.expect("it is never closed"),
                office.queue.receive().await,
            )
        };
        // What an answer brings to a question that is given up here comes again when its time is over: SQS may not
        // notice in time that nobody listens.
        let Some((mut room, answer)) = stop.run_until_cancelled(asked).await else {
            break;
        };
        match answer {
            Ok(messages) => {
                trouble.over();
                pause = first;
                for message in messages {
                    // More than were asked for come again.
                    let Some(place) = room.split(1) else { break };
                    in_hand.spawn(see_to(Arc::clone(&office), message, place));
                }
            }
            Err(error) => {
                drop(room);
                trouble.met(&error);
                if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                    break;
                }
                pause = (pause * 2).min(longest);
            }
        }
    }
    while let Some(ended) = in_hand.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a message was not seen to its end; it comes again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_needs_no_queue_and_what_is_on_does() {
        let mut config = AwsQueueSourceConfig::default();
        assert!(Settings::from_config(&config).is_ok_and(|settings| settings.is_none()));
        config.enabled = true;
        assert_eq!(Settings::from_config(&config).map(drop), Err(NoQueue::Unnamed));
        config.queue_url = Some("https://sqs.eu-central-1.amazonaws.com/123456789012/snooze".to_owned());
        let settings = Settings::from_config(&config)
            .expect("it is named")
            .expect("it is on");
        assert_eq!(settings.queue.region.as_deref(), Some("eu-central-1"));
        assert_eq!(settings.scaling.region.as_deref(), Some("eu-central-1"));
        config.heartbeat = Duration::from_secs(60);
        config.region = Some("eu-west-1".to_owned());
        let settings = Settings::from_config(&config)
            .expect("it is named")
            .expect("it is on");
        assert_eq!(settings.queue.region.as_deref(), Some("eu-west-1"));
        assert_eq!(settings.beat, Duration::from_secs(60));
    }
}
