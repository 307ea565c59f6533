//! Deciding, pure: policy, combining votes, the claim protocol as a state machine, explanations.
//!
//! The same inputs give the same outputs, on any machine and at any time: this crate has no clock, no
//! randomness, no IO, no async, no serde and no logging, and no input makes it panic. `no_std` lets
//! the compiler refuse the rest. Times and random texts are passed in.
//!
//! [`decide::decide`] says what is to become of a host; [`claim::Holder`] carries one claim from its
//! first write to its last; [`claim::Observer`] finds claims that nobody carries any more;
//! [`plan_check`] looks at every plan before it is carried out.

#![no_std]

extern crate alloc;

pub mod claim;
pub mod combine;
pub mod decide;
pub mod explain;
pub mod obstacle;
pub mod plan_check;
pub mod policy;
pub mod time;
pub mod verdict;
pub mod witness;

pub use combine::{Combined, Idleness, combine};
pub use decide::{Decision, Explained, Facts, decide};
pub use obstacle::Obstacle;
pub use plan_check::{Checker, Guarded, Violation};
pub use policy::{Combine, Mode, Policy, PolicyMistake, PolicyValues, Role, StopAction, VoterRule};
pub use time::{Boot, Now, Wall};
pub use verdict::{Verdict, Vote, VoteState};
