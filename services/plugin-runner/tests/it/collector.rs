//! A source of samples whose readings a test chooses: real clocks, real bus, and the collector's ring
//! of samples that waits while the bus is away, and that is asked for what was missed.

use snooze_bus::{Bus, BusConfig, BusStatus, OnDenial, Subject, SubjectFilter, User};
use snooze_schemas::{
    HostId,
    host::{MissedSamples, Samples, TakeSample},
    sample::{Reading, Sample, Unit, name},
};
use snooze_service_runtime::{AgentId, CancellationToken, Clocks};
use snooze_test_harness::NatsServer;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How often it measures.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// What the processes of a host connect with: where the broker denies something, they go on.
pub(crate) fn going_on(server: &NatsServer, host: &HostId) -> BusConfig {
    BusConfig {
        on_denial: OnDenial::GoOn,
        ..server.bus_config(&User::host(host))
    }
}

/// Readings for one host.
pub(crate) struct Collector {
    cpu_percent: Arc<Mutex<Option<f64>>>,
    lost: Arc<AtomicUsize>,
    rests: Arc<AtomicBool>,
    owed: Arc<AtomicUsize>,
    stale: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Collector {
    /// Begins to publish samples of an idle machine.
    pub(crate) async fn start(bus: Bus, host: HostId, boot_id: String) -> Collector {
        let cpu_percent = Arc::new(Mutex::new(Some(1.0)));
        let stop = CancellationToken::new();
        let gauge = Gauge {
            host,
            boot_id,
            agent: AgentId::fresh().to_string(),
            cpu_percent: cpu_percent.clone(),
            lost: Arc::default(),
            rests: Arc::default(),
            owed: Arc::default(),
            stale: Arc::default(),
            taken: Arc::default(),
        };
        let lost = gauge.lost.clone();
        let (rests, stale) = (gauge.rests.clone(), gauge.stale.clone());
        let owed = gauge.owed.clone();
        let missed = SubjectFilter::Exactly(Subject::CollectorMissed(gauge.host.clone()));
        let mut missed = bus
            .subscribe(&missed, None)
            .await
            .expect("the host may answer for its collector");
        let (other, stopped) = (gauge.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let delivery = tokio::select! {
                    () = stopped.cancelled() => return,
                    delivery = missed.next() => delivery.expect("the connection stays open"),
                };
                let question: MissedSamples = delivery.read().expect("a question");
                let mut samples = other.taken.lock().expect("not poisoned").clone();
                samples.retain(|sample| sample.agent == question.agent && sample.seq > question.after);
                delivery
                    .answer(Ok(Samples { samples }))
                    .await
                    .expect("the answer goes");
            }
        });
        let asked = SubjectFilter::Exactly(Subject::CollectorSample(gauge.host.clone()));
        let mut asked = bus
            .subscribe(&asked, None)
            .await
            .expect("the host may answer for its collector");
        let (other, stopped) = (gauge.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let delivery = tokio::select! {
                    () = stopped.cancelled() => return,
                    delivery = asked.next() => delivery.expect("the connection stays open"),
                };
                let question: TakeSample = delivery.read().expect("a question");
                let window = Duration::from_millis(question.window_ms);
                // Measuring takes as long as the window is.
                let until = tokio::time::Instant::now() + window;
                tokio::time::sleep_until(until).await;
                let before = if other.stale.load(Ordering::SeqCst) {
                    60_000
                } else {
                    0
                };
                let sample = other.sample(0, question.window_ms + before);
                delivery.answer(Ok(sample)).await.expect("the answer goes");
            }
        });
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = gauge.publish(bus) => {}
            }
        });
        Collector {
            cpu_percent,
            lost,
            rests,
            owed,
            stale,
            stop,
        }
    }

    /// Publishes nothing more by itself, and still answers.
    pub(crate) fn rest(&self) {
        self.rests.store(true, Ordering::SeqCst);
    }

    /// Publishes one more sample although it rests.
    pub(crate) fn one_more(&self) {
        self.owed.fetch_add(1, Ordering::SeqCst);
    }

    /// What it answers with from now on began long before it was asked.
    pub(crate) fn be_stale(&self) {
        self.stale.store(true, Ordering::SeqCst);
    }

    /// So many of the next samples reach nobody; they can be asked for.
    pub(crate) fn lose(&self, count: usize) {
        self.lost.store(count, Ordering::SeqCst);
    }

    /// Whether it has lost them by now.
    pub(crate) fn has_lost_all(&self) -> bool {
        self.lost.load(Ordering::SeqCst) == 0
    }

    /// What the CPU reads from now on; nothing is an unknown reading.
    pub(crate) fn cpu(&self, percent: Option<f64>) {
        *self.cpu_percent.lock().expect("not poisoned") = percent;
    }
}

#[derive(Clone)]
struct Gauge {
    host: HostId,
    boot_id: String,
    agent: String,
    cpu_percent: Arc<Mutex<Option<f64>>>,
    lost: Arc<AtomicUsize>,
    rests: Arc<AtomicBool>,
    owed: Arc<AtomicUsize>,
    stale: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Sample>>>,
}

impl Gauge {
    async fn publish(self, bus: Bus) {
        let mut ring: VecDeque<Sample> = VecDeque::new();
        let mut last_ms = Clocks::real().monotonic_ms();
        let mut ticks = tokio::time::interval(INTERVAL);
        for seq in 1.. {
            ticks.tick().await;
            let owed = |left: usize| left.checked_sub(1);
            while self.rests.load(Ordering::SeqCst)
                && self
                    .owed
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, owed)
                    .is_err()
            {
                ticks.tick().await;
            }
            let mut sample = self.sample(seq, 0);
            sample.covers_ms = sample.ends_monotonic_ms - last_ms;
            last_ms = sample.ends_monotonic_ms;
            self.taken.lock().expect("not poisoned").push(sample.clone());
            let lose = |left: usize| left.checked_sub(1);
            if self
                .lost
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose)
                .is_ok()
            {
                continue;
            }
            ring.push_back(sample);
            if *bus.status().borrow() != BusStatus::Connected {
                continue;
            }
            for sample in ring.drain(..) {
                bus.publish(&Subject::Metrics(self.host.clone()), &sample)
                    .await
                    .expect("the sample goes");
            }
        }
    }

    fn sample(&self, seq: u64, covers_ms: u64) -> Sample {
        let now = Clocks::real().look();
        let cpu = match *self.cpu_percent.lock().expect("not poisoned") {
            Some(value) => Reading::Known {
                value,
                unit: Unit::Percent,
                took_ms: 0,
            },
            None => Reading::Unknown {
                unknown: "the sensor is gone".to_owned(),
                took_ms: 0,
            },
        };
        Sample {
            host: self.host.clone(),
            boot_id: self.boot_id.clone(),
            agent: self.agent.clone(),
            seq,
            taken_at: now.wall,
            covers_ms,
            ends_monotonic_ms: now.monotonic_ms,
            ends_boottime_ms: now.boottime_ms,
            readings: [(name::CPU_PERCENT.to_owned(), cpu)].into(),
            gpus: Vec::new(),
        }
    }
}
