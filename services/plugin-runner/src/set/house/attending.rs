//! Carries out what an administrator wants done about plugins, and says what came of it.
//!
//! It starts and ends nothing itself: an order is a reason to look.

use super::{House, HouseError};
use crate::set::{
    orders::{Given, Order},
    tenant::Tenant,
};
use snooze_schemas::{ErrorCode, PluginName, Refusal};
use std::collections::BTreeSet;

impl House {
    pub(super) async fn attend(&mut self, (order, reply): Given) -> Result<(), HouseError> {
        let mut anew = BTreeSet::new();
        match &order {
            Order::Load(name) => {
                self.unloaded.remove(name);
                let running = self
                    .running
                    .get(name)
                    .map(|tenant: &Tenant| &tenant.hosted.process);
                match running {
                    // It is loaded and does not run all the same.
                    Some(process) if process.is_quarantined() => drop(anew.insert(name.clone())),
                    // One that runs goes on, and one that waits to be started again is started now.
                    Some(process) => process.pardon(),
                    None => {}
                }
            }
            Order::Unload(name) if !self.parts.plugins.knows(name) => {
                // Whoever gave it may have given up.
                drop(reply.send(Err(absent(name))));
                return Ok(());
            }
            Order::Unload(name) => drop(self.unloaded.insert(name.clone())),
            Order::Reload(name) => anew.extend(name.clone()),
        }
        self.attending = Some((order.clone(), reply));
        self.look(anew).await?;
        let done = self.outcome(&order);
        if let Some((_, reply)) = self.attending.take() {
            drop(reply.send(done));
        }
        Ok(())
    }

    /// What a look made of an order.
    fn outcome(&self, order: &Order) -> Result<(), Refusal> {
        let Some(name) = order.plugin() else {
            return Ok(());
        };
        if !self.parts.plugins.knows(name) {
            return Err(absent(name));
        }
        self.parts.trail.note(name, order.done());
        Ok(())
    }
}

fn absent(name: &PluginName) -> Refusal {
    let text = format!("there is no plugin {name} on this host");
    Refusal::new(ErrorCode::NotFound, text)
}
