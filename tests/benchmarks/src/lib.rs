//! What the programs cost, measured from outside: what a process takes, and rows of figures.
//!
//! It starts nothing, and says nothing about what is inside a program.

mod process;
mod report;

pub use process::{Cost, CostError, Memory};
pub use report::{Figure, Goal, Report};
