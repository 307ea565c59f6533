//! The executor against a real nats-server with every role behind its fence; its cloud is the simulated
//! one or, with the feature `aws`, moto behind a proxy that makes trouble.

mod asking;
mod claims;
mod gate;
mod hibernation;
mod host;
mod hosts;
mod identity;
mod leftovers;
mod limits;
mod looks;
mod outcomes;
mod pages;
mod process;
mod reach;
mod requests;
mod self_stop;
mod support;
mod takeover;
mod wakes;

#[cfg(feature = "aws")]
mod ec2;
