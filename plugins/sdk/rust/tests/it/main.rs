//! What the SDK promises: the example, asked as a real child process and over a real nats-server.

#![expect(
    clippy::disallowed_methods,
    reason = "a plugin is asked as a runner asks it: as a process of its own"
)]

mod child;
mod golden;
mod lines;
#[cfg(feature = "native")]
mod native;
mod nats;
mod nats_end;
mod readme;
mod service;
