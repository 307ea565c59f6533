//! The intake by itself, for the benchmark: it decides what it is given and no service runs around it.

use crate::{
    claims::{self, ClaimTasks},
    context::Context,
    follow,
    intake::Intake,
    mirror::{Area, Mirror},
    notes::Notes,
    provider::Clouds,
    reach::Reach,
    store::Store,
};
use snooze_bus::{Bus, Delivery};
use snooze_decision::Decision;
use snooze_service_runtime::{CancellationToken, Clocks};

/// Decides verdicts that somebody else receives.
#[derive(Debug)]
pub struct Decider {
    intake: Intake,
    /// Nobody drives the claims: none is opened under a policy that only observes.
    _tasks: ClaimTasks,
    shutdown: CancellationToken,
}

impl Decider {
    /// Reads what the buckets hold and follows them.
    pub async fn begin(bus: &Bus) -> Decider {
        let context = Context {
            store: Store::new(bus),
            mirror: Mirror::new(),
            clouds: Clouds::default(),
            reach: Reach::new(&Clouds::default()),
            clocks: Clocks::real(),
            actor: "benchmark".to_owned(),
            own: None,
            bus: bus.clone(),
        };
        let shutdown = CancellationToken::new();
        for area in [Area::Configuration, Area::State] {
            let following = follow::follow(bus.clone(), context.mirror.clone(), area, shutdown.clone());
            tokio::spawn(following);
        }
        context.mirror.ready().await;
        let (claims, tasks) = claims::claims(&context, 1);
        Decider {
            intake: Intake::new(context, claims, Notes::default()),
            _tasks: tasks,
            shutdown,
        }
    }

    /// Reads and decides one verdict; nothing where it was refused.
    pub fn decide(&mut self, delivery: &Delivery) -> Option<Decision> {
        self.intake.take(delivery)
    }
}

impl Drop for Decider {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
