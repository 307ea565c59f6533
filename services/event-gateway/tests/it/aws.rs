//! What speaks with AWS, against moto.

mod command;
mod events;
mod explained;
mod found;
mod removing;
mod setting_up;
