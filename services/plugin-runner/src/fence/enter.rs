//! The process that fences itself and becomes the plugin.
//!
//! The order matters: each step needs what a later one takes away. It never runs the plugin where a fence that
//! the kernel has failed to go up.

use super::{
    channel, disk,
    limits::{self, Limits},
    orders::{Fenced, Orders, Outcome},
    reach, system_calls, user,
};
use crate::{file_identity::FileIdentity, orphans, process};
use std::{convert::Infallible, fs, io::Write, os::unix::net::UnixStream, process::ExitCode};

/// The code of a process that did not become the plugin, as of a shell that cannot run a program.
const NOT_RUN: u8 = 126;

/// The first descriptor that is no standard one.
const FIRST_OTHER: i32 = 3;

/// Fences this process and becomes the plugin. Returns only where that fails.
pub(super) fn become_plugin() -> ExitCode {
    let (socket, orders) = match channel::receive() {
        Ok(received) => received,
        Err(error) => {
            // Nobody listens on a socket: somebody typed the word by hand.
            #[expect(clippy::print_stderr, reason = "there is nobody else to tell, and no log yet")]
            {
                eprintln!("this is how the runner starts plugins: {error}");
            }
            return ExitCode::from(NOT_RUN);
        }
    };
    let Err(why) = enter(&socket, &orders);
    // Where nobody listens any more, the runner has given this process up.
    drop(tell(&socket, &Outcome::Failed { why }));
    ExitCode::from(NOT_RUN)
}

fn enter(socket: &UnixStream, orders: &Orders) -> Result<Infallible, String> {
    let mut not_enforced = orders.not_enforced.clone();
    let orders = &join(orders.clone(), &mut not_enforced);
    // Whoever started the runner may have left something open in it.
    close_fds::set_fds_cloexec(FIRST_OTHER, &[]);
    disk::check(&orders.home, Limits::of(&orders.permissions).disk_mb).map(|_bytes| ())?;
    let plan = reach::Plan::make(orders)?;
    let (user, closed) = user::take_own(orders, &plan.needed(orders), plan.places(), &mut not_enforced)?;
    limits::set(orders, user, &mut not_enforced)?;
    rustix::thread::set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    let (mut not_granted, cutting) = plan.enforce(orders, &mut not_enforced)?;
    not_granted.extend(closed);
    system_calls::filter(&orders.permissions, user, cutting, &mut not_enforced)?;
    if orders.require_isolation && !not_enforced.is_empty() {
        let all = not_enforced.join("; ");
        return Err(format!(
            "plugins.require_isolation is set, and not enforced is {all}"
        ));
    }
    let fenced = Outcome::Fenced(Fenced {
        not_enforced,
        not_granted,
    });
    tell(socket, &fenced).map_err(failed("tell the runner"))?;
    still_that(orders)?;
    let error = process::replace_this_by(&orders.path);
    Err(format!("run {}: {error}", orders.path.display()))
}

/// Whether what is run now is the file that was looked at, so far as anybody can tell.
fn still_that(orders: &Orders) -> Result<(), String> {
    match orders.seen {
        Some(seen) if FileIdentity::of(&orders.path) != Some(seen) => Err(format!(
            "{} was changed after it was looked at; it is looked at again",
            orders.path.display()
        )),
        Some(_) | None => Ok(()),
    }
}

/// Joins the control group. Where that cannot be, what it would have limited is limited otherwise.
fn join(mut orders: Orders, not_enforced: &mut Vec<String>) -> Orders {
    let Some(group) = &orders.control_group else {
        return orders;
    };
    if let Err(error) = fs::write(group.join("cgroup.procs"), "0") {
        not_enforced.push(format!(
            "memory and processor time of all its processes together, and {}: {} cannot be joined: {error}",
            orphans::not_enforced(),
            group.display()
        ));
        orders.memory_is_limited = false;
        orders.processes_are_limited = false;
    }
    orders
}

fn tell(mut socket: &UnixStream, outcome: &Outcome) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(outcome)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// The text of a failed step.
pub(super) fn failed<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("{step}: {error}")
}
