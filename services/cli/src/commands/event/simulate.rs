//! `snooze event simulate`: an interruption as it comes from a cloud, without a cloud.
//!
//! A metadata service on this machine announces it, and everything from there on is what hosts run: event gateway, plugin
//! runner, handlers, a private nats-server and the dispatcher.
//! **Invariant:** it is played on a bus of its own and on no other, and nothing that it started outlives it.

mod cloud;
mod demonstration;
mod handlers;
mod judged;
mod open_files;
mod play;
mod stage;
mod told;

use crate::{
    arguments::{Connection, EventSimulate},
    commands::scratch::Scratch,
    home::Home,
    up::alone::{Alone, Around},
};
use judged::Played;
use play::Play;
use snooze_bus::Bus;
use snooze_service_runtime::{CancellationToken, Exit, Failure, LocalConfig, Tasks};
use stage::Stage;
use std::{pin::pin, time::Duration};

/// For how long all of them may end: a runner gives its plugins some seconds.
const GRACE: Duration = Duration::from_secs(10);

/// Plays it, tells what came of it, and fails where somebody was not helped in time.
pub(crate) async fn simulate(
    asked: EventSimulate,
    connection: &Connection,
    home: &Home,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    refuse_any_bus(connection)?;
    let play = Play::of(asked);
    open_files::make_room(play.hosts)?;
    let scratch = Scratch::make()?;
    let local = handlers::of(&play.who, scratch.path())?;
    let state = scratch.path().join("state");
    let laid = Box::pin(Alone::lay(&state, play.nats_server.clone(), home));
    let Some(alone) = shutdown.run_until_cancelled(laid).await else {
        return Err(interrupted());
    };
    let mut alone = alone?;
    let administrator = alone.administrator().clone();
    let stop = shutdown.child_token();
    let played = {
        let (around, broker) = alone.parts();
        let mut playing = pin!(on_the_bus(&play, &local, administrator, &around, stop.clone()));
        tokio::select! {
            // Pinned outside: where the broker ends by itself, the rest is ended in order.
            played = &mut playing => played,
            failure = broker => {
                stop.cancel();
                // What it says of its own end is a consequence.
                drop(playing.await);
                Err(failure)
            }
        }
    };
    let ended = alone.end().await;
    let played = played?;
    ended?;
    let not_in_time = played.not_in_time();
    told::tell(&play, &played, &not_in_time)?;
    if not_in_time.is_empty() {
        return Ok(());
    }
    let (late, all) = (not_in_time.len(), played.announced.len());
    let text = format!("{late} of {all} were not handled before the deadline");
    Err(Failure::new(Exit::Failed, text))
}

/// Everything beside the broker, from its start to its end.
async fn on_the_bus(
    play: &Play,
    local: &LocalConfig,
    administrator: Bus,
    around: &Around<'_>,
    stop: CancellationToken,
) -> Result<Played, Failure> {
    let mut tasks = Tasks::new(stop.clone());
    let mut stage = Stage::new(play, local, administrator);
    // What is cut off is started half way at most, and ended below.
    let set = stop
        .run_until_cancelled(Box::pin(stage.set(around, &mut tasks)))
        .await;
    let playing = async {
        let played = match set {
            Some(Ok(())) => stop.run_until_cancelled(Box::pin(stage.go_on())).await,
            Some(Err(failure)) => Some(Err(failure)),
            None => None,
        };
        stop.cancel();
        played
    };
    let (played, ended) = tokio::join!(playing, tasks.run(GRACE));
    // A service that failed is why the play was cut off.
    ended.map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    played.unwrap_or_else(|| Err(interrupted()))
}

fn interrupted() -> Failure {
    Failure::new(Exit::Failed, "interrupted before all was handled")
}

/// Whoever names a bus means another one, on which nothing made up may be filed.
fn refuse_any_bus(connection: &Connection) -> Result<(), Failure> {
    if connection.server.is_none() && connection.credentials.is_none() && connection.state.is_none() {
        return Ok(());
    }
    let text = "`snooze event simulate` plays on a bus of its own and on no other: leave out --server, --credentials \
                and --state, and unset SNOOZE_NATS_URL, SNOOZE_CREDENTIALS and SNOOZE_STATE";
    Err(Failure::new(Exit::Refused, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_a_bus_in_any_way_is_refused() {
        let named: [fn(&mut Connection); 3] = [
            |connection| connection.server = Some("nats://127.0.0.1:4222".to_owned()),
            |connection| connection.credentials = Some("ada.creds".into()),
            |connection| connection.state = Some("/var/lib/snooze".into()),
        ];
        for name in named {
            let mut connection = Connection::default();
            assert!(refuse_any_bus(&connection).is_ok());
            name(&mut connection);
            let refused = refuse_any_bus(&connection).expect_err("it names a bus");
            assert_eq!(refused.exit, Exit::Refused);
        }
    }
}
