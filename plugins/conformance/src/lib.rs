//! The plugin contract as cases that are asked of a plugin: a process, or one on the bus.
//!
//! **Invariant:** what a case demands stands in `cases/*.json` and nowhere in code. It has no opinion of its own
//! on plugins, keeps nothing, and ends every process that it started.

mod case;
mod example;
mod junit;
mod nats;
mod pattern;
mod process;
mod recorded;
mod report;
mod run;
mod session;
mod wire;

pub use case::{Ask, Case, CasesError, Form, Layer, Piece, Step, Subject, subjects};
pub use example::{Example, ExampleError, FILE};
pub use nats::NatsPlugin;
pub use process::{Adopted, Ending, Program, ProgramError, Running, Starter, build};
pub use recorded::{Recording, recordings};
pub use report::{Failure, Outcome, Report};
pub use run::{Limits, Moment, Selection, Target, run, run_telling};
