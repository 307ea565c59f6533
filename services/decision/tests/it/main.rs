//! The tests of deciding from outside: rules by name, scenarios in an operator's words, properties, and a
//! seeded simulation of a fleet.

mod answers;
mod bench;
mod combining;
mod deciding;
mod plans;
mod properties;
mod protocol;
mod scenarios;
mod simulation;
mod store;
