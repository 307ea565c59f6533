//! One series of samples: abutting intervals, each with all readings (rule T2).
//!
//! A series remembers its own counters, so that a sample on demand disturbs nobody; the slow readers'
//! lanes are shared. It never publishes.

use crate::{
    Root, Settings, Unreadable,
    gpu::{GpuLook, Gpus},
    lane::{Answer, Lane},
    presence::{Input, People},
    reading::{Gauges, Value, reading},
};
use snooze_schemas::{
    HostId,
    sample::{Gpu, Reading, Sample, Unit, name},
};
use snooze_service_runtime::{Clocks, clocks::Look};
use std::{collections::BTreeMap, ffi::OsString, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Looking at every process of a busy host takes some ten milliseconds; an X server or logind that is
/// there answers within a few. A verification waits five seconds in all.
const PRESENCE_LIMIT: Duration = Duration::from_secs(1);

/// NVML starts a sleeping GPU when it is asked; that was seen to take more than a second.
const GPU_LIMIT: Duration = Duration::from_secs(3);

/// Which host is measured, and by whom.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The host.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// This start of the collector.
    pub agent: String,
}

/// What all series of one collector share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    identity: Identity,
    root: Root,
    clocks: Clocks,
    settings: watch::Receiver<Settings>,
    input: Lane<Result<Value, Unreadable>>,
    people: Lane<Result<Value, Unreadable>>,
    gpus: Lane<GpuLook>,
}

/// One series of samples.
#[derive(Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    gauges: Gauges,
    seq: u64,
    ended: Look,
}

impl Readers {
    /// Starts the lanes.
    #[must_use]
    pub fn start(
        identity: Identity,
        root: &Root,
        clocks: &Clocks,
        settings: watch::Receiver<Settings>,
        nvml: OsString,
    ) -> Readers {
        let mut input = Input::new(root.clone());
        let mut people = People::new(root.clone());
        let mut gpus = Gpus::new(nvml);
        let threshold = settings.clone();
        Readers(Arc::new(Shared {
            identity,
            root: root.clone(),
            clocks: clocks.clone(),
            settings,
            input: Lane::start("input", PRESENCE_LIMIT, clocks, move |at| input.look(at)),
            people: Lane::start("people", PRESENCE_LIMIT, clocks, move |at| {
                let threshold = threshold.borrow().people_threshold();
                people.look(at, threshold)
            }),
            gpus: Lane::start("gpu", GPU_LIMIT, clocks, move |at| gpus.look(at)),
        }))
    }

    /// A series of samples whose first interval begins now.
    #[must_use]
    pub fn series(&self) -> Sampler {
        let mut gauges = Gauges::new();
        let ended = self.0.clocks.look();
        gauges.look(&self.0.root, ended.monotonic_ms);
        Sampler {
            shared: Arc::clone(&self.0),
            gauges,
            seq: 0,
            ended,
        }
    }
}

impl Sampler {
    /// Ends the interval that runs, begins the next one, and returns the sample of the one that ended.
    ///
    /// Takes as long as the slowest reader's limit at most. Cancelled, it loses that sample, and the next
    /// one still begins where this one ended.
    pub async fn sample(&mut self) -> Sample {
        let shared = Arc::clone(&self.shared);
        let at = shared.clocks.look();
        let began = std::mem::replace(&mut self.ended, at);
        self.seq += 1;
        let mut readings = self.gauges.look(&shared.root, at.monotonic_ms);
        let gpu_enabled = shared.settings.borrow().gpu_enabled;
        let (input, people, gpus) = tokio::join!(shared.input.ask(), shared.people.ask(), async {
            if gpu_enabled {
                Some(shared.gpus.ask().await)
            } else {
                None
            }
        });
        add(&mut readings, name::INPUT_IDLE_SECS, input, PRESENCE_LIMIT);
        add(&mut readings, name::PEOPLE_PRESENT, people, PRESENCE_LIMIT);
        let gpus = gpus.map(|gpus| add_gpus(&mut readings, gpus)).unwrap_or_default();
        let Identity { host, boot_id, agent } = shared.identity.clone();
        Sample {
            host,
            boot_id,
            agent,
            seq: self.seq,
            taken_at: at.wall,
            covers_ms: at.monotonic_ms.saturating_sub(began.monotonic_ms),
            ends_monotonic_ms: at.monotonic_ms,
            ends_boottime_ms: at.boottime_ms,
            readings,
            gpus,
        }
    }
}

fn add(
    readings: &mut BTreeMap<String, Reading>,
    name: &str,
    answer: Result<Answer<Result<Value, Unreadable>>, Unreadable>,
    limit: Duration,
) {
    let reading = match answer {
        Ok(Answer { found, took_ms }) => reading(found, took_ms),
        Err(error) => reading(Err(error), millis(limit)),
    };
    readings.insert(name.to_owned(), reading);
}

/// Adds the busiest GPU's reading, none where there is no GPU, and returns what is known of each.
fn add_gpus(
    readings: &mut BTreeMap<String, Reading>,
    answer: Result<Answer<GpuLook>, Unreadable>,
) -> Vec<Gpu> {
    let percent = |value| Value::new(value, Unit::Percent);
    let (busiest, gpus) = match answer {
        Ok(Answer { found: None, .. }) => return Vec::new(),
        Ok(Answer {
            found: Some((busiest, gpus)),
            took_ms,
        }) => (reading(busiest.map(percent), took_ms), gpus),
        Err(error) => (reading(Err(error), millis(GPU_LIMIT)), Vec::new()),
    };
    readings.insert(name::GPU_PERCENT.to_owned(), busiest);
    gpus
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
