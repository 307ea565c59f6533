//! The bus against a real nats-server.

mod artifacts;
mod buckets;
mod decisions;
mod denials;
mod durability;
mod events;
mod fixtures;
mod messages;
mod micro;
mod proxy;
mod reply_subjects;
mod roles;
mod state;
mod streams;
mod support;
mod trace;
mod unknown_subjects;
