//! People and bad luck: leases, wakes, freezes, somebody at the machine, starts and stops by hand; crashes
//! and pauses of executors.

use super::executor::Executor;
use super::machine::Protection;
use super::world::{Change, Event, FAULTS_MS, REST_MS, World};
use snooze_decision::Wall;
use snooze_decision::claim::{
    Entry, Frozen, HostRecord, Input, InstanceState, Lease, Postponement, Wake, apply_freeze, apply_lease,
    apply_postponement, apply_thaw, apply_veto, apply_wake, note_running,
};

/// The record after a change; none where it is refused as too late.
pub(super) fn changed(read: &Entry<HostRecord>, change: Change, now: u64) -> Option<HostRecord> {
    let now = Wall(1_700_000_000_000 + now);
    let reason = "a person".to_owned();
    match change {
        Change::Lease => {
            let lease = Lease {
                id: "one".to_owned(),
                until: now.plus(20_000),
                holder: reason.clone(),
                reason,
            };
            apply_lease(read, lease, now).ok()
        }
        Change::Postpone => {
            let postponement = Postponement {
                until: now.plus(10_000),
                reason,
            };
            apply_postponement(read, postponement, now).ok()
        }
        Change::Wake => {
            let wake = Wake {
                at: now,
                by: reason.clone(),
                reason,
            };
            Some(apply_wake(read, wake))
        }
        Change::Veto(why) => apply_veto(read, why.to_owned()).ok(),
        Change::Running => Some(note_running(read, now)),
    }
}

impl World {
    pub(super) fn person(&mut self) {
        if !self.faults {
            return;
        }
        let next = self.rng.range(500, 60_000 / self.harsh + 6_000);
        self.after(next, Event::Person);
        let host = self.rng.range(0, self.machines.len() as u64) as usize;
        match self.rng.range(0, 120) {
            0..15 => {
                let busy = !self.machines[host].busy && self.rng.permille(400);
                self.machines[host].set_busy(busy, self.now);
            }
            15..20 => self.asks(host, Change::Lease),
            20..24 => self.asks(host, Change::Postpone),
            24..32 => self.asks(host, Change::Wake),
            32..38 => self.freeze(),
            38..58 => {
                self.store.put_gate(apply_thaw(&self.store.gate.value));
                self.tell_of_gate();
            }
            58..96 => self.start(host),
            96..100 if self.machines[host].is_up() => {
                self.machines[host].hand_stopped_at = Some(self.now);
                self.goes_down(host);
            }
            100..120 => self.oddity(host),
            _ => {}
        }
    }

    /// What happens to a machine that nobody asked the executors for.
    fn oddity(&mut self, host: usize) {
        let ms = self.rng.range(1_000, 40_000);
        let (now, luck) = (self.now, self.rng.range(0, 1_000));
        let machine = &mut self.machines[host];
        match luck {
            0..200 => machine.use_database(!machine.database_busy, now),
            200..350 => machine.blind_until = now + ms,
            350..500 => machine.cloned_until = now + ms,
            500..700 => {
                machine.protection = match machine.protection {
                    Protection::None if luck < 600 => Protection::StopProtected,
                    Protection::None => Protection::OptedOut,
                    _ => Protection::None,
                }
            }
            700..850 => self.told_to_end(host),
            850..950 if machine.is_up() => {
                // A panic, or a reboot by hand: the cloud never sees it stopped.
                machine.comes_up(now);
                self.follow_down(host);
                self.follow_up(host);
            }
            950.. => self.terminate(host),
            _ => {}
        }
    }

    /// Whoever carries the host's claim hears of another policy, or is to shut down.
    fn told_to_end(&mut self, host: usize) {
        for to in self.carrying(host) {
            let input = if self.rng.permille(500) {
                let revision = "2/0/0".to_owned();
                Input::PolicyChanged { revision }
            } else {
                let reason = "the service is to end".to_owned();
                Input::GiveUp { reason }
            };
            self.after(1, Event::Give(to, Box::new(input)));
        }
    }

    /// One that carries an executor stays: without it nobody might be left to bring anything to rest.
    fn terminate(&mut self, host: usize) {
        let carries = self.executors.iter().any(|one| one.carried_by == Some(host));
        if !carries && !self.machines[host].is_gone() {
            self.machines[host].state = InstanceState::ShuttingDown;
            self.machines[host].down_at = Some(self.now);
            let ms = self.rng.range(500, 5_000);
            self.after(ms, Event::Terminated(host));
        }
    }

    fn asks(&mut self, host: usize, change: Change) {
        let read = Box::new(self.store.host(host));
        let ms = self.rng.range(1, 500);
        self.after(ms, Event::Lands { host, read, change });
    }

    fn freeze(&mut self) {
        let frozen = Frozen {
            since: Wall(self.now),
            reason: "a drill".to_owned(),
            by: "a person".to_owned(),
        };
        let mut gate = apply_freeze(&self.store.gate.value, frozen);
        self.store.put_gate(gate.clone());
        self.tell_of_gate();
        // Thawed at once it must still cancel what was on its way.
        if self.rng.permille(600) {
            gate = apply_thaw(&gate);
            self.store.put_gate(gate);
        }
    }

    fn tell_of_gate(&mut self) {
        let gate = self.store.gate.clone();
        for host in 0..self.machines.len() {
            for to in self.carrying(host) {
                if self.rng.permille(200) {
                    let input = Box::new(Input::GateChanged(gate.clone()));
                    let ms = self.rng.range(1, 500);
                    self.after(ms, Event::Give(to, input));
                }
            }
        }
    }

    pub(super) fn trouble(&mut self) {
        if !self.faults {
            return;
        }
        let next = self.rng.range(1_000, 100_000 / self.harsh + 10_000);
        self.after(next, Event::Trouble);
        let executor = self.rng.range(0, self.executors.len() as u64) as usize;
        match self.rng.range(0, 10) {
            0..3 => self.crash(executor),
            3..8 => {
                let ms = self.rng.range(100, 25_000);
                self.executors[executor].paused_until = self.now + ms;
            }
            // The whole bus stands still for everybody.
            _ => {
                let ms = self.rng.range(100, 15_000);
                for executor in &mut self.executors {
                    executor.paused_until = self.now + ms;
                }
            }
        }
    }

    pub(super) fn crash(&mut self, executor: usize) {
        if self.executors[executor].alive {
            self.executors[executor].dies();
            let ms = self.rng.range(100, 15_000);
            self.after(ms, Event::Restart(executor));
        }
    }

    pub(super) fn restart(&mut self, executor: usize) {
        let can = match self.executors[executor].carried_by {
            Some(host) => self.machines[host].is_up(),
            None => true,
        };
        if can {
            self.executors[executor].alive = true;
        }
    }

    /// An executor goes down with the machine that it runs on, and comes up with it (P10).
    pub(super) fn follow_down(&mut self, host: usize) {
        let on_it = |executor: &&mut Executor| executor.carried_by == Some(host);
        self.executors.iter_mut().filter(on_it).for_each(Executor::dies);
    }

    pub(super) fn follow_up(&mut self, host: usize) {
        for executor in 0..self.executors.len() {
            if self.executors[executor].carried_by == Some(host) {
                self.after(500, Event::Restart(executor));
            }
        }
    }

    /// All faults are over, somebody is at every machine, and what must run runs.
    pub(super) fn rest(&mut self) {
        self.faults = false;
        // A late stop may still take a machine down, and the executor with it: somebody looks again.
        if self.now < FAULTS_MS + REST_MS / 2 {
            self.after(8_000, Event::Rest);
        }
        self.store.put_gate(apply_thaw(&self.store.gate.value));
        for host in 0..self.machines.len() {
            self.machines[host].set_busy(true, self.now);
        }
        for executor in 0..self.executors.len() {
            self.executors[executor].paused_until = self.now;
            self.after(1, Event::Restart(executor));
            if let Some(host) = self.executors[executor].carried_by {
                self.start(host);
            }
        }
    }
}
