//! The hosts of a play with their metadata services, the centre that they share, and how it goes from the notice to the
//! last outcome.
//!
//! It asks and listens as an administrator does, and looks at the streams as an event gateway does; it handles nothing
//! itself.

use super::{
    cloud::Service,
    demonstration,
    judged::Played,
    play::{Play, Who},
};
use crate::{
    commands::event::found::{ending, endings, newest, story},
    print,
    session::of_bus,
    up::alone::{Around, start_centre},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use snooze_bus::{Bus, RunnerVerb, Stream, Subject, SubjectFilter};
use snooze_schemas::{
    HostId, PluginName,
    audit::{AuditKind, AuditRecord},
    event::Severity,
    host::{ListPlugins, PluginList, PluginStatus},
    metrics::Metrics,
    plugin::inspection::{CheckPlugins, PluginChecks, PluginLog, ReadLog},
};
use snooze_service_runtime::{Clocks, Exit, Failure, LocalConfig, Tasks};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};

/// So many start at once; the others wait until these are ready.
const STARTING: usize = 50;
/// So many are asked at once.
const AT_ONCE: usize = 32;
/// For how long those that start may make ready: an interpreter with many imports takes seconds.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// After this a person is told what is waited for.
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(50);
/// A runner answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long after a deadline an outcome may still come: a handler's time-out ends with it, and the report follows.
const AFTER_DEADLINE: Duration = Duration::from_secs(5);
/// How long the centre may take for what was filed, once all was handled.
const DISPATCHED_WITHIN: Duration = Duration::from_secs(30);
/// Of the last events of a stream no more can be looked at.
const MOST_EVENTS: usize = 10_000;

/// A host of the play, and what its cloud tells it.
pub(super) struct Machine {
    id: HostId,
    service: Service,
}

/// A play on its bus.
pub(super) struct Stage<'a> {
    pub(super) play: &'a Play,
    pub(super) local: &'a LocalConfig,
    pub(super) administrator: Bus,
    pub(super) clocks: Clocks,
    machines: Vec<Machine>,
    centre: Option<Bus>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(play: &'a Play, local: &'a LocalConfig, administrator: Bus) -> Stage<'a> {
        Stage {
            play,
            local,
            administrator,
            clocks: Clocks::real(),
            machines: Vec::new(),
            centre: None,
        }
    }

    /// Starts the centre, the hosts and, where it serves all of them, the handler, and waits until all are ready.
    pub(super) async fn set(&mut self, around: &Around<'_>, tasks: &mut Tasks) -> Result<(), Failure> {
        let centre = around.as_centre().await?;
        start_centre(centre.clone(), tasks);
        self.centre = Some(centre);
        let name = demonstration::name();
        let fleet = (self.play.who == Who::DemonstrationOfFleet).then_some(&name);
        if let Some(plugin) = fleet {
            let bus = around.as_fleet_plugin(plugin).await?;
            let serving = demonstration::serve_fleet(bus, tasks.shutdown());
            tasks.start("demonstration handler", Box::pin(serving));
        }
        let launched = self.clocks.wall();
        for number in 1..=self.play.hosts {
            let id: HostId = format!("simulated-{number}")
                .parse()
                .expect("characters of a host's id");
            let begun = Service::begin(self.play.scenario, &id, launched).await;
            let service = begun.map_err(|error| {
                let text = format!("start the metadata service of {id}: {error}");
                Failure::new(Exit::Failed, text)
            })?;
            self.machines.push(Machine { id, service });
        }
        let asked = self.machines.iter().map(|machine| {
            let mut local = self.local.clone();
            machine.service.switch_on(&mut local.event_sources);
            (machine.id.clone(), local)
        });
        // First all come onto the bus: whoever starts has much to do, and a broker does not wait for those who greet it.
        let hosts = around.hosts(asked.collect(), fleet).await?;
        let mut hosts = hosts.into_iter();
        for machines in self.machines.chunks(STARTING) {
            hosts
                .by_ref()
                .take(machines.len())
                .for_each(|host| host.start(tasks));
            self.until_ready(machines).await?;
        }
        print::talk(&format!("{} ready", hosts_of(self.machines.len())));
        Ok(())
    }

    /// Announces it, and waits for what comes of it. Cancelling it leaves everything running.
    pub(super) async fn go_on(&self) -> Result<Played, Failure> {
        let heard = SubjectFilter::AuditOfKind(AuditKind::Event);
        let mut outcomes = self
            .administrator
            .subscribe(&heard, None)
            .await
            .map_err(|error| of_bus(&error))?;
        // From here on nothing is missed.
        self.administrator
            .flush(ANSWER_WITHIN)
            .await
            .map_err(|error| of_bus(&error))?;
        let (begun, limit) = (Instant::now(), self.play.notice + AFTER_DEADLINE);
        let mut announced = BTreeMap::new();
        for machine in &self.machines {
            let now = self.clocks.wall();
            machine.service.announce(&machine.id, now + self.play.notice);
            announced.insert(machine.id.clone(), now);
        }
        print::talk(&format!(
            "announced to {}; it is waited for {} s at most",
            hosts_of(announced.len()),
            limit.as_secs()
        ));
        let mut ended = BTreeSet::new();
        while ended.len() < announced.len() {
            let Ok(heard) = timeout_at(begun + limit, outcomes.next()).await else {
                break;
            };
            let Some(heard) = heard else { break };
            let ending = heard
                .read::<AuditRecord>()
                .ok()
                .and_then(|record| ending(heard.subject(), &record));
            ended.extend(ending.and_then(|(_, ending)| ending.host.host().cloned()));
        }
        print::talk(&format!("{} told how it ended", hosts_of(ended.len())));
        let dispatched = self.until_dispatched(begun).await?;
        let stories = self.stories().await?;
        Ok(Played {
            announced,
            dispatched: (stories.len() - dispatched.0.min(stories.len()), dispatched.1),
            stories,
        })
    }

    /// Waits until every runner answers, no plugin is just being started, and every event gateway asks its metadata
    /// service.
    async fn until_ready(&self, machines: &[Machine]) -> Result<(), Failure> {
        let begun = Instant::now();
        let limit = begun + READY_WITHIN;
        let each = stream::iter(machines).map(async |machine| {
            let mut told = None;
            loop {
                let why = match self.hindrance(machine).await? {
                    None => return Ok(()),
                    Some(why) => why,
                };
                // Of a crowd everybody's would be too much.
                if self.play.hosts == 1 && begun.elapsed() > TOLD_AFTER && told.as_ref() != Some(&why) {
                    print::talk(&format!("{} is not ready yet: {why}", machine.id));
                    told = Some(why.clone());
                }
                if Instant::now() >= limit {
                    let text = format!(
                        "{} is not ready after {} s: {why}",
                        machine.id,
                        READY_WITHIN.as_secs()
                    );
                    return Err(Failure::new(Exit::Failed, text));
                }
                sleep(LOOK).await;
            }
        });
        each.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Why a host is not ready, if it is not.
    async fn hindrance(&self, machine: &Machine) -> Result<Option<String>, Failure> {
        let subject = Subject::Runner {
            host: machine.id.clone(),
            verb: RunnerVerb::Plugins,
        };
        let asked = self
            .administrator
            .request(&subject, &ListPlugins { plugin: None }, ANSWER_WITHIN)
            .await;
        let found: PluginList = match asked {
            Ok(found) => found,
            Err(error) => {
                let why = snooze_service_runtime::exit::one_line(&error);
                return Ok(Some(format!("its plugin runner does not answer: {why}")));
            }
        };
        if found.plugins.is_empty() {
            let text = "no plugin is found where the configuration says that they are";
            return Err(Failure::new(Exit::Usage, text));
        }
        let fails = |state: &str| state == "restarting" || state == "quarantined";
        if let Some(plugin) = found.plugins.iter().find(|plugin| fails(&plugin.state)) {
            return Err(self.not_started(machine, plugin).await);
        }
        if let Some(plugin) = found.plugins.iter().find(|plugin| plugin.state == "starting") {
            return Ok(Some(format!("its plugin {} is starting", plugin.info.name)));
        }
        let is_asked = machine.service.is_asked();
        Ok((!is_asked).then(|| "its event gateway does not ask its metadata service".to_owned()))
    }

    /// That a plugin ended, or said nothing that is of the protocol, when it was started: what it was, why, and what it
    /// said last. To wait for another start of it would be in vain, and what is no plugin at all would do no better.
    async fn not_started(&self, machine: &Machine, plugin: &PluginStatus) -> Failure {
        let asked = |verb: RunnerVerb| Subject::Runner {
            host: machine.id.clone(),
            verb,
        };
        let (name, origin) = (&plugin.info.name, &plugin.origin);
        let mut text = format!("{origin}: the plugin {name} does not start");
        if let Ok(plugin) = name.parse::<PluginName>() {
            let question = CheckPlugins {
                plugin: Some(plugin.clone()),
                metrics: Some(Metrics::default()),
            };
            let subject = asked(RunnerVerb::Check);
            let checked = self.administrator.request(&subject, &question, ANSWER_WITHIN);
            let checked: Result<PluginChecks, _> = checked.await;
            let why = checked
                .ok()
                .and_then(|checked| checked.results.into_iter().next());
            text.extend(why.map(|why| format!(": {}", why.reason)));
            let question = ReadLog { plugin, lines: 1 };
            let subject = asked(RunnerVerb::Logs);
            let log = self.administrator.request(&subject, &question, ANSWER_WITHIN);
            let log: Result<PluginLog, _> = log.await;
            let last = log.ok().and_then(|log| log.lines.into_iter().next_back());
            text.extend(last.map(|line| format!("; its last words: {}", line.text)));
        }
        text.push_str(
            "; a plugin answers each line of its input with one, and nothing else may lie where plugins are",
        );
        Failure::new(Exit::Usage, crate::view::text::printable(&text))
    }

    /// Waits until the centre has given on all that was filed: how many it has not, and when it was through.
    async fn until_dispatched(&self, begun: Instant) -> Result<(usize, Option<Duration>), Failure> {
        let centre = self.centre.as_ref().expect("it was started");
        let limit = Instant::now() + DISPATCHED_WITHIN;
        loop {
            let kept = centre.events_kept(Stream::of_events(Severity::Critical)).await;
            let lanes = kept.map_err(|error| of_bus(&error))?.lanes;
            let open: u64 = lanes.iter().map(|lane| lane.waiting + lane.in_hand).sum();
            match (open, Instant::now() < limit) {
                (0, _) => return Ok((0, Some(begun.elapsed()))),
                (_, true) => sleep(LOOK).await,
                (open, false) => return Ok((usize::try_from(open).unwrap_or(usize::MAX), None)),
            }
        }
    }

    async fn stories(&self) -> Result<Vec<crate::view::event::Story>, Failure> {
        let bus = &self.administrator;
        let events = newest(bus, &SubjectFilter::AllEvents, MOST_EVENTS).await?;
        let endings = endings(bus, None).await?;
        let told = events
            .into_iter()
            .map(|(stream, stored)| story(bus, stream, stored, &endings));
        stream::iter(told).buffered(AT_ONCE).try_collect().await
    }
}

fn hosts_of(count: usize) -> String {
    match count {
        1 => "1 host".to_owned(),
        _ => format!("{count} hosts"),
    }
}
