//! One series of samples: abutting intervals, each with all readings (rule T2).
//!
//! A series remembers its own counters, so that a sample on demand disturbs nobody; the readers' lanes are
//! shared. It never publishes, and reads nothing on the thread that it is called on.

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

/// The kernel answers within a tenth of a millisecond; only a `/proc` that is served by a program can be late.
const GAUGES_LIMIT: Duration = Duration::from_secs(1);

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
    clocks: Clocks,
    settings: watch::Receiver<Settings>,
    gauges: Lane<Gauges, Gauged>,
    input: Lane<(), Result<Value, Unreadable>>,
    people: Lane<(), Result<Value, Unreadable>>,
    gpus: Lane<Duration, GpuLook>,
}

/// Gauges go to their lane and come back with what they found.
type Gauged = (Gauges, BTreeMap<String, Reading>);

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
        let gauged = root.clone();
        let mut input = Input::new(root.clone());
        let mut people = People::new(root.clone());
        let mut gpus = Gpus::new(nvml);
        let threshold = settings.clone();
        Readers(Arc::new(Shared {
            identity,
            clocks: clocks.clone(),
            settings,
            gauges: Lane::start("kernel", GAUGES_LIMIT, clocks, move |at, mut gauges: Gauges| {
                let readings = gauges.look(&gauged, at.monotonic_ms);
                (gauges, readings)
            }),
            input: Lane::start("input", PRESENCE_LIMIT, clocks, move |at, ()| input.look(at)),
            people: Lane::start("people", PRESENCE_LIMIT, clocks, move |at, ()| {
                let threshold = threshold.borrow().people_threshold();
                people.look(at, threshold)
            }),
            gpus: Lane::start("gpu", GPU_LIMIT, clocks, move |at, covers| gpus.look(at, covers)),
        }))
    }

    /// A series of samples whose first interval begins now.
    ///
    /// Takes as long as the kernel's readers need, their limit at most.
    pub async fn series(&self) -> Sampler {
        let mut series = Sampler {
            shared: Arc::clone(&self.0),
            gauges: Gauges::new(),
            seq: 0,
            ended: self.0.clocks.look(),
        };
        // Where they do not answer, the first sample's rates are unknown.
        series.gauge().await;
        series
    }

    /// Waits until the thread of a reader has ended, which none does by itself, and says whose it was.
    pub async fn ended(&self) -> &'static str {
        let lanes = &self.0;
        tokio::select! {
            name = lanes.gauges.ended() => name,
            name = lanes.input.ended() => name,
            name = lanes.people.ended() => name,
            name = lanes.gpus.ended() => name,
        }
    }
}

impl Sampler {
    /// Ends the interval that runs, begins the next one, and returns the sample of the one that ended.
    ///
    /// Takes as long as the slowest reader's limit at most. Cancelled, it loses that sample, and the next
    /// one still begins where this one ended, with its rates unknown.
    pub async fn sample(&mut self) -> Sample {
        let shared = Arc::clone(&self.shared);
        let at = shared.clocks.look();
        let began = std::mem::replace(&mut self.ended, at);
        self.seq += 1;
        let covers_ms = at.monotonic_ms.saturating_sub(began.monotonic_ms);
        let gpu_enabled = shared.settings.borrow().gpu_enabled;
        let gpus = async {
            if gpu_enabled {
                Some(shared.gpus.ask(Duration::from_millis(covers_ms)).await)
            } else {
                None
            }
        };
        let (mut readings, input, people, gpus) =
            tokio::join!(self.gauge(), shared.input.ask(()), shared.people.ask(()), gpus);
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
            covers_ms,
            ends_monotonic_ms: at.monotonic_ms,
            ends_boottime_ms: at.boottime_ms,
            readings,
            gpus,
        }
    }

    /// Has the gauges look. Those that do not come back are replaced by new ones: a rate never covers more
    /// than the interval that it is reported for.
    async fn gauge(&mut self) -> BTreeMap<String, Reading> {
        let gauges = std::mem::take(&mut self.gauges);
        match self.shared.gauges.ask(gauges).await {
            Ok(Answer {
                found: (gauges, readings),
                ..
            }) => {
                self.gauges = gauges;
                readings
            }
            Err(error) => self.gauges.unknown(&error, millis(GAUGES_LIMIT)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Found, Gauge};
    use snooze_schemas::sample::Unit;
    use std::{
        path::Path,
        sync::mpsc::{Receiver, channel},
    };

    /// A gauge whose file is served by a program that does not answer.
    #[derive(Debug)]
    struct Stuck(Receiver<()>);

    impl Gauge for Stuck {
        fn names(&self) -> &'static [&'static str] {
            &["stuck"]
        }

        fn look(&mut self, _root: &Root, _monotonic_ms: u64) -> Found {
            // Without a lane of its own this would hold the whole service; a test is to fail then, not to hang.
            let came = self.0.recv_timeout(30 * GAUGES_LIMIT);
            assert!(came.is_ok(), "nobody let it go");
            vec![("stuck", Ok(Value::new(7.0, Unit::Count)))]
        }
    }

    fn readers(folder: &Path) -> Readers {
        let root = Root::open(folder).expect("opens");
        // Readers keep the last settings when nobody changes them any more.
        let (_, settings) = watch::channel(Settings::default());
        let identity = Identity {
            host: "h1".parse().expect("a host"),
            boot_id: "b".to_owned(),
            agent: "a".to_owned(),
        };
        Readers::start(
            identity,
            &root,
            &Clocks::real(),
            settings,
            "libno-such-nvml.so.1".into(),
        )
    }

    #[tokio::test]
    async fn a_kernel_that_does_not_answer_holds_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let readers = readers(folder.path());
        let mut series = readers.series().await;
        let (release, stuck) = channel();
        series.gauges = Gauges::of(vec![Box::new(Stuck(stuck))]);
        let sample = series.sample().await;
        let cpu = &sample.readings[name::CPU_PERCENT];
        assert!(
            matches!(cpu, Reading::Unknown { unknown, .. } if unknown.contains("kernel reader did not answer")),
            "{cpu:?}"
        );
        assert!(sample.readings.contains_key(name::PEOPLE_PRESENT));
        let sample = series.sample().await;
        let cpu = &sample.readings[name::CPU_PERCENT];
        assert!(
            matches!(cpu, Reading::Unknown { unknown, .. } if unknown.contains("kernel reader hangs")),
            "{cpu:?}"
        );
        release.send(()).expect("it still waits");
    }

    /// A gauge with a broken invariant.
    #[derive(Debug)]
    struct Broken;

    impl Gauge for Broken {
        fn names(&self) -> &'static [&'static str] {
            &["broken"]
        }

        fn look(&mut self, _root: &Root, _monotonic_ms: u64) -> Found {
            panic!("broken invariant")
        }
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_told_to_whoever_watches() {
        let folder = tempfile::tempdir().expect("a folder");
        let readers = readers(folder.path());
        let mut series = readers.series().await;
        series.gauges = Gauges::of(vec![Box::new(Broken)]);
        let sample = series.sample().await;
        assert_eq!(sample.readings[name::CPU_PERCENT].value(), None);
        let ended = tokio::time::timeout(30 * GAUGES_LIMIT, readers.ended()).await;
        assert_eq!(ended, Ok("kernel"));
    }
}
