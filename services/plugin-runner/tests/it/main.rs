//! The runner over a real bus, every role behind its fence, with real plugin processes.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start real programs, and wait by the real clock"
)]

mod collector;
mod events;
mod leaks;
mod plugins;
mod preparing;
mod stage;
mod votes;
