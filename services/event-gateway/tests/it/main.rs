//! The gateway over a real bus, every role behind its fence.

#[cfg(feature = "aws")]
mod aws;
mod aws_command;
mod aws_metadata;
mod aws_queue;
mod centre;
mod custom;
mod dispatch;
mod ends;
mod fleet;
mod host;
mod http;
mod launch;
mod malformed;
mod noticing;
mod outcomes;
mod parked;
mod places;
mod remembered;
mod replay;
mod room;
mod silent;
mod sources;
mod sweeping;
