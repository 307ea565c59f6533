//! What is played: which cloud says it, to how many hosts, how long before it happens, and who handles it. Pure.

use crate::arguments::{EventSimulate, Output, Rehearsed};
use std::{path::PathBuf, time::Duration};

/// What Compute Engine gives, and says nothing else of.
const GOOGLES_NOTICE: Duration = Duration::from_secs(30);

/// One of the four plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// AWS, one instance.
    Spot,
    /// AWS, many instances at once.
    Storm,
    /// Azure, one machine.
    Azure,
    /// Google, one machine.
    Gcp,
}

/// Who handles what is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The demonstration's handler, a process on the host.
    Demonstration,
    /// The demonstration's handler, one for all hosts.
    DemonstrationOfFleet,
    /// Plugins of the person who plays.
    Own {
        /// Where they are, where that is said.
        plugins: Option<PathBuf>,
        /// What a host's file says of them, where there is one.
        config: Option<PathBuf>,
    },
}

/// A play.
#[derive(Debug, Clone)]
pub(super) struct Play {
    /// Which.
    pub(super) scenario: Scenario,
    /// How many hosts are told.
    pub(super) hosts: u16,
    /// How long before.
    pub(super) notice: Duration,
    /// Who handles it.
    pub(super) who: Who,
    /// The broker, where it is named.
    pub(super) nats_server: Option<PathBuf>,
    /// How it is told.
    pub(super) output: Output,
}

impl Play {
    /// As it was asked for.
    pub(super) fn of(asked: EventSimulate) -> Play {
        let seconds = |seconds: u16| Duration::from_secs(u64::from(seconds));
        match asked {
            EventSimulate::Spot(spot) => Play::on_one(Scenario::Spot, seconds(spot.notice), spot.rehearsed),
            EventSimulate::Azure(azure) => {
                Play::on_one(Scenario::Azure, seconds(azure.notice), azure.rehearsed)
            }
            EventSimulate::Gcp(gcp) => Play::on_one(Scenario::Gcp, GOOGLES_NOTICE, gcp.rehearsed),
            EventSimulate::Storm(storm) => Play {
                scenario: Scenario::Storm,
                hosts: storm.hosts,
                notice: seconds(storm.notice),
                who: Who::DemonstrationOfFleet,
                nats_server: storm.nats_server,
                output: storm.output,
            },
        }
    }

    fn on_one(scenario: Scenario, notice: Duration, rehearsed: Rehearsed) -> Play {
        let Rehearsed {
            plugins,
            config,
            nats_server,
            output,
        } = rehearsed;
        Play {
            scenario,
            hosts: 1,
            notice,
            who: match (plugins, config) {
                (None, None) => Who::Demonstration,
                (plugins, config) => Who::Own { plugins, config },
            },
            nats_server,
            output,
        }
    }
}

impl Scenario {
    /// As it is typed.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Storm => "storm",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// What happens in it.
    pub(super) fn happens(self) -> &'static str {
        match self {
            Self::Spot => "AWS tells a spot instance that it will be terminated",
            Self::Storm => "AWS tells spot instances, all at once, that they will be terminated",
            Self::Azure => "Azure tells a spot machine that it will be preempted",
            Self::Gcp => "Google tells a spot machine that it is being preempted",
        }
    }
}

impl Who {
    /// Who it is, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Demonstration => {
                "the demonstration's plugin, which only says that it was told; --plugins DIR runs your own"
                    .to_owned()
            }
            Self::DemonstrationOfFleet => {
                "the demonstration's plugin of the fleet: one that every runner asks over NATS".to_owned()
            }
            Self::Own {
                plugins: Some(folder),
                ..
            } => format!("the plugins of {}", folder.display()),
            Self::Own { config, .. } => {
                let file = config
                    .as_ref()
                    .map_or_else(String::new, |file| file.display().to_string());
                format!("the plugins that {file} names")
            }
        }
    }
}

impl Play {
    /// What of it is as on a real host.
    pub(super) fn real(&self) -> Vec<&'static str> {
        let mut real = vec![
            "the metadata service's protocol, over HTTP",
            "the host's event gateway and plugin runner, with their journals and credentials",
            "nats-server with the product's configuration, streams and roles",
            "the dispatcher at the centre, and the audit trail",
        ];
        real.push(match self.who {
            Who::DemonstrationOfFleet => "the handler, as a plugin on NATS",
            Who::Demonstration | Who::Own { .. } => "the handlers, as processes in their fences",
        });
        real
    }

    /// What is not.
    pub(super) fn made_up(&self) -> Vec<&'static str> {
        let mut made_up = vec!["the notice: no cloud was asked, and nothing is taken away"];
        if self.scenario == Scenario::Storm {
            made_up.extend([
                "the hosts: all of them are in one process on this machine, so that times are this machine's",
                "of the metadata services only the interruption's path is asked every second, the others every minute",
            ]);
        }
        made_up
    }
}
