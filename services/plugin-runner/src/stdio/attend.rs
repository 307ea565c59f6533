//! A plugin's process from its first question to its last: introduced, asked, configured anew, told to end.
//!
//! It starts none: that is `supervise`'s, which also acts on why one is of no use any more.

use super::{
    CallError, Stage, StdioPlugin,
    handshake::FAREWELL,
    instance::Instance,
    slot::{Break, Lent, Slot, Wire},
    supervise::{Parted, is_unwanted},
    turns::Urgency,
};
use crate::{line::Method, pipes::Pipes};
use serde_json::{Map, Value};
use tokio::{sync::mpsc, time::timeout};

/// Why nobody can ask it while it is replaced.
const ANEW: &str = "it is started anew for its configuration";
/// For what it is started anew.
const ITS_CONFIGURATION: &str = "its configuration";
const URGENT: &str = "what is more urgent";

/// What became of a new configuration.
enum Configured {
    /// The process has it.
    Done,
    /// It is busy for so long that it could not be told.
    Later,
    /// Keys vanished, which no process can be told.
    OnlyAnew,
}

impl StdioPlugin {
    /// Introduces the process, lets it be asked, keeps its configuration up to date, and returns why it is
    /// of no use any more, once it is killed and reaped.
    pub(super) async fn attend(&self, mut instance: Instance, mut pipes: Pipes) -> Parted {
        // Read before the configuration is: what changes from here on is looked at again.
        let mut version = self.configs.version();
        let introduced = tokio::select! {
            introduced = self.begin(&mut instance, &mut pipes) => introduced,
            () = self.stop.cancelled() => Err(Parted::Failed("it was stopped".to_owned())),
        };
        let config = match introduced {
            Ok(config) => config,
            Err(Parted::Failed(why)) => {
                drop(pipes);
                return Parted::Failed(instance.end(&why).await);
            }
            // How it ended says nothing: it was our own process, which could not become the plugin's.
            Err(Parted::Unstarted(why)) => {
                drop(pipes);
                drop(instance.end(&why).await);
                return Parted::Unstarted(why);
            }
            Err(Parted::ForAnew(what)) => return Parted::ForAnew(what),
        };
        let (broken, mut breaks) = mpsc::channel(1);
        let turn = self.turns.turn(Urgency::Supervision).await;
        self.put(Slot::Up(Wire {
            pipes,
            broken,
            config,
            version,
        }));
        drop(turn);
        self.stage.send_replace(Stage::Running);
        let full = async {
            match self.fence() {
                Some(fence) => {
                    let home = &self.settings.program.home;
                    fence.until_disk_is_full(home, &self.seat, &self.disk_bytes).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::pin!(full);
        let why = loop {
            let reconfigured = async {
                self.configs.changed_since(version).await;
                let now = self.configs.version();
                (now, self.reconfigure(now).await)
            };
            // Cancelling these loses nothing: the end of the process stays readable, a break stays queued,
            // a change stays later than the version. Only while the process is being told its new
            // configuration cancelling costs it, and every branch that cancels that is its end anyway.
            tokio::select! {
                biased;
                broken = breaks.recv() => match broken {
                    Some(Break::Failed(why)) => break why,
                    Some(Break::GaveWay(why)) => {
                        self.end(instance, &why).await;
                        return Parted::ForAnew(URGENT);
                    }
                    None => break "it is of no use any more".to_owned(),
                },
                () = instance.ended() => break "it ended".to_owned(),
                why = &mut full => break why,
                () = self.until_wanted(is_unwanted) => {
                    self.bid_farewell(&instance).await;
                    break self.hindered();
                }
                () = self.stop.cancelled() => {
                    self.bid_farewell(&instance).await;
                    break "it was stopped".to_owned();
                }
                (now, configured) = reconfigured => match configured {
                    Configured::Done => version = now,
                    Configured::Later => {}
                    Configured::OnlyAnew => {
                        self.bid_farewell(&instance).await;
                        self.end(instance, ANEW).await;
                        return Parted::ForAnew(ITS_CONFIGURATION);
                    }
                },
            }
        };
        Parted::Failed(self.end(instance, &why).await)
    }

    /// Why it is not wanted any more.
    fn hindered(&self) -> String {
        let wanted = self.wanted.borrow();
        wanted
            .instead()
            .map_or("it was not wanted for a moment", |(_, why)| why)
            .to_owned()
    }

    /// Kills the process, after which no call may begin; one that waits for the slot must not find dead
    /// pipes in it. One that is under way ends by itself, because the process is killed first.
    async fn end(&self, instance: Instance, why: &str) -> String {
        self.note_down();
        let why = instance.end(why).await;
        self.put_down(&why).await;
        why
    }

    /// Waits until it is fenced and its own code begins, and introduces it then. Where that never begins, as for want of
    /// an interpreter, it has not crashed.
    async fn begin(&self, instance: &mut Instance, pipes: &mut Pipes) -> Result<Map<String, Value>, Parted> {
        let limit = self.settings.handshake_limit;
        let begun = timeout(limit, instance.begun()).await;
        let begun = begun.unwrap_or_else(|_| Err(format!("it was not fenced within {} s", limit.as_secs())));
        self.note_fenced(begun.map_err(Parted::Unstarted)?);
        self.introduce(pipes).await.map_err(Parted::Failed)
    }

    /// Gives a running process its configuration anew, where it is another one. One that refuses it cannot
    /// be relied upon as it is, and is started again.
    async fn reconfigure(&self, version: u64) -> Configured {
        let config = self.handed().config;
        let mut lent = match self
            .borrow(
                Method::Configure,
                Urgency::Supervision,
                self.settings.handshake_limit,
            )
            .await
        {
            Ok(lent) => lent,
            Err(CallError::Occupied(_)) => return Configured::Later,
            // Why it is down is told on another way.
            Err(_) => return Configured::Done,
        };
        let wire = lent.wire();
        wire.version = version;
        // What it was started with holds no more, and nothing else does.
        let Some(config) = config else {
            self.dismiss(&mut wire.pipes).await;
            lent.close(ANEW);
            return Configured::OnlyAnew;
        };
        if wire.config == config {
            lent.give_back();
            return Configured::Done;
        }
        if wire.config.keys().any(|key| !config.contains_key(key)) {
            // What it would do under its old configuration is nobody's wish any more.
            self.dismiss(&mut wire.pipes).await;
            lent.close(ANEW);
            return Configured::OnlyAnew;
        }
        match self.configure(&mut wire.pipes, &config).await {
            Ok(()) => {
                wire.config = config;
                lent.give_back();
            }
            Err(why) => lent.discard(&why),
        }
        Configured::Done
    }

    /// Tells it to tidy up, closes its stdin, which tells a plugin that reads lines to end, and waits a moment.
    async fn bid_farewell(&self, instance: &Instance) {
        let last_turn = timeout(FAREWELL, self.turns.turn(Urgency::Supervision)).await;
        let Ok(turn) = last_turn else {
            tracing::info!(plugin = %self.name(), "a plugin is at work and is killed");
            return;
        };
        // It has no pipes where they were closed already.
        if let Ok(mut lent) = Lent::out_of(&self.slot, turn) {
            self.dismiss(&mut lent.wire().pipes).await;
            lent.close("it is being ended");
        }
        if timeout(FAREWELL, instance.ended()).await.is_err() {
            tracing::info!(
                plugin = %self.name(),
                "a plugin does not end by itself and is killed"
            );
        }
    }
}
