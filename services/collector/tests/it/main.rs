//! The collector against folders that stand for a machine, against this machine, and over a real bus.

mod machine;
mod people;
mod readings;
mod real;
mod service;
