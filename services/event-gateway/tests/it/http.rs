//! People's own events over HTTP, against a real gateway on a real bus.

mod broken;
mod client;
mod filed;
mod limits;
mod malformed;
mod who;

pub(crate) use client::filed;
pub(crate) use malformed::answers_of;
