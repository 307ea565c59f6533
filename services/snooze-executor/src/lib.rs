//! Applies what the decision crate decides: claims, notices, verifies, commits, and makes the one stop call.
//!
//! **Invariant:** this crate chooses nothing. What a verdict means, which step comes next and whether a
//! call may be made is said by `snooze-decision`; this crate performs it and reports what came of it.
//! **Invariant:** it keeps nothing between messages that a stop rests on: any replica can decide any host,
//! and one that dies leaves a claim that another undoes or watches, and never one that calls twice.
//!
//! - [`run`]: the service, with its [`Config`].
//! - [`provider`]: the clouds; [`provider::simulated::SimulatedCloud`] is a handle that shows its calls.
//! - [`convert`]: between the types on the wire and those that deciding knows.

mod claims;
mod context;
pub mod convert;
mod driver;
mod follow;
mod hello;
mod intake;
mod look;
mod looks;
#[doc(hidden)]
pub mod measure;
mod mirror;
mod notes;
mod observer;
mod ops;
mod own;
mod perform;
pub mod provider;
mod reach;
mod service;
mod store;

pub use intake::IntakeError;
pub use service::{Config, ENDS_WITHIN, ExecutorError, run};
