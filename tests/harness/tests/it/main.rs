//! The harness against the real servers that it starts.

mod nats;
mod others;
mod process;
mod proxy;
