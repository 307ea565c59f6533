//! The whole path with real components: this machine's readings, our programs as processes, a real
//! nats-server with every role behind its fence, a real Redis, a real OTLP receiver and, with the feature
//! `aws`, moto behind a proxy that counts. Nothing of ours is called; everything is run.

mod blip;
mod cli;
mod credentials;
mod events;
mod install;
mod place;
mod processes;
mod separate;
mod settings;
mod soak;
mod trace;
mod unconnected;
mod up;

#[cfg(feature = "aws")]
mod ec2;
#[cfg(feature = "aws")]
mod queue;
