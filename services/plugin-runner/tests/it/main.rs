//! The runner over a real bus, every role behind its fence, with real plugin processes.

mod blips;
mod collector;
mod events;
mod fences;
mod fleet;
mod granting;
mod greedy;
mod inspecting;
mod interpreters;
mod kernel;
mod leaks;
mod manifests;
mod micro;
mod native;
mod nats_plugins;
mod packages;
mod plugins;
mod preparing;
mod remote;
mod rights;
mod set;
mod shared_user;
mod stage;
mod verifying;
mod voters;
mod votes;
