//! What speaks with AWS, against moto.

mod command;
mod events;
mod explained;
mod found;
mod publish;
mod publish_failing;
mod removing;
mod setting_up;
